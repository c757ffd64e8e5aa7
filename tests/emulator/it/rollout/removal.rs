//! Away again: in order, not under what still runs, and with a word about what stays.

use std::sync::Arc;

use aws_sdk_ec2::types as ec2;
use spothub_aws::{DynamoStore, Home, StoreSettings, TimeOuts, Uncounted};
use spothub_core::catalog::{Product, TypeId};
use spothub_core::cloud::Route;
use spothub_core::group::{Lifecycle, Source};
use spothub_core::id::{GroupKey, InstanceId, SwapId};
use spothub_core::money::UsdPerHour;
use spothub_core::port::{Expect, Store};
use spothub_core::record::{FORMAT, GroupRecord, Op, Request, Stage as Step, Usage};
use spothub_core::time::{Span, Timestamp};
use spothub_tests::store::{delete, put};

use super::*;
use crate::clock::WallClock;

impl Stage {
    /// The hub's store, which the stack has made.
    fn store(&self) -> DynamoStore {
        let home = Home::new(self.management.clone(), Arc::new(Uncounted));
        let settings = StoreSettings { table: "spothub".parse().unwrap(), time_outs: TimeOuts::default(), noise: 7 };
        run(async move { DynamoStore::open(home, Arc::new(WallClock), settings).await.unwrap() })
    }

    /// An instance as the hub launches it; its id.
    fn launched(&self, account: AccountId, name: &str) -> String {
        let client = aws_sdk_ec2::Client::new(&self.session(account, region(name)));
        let tag = |key: &str, value: &str| ec2::Tag::builder().key(key).value(value).build();
        let tags = ec2::TagSpecification::builder().resource_type(ec2::ResourceType::Instance);
        let tags = tags.tags(tag("spothub:hub", "hub-1")).tags(tag("spothub:managed", "true")).build();
        run(async move {
            let call = client.run_instances().image_id("ami-0aaaaaaaaaaaaaaa1").min_count(1).max_count(1);
            let call = call.instance_type(ec2::InstanceType::M5Large).tag_specifications(tags);
            let spot = ec2::InstanceMarketOptionsRequest::builder().market_type(ec2::MarketType::Spot);
            let call = call.instance_market_options(spot.build());
            call.send().await.unwrap().instances()[0].instance_id().unwrap().to_owned()
        })
    }

    fn terminated(&self, account: AccountId, name: &str, id: &str) {
        let client = aws_sdk_ec2::Client::new(&self.session(account, region(name)));
        let id = id.to_owned();
        run(async move { client.terminate_instances().instance_ids(id).send().await.unwrap() });
    }

    fn removed(&self) -> Ran {
        self.rollout(&["remove", "--yes"])
    }
}

fn record(site: Site) -> GroupRecord {
    let mut record = GroupRecord::new(GroupKey { site, name: "web".parse().unwrap() });
    let price = UsdPerHour(1000);
    record.ops.push(Op {
        id: SwapId::from_number(7, false),
        old: InstanceId::from_number(7),
        old_on_demand: true,
        az: "use1-az1".parse().unwrap(),
        subnet: "subnet-00000001".parse().unwrap(),
        product: Product::Linux,
        baseline: price,
        original: TypeId(0),
        request: Request {
            source: Source::Configuration("web".parse().unwrap()),
            route: Route::Fleet,
            pools: Vec::new(),
            max_price: price,
            lifecycle: Lifecycle::Spot,
            first_attempt: 0,
        },
        fallback: None,
        new: None,
        stage: Step::Launch { attempt: 0 },
        started_at: Timestamp(1),
        entered_at: Timestamp(1),
        added: false,
        attached: false,
        desired_after: 0,
        counted: None,
        bake: Span::ZERO,
        policy: String::new(),
        drain: None,
        unclear: false,
        tries: 0,
    });
    record
}

