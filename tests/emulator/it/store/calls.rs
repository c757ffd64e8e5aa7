//! What calls are made, and what becomes of a write when they fail.

use super::*;

const LOST: &str = "close";

/// One write of each kind over a key at version 1, with the first answer lost or worse: it counts once.
async fn once(fault: Value) {
    let table = Table::make().await;
    let store = table.open().await.unwrap();
    fill(&store, &["g/version", "g/anything", "s/1", "s/2"]).await;
    let single = [
        (put("g/version", "new", Expect::Version(1)), 2),
        (put("g/anything", "new", Expect::Anything), 2),
        (put("g/absent", "new", Expect::Absent), 1),
        (delete("g/version", Expect::Version(2)), 3),
    ];
    for (put, version) in single {
        let id = table.fault(fault.clone()).await;
        assert_eq!(store.write(std::slice::from_ref(&put)).await.unwrap(), [version], "{put:?}");
        emulator().control.delete("/faults", id).await;
    }
    let several =
        [put("s/1", "n", Expect::Version(1)), put("s/2", "n", Expect::Anything), put("s/3", "n", Expect::Absent)];
    table.fault(fault).await;
    assert_eq!(store.write(&several).await.unwrap(), [2, 2, 1]);
    let all = [item("g/absent", 1, "new"), item("g/anything", 2, "new")];
    assert_eq!(store.query("g/", None, 10).await.unwrap().items, all);
    let all = [item("s/1", 2, "n"), item("s/2", 2, "n"), item("s/3", 1, "n")];
    assert_eq!(store.query("s/", None, 10).await.unwrap().items, all);
}

#[test]
fn a_write_whose_answer_was_lost_counts_once() {
    on_emulator(once(json!({"action": "TransactWriteItems", "answer": LOST, "effect": true})));
    on_emulator(once(json!({"action": "PutItem", "answer": LOST, "effect": true})));
}

#[test]
fn a_write_that_never_arrived_is_made_again() {
    on_emulator(once(json!({"action": "PutItem", "answer": LOST})));
    on_emulator(once(json!({"action": "TransactWriteItems", "answer": LOST})));
}

#[test]
fn a_write_that_failed_after_its_effect_counts_once() {
    on_emulator(once(json!({"action": "PutItem", "code": "InternalServerError", "status": 500, "effect": true})));
    on_emulator(once(
        json!({"action": "TransactWriteItems", "code": "InternalServerError", "status": 500, "effect": true}),
    ));
}

#[test]
fn throttling_and_conflicts_pass() {
    for code in ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"] {
        on_emulator(once(json!({"action": "*Item*", "code": code, "count": 3})));
    }
    on_emulator(once(json!({"action": "PutItem", "code": "TransactionConflictException", "count": 2})));
    on_emulator(once(json!({"action": "TransactWriteItems", "code": "TransactionInProgressException", "count": 2})));
}

#[test]
fn what_stays_throttled_is_unavailable_in_time() {
    on_emulator(async {
        let table = Table::make().await;
        let store = table.open().await.unwrap();
        fill(&store, &["g/1"]).await;
        let cursor = Table::cursor().await;
        table.fault(json!({"code": "ThrottlingException", "count": null})).await;
        let begun = WallClock.now();
        let told = store.write(&[put("g/1", "v", Expect::Version(1))]).await;
        assert!(
            matches!(&told, Err(StoreError::Unavailable(text)) if text.contains("ThrottlingException")),
            "{told:?}"
        );
        assert!(WallClock.now().since(begun) < Span::secs(10));
        assert_eq!(table.actions(cursor).await, ["PutItem"; 8]);
        for told in [store.get("g/1").await.map(|_| ()), store.query("g/1", None, 1).await.map(|_| ())] {
            assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
        }
    });
}

#[test]
fn answers_that_never_come_may_have_written() {
    on_emulator(async {
        let table = Table::make().await;
        let store = table.open().await.unwrap();
        let fault = table.fault(json!({"action": "PutItem", "answer": LOST, "effect": true, "count": null})).await;
        let told = store.write(&[put("g/1", "v", Expect::Absent)]).await;
        assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
        emulator().control.delete("/faults", fault).await;
        assert_eq!(store.get("g/1").await.unwrap(), Some(item("g/1", 1, "v")), "once");
    });
}

/// The first worker's write has its effect, its answer does not come, and the second writes before it asks again.
#[test]
fn a_write_that_was_overtaken_while_its_answer_was_lost_is_in_doubt() {
    on_emulator(async {
        let table = Table::make().await;
        let Stores { one, two } = table.stores().await;
        one.write(&[put("g/1", "old", Expect::Absent)]).await.unwrap();
        table.fault(json!({"action": "PutItem", "answer": LOST, "effect": true, "delay_after": 0.6})).await;
        let overtake = async {
            while two.get("g/1").await.unwrap().unwrap().version < 2 {}
            two.write(&[put("g/1", "theirs", Expect::Version(2))]).await.unwrap()
        };
        let ours = [put("g/1", "ours", Expect::Version(1))];
        let (told, theirs) = futures::future::join(one.write(&ours), overtake).await;
        assert_eq!(theirs, [3]);
        assert!(matches!(&told, Err(StoreError::Unavailable(text)) if text.contains("g/1")), "{told:?}");
    });
}

