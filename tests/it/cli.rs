//! The command line from arguments to exit code, in this process: help texts, bad input, results.

use std::ffi::OsString;
use std::path::Path;

use spothub::{Exit, Streams, Style};

pub(crate) struct Ran {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn spothub(arguments: &[&str]) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams =
        Streams { out: &mut out, err: &mut err, program: "spothub simulate", style: Style::Plain, progress: false };
    let line = ["spothub"].iter().chain(arguments).map(OsString::from);
    let exit = spothub::run(line, &mut streams);
    Ran { exit, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

/// Bad input: nothing on stdout, exit 2, and a message that has these words.
pub(crate) fn refused(arguments: &[&str], words: &[&str]) {
    let ran = spothub(arguments);
    assert_eq!((ran.exit.code(), ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
    for word in words {
        assert!(ran.err.contains(word), "{arguments:?} does not say {word:?}: {}", ran.err);
    }
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        directory.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn help_texts() {
    for (name, arguments) in [
        ("help", &["--help"][..]),
        ("help_simulate", &["simulate", "--help"]),
        ("help_man", &["man", "--help"]),
        ("help_plan", &["plan", "--help"]),
    ] {
        let ran = spothub(arguments);
        assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
        // The inner loop builds the program without AWS, and that one has fewer commands to list.
        let name = match name {
            "help" if reaches_aws() => "help_aws",
            "help_plan" if reaches_aws() => "help_plan_aws",
            name => name,
        };
        insta::assert_snapshot!(name, ran.out);
    }
}

fn reaches_aws() -> bool {
    spothub(&["config", "example"]).exit == Exit::Done
}

#[test]
fn the_version_names_a_commit() {
    let ran = spothub(&["--version"]);
    assert_eq!(ran.exit, Exit::Done);
    let commit = ran.out.strip_prefix(&format!("spothub {} (", env!("CARGO_PKG_VERSION"))).unwrap();
    let commit = commit.strip_suffix(")\n").unwrap();
    assert!(commit == "unknown" || commit.len() >= 7 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{commit}");
}

#[test]
fn bad_command_lines() {
    refused(&[], &["Usage: spothub"]);
    refused(&["simulat"], &["unrecognized subcommand 'simulat'", "simulate"]);
    refused(&["simulate", "smal"], &["no scenario \"smal\"", "did you mean small?", "storm", "messy", "large"]);
    refused(&["simulate", "--seed", "18446744073709551616"], &["--seed", "from 0 to 18446744073709551615"]);
    refused(&["simulate", "--seed", "-1"], &["'-1'", "--seed"]);
    for hours in ["-3", "0", "8761", "many", "99999999999"] {
        refused(&["simulate", "--hours", hours], &[hours, "from 1 to 8760"]);
    }
    refused(&["simulate", "--engine", "maybe"], &["--engine", "on, off"]);
    refused(&["simulate", "--output", "xml"], &["--output", "table, json"]);
    refused(&["man", "nothing"], &["no command \"nothing\""]);
    refused(&["--log", "a=b=c", "man"], &["is no log filter"]);
}

#[test]
fn bad_scenario_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    refused(&["simulate", &path("none.yaml")], &["cannot read the scenario file", "none.yaml", "No such file"]);
    refused(&["simulate", directory.path().to_str().unwrap()], &["cannot read the scenario file"]);

    let file = path("mine.yaml");
    std::fs::write(&file, "hours: -1\naccounts: []\nmix: {groups: 3, sizs: []}\npolicy: {}\n").unwrap();
    let lines = ["mine.yaml:1:8: hours", "mine.yaml:2:11: accounts", "mix.sizs", "did you mean sizes?", "3 mistakes"];
    refused(&["simulate", &file], &lines);
    std::fs::write(&file, b"about: \xff\n").unwrap();
    refused(&["simulate", &file], &["mine.yaml:1:8: this byte is no UTF-8"]);
    std::fs::write(&file, vec![b'#'; 10 << 20]).unwrap();
    refused(&["simulate", &file], &["more than the 1048576"]);
}

#[test]
fn a_trace_is_whole_or_absent() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    refused(&["simulate", "--trace", &path("no/such/place.jsonl")], &["cannot be written", "remedy:"]);
    refused(&["simulate", "--trace", directory.path().to_str().unwrap()], &["it is a directory", "remedy:"]);
    assert!(names(directory.path()).is_empty());

    let file = path("trace.jsonl");
    std::fs::write(&file, "what was there before").unwrap();
    let ran = spothub(&["simulate", "--hours", "1", "--trace", &file]);
    assert_eq!(ran.exit, Exit::Done, "{}", ran.err);
    assert_eq!(names(directory.path()), ["trace.jsonl"]);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.ends_with('\n') && text.lines().count() > 100);
    for line in text.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(record["kind"].is_string() && record["t"].is_number(), "{line}");
    }
}

#[test]
fn a_result_is_one_object_and_depends_on_the_seed_alone() {
    let result = |seed| {
        let ran = spothub(&["simulate", "--hours", "2", "--seed", seed, "--output", "json"]);
        assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
        let mut value: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert!(value["wall_seconds"].is_number());
        value["wall_seconds"] = serde_json::Value::Null;
        value
    };
    let one = result("1");
    assert_eq!((&one["scenario"], &one["hours"], &one["accounts"]), (&"small".into(), &2.into(), &12.into()));
    assert_eq!(one, result("1"));
    assert_ne!(one, result("2"));
}

#[test]
fn the_front_page_shows_a_real_run() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let shown = page.split_once("```text\n").unwrap().1.split_once("  ...\n").unwrap().0;
    let ran = spothub(&["simulate"]);
    assert!(ran.out.starts_with(shown), "the page has\n{shown}\nand the run has\n{}", ran.out);
}

#[test]
fn a_table_ends_with_what_to_try_next() {
    let ran = spothub(&["simulate", "--hours", "2", "--engine", "off"]);
    assert_eq!(ran.exit, Exit::Done, "{}", ran.err);
    for words in ["off: this is what happens without spothub", "Laws: none broken", "What to try next"] {
        assert!(ran.out.contains(words), "{}", ran.out);
    }
}

#[test]
fn completions_and_manual_pages() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = spothub(&["completions", shell]);
        assert!(ran.exit == Exit::Done && ran.out.contains("simulate"), "{shell}");
    }
    let (program, command) = (spothub(&["man"]).out, spothub(&["man", "simulate"]).out);
    assert!(program.contains(".TH spothub 1") && program.contains("Exit codes"), "{program}");
    assert!(command.contains(".TH spothub-simulate 1") && command.contains("trace"), "{command}");
}
