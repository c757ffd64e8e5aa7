//! Small writes and reads per second of the store in memory and in a file.

use std::time::{Duration, Instant};

use futures::FutureExt;
use spothub_core::port::{Expect, Put, Store};
use spothub_store::Sqlite;

fn main() {
    let directory = tempfile::tempdir().expect("a folder for the file");
    let file = Sqlite::open(&directory.path().join("bench.db")).expect("a store in it");
    measure("memory", &Sqlite::memory().expect("a store in memory"), 200_000);
    measure("file", &file, 500);
}

fn measure(place: &str, store: &dyn Store, count: u32) {
    let value = vec![7_u8; 200];
    let put = |n: u32| Put {
        key: format!("group/{:04}/swap/{:016x}", n % 4_000, n / 8),
        value: Some(value.clone()),
        expect: Expect::Anything,
        fence: 1,
    };
    let now = |puts: &[Put]| store.write(puts).now_or_never().expect("inline").expect("written");
    let one = timed(|| (0..count).for_each(|n| drop(now(&[put(n)]))));
    let four = timed(|| (0..count / 4).for_each(|n| drop(now(&[0, 1, 2, 3].map(|i| put(n * 4 + i))))));
    let get = timed(|| {
        for n in 0..count {
            drop(store.get(&put(n).key).now_or_never().expect("inline").expect("read"));
        }
    });
    let each = |time: Duration, count: u32| f64::from(count) / time.as_secs_f64();
    println!(
        "{place}: {:.0} writes/s of one item, {:.0} items/s in writes of four, {:.0} gets/s",
        each(one, count),
        each(four, count),
        each(get, count)
    );
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
