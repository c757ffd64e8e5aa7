//! What the roles do not reach: tried with their own keys, and refused.

use aws_config::SdkConfig;
use aws_sdk_ec2::types as ec2;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::{Value, json};
use spothub_core::cloud::Decrement;
use spothub_core::fault::Fault;
use spothub_core::id::{AccountId, GroupKey};
use spothub_tests::cloud::{Pin, Scene, Start, Wanted, cause};

use super::PROVEN;
use crate::clients;
use crate::emulator::{HERE, region, run};

/// A case on the server on which policies are enforced.
fn case<F>(play: impl FnOnce(Scene) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    std::sync::LazyLock::force(&PROVEN);
    run(async move { play(PROVEN.scene().await).await });
}

/// The keys of a role, assumed by who has this session; the error's code where it is refused.
async fn assumed(by: &SdkConfig, role: &str, external_id: Option<&str>) -> Result<SdkConfig, String> {
    let call = aws_sdk_sts::Client::new(by).assume_role().role_arn(role).role_session_name("proof");
    let answer = call.set_external_id(external_id.map(ToOwned::to_owned)).send().await;
    let keys = answer.map_err(|error| error.code().unwrap_or("no code").to_owned())?.credentials.unwrap();
    let keys = [keys.access_key_id.as_str(), keys.secret_access_key.as_str(), keys.session_token.as_str()];
    Ok(clients::session(by.endpoint_url().unwrap(), &region(HERE), keys))
}

fn external_id() -> &'static str {
    PROVEN.told["external_id"].as_str().unwrap()
}

fn member_role(account: AccountId) -> String {
    format!("arn:aws:iam::{account}:role/spothub-member")
}

/// A session of the member role, as the hub has it.
async fn member(account: AccountId) -> SdkConfig {
    assumed(PROVEN.hub(), &member_role(account), Some(external_id())).await.unwrap()
}

fn code<T, E: ProvideErrorMetadata>(answer: Result<T, E>) -> String {
    answer.err().map_or_else(|| "it was done".to_owned(), |error| error.code().unwrap_or("no code").to_owned())
}

/// A group whose owner has said this by its tag.
async fn group(scene: &Scene, enabled: Option<&str>) -> GroupKey {
    let mut wanted = Wanted::new("theirs");
    wanted.tags.extend(enabled.map(|text| ("spothub:enabled".to_owned(), text.to_owned())));
    scene.group(wanted).await
}

fn is_denied<T: std::fmt::Debug>(answer: &Result<T, Fault>) -> bool {
    matches!(answer, Err(Fault::Denied(_)))
}

#[test]
fn an_instance_that_is_not_ours_is_not_terminated() {
    case(|scene| async move {
        let key = group(&scene, Some("true")).await;
        let by_hand = scene.stage.run_by_hand(&key).await;
        let answer = scene.act.terminate(&key.site, &by_hand, cause()).await;
        assert!(is_denied(&answer), "{answer:?}");
        let member = scene.first(&key).await;
        let answer = scene.act.terminate(&key.site, &member, cause()).await;
        assert!(is_denied(&answer), "{answer:?}");
    });
}

#[test]
fn a_group_whose_owner_has_not_opted_in_is_not_touched() {
    for said in [None, Some("false"), Some("yes")] {
        case(move |scene| async move {
            let key = group(&scene, said).await;
            let first = scene.first(&key).await;
            let answer = scene.act.set_max(&key, 5, cause()).await;
            assert!(is_denied(&answer), "{said:?}: {answer:?}");
            let answer = scene.act.retire(&key, &first, Decrement::Yes, cause()).await;
            assert!(is_denied(&answer), "{said:?}: {answer:?}");
            let answer = scene.act.attach(&key, &first, cause()).await;
            assert!(is_denied(&answer), "{said:?}: {answer:?}");
            assert_eq!(scene.view(&key).await.members.len(), 2);
        });
    }
}

#[test]
fn of_a_group_only_max_size_is_written() {
    case(|scene| async move {
        let key = group(&scene, Some("true")).await;
        let groups = aws_sdk_autoscaling::Client::new(&member(key.site.account).await);
        let name = key.name.as_str();
        let update = || groups.update_auto_scaling_group().auto_scaling_group_name(name);
        assert_eq!(code(update().min_size(0).send().await), "AccessDenied");
        assert_eq!(code(update().max_size(6).min_size(0).send().await), "AccessDenied");
        assert_eq!(code(update().max_size(6).vpc_zone_identifier("subnet-1").send().await), "AccessDenied");
        assert_eq!(code(groups.set_desired_capacity().auto_scaling_group_name(name).send().await), "AccessDenied");
        assert_eq!(code(groups.delete_auto_scaling_group().auto_scaling_group_name(name).send().await), "AccessDenied");
        update().max_size(6).send().await.unwrap();
    });
}