#[test]
fn everything_goes_in_order_and_what_holds_data_stays() {
    let stage = Stage::with("");
    stage.applied();
    let unasked = stage.rollout(&["remove"]);
    assert!(unasked.code == Some(2) && unasked.err.contains("say --yes"), "{}", unasked.err);
    stage.assert_whole();
    let begun = stage.cursor();
    let removed = stage.removed();
    assert_eq!(removed.code, Some(0), "{}\n{}", removed.out, removed.err);
    for words in ["delete-table", "--no-deletion-protection-enabled", "delete-bucket", "TableName"] {
        assert!(removed.out.contains(words), "{words}: {}", removed.out);
    }
    let calls = stage.changes(begun);
    let calls: Vec<&str> = calls.iter().map(String::as_str).filter(|call| call.starts_with("Delete")).collect();
    let order = ["DeleteStackInstances", "DeleteStackInstances", "DeleteStackSet", "DeleteStackSet", "DeleteStack"];
    assert_eq!(calls, order);
    for (name, _) in MEMBERS {
        for region in [HERE, THERE] {
            assert_eq!(stage.found(stage.account(name), region), Found::default(), "{name} {region}");
        }
    }
    let tables = aws_sdk_dynamodb::Client::new(&stage.management);
    let names = run(async move { tables.list_tables().send().await.unwrap().table_names.unwrap() });
    assert_eq!(names, ["spothub"]);
    let again = stage.removed();
    assert_eq!((again.code, again.out.as_str()), (Some(0), "Nothing is there.\n"), "{}", again.err);

    // What stayed is in the way of another hub, until it is named; then the next one goes on with it.
    let blocked = stage.rollout(&["apply", "--yes"]);
    assert_eq!(blocked.code, Some(1));
    assert!(blocked.out.contains("PolicyBucketName"), "{}", blocked.out);
    let text = std::fs::read_to_string(stage.program.path("rollout.yaml")).unwrap();
    let kept = format!("parameters: {{TableName: spothub, PolicyBucketName: spothub-policy-{MANAGEMENT}-{HERE}, ");
    stage.write(&text.replace("parameters: {", &kept));
    stage.applied();
    stage.assert_whole();
}

#[test]
fn nothing_is_removed_under_a_swap_or_a_living_instance() {
    let stage = Stage::with("");
    stage.applied();
    let (shop, lake) = (stage.account("shop"), stage.account("lake"));
    let begun = stage.cursor();
    let refused = |words: &str| {
        let ran = stage.removed();
        assert_eq!(ran.code, Some(2), "{}\n{}", ran.out, ran.err);
        assert!(ran.err.contains(words) && ran.err.contains("--leave-spot"), "{words}: {}", ran.err);
    };
    let id = stage.launched(lake, THERE);
    refused(&format!("the instance {id} in {lake}/{THERE} lives"));
    stage.terminated(lake, THERE, &id);

    let record = record(Site { account: shop, region: region(HERE) });
    let (store, key) = (Arc::new(stage.store()), format!("group/{}", record.group));
    let text = serde_json::to_string(&record).unwrap();
    let (writer, written) = (Arc::clone(&store), key.clone());
    run(async move { writer.write(&[put(&written, &text, Expect::Anything)]).await.unwrap() });
    refused("the swap sw-0000000000000007");
    assert!(!stage.changes(begun).iter().any(|call| call.starts_with("Delete")), "{:?}", stage.changes(begun));
    stage.assert_whole();
    run(async move { store.write(&[delete(&key, Expect::Anything)]).await.unwrap() });

    std::fs::rename(stage.program.path("spothub.yaml"), stage.program.path("other.yaml")).unwrap();
    refused("without the hub's settings (spothub.yaml)");
    let removed = stage.rollout(&["remove", "--yes", "--settings", "other.yaml"]);
    assert_eq!(removed.code, Some(0), "{}\n{}", removed.out, removed.err);
}

