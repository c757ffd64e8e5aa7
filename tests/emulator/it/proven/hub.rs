//! Each right of the hub's own role. One role serves the whole hub, so they are taken away one after the other, on a
//! server of their own.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_ssm::types::ParameterType;
use serde_json::json;
use spothub_aws::{
    Action, AwsPlacement, AwsPrices, DynamoStore, Enrolment, Holder, OrgDirectory, PriceList, QueueUrls, Scope,
    SqsInbox, SsmPolicies, StoreSettings, TimeOuts, TypeReader,
};
use spothub_core::catalog::{Catalog, Product};
use spothub_core::id::{Region, Site};
use spothub_core::port::{Clock, Directory, Inbox, Lane, Look, Placement, Policies, Prices, Store};
use spothub_core::time::Span;
use spothub_tests::cloud::cause;
use spothub_tests::store::put;

use super::{Role, enforced, is_refused};
use crate::clock::WallClock;
use crate::control::Control;
use crate::emulator::{Emulator, HERE, region, run};

/// The parameter and the bucket of the templates.
const POINTER: &str = "/spothub/policy";
const BUCKET: &str = "spothub-policy-123456789012-us-east-1";

/// The hub's adapters, made anew for each call: none remembers anything.
struct Hub {
    emulator: Emulator,
    urls: QueueUrls,
    member: Site,
    unit: String,
}

impl Hub {
    fn clock() -> Arc<dyn Clock> {
        Arc::new(WallClock)
    }

    async fn store(&self) -> Result<DynamoStore, String> {
        let settings = StoreSettings { table: "spothub".parse().unwrap(), time_outs: TimeOuts::default(), noise: 7 };
        DynamoStore::open(self.emulator.home(), Self::clock(), settings).await.map_err(|error| error.to_string())
    }

    async fn accounts(&self, enrolment: Enrolment) -> Result<(), String> {
        let regions = BTreeSet::from([region(HERE)]);
        let directory = OrgDirectory::new(self.emulator.home(), Self::clock(), enrolment, regions);
        directory.accounts().await.map(drop).map_err(|fault| fault.to_string())
    }

    /// Makes the call that needs an action.
    async fn call(&self, action: &str) -> Result<(), String> {
        let home = || self.emulator.home();
        let here: Region = region(HERE);
        let said = |fault: spothub_core::fault::Fault| fault.to_string();
        match action {
            "sts:AssumeRole" => self.emulator.cloud().groups(&self.member, None, cause()).await.map(drop).map_err(said),
            "ec2:DescribeAvailabilityZones" | "ec2:DescribeSpotPriceHistory" => {
                let prices = AwsPrices::new(home(), Self::clock(), Catalog::embedded());
                prices.spot(&here).await.map(drop).map_err(said)
            }
            "ec2:GetSpotPlacementScores" => {
                let types: Vec<_> = Catalog::embedded().types().map(|(kind, _)| kind).take(3).collect();
                let placement = AwsPlacement::new(home(), Catalog::embedded());
                placement.scores(&here, &types).await.map(drop).map_err(said)
            }
            "ec2:DescribeInstanceTypeOfferings" | "ec2:DescribeInstanceTypes" => {
                TypeReader::new(home()).read(&here).await.map(drop).map_err(said)
            }
            "pricing:GetProducts" => PriceList::new(home()).read(&here, Product::ALL[0]).await.map(drop).map_err(said),
            "organizations:ListAccounts" => self.accounts(Enrolment::all()).await,
            "organizations:ListTagsForResource" => self.accounts(Enrolment { tags: true, ..Enrolment::all() }).await,
            "organizations:ListRoots"
            | "organizations:ListAccountsForParent"
            | "organizations:ListOrganizationalUnitsForParent"
            | "organizations:DescribeOrganizationalUnit" => {
                let units = BTreeSet::from([self.unit.parse().unwrap()]);
                let scope = Scope::Chosen { accounts: BTreeSet::new(), units };
                self.accounts(Enrolment { scope, ..Enrolment::all() }).await
            }
            "sqs:SendMessage" | "sqs:ReceiveMessage" | "sqs:DeleteMessage" => {
                let inbox = SqsInbox::new(home(), Self::clock(), self.urls.clone());
                inbox.later(Lane::Normal, "{}".to_owned(), Span::ZERO).await.map_err(said)?;
                let held = inbox.receive(Lane::Normal, 1).await.map_err(said)?;
                let receipts: Vec<_> = held.into_iter().map(|message| message.receipt).collect();
                inbox.delete(Lane::Normal, &receipts).await.map_err(said)
            }
            "dynamodb:DescribeTable" => self.store().await.map(drop),
            "dynamodb:GetItem" | "dynamodb:PutItem" | "dynamodb:Query" | "dynamodb:Scan" => {
                let store = self.store().await?;
                let told = |error: spothub_core::port::StoreError| error.to_string();
                store.write(&[put("group/proof", "{}", spothub_core::port::Expect::Anything)]).await.map_err(told)?;
                store.get("group/proof").await.map_err(told)?;
                store.query("group/", None, 10).await.map_err(told)?;
                store.query("g", None, 10).await.map(drop).map_err(told)
            }
            "ssm:GetParameter" | "ssm:GetParameterHistory" | "s3:GetObjectVersion" => {
                let policies = SsmPolicies::new(home(), Self::clock(), POINTER.parse().unwrap(), None);
                let published = policies.read().await.map_err(|unread| unread.to_string())?;
                // Whose policy it is nobody learns without the history; what it says counts all the same.
                published.author.map(drop).ok_or_else(|| "the author is not known".to_owned())
            }
            other => panic!("no call is known for {other}"),
        }
    }