/// The first worker's write does not arrive, and the second is faster: a lost race, and no doubt about it.
#[test]
fn a_write_that_was_overtaken_before_it_arrived_is_lost() {
    on_emulator(async {
        let table = Table::make().await;
        let Stores { one, two } = table.stores().await;
        one.write(&[put("g/1", "old", Expect::Absent)]).await.unwrap();
        table.fault(json!({"action": "PutItem", "answer": LOST, "delay": 0.6})).await;
        let (ours, theirs) = ([put("g/1", "ours", Expect::Version(1))], [put("g/1", "theirs", Expect::Version(1))]);
        let overtake = async {
            // Its own write takes the fault where it comes first: it is asked for only once the other one waits.
            let hit = || async { emulator().control.get("/faults").await["faults"].to_string() };
            let waits = format!("\"contains\":\"{}\"", table.name);
            while !hit().await.split('{').any(|rule| rule.contains(&waits) && rule.contains("\"hit\":1")) {}
            two.write(&theirs).await
        };
        let (told, theirs) = futures::future::join(one.write(&ours), overtake).await;
        assert_eq!((told, theirs), (lost("g/1"), Ok(vec![2])));
        assert_eq!(one.get("g/1").await.unwrap(), Some(item("g/1", 2, "theirs")));
    });
}

#[test]
fn a_right_that_is_missing_is_told() {
    on_emulator(async {
        let table = Table::make().await;
        let store = table.open().await.unwrap();
        let cursor = Table::cursor().await;
        table.fault(json!({"action": "Query", "code": "AccessDeniedException", "count": null})).await;
        let told = store.query("g/", None, 1).await.unwrap_err().to_string();
        assert!(told.contains("dynamodb:Query") && told.contains(&table.name), "{told}");
        assert_eq!(table.actions(cursor).await, ["Query"], "not asked again");
    });
}

#[test]
fn each_thing_takes_as_few_calls_as_it_can() {
    on_emulator(async {
        let table = Table::make().await;
        let store = table.open().await.unwrap();
        let fresh = table.open().await.unwrap();
        let written = [
            ("PutItem", vec![put("g/0", "v", Expect::Absent)]),
            ("PutItem", vec![put("g/0", "w", Expect::Version(1))]),
        ];
        let known = ("PutItem", vec![put("g/0", "x", Expect::Anything)]);
        let again = ("PutItem", vec![put("g/0", "y", Expect::Anything)]);
        let pair = ("TransactWriteItems", vec![put("g/0", "z", Expect::Version(4)), put("u/0", "v", Expect::Anything)]);
        let refused = 1;
        for (number, (action, puts)) in written.into_iter().chain([known, again, pair]).enumerate() {
            let cursor = Table::cursor().await;
            store.write(&puts).await.unwrap();
            // The one that was written over by its version is not remembered: the true one is learnt by a refusal.
            let calls = if number == 2 { 1 + refused } else { 1 };
            assert_eq!(table.actions(cursor).await, vec![action; calls], "{puts:?}");
        }
        for (calls, prefix) in [(1, "g/0"), (1, "g/"), (12, "group/"), (1, "group/1")] {
            let cursor = Table::cursor().await;
            fresh.query(prefix, None, 10).await.unwrap();
            assert_eq!(table.actions(cursor).await, vec!["Query"; calls], "{prefix}");
        }
        let cursor = Table::cursor().await;
        fresh.get("g/0").await.unwrap();
        fresh.query("g", None, 10).await.unwrap();
        assert_eq!(table.actions(cursor).await, ["GetItem", "Scan"]);
        for call in table.calls(0).await {
            if ["GetItem", "Query", "Scan"].iter().any(|action| call["action"] == *action) {
                assert_eq!(call["params"]["ConsistentRead"], true, "{call}");
            }
        }
    });
}

/// A page reads what it gives: not the same items once in each partition.
#[test]
fn a_page_reads_little_more_than_it_gives() {
    on_emulator(async {
        let table = Table::make().await;
        let store = table.open().await.unwrap();
        let all: Vec<String> = (0..300_u64).map(|n| format!("group/{n:03}")).collect();
        fill_many(&store, &all).await;
        let cursor = Table::cursor().await;
        let page = store.query("group/", Some("group/150"), 120).await.unwrap();
        assert_eq!((page.items.len(), page.items[0].key.as_str()), (120, "group/151"));
        let calls = table.calls(cursor).await;
        assert_eq!(calls.len(), 2, "from the second hundred into the third");
        assert_eq!(calls[0]["params"]["Limit"], 121);
        assert_eq!(calls[1]["params"]["Limit"], 121 - 49);
    });
}
