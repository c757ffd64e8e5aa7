//! One run of the hourly task for 10,000 accounts and one hour, on a store and a Marketplace that answer at once: its
//! time, and the process's greatest memory. Fails above 2 s or 100 MB.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails panics")]

#[path = "../tests/law/memory.rs"]
#[expect(dead_code, reason = "the law's judge asks what was changed")]
mod memory;

use std::future::Future;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use async_trait::async_trait;
use spothub_core::id::AccountId;
use spothub_core::port::{Clock, Store};
use spothub_core::time::{Span, Timestamp};
use spothub_usage::charge::{Basis, Dimension, MeteringMode, MonthEnd};
use spothub_usage::hours::{self, Counts};
use spothub_usage::meter::{Meter, MeterFault, Processed, Usage};
use spothub_usage::task::{Order, Ports, Settings, Task, report};

const ACCOUNTS: u32 = 10_000;
const START: Timestamp = Timestamp(1_769_644_800_000);

/// Answers at once.
struct Ready(Timestamp);

#[async_trait]
impl Clock for Ready {
    fn now(&self) -> Timestamp {
        self.0
    }

    async fn sleep_until(&self, _: Timestamp) {}
}

#[async_trait]
impl Meter for Ready {
    async fn meter(&self, usage: &Usage) -> Result<String, MeterFault> {
        Ok(usage.digest())
    }

    async fn probe(&self, _: &Usage) -> Result<(), MeterFault> {
        Ok(())
    }

    async fn register(&self, _: &str) -> Result<(), MeterFault> {
        Ok(())
    }

    async fn batch(&self, _: &str, usages: &[Usage]) -> Result<Vec<Processed>, MeterFault> {
        Ok(usages.iter().map(|usage| Ok(usage.digest())).collect())
    }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match Box::pin(future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

fn settings() -> Settings {
    let share = Basis::NetSavings { rate_ppm: 150_000, step_micro_usd: 1000, cap_micro_usd: None };
    let dimension = |name: &str, basis| Dimension { name: name.to_owned(), basis, places: 3 };
    Settings {
        product_code: "product".to_owned(),
        dimensions: vec![dimension("savings", share), dimension("hours", Basis::InstanceHours { step_seconds: 4 })],
        customer: None,
        mode: MeteringMode::On,
        month_end: MonthEnd::Keep,
        register: false,
        hold_when_failing: false,
    }
}

fn fill(store: &memory::Memory, hour: Timestamp) {
    for number in 0..ACCOUNTS {
        let account = AccountId::from_number(100_000_000_000 + u64::from(number)).unwrap();
        let net_micro_usd = i64::from(number) * 7919 % 900_000 - 50_000;
        let counts = Counts { net_micro_usd, instance_seconds: i64::from(number % 90) * 411, managed: 1 };
        now(store.write(&[hours::first(hour, account, hour, counts).unwrap()])).unwrap();
    }
    now(store.write(&[hours::close(hour, ACCOUNTS, hour).unwrap()])).unwrap();
}

/// The process's greatest memory so far in KiB, as Linux tells it; 0 elsewhere.
fn memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
fn main() {
    let (store, settings) = (memory::Memory::default(), settings());
    let mut slowest = 0;
    for number in 0..5 {
        let hour = START + Span::hours(number);
        fill(&store, hour);
        let before = memory_kib();
        let at = Ready(hour + Span::mins(65));
        let began = Instant::now();
        let ports = Ports { store: &store, meter: &at, clock: &at };
        let task = &mut Task::new("arn:aws:ecs:eu-west-1:000000000001:task/hub/1");
        let outcome = now(report(task, &settings, ports, Order::default())).unwrap();
        let took = Instant::now().duration_since(began).as_millis();
        slowest = slowest.max(took);
        let told: Vec<&str> = outcome.records.iter().map(|told| told.state.as_str()).collect();
        assert_eq!(told, ["accepted", "accepted"]);
        println!("hour {number}: {ACCOUNTS} accounts in {took} ms, {before} KiB before, {} KiB after", memory_kib());
    }
    assert!(slowest < 2000, "{slowest} ms");
    assert!(memory_kib() < 100 * 1000, "{} KiB", memory_kib());
}
