//! The example against the reader, precedence, and each kind of mistake.

use std::fs;

use clap::{Args as _, Command, FromArgMatches as _};
use spothub_core::rights::{GroupGuard, Passable, Rights};
use spothub_hub::document::Reading;

use super::key::{KEYS, Unset};
use super::*;

/// The smallest file that can be run.
const SMALL: &str = "\
hub-id: hub-1
home-region: eu-west-1
member-role: arn:aws:iam::{account}:role/spothub-member
external-id: o-secret-word
accounts: {from: list, only: [\"000000000042\"]}
regions: [eu-west-1]
queues: {urgent: \"https://sqs/urgent\", normal: \"https://sqs/normal\"}
store: spothub.db
";

fn typed(arguments: &[&str]) -> Typed {
    let command = Typed::augment_args(Command::new("spothub"));
    let matches = command.try_get_matches_from(["spothub"].iter().chain(arguments)).unwrap();
    Typed::from_arg_matches(&matches).unwrap()
}

fn read_with(text: &str, arguments: &[&str], waive_floors: bool) -> Result<Found, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.yaml"), "defaults: {enabled: true}\n").unwrap();
    fs::write(folder.path().join("more.yaml"), "rules:\n  - {match: {ou: /a}, interval: 5s}\n").unwrap();
    fs::write(folder.path().join("id"), "from-a-file\n").unwrap();
    let file = folder.path().join("spothub.yaml");
    fs::write(&file, text).unwrap();
    let typed = typed(arguments);
    let sources = Sources { file: Some(&file), typed: &typed, waive_floors, serves: false, looks: false };
    read(&sources).map_err(|mistakes| mistakes.0.join("\n\n"))
}

/// Refused, with all of these words.
fn refused(text: &str, arguments: &[&str], words: &[&str]) {
    let told = read_with(text, arguments, false).err().expect("it is refused");
    for word in words {
        assert!(told.contains(word), "{word:?} is missing in\n{told}");
    }
    assert!(!told.contains("secret-word"), "{told}");
}

#[test]
fn the_example_parses_and_equals_the_defaults() {
    let text = example::text();
    let reading = Reading::new("example", &text);
    let (tree, mut draft) = (reading.parse().unwrap(), Draft::default());
    draft.lay(&reading.root(&tree), Floors::Kept);
    reading.finish(Some(())).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(draft.hub.is_some() && draft.home.is_some() && draft.role.is_some() && draft.store.is_some());
    assert!(!draft.regions.is_empty() && draft.urgent.is_some() && draft.normal.is_some());
    let bare = Draft {
        hub: None,
        home: None,
        role: None,
        store: None,
        urgent: None,
        normal: None,
        regions: BTreeSet::new(),
        ..draft
    };
    assert_eq!(format!("{bare:?}"), format!("{:?}", Draft::default()));
}

/// Each key of the table stands in the example, and the reader takes it; the reader takes no others.
#[test]
fn the_table_and_the_reader_have_the_same_keys() {
    let text = example::text();
    for key in KEYS {
        let name = key.path.rsplit('.').next().unwrap();
        assert!(
            text.lines().any(|line| line.trim_start_matches(['#', ' ']).starts_with(&format!("{name}:"))),
            "{name}"
        );
        if let Unset::Nothing(sample) = key.unset {
            let values = sample.trim_matches('"');
            let found = typed(&[&format!("--{}", key.flag()), values]);
            let layer = found.layer();
            let reading = Reading::new("x", &layer.text);
            Draft::default().lay(&reading.root(&layer.root), Floors::Kept);
            reading.finish(Some(())).unwrap_or_else(|problems| panic!("{problems}"));
        }
    }
    for map in ["", "accounts", "queues", "timings", "time-outs", "limits", "traces"] {
        let text =
            if map.is_empty() { "zz-unknown-zz: 1\n".to_owned() } else { format!("{map}: {{zz-unknown-zz: 1}}\n") };
        let reading = Reading::new("x", &text);
        let tree = reading.parse().unwrap();
        Draft::default().lay(&reading.root(&tree), Floors::Kept);
        let problems = reading.finish(Some(())).unwrap_err();
        let known = problems.list[0].remedy.trim_start_matches("known here: ").to_owned();
        let mut known: Vec<String> = known.split(", ").map(str::to_owned).collect();
        let mut listed: Vec<String> = KEYS
            .iter()
            .filter_map(|key| match key.path.split_once('.') {
                Some((above, name)) if above == map => Some(name.to_owned()),
                Some((above, _)) if map.is_empty() => Some(above.to_owned()),
                None if map.is_empty() => Some(key.path.to_owned()),
                Some(_) | None => None,
            })
            .collect();
        known.sort();
        listed.sort();
        listed.dedup();
        assert_eq!(known, listed, "{map}");
    }
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let file = format!("{SMALL}sweep: 20m\npolicies: [policy.yaml]\n");
    let config = read_with(&file, &["--sweep", "30m", "--regions", "us-east-1,eu-west-1"], false).unwrap().config;
    assert_eq!((config.reach.engine.sweep, config.reach.engine.prices), (Span::mins(30), Span::mins(15)));
    assert_eq!(config.reach.regions.len(), 2);
    assert_eq!(config.reach.engine.policy.rules().len(), 1);
    assert!(matches!(&config.store, Place::File(path) if path.is_absolute()) && config.reach.external_id.is_some());
    let Accounts::List(accounts) = config.reach.accounts else { panic!("a list") };
    assert_eq!((accounts.len(), accounts[0].regions.len()), (1, 2));
    let config = read_with(SMALL, &[], false).unwrap().config;
    assert_eq!(config.reach.engine.sweep, Span::mins(10));
}

#[test]
fn all_mistakes_are_told_at_once() {
    refused(
        "hub-id: a b\nsweep: 10\nlimits: {sites: 0}\nzone: x\ntimings: {tick: 1s}\nexternal-id: \"o secret-word\"\n",
        &["--listen", "0.0.0.0:80", "--log-format", "xml"],
        &[
            "spothub.yaml:1:9: hub-id",
            "spothub.yaml:2:8: sweep",
            "limits.sites",
            "zone: this key is not known",
            "timings.tick: 1s is below the floor of 15s",
            "external id: 2 to 1,224",
            "listen: 0.0.0.0:80 is not on loopback",
            "--log-format=xml",
            "the setting member-role is missing",
            "as --regions or as SPOTHUB_REGIONS",
            "queues.urgent is missing",
        ],
    );
}

#[test]
fn what_does_not_go_together() {
    refused(&format!("{SMALL}external-id-file: id\n"), &[], &["both external-id and external-id-file"]);
    refused(&format!("{SMALL}timings: {{lease: 30s}}\ntime-outs: {{operation: 40s}}\n"), &[], &["does not outlast"]);
    refused(&format!("{SMALL}time-outs: {{operation: 1s}}\n"), &[], &["shorter than time-outs.attempt"]);
    refused(SMALL, &["--store", "no/such/place.db"], &["no/such does not exist"]);
    refused(SMALL, &["--traces-otlp", "http://10.0.0.1:4318"], &["neither encrypted nor on loopback", "plain-http"]);
    refused(SMALL, &["--traces-otlp", "https://a:b@c"], &["--traces-otlp", "OTEL_EXPORTER_OTLP_HEADERS"]);
    let open = ["--traces-otlp", "http://10.0.0.1:4318", "--traces-plain-http"];
    let config = read_with(SMALL, &open, false).unwrap().config;
    assert_eq!(config.traces.unwrap().url(), "http://10.0.0.1:4318/v1/traces");
    refused(SMALL, &["--accounts-tag", "a=b"], &["need the organization"]);
    refused(
        SMALL,
        &["--policies", "policy.yaml,none.yaml,policy.yaml"],
        &["cannot read the policy file", "none.yaml", "policy.yaml is named twice"],
    );
    refused(SMALL, &["--policies", "more.yaml"], &["more.yaml:2:33: interval: 5s is below the floor of 15s"]);
    refused(&SMALL.replace("{from: list, only: [\"000000000042\"]}", "{from: list}"), &[], &["names none"]);
}

#[test]
fn what_members_grant_is_told() {
    let rights = |arguments: &[&str]| read_with(SMALL, arguments, false).unwrap().config.reach.engine.rights;
    let all = rights(&[]);
    assert_eq!(all, Rights::default());
    assert!(all.on_demand_fallback && all.launch_configurations && all.passable == Passable::Any);
    let narrow = rights(&[
        "--group-guard",
        "opt-in-tag",
        "--passable-roles",
        "arn:aws:iam::*:role/app/*,/web/*",
        "--on-demand-fallback=false",
        "--launch-configurations=false",
    ]);
    assert_eq!(narrow.guard, GroupGuard::OptInTag);
    assert!(!narrow.on_demand_fallback && !narrow.launch_configurations);
    assert!(narrow.passable.permits(&"arn:aws:iam::000000000042:role/app/x".parse().unwrap()));
    // As a template's empty list of parameters reaches the container.
    assert_eq!(rights(&["--passable-roles", ""]).passable, Passable::Only(Vec::new()));
    assert_eq!(rights(&["--passable-roles", "*"]).passable, Passable::Any);
    let file = format!("{SMALL}passable-roles: []\ngroup-guard: opt-out-tag\n");
    let rights = read_with(&file, &[], false).unwrap().config.reach.engine.rights;
    assert_eq!((rights.passable, rights.guard), (Passable::Only(Vec::new()), GroupGuard::OptOutTag));
    refused(SMALL, &["--passable-roles", "app"], &["\"app\" is no pattern of roles"]);
    refused(SMALL, &["--group-guard", "opt-in"], &["is not one of opt-in-tag, opt-out-tag, none"]);
}

#[test]
fn the_hub_s_own_parts_are_named_by_url_and_arn() {
    let file = SMALL.replace("normal\"}", "normal\", probe: \"https://sqs/probe\"}");
    let config = read_with(&file, &["--hub-bus", "arn:aws:events:eu-west-1:000000000042:event-bus/spothub"], false);
    let config = config.unwrap().config;
    assert_eq!(config.probe.as_deref(), Some("https://sqs/probe"));
    assert!(config.hub_bus.is_some() && config.kept().hub_role.is_none());
    refused(SMALL, &["--hub-bus", "spothub"], &["\"spothub\" is no event bus"]);
    refused(SMALL, &["--hub-role", "spothub-hub"], &["\"spothub-hub\" is no role ARN"]);
}

#[test]
fn a_table_is_not_looked_for_with_other_credentials_than_were_meant() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spothub.yaml");
    let stored = |role: &str, place: &str| {
        fs::write(
            &file,
            format!("home-region: eu-west-1\nhub-role: {role}\nstore: \"{place}\"\nregions: [nowhere!]\n"),
        )
        .unwrap();
        store_of(&HubStore::of(&file)).map_err(|mistakes| mistakes.0.join("\n"))
    };
    let good = stored("arn:aws:iam::000000000042:role/spothub-hub", "dynamodb:spothub").unwrap();
    assert_eq!(good.hub_role.unwrap().name(), "spothub-hub");
    assert!(stored("spothub-hub", "dynamodb:spothub").unwrap_err().contains("is no role ARN"));
    assert!(stored("spothub-hub", "spothub.db").is_ok(), "a file needs no role");
}

#[test]
fn a_table_and_its_region_are_enough_for_a_task_without_a_settings_file() {
    let at = |home: Option<&str>| HubStore {
        store: Some("dynamodb:spothub-hub".to_owned()),
        home_region: home.map(|home| home.parse().unwrap()),
        ..HubStore::default()
    };
    let Ok(kept) = store_of(&at(Some("eu-west-1"))) else { panic!("not taken") };
    assert_eq!((kept.place, kept.home), (Place::Table("spothub-hub".parse().unwrap()), "eu-west-1".parse().ok()));
    assert!(
        store_of(&at(None)).map_or_else(|mistakes| mistakes.0.join("\n"), |_| String::new()).contains("home-region")
    );
}

#[test]
fn the_store_is_a_file_or_a_table() {
    let place = |typed: &str| read_with(SMALL, &["--store", typed], false).unwrap().config.store;
    assert_eq!(place("dynamodb:spothub-hub"), Place::Table("spothub-hub".parse().unwrap()));
    assert!(matches!(place("dynamodb.db"), Place::File(path) if path.ends_with("dynamodb.db")));
    refused(SMALL, &["--store", "dynamodb:a b"], &["--store=", "\"a b\" is no table", "3 to 255", "home region"]);
    refused(&SMALL.replace("spothub.db", "\"dynamodb:\""), &[], &["spothub.yaml:8:8: store", "is no table"]);
}

#[test]
fn who_only_looks_needs_no_floors_and_no_loopback() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.yaml"), "defaults: {enabled: true}\n").unwrap();
    let file = folder.path().join("spothub.yaml");
    fs::write(&file, format!("{SMALL}timings: {{tick: 1s}}\n")).unwrap();
    let typed = typed(&[]);
    let sources = Sources { file: Some(&file), typed: &typed, waive_floors: false, serves: true, looks: true };
    assert!(read(&sources).is_ok_and(|found| found.config.reach.engine.timings.tick == Span::secs(1)));
}

