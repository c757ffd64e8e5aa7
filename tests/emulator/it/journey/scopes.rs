//! The brake at each scope under three busy workers on one table: nothing begins in it, nor after all of them were
//! killed and started again; what is not covered goes on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Journey;
use super::chaos::over_a_table;
use crate::clock::wait;
use crate::emulator::run;
use crate::organization::{ENABLED, accounts};
use crate::program::{QUICK, Running};

const WORKERS: usize = 3;
/// From when a pause has returned until it holds everywhere (INV-11).
const HOLDS_AFTER: Duration = Duration::from_secs(5);
/// How long nothing may begin, each time.
const WATCHED: Duration = Duration::from_secs(5);

/// The longest until the first swap is in its group; it takes seconds.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// Swaps that began in a brake's scope since `after`, and those that began elsewhere.
fn begun(journey: &Journey, after: u64, covers: &dyn Fn(&Value) -> bool) -> (usize, usize) {
    let launches = journey.calls(after, "&action=CreateFleet");
    let within = launches.iter().filter(|call| covers(call)).count();
    (within, launches.len() - within)
}

#[test]
fn no_swap_begins_in_the_scope_of_a_brake_under_three_busy_workers() {
    let group = |name: &str| json!({"name": name, "count": 3, "desired": 9, "max": 10, "tags": {ENABLED: "true"}});
    let journey = Journey::over(json!({"regions": ["us-east-1", "eu-west-1"], "accounts": [
        {"name": "shop", "ou": "prod/web", "groups": [group("web")]},
        {"name": "bank", "ou": "prod", "groups": [group("core")]},
        {"name": "play", "ou": "dev", "groups": [group("toy")]},
    ]}));
    let before = journey.snapshot();
    let program = over_a_table(&journey, QUICK);
    let start = || program.start(&["--sweep", "1m"]);
    let mut workers: Vec<Running> = (0..WORKERS).map(|_| start()).collect();
    // Sites are shared by hash, so that one of the workers may have none of the six: that swaps end is the hub's doing.
    for worker in &mut workers {
        worker.message("a sweep is over");
    }
    let give_up = Instant::now() + ENDS_WITHIN;
    while journey.calls(0, "&action=AttachInstances").is_empty() {
        assert!(Instant::now() < give_up, "no swap came to its pivot");
        run(wait(Duration::from_secs(1)));
    }

    let id = |name: &str| accounts(&journey.told, &[name]).first().unwrap().to_string();
    let ids = ["shop", "bank", "play"].map(id);
    let of = |call: &Value, account: &str| call["account"] == account;
    let (site, name) = before.groups.keys().find(|(site, _)| site.account.to_string() == ids[0]).unwrap();
    let scopes: [(Vec<String>, Box<dyn Fn(&Value) -> bool>); 6] = [
        (
            vec!["--group".to_owned(), format!("{site}/{name}")],
            Box::new(|call| {
                of(call, &ids[0])
                    && call["region"] == site.region.as_str()
                    && call["params"].to_string().contains(&format!("\"{name}\""))
            }),
        ),
        (vec!["--account".to_owned(), ids[1].clone()], Box::new(|call| of(call, &ids[1]))),
        (vec!["--ou".to_owned(), "/prod".to_owned()], Box::new(|call| !of(call, &ids[2]))),
        (vec!["--region".to_owned(), "eu-west-1".to_owned()], Box::new(|call| call["region"] == "eu-west-1")),
        (vec!["--org".to_owned()], Box::new(|_| true)),
        (vec!["--all".to_owned()], Box::new(|_| true)),
    ];
    let mut elsewhere = 0;
    for (scope, covers) in &scopes {
        let brake = |verb: &str| {
            let scope: Vec<&str> = scope.iter().map(String::as_str).collect();
            let args = [&[verb, "--why", "tests", "--config", "spothub.yaml"], &scope[..]].concat();
            // On a busy machine the table may not answer within its seconds; whoever pulls a brake then does it again.
            let mut ran = program.ran(&args);
            if ran.code != Some(0) && ran.err.contains("no answer in time") {
                ran = program.ran(&args);
            }
            assert_eq!(ran.code, Some(0), "{verb} {scope:?}: {}", ran.err);
        };
        brake("pause");
        run(wait(HOLDS_AFTER));
        let after = journey.cursor();
        run(wait(WATCHED));
        for worker in &workers {
            worker.signal("KILL");
        }
        workers = (0..WORKERS).map(|_| start()).collect();
        run(wait(WATCHED));
        let (within, others) = begun(&journey, after, covers);
        println!("{}: {within} swaps began in it, {others} elsewhere", scope.join(" "));
        assert_eq!(within, 0, "{scope:?}");
        elsewhere += others;
        brake("resume");
    }
    // How many depends on the machine; none would mean that nothing was to be held back either.
    assert!(elsewhere > 0, "no swap began where no brake was");
    for worker in workers {
        worker.signal("TERM");
        worker.end_well();
    }
}
