//! From an interruption notice to the first call that changes something, in wall time: two real workers on the
//! multi-threaded runtime, with AWS, store and queues as stubs that are each 50 ms away, behind the limits that a hub
//! has in production.
//!
//! `cargo bench -p spothub-sim --bench notices` prints the figures; `-- warm cold rate normal` names some of them, and
//! `-- --times 5` takes each so often. A figure of wall time is worth what the machine was: nothing else should run.

mod cloud;
mod queues;
mod stage;
mod wall;

use std::time::Duration;

use spothub_core::port::Lane;
use tokio::runtime::Runtime;

use stage::{ACCOUNTS, LOSSES, Stage};
use wall::{elapsed, pause};

/// There and back again, for every call to anything.
const ROUND_TRIP: Duration = Duration::from_millis(50);
/// Notices a second, where they come one by one.
const A_SECOND: u32 = 50;
/// Messages that wait in `normal`.
const WAITING: usize = 50_000;
/// Notices while they do, one a second.
const PROBES: usize = 10;
/// The longest time that notices are waited for: then their instances are gone.
const AT_MOST: Duration = Duration::from_mins(2);

/// How the losses of an account lie in its groups.
const SPREADS: [(usize, &str); 3] =
    [(10, "each of its own group"), (2, "five of each group"), (1, "ten of each group")];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let times = arguments.iter().position(|argument| argument == "--times");
    let times = times.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(3);
    let wanted = |name: &str| {
        let names = ["warm", "cold", "rate", "normal"];
        !arguments.iter().any(|argument| names.contains(&argument.as_str())) || arguments.iter().any(|a| a == name)
    };
    for (groups, spread) in SPREADS {
        let (answers, policy) = stage::prepared(groups);
        let stage = || Stage::new(&answers, &policy);
        let runs = |name: &str, run: &dyn Fn(&Runtime) -> (Duration, String)| {
            if !wanted(name) {
                return;
            }
            let mut found: Vec<(Duration, String)> = (0..times).map(|_| run(&runtime())).collect();
            found.sort();
            let all: Vec<String> = found.iter().map(|(took, _)| seconds(*took)).collect();
            let Some((_, median)) = found.get(found.len() / 2) else { return };
            println!("{name}, {spread}: {median} (all runs: {})", all.join(", "));
        };
        runs("warm", &|runtime| runtime.block_on(burst(&stage(), true)));
        runs("cold", &|runtime| runtime.block_on(burst(&stage(), false)));
        runs("rate", &|runtime| runtime.block_on(rate(&stage())));
        if groups == LOSSES {
            runs("normal", &|runtime| runtime.block_on(normal(&stage())));
        }
    }
}

/// As `spothub run` has it.
fn runtime() -> Runtime {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    built.unwrap_or_else(|error| panic!("{error}"))
}

/// All notices at once.
async fn burst(stage: &Stage, warm: bool) -> (Duration, String) {
    if warm {
        stage.start();
        stage.warm().await;
    }
    let letters = stage.losses();
    let count = letters.len();
    let began = elapsed();
    stage.queues.put(Lane::Urgent, letters);
    if !warm {
        stage.start();
    }
    stage.done.wait_for(count, AT_MOST).await;
    let first = stage.done.first();
    let took = stage::last(&first).unwrap_or(AT_MOST + began).saturating_sub(began);
    let (waits, _) = stage.waits();
    let (acted, missed, throttled) = (first.len(), count - first.len(), stage.done.throttled());
    let (half, most) = (seconds(part(&waits, 50)), seconds(part(&waits, 99)));
    let text = format!(
        "{acted} notices over {ACCOUNTS} accounts, the last acted on after {}, from receive 50 % in {half} and 99 % in \
         {most}; {missed} not acted on, {throttled} launches over AWS's limit",
        seconds(took)
    );
    (took, text)
}

/// Notices one by one.
async fn rate(stage: &Stage) -> (Duration, String) {
    stage.start();
    stage.warm().await;
    let letters = stage.losses();
    let (count, began) = (letters.len(), elapsed());
    for (n, letter) in (0..).zip(letters) {
        pause((began + Duration::from_secs(1) * n / A_SECOND).saturating_sub(elapsed())).await;
        stage.queues.put(Lane::Urgent, [letter]);
    }
    stage.done.wait_for(count, AT_MOST).await;
    let (waits, waiting) = stage.waits();
    let [half, most, longest] = [50, 99, 100].map(|percent| part(&waits, percent));
    let text = format!(
        "{A_SECOND} notices a second, from receive to act 50 % in {}, 99 % in {}, longest {}; {waiting} not acted on",
        seconds(half),
        seconds(most),
        seconds(longest)
    );
    (most, text)
}

/// Notices while `normal` is full.
async fn normal(stage: &Stage) -> (Duration, String) {
    stage.start();
    stage.warm().await;
    let began = elapsed();
    stage.queues.put(Lane::Normal, stage.state_changes(WAITING));
    let mut waits = Vec::new();
    for (n, letter) in (1..).zip(stage.losses().into_iter().take(PROBES)) {
        pause(Duration::from_secs(1)).await;
        let put = elapsed();
        stage.queues.put(Lane::Urgent, [letter]);
        stage.done.wait_for(n, AT_MOST).await;
        waits.push(elapsed().saturating_sub(put));
    }
    let (worked_off, took) = (stage.worked_off(), elapsed().saturating_sub(began));
    waits.sort_unstable();
    let longest = part(&waits, 100);
    let a_second = u128::try_from(worked_off).unwrap_or_default() * 1000 / took.as_millis().max(1);
    let text = format!(
        "{WAITING} messages in `normal`, {PROBES} notices acted on after {} at the median and {} at the most; \
         {a_second} normal ones a second worked off meanwhile",
        seconds(part(&waits, 50)),
        seconds(longest)
    );
    (longest, text)
}

/// So many percent of these, which are sorted, are no longer than the answer.
fn part(sorted: &[Duration], percent: usize) -> Duration {
    let at = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(at - 1).copied().unwrap_or_default()
}

fn seconds(time: Duration) -> String {
    format!("{}.{:03} s", time.as_secs(), time.subsec_millis())
}
