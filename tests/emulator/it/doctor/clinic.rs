//! An organization with everything that the templates make, made by hand, and hands to break it.

use aws_config::SdkConfig;
use aws_sdk_eventbridge::types::{DeadLetterConfig, RetryPolicy, RuleState, Target};
use aws_sdk_iam::types::Tag;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};
use spothub_core::id::Site;

use crate::clients;
use crate::control::Control;
use crate::emulator::{HERE, region, run};
use crate::organization::REGIONS;
use crate::program::{Program, QUICK, Ran};
use crate::server::Server;

/// The patterns of members' rules: one copy for templates, programs and this.
const EVENTS: &str = include_str!("../../../../member-stackset/events.json");
/// The ways of events, and for how long their rules try, in seconds.
const WAYS: [(&str, i32); 3] = [("urgent", 300), ("normal", 3600), ("probe", 300)];

/// Service-linked roles of an account that is in use.
const SERVICE_ROLES: [(&str, &str); 2] =
    [("spot.amazonaws.com", SPOT_ROLE), ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling")];
/// The one that Spot launches need.
pub(super) const SPOT_ROLE: &str = "AWSServiceRoleForEC2Spot";

/// One emulator, with an organization in it in which all is well.
pub(super) struct Clinic {
    pub(super) server: Server,
    pub(super) told: Value,
    pub(super) management: SdkConfig,
    control: Control,
    /// The URL of the probe queue.
    pub(super) probes: String,
}

/// A member with a group in each region.
pub(super) fn account(name: &str) -> Value {
    let groups = json!([{"name": "web", "desired": 1, "max": 2, "tags": {"spothub:enabled": "true"}}]);
    json!({"name": name, "ou": "prod", "groups": groups})
}

impl Clinic {
    /// These accounts, completed by what each needs to be found well; those that are described without a role are not.
    pub(super) fn over(accounts: Vec<Value>) -> Self {
        let server = Server::start();
        let told = server.seed(json!({"regions": REGIONS, "accounts": accounts}));
        let management = clients::session(&server.url, &region(HERE), ["testing", "testing", ""]);
        let control = Control::new(&server.url);
        let (session, seeded) = (management.clone(), told.clone());
        let probes = run(async move {
            let probes = hub(&session, &seeded).await;
            for row in seeded["accounts"].as_array().unwrap() {
                if row["closed"] == false {
                    member(&session, &seeded, row).await;
                }
            }
            probes
        });
        Self { server, told, management, control, probes }
    }

    /// Settings of this hub, the probe queue among them.
    pub(super) fn program(&self) -> Program {
        let mut program = Program::unused(&self.server, &self.told, QUICK);
        program.set("SPOTHUB_QUEUES_PROBE", &self.probes);
        program
    }

    pub(super) fn post(&self, path: &str, given: Value) -> Value {
        let (control, path) = (self.control.clone(), path.to_owned());
        run(async move { control.post(&path, &given).await })
    }

    fn get(&self, path: &str) -> Value {
        let (control, path) = (self.control.clone(), path.to_owned());
        run(async move { control.get(&path).await })
    }

    /// Where the log of calls ends now.
    pub(super) fn cursor(&self) -> u64 {
        self.get("/calls?after=4000000000")["cursor"].as_u64().unwrap()
    }

    /// The program's calls since a cursor, as `service:Action`, those that the filters take.
    pub(super) fn calls(&self, after: u64, filters: &str) -> Vec<String> {
        let told = self.get(&format!("/calls?after={after}&agent=spothub{filters}"));
        let name = |row: &Value| format!("{}:{}", row["service"].as_str().unwrap(), row["action"].as_str().unwrap());
        told["calls"].as_array().unwrap().iter().map(name).collect()
    }

    /// The account of this name.
    pub(super) fn row(&self, name: &str) -> &Value {
        self.told["accounts"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap()
    }

    /// Its id.
    pub(super) fn id(&self, name: &str) -> &str {
        self.row(name)["id"].as_str().unwrap()
    }

    pub(super) fn site(&self, name: &str, at: &str) -> Site {
        Site { account: self.id(name).parse().unwrap(), region: region(at) }
    }

    /// A session of the account's administrator.
    pub(super) fn administrator(&self, name: &str, at: &str) -> SdkConfig {
        let (management, site) = (self.management.clone(), self.site(name, at));
        run(async move { clients::administrator(&management, &site).await })
    }

    /// EventBridge of an account, for its administrator.
    pub(super) fn events(&self, name: &str, at: &str) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::new(&self.administrator(name, at))
    }

    /// IAM of an account, for its administrator.
    pub(super) fn iam(&self, name: &str) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.administrator(name, HERE))
    }
}

async fn queue(sqs: &aws_sdk_sqs::Client, name: &str, attributes: &[(QueueAttributeName, String)]) -> (String, String) {
    let request = sqs.create_queue().queue_name(name);
    let request = attributes.iter().fold(request, |request, (key, value)| request.attributes(key.clone(), value));
    let url = request.send().await.unwrap().queue_url.unwrap();
    let arn = QueueAttributeName::QueueArn;
    let told = sqs.get_queue_attributes().queue_url(&url).attribute_names(arn.clone()).send().await.unwrap();
    (url, told.attributes.unwrap()[&arn].clone())
}