    /// Policy is published, as its writers do it.
    async fn publish(&self) {
        let (parameters, objects) = self.emulator.publisher(None);
        let body = b"defaults:\n  settle: 10m\n".to_vec();
        let made = objects.put_object().bucket(BUCKET).key("policy.yaml").body(body.into()).send().await.unwrap();
        let pointer = json!({"bucket": BUCKET, "objects": [{"key": "policy.yaml", "version": made.version_id}]});
        let call = parameters.put_parameter().name(POINTER).value(pointer.to_string());
        call.r#type(ParameterType::String).send().await.unwrap();
    }

    /// What the last refused call was told.
    async fn refusal(&self) -> String {
        let told = self.emulator.control.get("/calls?agent=spothub&account=123456789012").await;
        let last = told["calls"].as_array().unwrap().iter().rfind(|call| is_refused(call)).cloned();
        last.map_or_else(String::new, |call| call["message"].as_str().unwrap_or_default().to_owned())
    }
}

/// Calls of `doctor` alone: its own tests take them away.
const OF_DOCTOR: [&str; 5] = [
    "cloudwatch:GetMetricStatistics",
    "events:DescribeRule",
    "events:ListTargetsByRule",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
];

#[test]
fn each_right_of_the_hub_is_needed() {
    let accounts = json!([{"name": "shop", "ou": "prod", "groups": [{"name": "web", "desired": 1}]}]);
    let (server, _, told) = enforced(json!({"bare": true, "regions": [HERE], "accounts": accounts}), HERE);
    let url = |lane: &str| told["hub"]["queues"][lane]["url"].as_str().unwrap().to_owned();
    let urls = QueueUrls { urgent: url("urgent"), normal: url("normal") };
    let account = told["accounts"][0]["id"].as_str().unwrap().parse().unwrap();
    let unit = told["accounts"][0]["ou_id"].as_str().unwrap().to_owned();
    // Without ids of zones in prices, zones are asked for.
    let control = Control::new(&server.url);
    run(async move { control.post("/switches", &json!({"price_zone_ids": false})).await });
    let emulator = Emulator::over(server, told);
    let hub = Hub { emulator, urls, member: Site { account, region: region(HERE) }, unit };
    run(async move {
        hub.publish().await;
        let role = Role::of(&hub.emulator.management(), "spothub-hub").await;
        let needed = Action::ALL.iter().filter(|action| action.holders().contains(&Holder::Hub)).map(|one| one.iam());
        for action in needed.filter(|action| !OF_DOCTOR.contains(action)) {
            // Where AWS states the paths of accounts, names of units are asked for; otherwise they come with the tree.
            let paths = json!({"account_paths": action == "organizations:DescribeOrganizationalUnit"});
            hub.emulator.control.post("/switches", &paths).await;
            role.strip(action).await;
            let refused = hub.call(action).await;
            assert!(refused.is_err(), "without {action} it is done");
            let words = hub.refusal().await;
            assert!(words.contains(action), "without {action}: {words} ({refused:?})");
            role.restore().await;
            let done = hub.call(action).await;
            assert!(done.is_ok(), "with {action}: {done:?}; {}", hub.refusal().await);
        }
    });
}
