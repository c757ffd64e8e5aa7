//! What is wrong at the hub, and probes that somebody else has put there.

use serde_json::json;

use super::clinic::{Clinic, account, bad, doctor, said};
use crate::emulator::run;

#[test]
fn the_hub_s_own_side_is_looked_at() {
    let clinic = Clinic::over(vec![account("shop")]);
    let (events, sqs) =
        (aws_sdk_eventbridge::Client::new(&clinic.management), aws_sdk_sqs::Client::new(&clinic.management));
    let dead = clinic.told["hub"]["queues"]["normal"]["dead_url"].as_str().unwrap().to_owned();
    run(async move {
        events.disable_rule().name("spothub-urgent").event_bus_name("spothub").send().await.unwrap();
        let targets = events.list_targets_by_rule().rule("spothub-probe").event_bus_name("spothub");
        let ids = targets.send().await.unwrap().targets.unwrap().into_iter().map(|target| target.id).collect();
        let take = events.remove_targets().rule("spothub-probe").event_bus_name("spothub").set_ids(Some(ids));
        take.send().await.unwrap();
        sqs.send_message().queue_url(dead).message_body("{}").send().await.unwrap();
    });
    let mut program = clinic.program();
    program.set("SPOTHUB_QUEUES_URGENT", &clinic.probes.replace("spothub-probe", "no-such-queue"));
    program.set("SPOTHUB_POLICIES", "ssm:/no/such/policy");
    let stranger = "000000000042";
    let ran = doctor(&program, &["--no-probe", "--account", stranger, "--account", clinic.id("shop")]);
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.out, ran.err);
    let mut found = bad(&ran);
    found.sort();
    let expected = [
        "enrolment 000000000042 - missing",
        "hub-rule-probe - - missing",
        "hub-rule-urgent - - missing",
        "policy - - warning",
        "queue-normal - - warning",
        "queue-urgent - - missing",
    ];
    assert_eq!(found, expected);
    for (check, words) in [
        ("hub-rule-urgent", "aws events enable-rule --event-bus-name spothub --name spothub-urgent"),
        ("queue-normal", "1 message in its queue of dead letters spothub-normal-dead"),
        ("queue-urgent", "queues.urgent in the settings"),
        ("policy", "/no/such/policy"),
    ] {
        let said = said(&ran, check, None, None);
        assert!(said.contains(words), "{words:?} is missing in {said}");
    }

    // A bus of another name is another hub's.
    let mut program = clinic.program();
    program.set("SPOTHUB_HUB_BUS", "arn:aws:events:us-east-1:123456789012:event-bus/other");
    let ran = doctor(&program, &["--no-probe", "--region", "us-east-1"]);
    let found = bad(&ran);
    assert!(found.contains(&"hub-rule-normal - - missing".to_owned()), "{found:?}");
    assert!(found.contains(&format!("rule-normal {} us-east-1 missing", clinic.id("shop"))), "{found:?}");
}

#[test]
fn foreign_probes_are_left_and_prove_nothing() {
    let clinic = Clinic::over(vec![account("shop")]);
    let (url, session) = (clinic.probes.clone(), clinic.management.clone());
    let forged = json!({"version": "0", "id": "x", "source": "spothub.probe", "detail-type": "Spothub Probe",
        "account": clinic.id("shop"), "region": "us-east-1", "time": "2026-01-01T00:00:00Z", "resources": [],
        "detail": {"nonce": "guessed", "sent": "2026-01-01T00:00:00Z"}});
    let bodies = [forged.to_string(), "{".to_owned(), "[".repeat(10_000), "\u{1b}[2J".to_owned()];
    let count = bodies.len();
    run(async move {
        let sqs = aws_sdk_sqs::Client::new(&session);
        for body in bodies {
            sqs.send_message().queue_url(&url).message_body(body).send().await.unwrap();
        }
    });
    let ran = doctor(&clinic.program(), &[]);
    assert_eq!((ran.code, bad(&ran)), (Some(0), vec![]), "{}\n{}", ran.out, ran.err);
    // They may be another doctor's: only our own are taken away.
    use aws_sdk_sqs::types::QueueAttributeName::{
        ApproximateNumberOfMessages as Visible, ApproximateNumberOfMessagesNotVisible as Hidden,
    };
    let (url, session) = (clinic.probes.clone(), clinic.management.clone());
    let left: usize = run(async move {
        let sqs = aws_sdk_sqs::Client::new(&session);
        let request = sqs.get_queue_attributes().queue_url(url).attribute_names(Visible).attribute_names(Hidden);
        let told = request.send().await.unwrap().attributes.unwrap();
        [Visible, Hidden].iter().map(|name| told[name].parse::<usize>().unwrap()).sum()
    });
    assert_eq!(left, count);

    // Nobody can be told what came where the queue cannot be read; and without a queue nothing is sent.
    let denied = json!({"service": "sqs", "action": "ReceiveMessage", "code": "AccessDenied", "count": null});
    clinic.post("/faults", denied);
    let ran = doctor(&clinic.program(), &["--region", "us-east-1"]);
    assert_eq!((ran.code, bad(&ran)), (Some(3), vec![format!("probe {} us-east-1 unknown", clinic.id("shop"))]));
    let said_ = said(&ran, "probe", Some(clinic.id("shop")), Some("us-east-1"));
    assert!(said_.contains("sqs:ReceiveMessage") && said_.contains("hub-role"), "{said_}");
    let mut program = clinic.program();
    program.unset("SPOTHUB_QUEUES_PROBE");
    let after = clinic.cursor();
    let ran = doctor(&program, &[]);
    assert_eq!((ran.code, bad(&ran)), (Some(3), vec!["probe - - unknown".to_owned()]));
    assert!(said(&ran, "probe", None, None).contains("queues.probe"));
    assert_eq!(clinic.calls(after, "&changing=true"), [""; 0]);
}
