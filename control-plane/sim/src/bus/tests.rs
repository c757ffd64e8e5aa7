//! Delivery of events: what is lost, late, doubled and shown again.

use spothub_core::port::{Inbox, Lane};

use super::*;
use crate::organization::Organization;
use crate::record::What;
use crate::world::tests::{Kept, build, shape};

fn started(edit: impl FnOnce(&mut BusShape)) -> (Organization, Kept) {
    let mut shape = shape(|_| ());
    shape.bus = BusShape::perfect();
    edit(&mut shape.bus);
    build(&shape, 3)
}

/// Lets the owner end every member, so that terminations and launches are told.
fn stir(org: &Organization) {
    let mut world = org.world.lock();
    for inst in world.groups()[0].members().to_vec() {
        world.shut_down(inst, crate::record::Ended::Owner);
    }
}

fn receive(org: &Organization) -> Vec<Message> {
    let inbox = org.inbox.clone();
    org.exec.run(async move { inbox.receive(Lane::Normal, 10).await.unwrap() }).unwrap()
}

fn delete(org: &Organization, messages: &[Message]) {
    let (inbox, receipts) = (org.inbox.clone(), messages.iter().map(|m| m.receipt.clone()).collect::<Vec<_>>());
    org.exec.run(async move { inbox.delete(Lane::Normal, &receipts).await.unwrap() }).unwrap();
}

#[test]
fn every_event_arrives_once_and_is_well_formed() {
    let (org, kept) = started(|_| ());
    stir(&org);
    org.run_for(Span::mins(10));
    let mut kinds = Vec::new();
    while org.bus.pending() > 0 {
        let messages = receive(&org);
        for message in &messages {
            let event: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
            for field in ["version", "id", "detail-type", "source", "account", "time", "region"] {
                assert!(event[field].is_string(), "{field} of {event}");
            }
            assert!(event["resources"].is_array() && event["detail"].is_object());
            kinds.push(event["detail-type"].as_str().unwrap().to_owned());
        }
        delete(&org, &messages);
    }
    let sent = kept.all().iter().filter(|r| matches!(r.what, What::EventSent { copies: 1, .. })).count();
    assert_eq!(kinds.len(), sent);
    kinds.sort();
    kinds.dedup();
    assert_eq!(
        kinds,
        [
            "EC2 Instance Launch Successful",
            "EC2 Instance State-change Notification",
            "EC2 Instance Terminate Successful"
        ]
    );
}

#[test]
fn what_is_not_deleted_comes_back_and_old_receipts_are_void() {
    let (org, _) = started(|_| ());
    org.bus.inject(Lane::Normal, b"one");
    let first = receive(&org);
    assert_eq!(first[0].body, b"one");
    let before = org.exec.now();
    let second = receive(&org);
    assert_eq!(second[0].body, b"one");
    assert_eq!(org.exec.now().since(before), Span::secs(120));
    delete(&org, &first);
    assert_eq!(org.bus.pending(), 1, "a receipt is void once the message came back");
    delete(&org, &second);
    assert_eq!(org.bus.pending(), 0);
    org.run_for(Span::mins(10));
}

#[test]
fn a_dropped_receiver_takes_nothing() {
    let (org, _) = started(|_| ());
    let inbox = org.inbox.clone();
    let id = org.exec.spawn(7, async move {
        let _ = inbox.receive(Lane::Normal, 1).await;
    });
    org.run_for(Span::secs(5));
    org.exec.abort(id);
    org.bus.inject(Lane::Normal, b"one");
    assert_eq!(receive(&org)[0].body, b"one");
}

#[test]
fn rates_lose_and_double() {
    let copies = |edit: fn(&mut BusShape)| {
        let (org, kept) = started(edit);
        stir(&org);
        org.run_for(Span::mins(10));
        let all: Vec<u32> = kept
            .all()
            .iter()
            .filter_map(|r| if let What::EventSent { copies, .. } = r.what { Some(copies) } else { None })
            .collect();
        assert!(!all.is_empty());
        (all, org.bus.pending())
    };
    let (lost, pending) = copies(|bus| bus.lost_ppm = 1_000_000);
    assert!(lost.iter().all(|&n| n == 0) && pending == 0);
    let (doubled, pending) = copies(|bus| bus.duplicate_ppm = 1_000_000);
    assert!(doubled.iter().all(|&n| n >= 2) && pending == doubled.iter().sum::<u32>() as usize);
    let (junk, pending) = copies(|bus| bus.junk_ppm = 1_000_000);
    assert!(pending > junk.len(), "some junk has no id");
}

#[test]
fn late_events_are_overtaken() {
    let (org, _) = started(|bus| (bus.latency, bus.disorder_ppm) = (Delay::millis(10, 20), 500_000));
    stir(&org);
    org.run_for(Span::mins(10));
    let mut times = Vec::new();
    while org.bus.pending() > 0 {
        let messages = receive(&org);
        for message in &messages {
            let event: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
            times.push(event["time"].as_str().unwrap().to_owned());
        }
        delete(&org, &messages);
    }
    let mut sorted = times.clone();
    sorted.sort();
    assert_ne!(times, sorted);
}
