//! The log of what was done, after runs: whole where nobody touched it, and found out where somebody did.

use std::path::Path;
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use spothub::Exit;
use spothub_core::audit::Deed;
use spothub_core::brake::{Brake, BrakeScope};
use spothub_core::port::{Expect, Put, Store, Stored};
use spothub_core::time::Timestamp;
use spothub_hub::audit::{Audit, Chain, Finding, Head, brakes, verify};
use spothub_hub::brake::{pull, release};
use spothub_store::Sqlite;

use crate::cli::spothub;
use crate::played::{options, play_tampered, scenario};

/// The store of a run, once it is over.
fn stored(name: &str) -> Arc<dyn Store> {
    let kept = Mutex::new(None);
    let played = play_tampered(&scenario(name), &options(1, 4), |ports| {
        *kept.lock().unwrap() = Some(Arc::clone(&ports.store));
        ports
    });
    assert!(played.broken().is_empty(), "{:?}", played.violations());
    kept.into_inner().unwrap().unwrap()
}

fn proven(store: &dyn Store, noted: &[Head]) -> Audit {
    block_on(verify(store, noted)).unwrap()
}

fn rows(store: &dyn Store, prefix: &str) -> Vec<Stored> {
    block_on(store.query(prefix, None, 1000)).unwrap().items
}

fn put(store: &dyn Store, key: &str, value: Option<Vec<u8>>) {
    // A thief knows every fence.
    let put = Put { key: key.to_owned(), value, expect: Expect::Anything, fence: u64::MAX };
    block_on(store.write(&[put])).unwrap();
}

#[test]
fn the_log_of_a_run_is_whole() {
    for name in ["small", "guarded", "racing"] {
        let store = stored(name);
        let audit = proven(&*store, &[]);
        assert_eq!(audit.findings, [], "{name}");
        let deeds = block_on(brakes(&*store)).unwrap();
        let all = rows(&*store, "swap/").len() + deeds.len();
        assert_eq!(usize::try_from(audit.rows), Ok(all), "{name}: every end has its place");
        assert!(audit.rows > 20, "{name}: {}", audit.rows);
        assert_eq!(proven(&*store, &audit.heads).findings, [], "{name}: held against what was just noted");
        if name == "guarded" {
            let count = |deed| deeds.iter().filter(|row| row.deed == deed).count();
            assert!(count(Deed::Pulled) > 0 && count(Deed::Released) > 0);
        }
    }
}

#[test]
fn whoever_changes_removes_or_adds_a_row_is_found_out() {
    let store = stored("guarded");
    let ends = rows(&*store, "swap/");
    for row in [&ends[0], &ends[ends.len() / 2], &rows(&*store, "log/brakes/")[0]] {
        let changed = String::from_utf8(row.value.clone()).unwrap().replacen("\"at\":1", "\"at\":2", 1).into_bytes();
        assert_ne!(changed, row.value);
        for forged in [None, Some(changed)] {
            put(&*store, &row.key, forged);
            let found = proven(&*store, &[]).findings;
            assert!(found.iter().any(|one| matches!(one, Finding::Broken { .. })), "{}: {found:?}", row.key);
            put(&*store, &row.key, Some(row.value.clone()));
        }
        let added = format!("{}-more", row.key);
        let other = [row.value.clone(), b" ".to_vec()].concat();
        put(&*store, &added, Some(other));
        let found = proven(&*store, &[]).findings;
        assert!(found.iter().any(|one| matches!(one, Finding::Loose { rows: 1, .. })), "{}: {found:?}", row.key);
        put(&*store, &added, None);
        assert_eq!(proven(&*store, &[]).findings, []);
    }
}

#[test]
fn who_writes_the_whole_chain_anew_is_found_out_by_what_was_noted() {
    let store = stored("guarded");
    let noted = proven(&*store, &[]).heads;
    let log = rows(&*store, "log/");
    for row in &log {
        put(&*store, &row.key, None);
    }
    assert_eq!(proven(&*store, &[]).findings, [], "nothing is left that could tell");
    let found = proven(&*store, &noted).findings;
    assert!(matches!(&found[..], [Finding::Rewritten { noted }] if noted.chain == Chain::Brakes), "{found:?}");
}

#[test]
fn the_command_proves_writes_heads_and_exports() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (store, heads) = (path("hub.db"), path("heads.json"));
    let ran = |rest: &[&str]| {
        let mut line = vec!["audit"];
        line.extend(rest);
        line.extend(["--store", &store]);
        spothub(&line)
    };
    let nothing = ran(&["verify"]);
    assert_eq!(nothing.exit, Exit::Usage, "{}", nothing.out);
    let kept = Sqlite::open(Path::new(&store)).unwrap();
    let brake = |why: &str, scope| {
        let (by, why, at) = ("=ann".to_owned(), why.to_owned(), Timestamp(1_767_225_600_000));
        Brake { format: 1, scope, why, by, at, revert: false }
    };
    let (account, at_once) = (BrakeScope::Account("000000000042".parse().unwrap()), BrakeScope::Org);
    for done in [brake("a freeze", account.clone()), brake("we look", at_once)] {
        block_on(pull(&kept, &done)).unwrap();
    }
    assert!(block_on(release(&kept, &brake("thawed", account))).unwrap());
    let whole = ran(&["verify", "--write-heads", &heads]);
    assert_eq!((whole.exit, whole.out.lines().last()), (Exit::Done, Some("The log is whole.")), "{}", whole.err);
    assert_eq!(ran(&["verify", "--heads", &heads]).exit, Exit::Done);
    let told = ran(&["export", "--account", "000000000042"]).out;
    let lines: Vec<&str> = told.lines().skip(1).collect();
    assert_eq!(lines[0], "2026-01-01T00:00:00Z,paused,000000000042,,,account 000000000042,'=ann,a freeze,,,");
    assert_eq!(lines.len(), 2, "not what was done to the whole organization");
    assert_eq!(ran(&["export", "--format", "jsonl"]).out.lines().count(), 3);
    let log = rows(&kept, "log/brakes/");
    put(&kept, &log[1].key, None);
    let broken = ran(&["verify", "--write-heads", &path("more.json")]);
    assert_eq!(broken.exit, Exit::Violation);
    assert!(!Path::new(&path("more.json")).exists(), "heads of a log that is not whole are not noted");
    let broken = ran(&["verify", "--output", "json"]);
    assert_eq!(broken.exit, Exit::Violation, "{}", broken.err);
    assert!(broken.out.contains("\"broken\"") && broken.out.contains("\"count\": 2"), "{}", broken.out);
    std::fs::write(&heads, "none").unwrap();
    let bad = ran(&["verify", "--heads", &heads]);
    assert!(bad.exit == Exit::Usage && bad.err.contains("heads.json"), "{}", bad.err);
}