#[test]
fn nothing_is_launched_but_tagged_spot() {
    case(|scene| async move {
        let key = scene.group(Wanted { start: Start::Template(Pin::Number), ..Wanted::new("theirs") }).await;
        let ec2 = aws_sdk_ec2::Client::new(&member(key.site.account).await);
        let subnet = scene.instance(&key.site, &scene.first(&key).await).await.unwrap().facts.subnet.clone();
        let run = || {
            let call = ec2.run_instances().image_id("ami-0aaaaaaaaaaaaaaa1").min_count(1).max_count(1);
            call.instance_type(ec2::InstanceType::M5Large).subnet_id(subnet.as_str())
        };
        let tag = ec2::Tag::builder().key("spothub:managed").value("true").build();
        let tags = ec2::TagSpecification::builder().resource_type(ec2::ResourceType::Instance).tags(tag).build();
        let spot = ec2::InstanceMarketOptionsRequest::builder().market_type(ec2::MarketType::Spot).build();
        let unauthorized = "UnauthorizedOperation";
        assert_eq!(code(run().send().await), unauthorized, "on demand, untagged");
        assert_eq!(code(run().tag_specifications(tags.clone()).send().await), unauthorized, "on demand");
        assert_eq!(code(run().instance_market_options(spot.clone()).send().await), unauthorized, "untagged");
        run().tag_specifications(tags).instance_market_options(spot).send().await.unwrap();
        let tagging = ec2.create_tags().resources(scene.first(&key).await.to_string());
        let tag = ec2::Tag::builder().key("spothub:managed").value("true").build();
        assert_eq!(code(tagging.tags(tag).send().await), unauthorized, "a tag that would make it ours");
    });
}

#[test]
fn the_member_role_is_for_the_hubs_role_with_its_external_id() {
    case(|scene| async move {
        let role = member_role(scene.site().account);
        let denied = Some("AccessDenied".to_owned());
        let refused = |answer: Result<SdkConfig, String>| answer.err();
        assert_eq!(refused(assumed(PROVEN.hub(), &role, None).await), denied);
        assert_eq!(refused(assumed(PROVEN.hub(), &role, Some("another")).await), denied);
        assert_eq!(refused(assumed(&PROVEN.management(), &role, Some(external_id())).await), denied, "not its role");
        let neighbor = member(PROVEN.accounts("case-40").next().unwrap()).await;
        assert_eq!(refused(assumed(&neighbor, &role, Some(external_id())).await), denied, "another member");
        assert_eq!(refused(assumed(PROVEN.hub(), &role, Some(external_id())).await), None);
    });
}

#[test]
fn a_member_reaches_nothing_of_the_hub() {
    case(|scene| async move {
        let session = member(scene.site().account).await;
        let table = aws_sdk_dynamodb::Client::new(&session).scan();
        let arn = "arn:aws:dynamodb:us-east-1:123456789012:table/spothub";
        assert_eq!(code(table.table_name(arn).send().await), "AccessDeniedException");
        let url = PROVEN.told["hub"]["queues"]["urgent"]["url"].as_str().unwrap();
        let queues = aws_sdk_sqs::Client::new(&session);
        assert!(code(queues.receive_message().queue_url(url).send().await).contains("AccessDenied"));
        assert!(code(queues.send_message().queue_url(url).message_body("{}").send().await).contains("AccessDenied"));
    });
}

#[test]
fn forged_events_do_not_reach_the_queues() {
    case(|scene| async move {
        let account = scene.site().account;
        let bus = "arn:aws:events:us-east-1:123456789012:event-bus/spothub";
        let put = async |session: &SdkConfig, bus: &str, source: &str| {
            let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder().event_bus_name(bus).source(source);
            let entry = entry.detail_type("EC2 Spot Instance Interruption Warning").detail("{}").build();
            let answer = aws_sdk_eventbridge::Client::new(session).put_events().entries(entry).send().await;
            answer.map_or_else(
                |error| error.code().unwrap_or("no code").to_owned(),
                |told| told.entries()[0].error_code().unwrap_or("it was put").to_owned(),
            )
        };
        let waiting = async || -> Value { PROVEN.control.get("/events").await["deliveries"].clone() };
        let ours = |rows: &Value| {
            let rows = rows.as_array().unwrap().iter();
            rows.filter(|row| row["event"]["account"] == json!(account.to_string())).count()
        };
        let before = ours(&waiting().await);
        let owner = PROVEN.administrator(account).await;
        assert!(put(&member(account).await, bus, "aws.ec2").await.contains("AccessDenied"), "by the member role");
        assert!(put(&owner, bus, "aws.ec2").await.contains("NotAuthorizedForSource"), "by the account's owner");
        let denied = put(&owner, bus, "acme.web").await;
        assert!(denied.contains("AccessDenied"), "past the forwarder: {denied}");
        assert!(put(&owner, "default", "aws.ec2").await.contains("NotAuthorizedForSource"), "onto its own bus");
        assert_eq!(put(&owner, "default", "acme.web").await, "it was put", "onto its own bus, where no rule takes it");
        assert_eq!(ours(&waiting().await), before);
    });
}
