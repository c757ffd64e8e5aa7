//! The table: what is refused, its format, and what becomes of deleted keys.

use super::*;

async fn refused(table: &Table) -> String {
    match table.open().await {
        Ok(_) => panic!("{} was taken", table.name),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_missing_table_is_told_with_a_remedy() {
    on_emulator(async {
        let table = Table::unmade();
        let told = refused(&table).await;
        let region = crate::emulator::HERE;
        assert!(told.contains(&format!("no DynamoDB table {} in {region}", table.name)), "{told}");
        assert!(told.contains("docs/store.md") && told.contains("the setting store"), "{told}");
    });
}

#[test]
fn a_table_that_is_dropped_is_told_by_the_next_write() {
    on_emulator(async {
        let table = Table::make().await;
        let store = table.open().await.unwrap();
        table.client.delete_table().table_name(&table.name).send().await.unwrap();
        let told = store.write(&[put("g/1", "v", Expect::Absent)]).await.unwrap_err().to_string();
        assert!(told.contains("no DynamoDB table"), "{told}");
    });
}

#[test]
fn a_table_with_another_key_is_refused() {
    on_emulator(async {
        let table = Table::with_key("id", "at").await;
        let told = refused(&table).await;
        let words = [table.name.as_str(), "id (S, HASH), at (S, RANGE)", "p (S, HASH), k (S, RANGE)", "docs/store.md"];
        assert!(words.iter().all(|word| told.contains(word)), "{told}");
    });
}

#[test]
fn a_table_that_holds_something_else_is_refused_unchanged() {
    on_emulator(async {
        let table = Table::make().await;
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let call = table.client.put_item().table_name(&table.name).item("p", text("song")).item("k", text("1"));
        call.send().await.unwrap();
        let told = refused(&table).await;
        assert!(told.contains("holds something else") && told.contains(&table.name), "{told}");
        assert_eq!(table.raw("meta", "format").await, None);
    });
}

#[test]
fn two_workers_begin_an_empty_table_together() {
    on_emulator(async {
        let table = Table::make().await;
        let (one, two) = futures::future::join(table.open(), table.open()).await;
        fill(&one.unwrap(), &["k"]).await;
        assert_eq!(two.unwrap().get("k").await.unwrap(), Some(item("k", 1, "k")));
        let format = table.raw("meta", "format").await.unwrap();
        assert_eq!(format[1], ("n".to_owned(), AttributeValue::N(STORE_FORMAT.to_string())));
        assert!(two_of(&table).await.is_empty(), "the format is no item");
    });
}

async fn two_of(table: &Table) -> Vec<String> {
    let page = table.open().await.unwrap().query("m", None, 10).await.unwrap();
    page.items.into_iter().map(|item| item.key).collect()
}

/// A step that leaves a mark, however often it is done.
fn marked(store: &DynamoStore) -> futures::future::BoxFuture<'_, Result<(), StoreError>> {
    Box::pin(async { store.write(&[put("mark/1", "m", Expect::Anything)]).await.map(|_| ()) })
}

fn broken(_: &DynamoStore) -> futures::future::BoxFuture<'_, Result<(), StoreError>> {
    Box::pin(async { Err(StoreError::Unavailable("the step broke".to_owned())) })
}

#[test]
fn an_older_table_is_brought_up_to_date_once() {
    on_emulator(async {
        let table = Table::make().await;
        fill(&table.open().await.unwrap(), &["k"]).await;
        let steps: [StoreStep; 2] = [marked, marked];
        let told = table.open_with(&[marked, broken], Arc::new(WallClock)).await.err().unwrap().to_string();
        assert!(told.contains("the step broke"), "{told}");
        for _ in 0..2 {
            let store = table.open_with(&steps, Arc::new(WallClock)).await.unwrap();
            assert_eq!(store.get("mark/1").await.unwrap(), Some(item("mark/1", 2, "m")), "each step once");
            assert_eq!(store.get("k").await.unwrap(), Some(item("k", 1, "k")));
        }
    });
}

#[test]
fn a_newer_table_is_refused_unchanged() {
    on_emulator(async {
        let table = Table::make().await;
        drop(table.open_with(&[marked], Arc::new(WallClock)).await.unwrap());
        let before = table.raw("meta", "format").await;
        let newer = StoreError::Newer { found: STORE_FORMAT + 1, known: STORE_FORMAT };
        assert_eq!(table.open().await.err(), Some(newer));
        assert_eq!(table.raw("meta", "format").await, before);
    });
}

#[test]
fn a_worker_stops_writing_once_a_newer_program_has_taken_over() {
    on_emulator(async {
        let table = Table::make().await;
        let clock = Arc::new(Shifted::default());
        let old = table.open_with(&[], clock.clone()).await.unwrap();
        let newer = table.open_with(&[marked], Arc::new(WallClock)).await.unwrap();
        fill(&newer, &["k"]).await;
        clock.0.store(61_000, Ordering::Relaxed);
        for _ in 0..2 {
            let refused = old.write(&[put("k", "old", Expect::Version(1))]).await;
            assert_eq!(refused, Err(StoreError::Newer { found: STORE_FORMAT + 1, known: STORE_FORMAT }));
        }
        assert_eq!(newer.get("k").await.unwrap(), Some(item("k", 1, "k")));
    });
}

#[test]
fn only_keys_that_no_lease_guarded_are_forgotten() {
    on_emulator(async {
        let table = Table::make().await;
        let Stores { one, two } = table.stores().await;
        let begun = WallClock.now();
        for (fence, forgotten) in [(0, true), (1, true), (2, false), (9, false)] {
            let key = format!("notice/{fence}");
            one.write(&[Put { fence, ..put(&key, "v", Expect::Absent) }]).await.unwrap();
            one.write(&[Put { fence, ..delete(&key, Expect::Anything) }]).await.unwrap();
            let raw = table.raw(&format!("notice/{fence}"), &key).await.unwrap();
            let expiry = raw.iter().find(|(name, _)| name == "x").map(|(_, value)| value.as_n().unwrap().clone());
            assert_eq!(expiry.is_some(), forgotten, "fence {fence}");
            if let Some(expiry) = expiry {
                let days = (expiry.parse::<i64>().unwrap() - begun.0 / 1000) / 86_400;
                assert_eq!(days, 30);
            }
        }
        // Which it then does: the key begins anew, also for who remembers it.
        table.expire("notice/1", "notice/1").await;
        assert_eq!(two.write(&[fenced("notice/2", 1)]).await, off("notice/2"));
        assert_eq!(one.write(&[fenced("notice/1", 1)]).await.unwrap(), [1]);
        let raw = table.raw("notice/1", "notice/1").await.unwrap();
        assert!(raw.iter().all(|(name, _)| name != "x"), "what came back does not expire");
    });
}

#[test]
fn an_item_is_laid_out_as_the_page_says() {
    on_emulator(async {
        let table = Table::make().await;
        let store = table.open().await.unwrap();
        let key = "group/012345678901/eu-west-1/web";
        store.write(&[Put { fence: 3, ..put(key, "{}", Expect::Absent) }]).await.unwrap();
        let raw = table.raw("group/0", key).await.unwrap();
        let names: Vec<&str> = raw.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["d", "f", "k", "p", "v", "w"]);
        let numbers = [&raw[1].1, &raw[4].1].map(|value| value.as_n().unwrap().as_str());
        assert_eq!(numbers, ["3", "1"]);
        assert_eq!(raw[5].1.as_b().unwrap().as_ref().len(), 16);
    });
}