#[test]
fn floors_are_waived_only_on_loopback() {
    // No endpoint is set where tests run, so this would go to AWS.
    let told = read_with(SMALL, &["--timings-tick", "1s"], true).err().unwrap();
    assert!(told.contains("--unsafe-timings is refused") && !told.contains("below the floor"), "{told}");
}

#[test]
fn the_secret_is_never_shown() {
    let without = SMALL.replace("external-id: o-secret-word\n", "");
    let config = read_with(&format!("{without}external-id-file: id\n"), &[], false).unwrap().config;
    assert!(config.reach.external_id.is_some());
    let masked =
        masked("a: 1\nexternal-id: 'o-secret-word' # mine\nb: {external-id: o-secret-word}\n", Some("o-secret-word"));
    assert!(!masked.contains("secret") && masked.lines().count() == 3, "{masked}");
    refused(&SMALL.replace("o-secret-word", "o-secret-word é"), &[], &["external id"]);
    refused(SMALL, &["--external-id", "secret-word é"], &["external id"]);
}

/// The whole command line: exit code, stdout and stderr.
fn program(arguments: &[&str]) -> (crate::Exit, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams = crate::Streams {
        out: &mut out,
        err: &mut err,
        program: "spothub simulate",
        style: crate::Style::Plain,
        progress: false,
    };
    let exit = crate::run(["spothub"].iter().chain(arguments).map(std::ffi::OsString::from), &mut streams);
    (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn bad_settings_begin_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spothub.yaml");
    fs::write(&file, SMALL.replace("hub-1", "hub 1")).unwrap();
    let path = file.to_str().unwrap();
    for arguments in [&["run", "--config", path][..], &["run", "--once", "--config", path], &["config", "check", path]]
    {
        let (exit, out, err) = program(arguments);
        assert_eq!((exit, out.as_str()), (crate::Exit::Usage, ""));
        assert!(err.contains("hub id: 1 to 128") && err.contains("nothing was begun"), "{err}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no store was made");
    let (exit, _, err) = program(&["run", "--config", folder.path().join("none.yaml").to_str().unwrap()]);
    assert!(exit == crate::Exit::Usage && err.contains("cannot read the settings file"), "{err}");
}

#[test]
fn check_says_what_is_in_force_and_where_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spothub.yaml");
    fs::write(&file, SMALL).unwrap();
    let (exit, out, err) = program(&["config", "check", file.to_str().unwrap(), "--sweep", "20m"]);
    assert_eq!(exit, crate::Exit::Done, "{err}");
    let line = |key: &str| out.lines().find(|line| line.split_whitespace().next() == Some(key)).unwrap().to_owned();
    assert!(line("sweep").contains("20m") && line("sweep").contains("--sweep"), "{out}");
    assert!(line("hub-id").contains("hub-1") && line("prices").contains("default"), "{out}");
    assert!(!out.contains("secret") && line("external-id").contains("(not shown)"), "{out}");
    assert!(out.contains("no policy: everything is held"), "{out}");
    assert!(out.contains("spothub.db, for one process on this machine"), "{out}");
    let (_, out, _) = program(&["config", "check", file.to_str().unwrap(), "--store", "dynamodb:hub"]);
    assert!(out.contains("the DynamoDB table hub in eu-west-1, for any number of workers"), "{out}");
}