/// The hub's queue of probes, and the rule that fills it.
async fn hub(session: &SdkConfig, told: &Value) -> String {
    let (sqs, events) = (aws_sdk_sqs::Client::new(session), aws_sdk_eventbridge::Client::new(session));
    let (_, dead) = queue(&sqs, "spothub-probe-dead", &[]).await;
    let redrive = json!({"deadLetterTargetArn": dead, "maxReceiveCount": 50}).to_string();
    let (url, arn) = queue(&sqs, "spothub-probe", &[(QueueAttributeName::RedrivePolicy, redrive)]).await;
    let bus = told["hub"]["bus_arn"].as_str().unwrap().rsplit('/').next().unwrap();
    let pattern = json!({"source": ["spothub.probe"]}).to_string();
    let rule = events.put_rule().name("spothub-probe").event_bus_name(bus).event_pattern(pattern);
    let rule = rule.description("Probes (template 1)").send().await.unwrap().rule_arn.unwrap();
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }]});
    let request = sqs.set_queue_attributes().queue_url(&url);
    request.attributes(QueueAttributeName::Policy, policy.to_string()).send().await.unwrap();
    let target =
        Target::builder().id("queue").arn(arn).dead_letter_config(DeadLetterConfig::builder().arn(dead).build());
    let request = events.put_targets().rule("spothub-probe").event_bus_name(bus);
    request.targets(target.build().unwrap()).send().await.unwrap();
    url
}

/// Tags, service-linked roles and rules of a member; its role, its forwarder and dead letters are seeded.
async fn member(management: &SdkConfig, told: &Value, row: &Value) {
    let account = row["id"].as_str().unwrap().parse().unwrap();
    let session = |at: &str| {
        let (management, site) = (management.clone(), Site { account, region: region(at) });
        async move { clients::administrator(&management, &site).await }
    };
    let iam = aws_sdk_iam::Client::new(&session(HERE).await);
    for (service, name) in SERVICE_ROLES {
        let path = format!("/aws-service-role/{service}/");
        // AWS makes them itself; an emulator may have done so.
        let _ = iam.create_role().role_name(name).path(path).assume_role_policy_document("{}").send().await;
    }
    if row["role_arn"].is_string() {
        let tag = Tag::builder().key("spothub:template-version").value("1").build().unwrap();
        // An account that is described without a role has none to tag.
        let _ = iam.tag_role().role_name("spothub-member").tags(tag).send().await;
    }
    for at in REGIONS {
        let events = aws_sdk_eventbridge::Client::new(&session(at).await);
        for (way, age) in WAYS {
            rule(&events, way, told, row, at, age).await;
        }
    }
}

async fn rule(events: &aws_sdk_eventbridge::Client, way: &str, told: &Value, row: &Value, at: &str, age: i32) {
    let patterns: Value = serde_json::from_str(EVENTS).unwrap();
    let name = format!("spothub-{way}");
    let request = events.put_rule().name(&name).event_pattern(patterns[way].to_string()).state(RuleState::Enabled);
    request.description("For the hub of spothub (template 1)").send().await.unwrap();
    let dead = format!("arn:aws:sqs:{at}:{}:spothub-forward-dead", row["id"].as_str().unwrap());
    let target = Target::builder()
        .id("hub")
        .arn(told["hub"]["bus_arn"].as_str().unwrap())
        .role_arn(row["forwarder_arn"].as_str().unwrap())
        .dead_letter_config(DeadLetterConfig::builder().arn(dead).build())
        .retry_policy(RetryPolicy::builder().maximum_event_age_in_seconds(age).maximum_retry_attempts(185).build());
    events.put_targets().rule(name).targets(target.build().unwrap()).send().await.unwrap();
}

/// The doctor over all of it, as JSON.
pub(super) fn doctor(program: &Program, more: &[&str]) -> Ran {
    program.ran(&[&["doctor", "--config", "spothub.yaml", "--output", "json"], more].concat())
}

/// The rows that are not as they should be, as `check account region state`, a dash where there is none.
pub(super) fn bad(ran: &Ran) -> Vec<String> {
    let told = ran.json();
    let rows = told["rows"].as_array().unwrap().iter().filter(|row| row["state"] != "ok");
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    rows.map(|row| ["check", "account", "region", "state"].map(|key| text(&row[key])).join(" ")).collect()
}

/// What the one row of this check at this place says, found and remedy together.
pub(super) fn said(ran: &Ran, check: &str, account: Option<&str>, at: Option<&str>) -> String {
    let told = ran.json();
    let here =
        |row: &&Value| row["check"] == check && row["account"].as_str() == account && row["region"].as_str() == at;
    let rows: Vec<&Value> = told["rows"].as_array().unwrap().iter().filter(here).collect();
    let [row] = rows[..] else { panic!("{} rows of {check} there in {}", rows.len(), ran.out) };
    format!("{} = {}", row["found"].as_str().unwrap(), row["remedy"].as_str().unwrap_or("-"))
}
