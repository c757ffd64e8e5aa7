//! The executor: order, cancellation, speed of time.

use std::sync::{Arc, Mutex};

use spothub_core::time::{Span, Timestamp};

use super::*;

fn log() -> Arc<Mutex<Vec<u32>>> {
    Arc::default()
}

fn note(exec: &Exec, log: &Arc<Mutex<Vec<u32>>>, tag: u32, after: i64, number: u32) -> TaskId {
    let (exec2, log) = (exec.clone(), log.clone());
    exec.spawn(tag, async move {
        exec2.sleep_until(Timestamp(after)).await;
        lock(&log).push(number);
    })
}

#[test]
fn time_orders_first_and_sequence_second() {
    let (exec, log) = (Exec::new(Timestamp(0)), log());
    for (after, number) in [(20, 1), (10, 2), (20, 3), (10, 4), (0, 5)] {
        note(&exec, &log, 0, after, number);
    }
    while exec.step() {}
    assert_eq!(*lock(&log), [5, 2, 4, 1, 3]);
    assert_eq!(exec.now(), Timestamp(20));
    assert_eq!(exec.tasks(), 0);
}

#[test]
fn an_aborted_task_never_fires_and_leaves_nothing() {
    let (exec, log) = (Exec::new(Timestamp(0)), log());
    note(&exec, &log, 7, 10, 1);
    let one = note(&exec, &log, 8, 10, 2);
    note(&exec, &log, 9, 10, 3);
    exec.run_until(Timestamp(5));
    exec.abort_all(7);
    exec.abort(one);
    assert_eq!(exec.queued(), 1);
    while exec.step() {}
    assert_eq!(*lock(&log), [3]);
    assert!(exec.is_over(one));
}

#[test]
fn dropped_sleeps_do_not_pile_up() {
    let exec = Exec::new(Timestamp(0));
    let inner = exec.clone();
    exec.spawn(0, async move {
        for n in 0..50_000 {
            let mut long = Box::pin(inner.sleep_until(Timestamp(1_000_000_000)));
            std::future::poll_fn(|context| {
                let _ = long.as_mut().poll(context);
                Poll::Ready(())
            })
            .await;
            drop(long);
            inner.sleep_until(Timestamp(n)).await;
        }
    });
    while exec.step() {
        assert!(lock(&exec.0.queue).heap.len() < 4 * CANCELLED_MIN);
    }
    assert_eq!(exec.now(), Timestamp(49_999));
}

#[test]
fn a_task_may_abort_itself() {
    let exec = Exec::new(Timestamp(0));
    let (inner, slot) = (exec.clone(), Arc::new(Mutex::new(None)));
    let own = slot.clone();
    let id = exec.spawn(0, async move {
        if let Some(id) = *lock(&own) {
            inner.abort(id);
        }
        inner.sleep_until(inner.now() + Span::secs(1)).await;
        unreachable!("it was aborted");
    });
    *lock(&slot) = Some(id);
    while exec.step() {}
    assert!(exec.is_over(id));
    assert_eq!(exec.now(), Timestamp(0), "its timer went with it");
}

#[test]
fn run_gives_the_answer() {
    let exec = Exec::new(Timestamp(0));
    let clock = SimClock(exec.clone());
    let answer = exec.run(async move {
        clock.sleep_until(Timestamp(42)).await;
        clock.now()
    });
    assert_eq!(answer, Some(Timestamp(42)));
}

#[test]
fn clearing_drops_what_waits() {
    let exec = Exec::new(Timestamp(0));
    let held = Arc::new(());
    let (inner, keep) = (exec.clone(), held.clone());
    exec.spawn(0, async move {
        inner.sleep_until(Timestamp(5)).await;
        drop(keep);
    });
    exec.run_until(Timestamp(1));
    exec.clear();
    assert_eq!(Arc::strong_count(&held), 1);
    assert!(!exec.step());
}
