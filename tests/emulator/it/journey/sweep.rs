//! A sweep over fifty accounts: how long, how many calls for a group with nothing to do, how much memory.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Journey, by_action};
use crate::clock::wait;
use crate::emulator::run;
use crate::organization::ENABLED;
use crate::program::QUICK;

const ACCOUNTS: usize = 50;
const REGIONS: usize = 2;
const GROUPS: usize = 4;

/// The most memory that a process has had, in KiB, as Linux counts it.
fn peak(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
fn a_sweep_over_fifty_accounts() {
    let group = json!({"name": "web", "count": GROUPS, "desired": 1, "max": 2, "tags": {ENABLED: "true"}});
    let accounts = json!([{"name": "member", "count": ACCOUNTS, "groups": [group]}]);
    let journey = Journey::over(json!({"accounts": accounts}));
    // Looked at like any group, and all its members have to stay.
    let program = journey.program(&format!("{QUICK}  floor: {{percent: 100}}\n"));

    let mut running = program.start(&["--sweep", "1m"]);
    let over = running.message("a sweep is over");
    let first = journey.calls(0, "");
    let after = journey.cursor();
    let again = running.message("a sweep is over");
    run(wait(Duration::from_secs(1)));
    let later = journey.calls(after, "");
    let memory = peak(running.id());
    running.signal("TERM");
    assert_eq!(running.end(), Some(0));

    let sites = json!(ACCOUNTS * REGIONS);
    assert_eq!((&over["sites"], &over["missed"]), (&sites, &json!(0)), "{over}");
    assert!(first.iter().chain(&later).all(|call| call["changing"] == false || call["service"] == "sqs"));
    let idle = |calls: &[Value]| calls.iter().filter(|call| call["service"] != "sqs").count();
    let groups = ACCOUNTS * REGIONS * GROUPS;
    for (what, over, calls) in [("first", over, first), ("second", again, later)] {
        println!(
            "{what} sweep over {ACCOUNTS} accounts x {REGIONS} regions x {GROUPS} groups: {} s, {} calls, \
             {:.2} a group: {:?}",
            over["seconds"],
            idle(&calls),
            f64::from(u32::try_from(idle(&calls)).unwrap()) / f64::from(u32::try_from(groups).unwrap()),
            by_action(&calls)
        );
    }
    println!("memory at most: {} KiB", memory.map_or_else(|| "unknown".to_owned(), |kib| kib.to_string()));
}
