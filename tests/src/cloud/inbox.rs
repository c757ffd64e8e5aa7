//! The queues of events.

use std::collections::BTreeSet;

use spothub_core::port::{Lane, Message, Receipt};
use spothub_core::time::Span;

use super::Scene;

/// Receives until so many different bodies came.
async fn bodies(scene: &Scene, lane: Lane, count: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for _ in 0..super::PAUSES_MAX {
        for message in scene.inbox.receive(lane, 10).await.unwrap() {
            found.insert(text(&message));
            scene.inbox.delete(lane, &[message.receipt]).await.unwrap();
        }
        if found.len() >= count {
            return found;
        }
    }
    panic!("{} of {count} came: {found:?}", found.len());
}

fn text(message: &Message) -> String {
    String::from_utf8(message.body.clone()).unwrap()
}

/// Receives until something comes.
async fn some(scene: &Scene, lane: Lane) -> Vec<Message> {
    for _ in 0..super::PAUSES_MAX {
        let messages = scene.inbox.receive(lane, 10).await.unwrap();
        if !messages.is_empty() {
            return messages;
        }
    }
    panic!("nothing came");
}

pub async fn a_message_is_bytes_and_the_time_it_was_sent(scene: Scene) {
    let before = scene.clock.now();
    let body = r#"{"detail":"ä \" \\ & <x> 'q' 100% 🦀"#;
    scene.stage.send(Lane::Normal, body).await;
    let messages = some(&scene, Lane::Normal).await;
    let after = scene.clock.now();
    assert_eq!((messages.len(), text(&messages[0])), (1, body.to_owned()));
    assert!(before.0 - 1 <= messages[0].sent_at.0 && messages[0].sent_at <= after);
}

pub async fn at_most_ten_come_at_once_and_none_is_lost(scene: Scene) {
    let sent: BTreeSet<String> = (0..25).map(|n| format!("message {n}")).collect();
    for body in &sent {
        scene.stage.send(Lane::Normal, body).await;
    }
    scene.stage.pause().await;
    let first = some(&scene, Lane::Normal).await;
    assert!((1..=10).contains(&first.len()), "{}", first.len());
    let receipts: Vec<Receipt> = first.iter().map(|message| message.receipt.clone()).collect();
    let mut found: BTreeSet<String> = first.iter().map(text).collect();
    assert_eq!(found.len(), first.len());
    scene.inbox.delete(Lane::Normal, &receipts).await.unwrap();
    found.extend(bodies(&scene, Lane::Normal, 25 - found.len()).await);
    assert_eq!(found, sent);
}

pub async fn lanes_are_apart(scene: Scene) {
    scene.stage.send(Lane::Normal, "normal").await;
    scene.stage.send(Lane::Urgent, "urgent").await;
    assert_eq!(bodies(&scene, Lane::Urgent, 1).await, BTreeSet::from(["urgent".to_owned()]));
    assert_eq!(bodies(&scene, Lane::Normal, 1).await, BTreeSet::from(["normal".to_owned()]));
}

pub async fn what_was_not_deleted_comes_again_and_nothing_else(scene: Scene) {
    for body in ["kept", "deleted"] {
        scene.stage.send(Lane::Urgent, body).await;
    }
    let mut seen = BTreeSet::new();
    while seen.len() < 2 {
        for message in some(&scene, Lane::Urgent).await {
            if text(&message) == "deleted" {
                scene.inbox.delete(Lane::Urgent, std::slice::from_ref(&message.receipt)).await.unwrap();
            }
            seen.insert(text(&message));
        }
    }
    for _ in 0..2 {
        scene.stage.outlast_visibility().await;
        let again = some(&scene, Lane::Urgent).await;
        assert_eq!(again.iter().map(text).collect::<Vec<_>>(), ["kept"]);
    }
}

pub async fn an_old_receipt_does_no_harm(scene: Scene) {
    scene.stage.send(Lane::Urgent, "one").await;
    let first = some(&scene, Lane::Urgent).await.remove(0);
    scene.inbox.delete(Lane::Urgent, std::slice::from_ref(&first.receipt)).await.unwrap();
    scene.inbox.delete(Lane::Urgent, std::slice::from_ref(&first.receipt)).await.unwrap();
    scene.stage.send(Lane::Urgent, "two").await;
    let second = some(&scene, Lane::Urgent).await.remove(0);
    assert_eq!(text(&second), "two");
    scene.inbox.delete(Lane::Urgent, &[first.receipt, second.receipt]).await.unwrap();
    scene.inbox.delete(Lane::Urgent, &[]).await.unwrap();
}

pub async fn a_message_for_later_comes_later(scene: Scene) {
    let (sent, delay) = (scene.clock.now(), Span::secs(3));
    scene.inbox.later(Lane::Normal, "later".to_owned(), delay).await.unwrap();
    scene.inbox.later(Lane::Normal, "now".to_owned(), Span::ZERO).await.unwrap();
    let first = some(&scene, Lane::Normal).await.remove(0);
    assert_eq!(text(&first), "now");
    scene.inbox.delete(Lane::Normal, &[first.receipt]).await.unwrap();
    assert_eq!(bodies(&scene, Lane::Normal, 1).await, BTreeSet::from(["later".to_owned()]));
    // SQS counts whole seconds from when it took the message in.
    let waited = scene.clock.now().since(sent);
    assert!(waited >= Span::secs(2), "{waited}");
}