#[test]
fn what_is_on_spot_goes_back_first_where_that_is_asked_for() {
    let stage = Stage::with("");
    stage.applied();
    let lake = stage.account("lake");
    let id = stage.launched(lake, THERE);
    assert_eq!(stage.removed().code, Some(2));
    let site = Site { account: lake, region: region(THERE) };
    let key = format!("usage/{site}/{id}");
    let usage = Usage {
        format: FORMAT,
        instance: id.parse().unwrap(),
        swap: SwapId::from_number(7, false),
        group: GroupKey { site, name: "web".parse().unwrap() },
        kind: TypeId(0),
        az: "use1-az1".parse().unwrap(),
        lifecycle: Lifecycle::Spot,
        quoted: None,
        product: Product::Linux,
        replaces: InstanceId::from_number(7),
        baseline: UsdPerHour(96_000),
        original: TypeId(0),
        launched_at: Some(Timestamp(1)),
        ended_at: None,
        replaced_at: None,
        unseen: false,
        settled: false,
    };
    let (store, text) = (Arc::new(stage.store()), serde_json::to_string(&usage).unwrap());
    let (hub, row) = (Arc::clone(&store), key.clone());
    run(async move { hub.write(&[put(&row, &text, Expect::Anything)]).await.unwrap() });
    std::thread::scope(|threads| {
        // The hub, which sends it back once it is told to.
        let hub = threads.spawn(|| {
            let (reader, writer, key) = (Arc::clone(&store), Arc::clone(&store), key.clone());
            let told = run(async move {
                loop {
                    let row = reader.get("pause/org").await.unwrap();
                    let row = row.map(|row| String::from_utf8_lossy(&row.value).into_owned());
                    if let Some(row) = row.filter(|row| row.contains("\"revert\":true")) {
                        break row;
                    }
                    crate::clock::wait(std::time::Duration::from_millis(50)).await;
                }
            });
            stage.terminated(lake, THERE, &id);
            run(async move { writer.write(&[delete(&key, Expect::Anything)]).await.unwrap() });
            told
        });
        let removed = stage.rollout(&["remove", "--yes", "--revert"]);
        assert_eq!(removed.code, Some(0), "{}\n{}", removed.out, removed.err);
        assert!(
            removed.err.contains("sending back to on-demand") && removed.err.contains("0 on Spot"),
            "{}",
            removed.err
        );
        assert!(hub.join().unwrap().contains("rollout remove --revert"));
    });
}

#[test]
fn instances_are_left_where_that_is_said() {
    let stage = Stage::with("");
    stage.applied();
    let lake = stage.account("lake");
    let id = stage.launched(lake, HERE);
    assert_eq!(stage.removed().code, Some(2));
    let removed = stage.rollout(&["remove", "--yes", "--leave-spot"]);
    assert_eq!(removed.code, Some(0), "{}\n{}", removed.out, removed.err);
    let client = aws_sdk_ec2::Client::new(&stage.session(lake, region(HERE)));
    let seen = run(async move { client.describe_instances().instance_ids(id).send().await.unwrap() });
    let state = seen.reservations()[0].instances()[0].state().and_then(|state| state.name()).cloned();
    assert_eq!(state, Some(ec2::InstanceStateName::Running));
}

#[test]
fn a_removal_that_is_stuck_somewhere_goes_on_later() {
    let stage = Stage::with("");
    stage.applied();
    let bank = stage.account("bank");
    let fault = json!({
        "service": "sqs", "action": "DeleteQueue", "account": bank.to_string(), "region": THERE,
        "code": "AccessDenied", "message": "a control policy forbids it", "count": null,
    });
    let id = stage.post("/faults", fault)["id"].as_u64().unwrap();
    let stuck = stage.rollout(&["remove", "--yes", "--output", "json"]);
    assert_eq!(stuck.code, Some(3), "{}\n{}", stuck.out, stuck.err);
    let told = stuck.json();
    assert!(told["failures"].to_string().contains("a control policy forbids it"), "{told}");
    assert!(stage.found(bank, HERE).role, "roles stay until the rules are gone");
    let control = stage.control.clone();
    run(async move { control.delete("/faults", id).await });
    let removed = stage.removed();
    assert_eq!(removed.code, Some(0), "{}\n{}", removed.out, removed.err);
    assert_eq!(stage.found(bank, THERE), Found::default());
}
