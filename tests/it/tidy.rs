//! What clippy cannot see, over every file of the working tree. One test for each rule; a failure lists file, line
//! and remedy. A rule is a function of one source, so that [`each_rule_finds_what_it_is_for`] can try it.

mod source;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use source::{Source, closing, files};

const LINES_MAX: usize = 500;
const LINES_MAX_IN_TESTS: usize = 900;
const FUNCTION_LINES_MAX: usize = 70;
const FUNCTION_LINES_MAX_IN_TESTS: usize = 100;
const COLUMNS_MAX: usize = 120;

/// A place where a rule does not hold, and what to do.
type Fault = (usize, String);

/// Members that must give the same bytes for the same seed.
const DETERMINISTIC: [&str; 5] =
    ["control-plane/core", "control-plane/hub", "control-plane/store", "control-plane/sim", "metering"];

/// Who may import whom, as drawn in the source tree's chart. A new member needs a row.
const MAY_IMPORT: [(&str, &[&str]); 13] = [
    ("spothub-core", &[]),
    ("spothub-usage", &["spothub-core"]),
    ("spothub-store", &["spothub-core", "spothub-usage"]),
    ("spothub-hub", &["spothub-core", "spothub-usage"]),
    ("spothub-report", &["spothub-core", "spothub-usage"]),
    ("spothub-aws", &["spothub-core", "spothub-usage"]),
    ("spothub-dashboard", &["spothub-core", "spothub-usage", "spothub-hub"]),
    ("spothub-sim", &["spothub-core", "spothub-usage", "spothub-hub", "spothub-store"]),
    (
        "spothub",
        &[
            "spothub-core", "spothub-usage", "spothub-hub", "spothub-report", "spothub-store", "spothub-sim",
            "spothub-aws", "spothub-dashboard",
        ],
    ),
    (
        "spothub-metering",
        &["spothub-core", "spothub-usage", "spothub-hub", "spothub-store", "spothub-sim", "spothub-aws"],
    ),
    (
        "spothub-tests",
        &[
            "spothub-core", "spothub-usage", "spothub-hub", "spothub-store", "spothub-sim", "spothub-aws",
            "spothub-dashboard", "spothub-report", "spothub",
        ],
    ),
    (
        "spothub-emulator-tests",
        &["spothub-core", "spothub-usage", "spothub-aws", "spothub-hub", "spothub-store", "spothub-tests"],
    ),
    ("spothub-fuzz", &["spothub-core", "spothub-hub"]),
];

/// Packages, by the beginning of their names, that only these members build their product with.
const ONLY_IN: [(&str, &[&str]); 12] = [
    ("aws-", &["spothub-aws"]),
    ("rusqlite", &["spothub-store"]),
    ("anyhow", &["spothub", "spothub-metering"]),
    ("askama", &["spothub-report"]),
    ("csv", &["spothub-report"]),
    ("clap", &["spothub", "spothub-metering", "spothub-tests"]),
    ("indicatif", &["spothub", "spothub-metering"]),
    ("tracing-subscriber", &["spothub", "spothub-metering"]),
    ("tokio", &["spothub-hub", "spothub-aws", "spothub-dashboard", "spothub", "spothub-metering"]),
    ("tracing", &["spothub-hub", "spothub-aws", "spothub-dashboard", "spothub-sim", "spothub", "spothub-metering"]),
    ("governor", &["spothub-hub"]),
    ("rand", &["spothub-sim"]),
];

/// Asks a rule of each file with one of these endings, and fails with all that it finds.
fn hold(endings: &[&str], rule: impl Fn(&Source) -> Vec<Fault>) {
    let tell = |source: &Source| -> Vec<String> {
        rule(source).into_iter().map(|(line, remedy)| format!("{}:{line}: {remedy}", source.path)).collect()
    };
    let faults: Vec<String> = files(endings).iter().flat_map(tell).collect();
    assert!(faults.is_empty(), "{} found:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn files_are_short() {
    hold(&[".rs"], long_file);
}

#[test]
fn functions_are_short() {
    hold(&[".rs"], long_functions);
}

#[test]
fn every_file_says_what_it_knows() {
    hold(&[".rs"], silent_file);
}

#[test]
fn modules_are_named_by_a_noun_of_the_field() {
    hold(&[".rs"], vague_names);
}

#[test]
fn no_file_is_forgotten() {
    let all = files(&[".rs"]);
    hold(&[".rs"], |source| forgotten(source, &all));
}

#[test]
fn lints_are_expected_and_tests_are_run() {
    hold(&[".rs"], banned_attributes);
}

#[test]
fn nothing_is_left_for_later() {
    hold(&[".rs"], stubs);
}

#[test]
fn imports_go_one_way() {
    hold(&["Cargo.toml"], imports);
}

#[test]
fn in_core_only_ports_know_ports() {
    hold(&[".rs"], ports_in_core);
}

#[test]
fn lines_are_clean() {
    hold(&[".rs"], unclean_lines);
}

#[test]
fn every_select_has_its_order() {
    hold(&[".rs"], unordered_selects);
}

#[test]
fn no_source_names_a_machine() {
    hold(&[".rs", ".toml"], machine_paths);
}

#[test]
fn order_never_comes_from_a_hash() {
    hold(&[".rs"], hashed);
}

fn long_file(source: &Source) -> Vec<Fault> {
    let max = if source.is_test() { LINES_MAX_IN_TESTS } else { LINES_MAX };
    let lines = source.text.lines().count();
    if lines <= max { vec![] } else { vec![(max + 1, format!("{lines} lines, {max} at most: split it by a noun"))] }
}

fn long_functions(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    let tests = test_lines(source);
    for at in source.words("fn") {
        let Some(open) = body_of(&source.code, at) else { continue };
        let (first, last) = (source.line_of(at), source.line_of(closing(&source.code, open)));
        let in_test = source.is_test() || tests.iter().any(|lines| lines.contains(&first));
        let max = if in_test { FUNCTION_LINES_MAX_IN_TESTS } else { FUNCTION_LINES_MAX };
        let lines = last - first + 1;
        if lines > max {
            faults.push((first, format!("a function of {lines} lines, {max} at most: name a part of it")));
        }
    }
    faults
}

/// The brace that opens the body of the function whose `fn` is at `at`; `None` for a type and a bare signature.
fn body_of(code: &str, at: usize) -> Option<usize> {
    let rest = &code[at + 2..];
    if rest.trim_start().starts_with('(') {
        return None;
    }
    let mut depth = 0;
    let end = rest.bytes().position(|byte| {
        depth += match byte {
            b'(' | b'[' => 1,
            b')' | b']' => -1,
            _ => 0,
        };
        depth <= 0 && matches!(byte, b'{' | b';' | b',' | b'=')
    })?;
    (rest.as_bytes()[end] == b'{').then_some(at + 2 + end)
}

/// The lines of modules that are built for tests only, where they are written in the file itself.
fn test_lines(source: &Source) -> Vec<RangeInclusive<usize>> {
    let marks = source.code.match_indices("#[cfg(test)]");
    let bodies = marks.filter_map(|(at, _)| {
        let end = source.code[at..].find(['{', ';'])? + at;
        source.code[end..].starts_with('{').then(|| (at, closing(&source.code, end)))
    });
    bodies.map(|(from, to)| source.line_of(from)..=source.line_of(to)).collect()
}

fn silent_file(source: &Source) -> Vec<Fault> {
    if source.text.starts_with("//! ") {
        return vec![];
    }
    vec![(1, "begin with `//! ` and what the module knows, and must not know".to_owned())]
}

fn vague_names(source: &Source) -> Vec<Fault> {
    const VAGUE: [&str; 10] =
        ["util", "utils", "helper", "helpers", "common", "manager", "service", "services", "misc", "mod"];
    let parts = source.path.trim_end_matches(".rs").split('/');
    let vague = parts.filter(|part| VAGUE.contains(part));
    vague.map(|part| (1, format!("`{part}` says nothing: name the module by what it holds"))).collect()
}

/// A source that no module names is never compiled, so nothing checks it.
fn forgotten(source: &Source, all: &[Source]) -> Vec<Fault> {
    let Some((folder, name)) = source.path.trim_end_matches(".rs").rsplit_once('/') else { return vec![] };
    let is_root = matches!(name, "lib" | "main" | "build")
        || ["benches", "bin", "examples", "fuzz_targets"].iter().any(|f| folder.ends_with(f));
    if is_root {
        return vec![];
    }
    let parents = [format!("{folder}.rs"), format!("{folder}/lib.rs"), format!("{folder}/main.rs")];
    let named = |parent: &Source| {
        parent.words("mod").any(|at| {
            let rest = parent.code[at + 3..].trim_start();
            rest.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(';'))
        })
    };
    if all.iter().filter(|parent| parents.contains(&parent.path)).any(named) {
        return vec![];
    }
    vec![(1, format!("no `mod {name};` above it: name it there or delete it"))]
}

fn banned_attributes(source: &Source) -> Vec<Fault> {
    const BANNED: [(&str, &str); 3] = [
        ("allow", "write #[expect(lint, reason = \"...\")]"),
        ("ignore", "delete the test, or make it quick enough to run"),
        ("should_panic", "make what is refused a result, and look at it"),
    ];
    let is_attribute = |at: usize| {
        let before = source.code[..at].trim_end();
        let line = &before[before.rfind('\n').map_or(0, |end| end + 1)..];
        before.ends_with("#[") || before.ends_with("#![") || (line.contains("cfg_attr(") && before.ends_with(','))
    };
    let faults = BANNED.iter().flat_map(|&(word, remedy)| {
        source.words(word).filter(|&at| is_attribute(at)).map(move |at| (source.line_of(at), remedy.to_owned()))
    });
    faults.collect()
}

fn stubs(source: &Source) -> Vec<Fault> {
    let macros = ["todo", "unimplemented", "dbg"].iter().flat_map(|&word| {
        source.words(word).filter(move |at| source.code[at + word.len()..].starts_with('!')).map(move |at| (at, word))
    });
    macros.map(|(at, word)| (source.line_of(at), format!("no `{word}!`: what does not work is absent"))).collect()
}

/// Packages named in a manifest: line, section and name.
fn dependencies(manifest: &Source) -> Vec<(usize, &str, &str)> {
    let mut section = "";
    let mut found = Vec::new();
    for (number, line) in (1..).zip(manifest.text.lines()) {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end().trim_end_matches(']');
        } else if section.ends_with("dependencies") && !section.starts_with("workspace") {
            let name = line.split(['.', '=', ' ']).next().unwrap_or("");
            if !name.is_empty() && !name.starts_with('#') {
                found.push((number, section, name));
            }
        }
    }
    found
}

fn imports(manifest: &Source) -> Vec<Fault> {
    let Some(name) = manifest.text.lines().find_map(|line| line.strip_prefix("name = \"")) else { return vec![] };
    let name = name.trim_end().trim_end_matches('"');
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(member, _)| *member == name) else {
        return vec![(1, format!("`{name}` has no row in tidy's MAY_IMPORT: say whom it may import"))];
    };
    let mut faults = Vec::new();
    for (line, section, package) in dependencies(manifest) {
        let ours = MAY_IMPORT.iter().any(|(member, _)| *member == package);
        if ours && !allowed.contains(&package) {
            faults.push((line, format!("`{name}` must not import `{package}`: go through a port in core")));
        }
        // The longest beginning counts: `tracing-subscriber` is not judged as `tracing`.
        let rows = ONLY_IN.iter().filter(|(beginning, _)| package.starts_with(beginning));
        let row = rows.max_by_key(|(beginning, _)| beginning.len());
        if let Some((_, members)) = row.filter(|(_, members)| !members.contains(&name))
            && !section.ends_with("dev-dependencies")
        {
            faults.push((line, format!("`{package}` is for {} only: go through a port in core", members.join(", "))));
        }
    }
    faults
}

fn ports_in_core(source: &Source) -> Vec<Fault> {
    let core = "control-plane/core/src";
    if !source.is_in(&[core]) || source.path.starts_with(&format!("{core}/port")) || source.is_test() {
        return vec![];
    }
    let uses = source.words("port").filter(|&at| {
        let before = &source.code[..at];
        before.ends_with("crate::") || before.ends_with("super::")
    });
    uses.map(|at| (source.line_of(at), "decisions know no ports: take what is needed as an argument".to_owned()))
        .collect()
}

fn unclean_lines(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (number, line) in (1..).zip(source.text.split('\n')) {
        let columns = line.chars().count();
        if line.ends_with([' ', '\t', '\r']) {
            faults.push((number, "remove the blanks at the end".to_owned()));
        }
        if line.contains('\t') {
            faults.push((number, "no tabs: four spaces, or `\\t` in a literal".to_owned()));
        }
        if columns > COLUMNS_MAX {
            faults.push((number, format!("{columns} characters, {COLUMNS_MAX} at most: break it")));
        }
    }
    if !source.text.ends_with('\n') || source.text.ends_with("\n\n") {
        faults.push((source.text.lines().count(), "end with exactly one newline".to_owned()));
    }
    faults
}

/// Also what SQLite would take from the clock or from chance.
fn unordered_selects(source: &Source) -> Vec<Fault> {
    let is_sql = |held: &str| ["SELECT ", "INSERT ", "UPDATE ", "CREATE TABLE "].iter().any(|verb| held.contains(verb));
    let mut faults = Vec::new();
    for (at, held) in source.strings.iter().filter(|(_, held)| is_sql(held)) {
        let line = source.line_of(*at);
        if held.contains(" FROM ") && held.matches("SELECT ").count() > held.matches("ORDER BY").count() {
            faults.push((line, "give each SELECT an ORDER BY, down to a unique column".to_owned()));
        }
        if ["'now'", "random()", "CURRENT_"].iter().any(|word| held.contains(word)) {
            faults.push((line, "time and chance come in as values".to_owned()));
        }
    }
    faults
}

fn machine_paths(source: &Source) -> Vec<Fault> {
    let folders = ["work", "tmp", "home", "root", "Users"].map(|folder| format!("/{folder}/"));
    let mut faults = Vec::new();
    for (number, line) in (1..).zip(source.text.lines()) {
        for folder in folders.iter().filter(|folder| line.contains(folder.as_str())) {
            faults.push((number, format!("no path of a machine (`{folder}`): make it relative, or an argument")));
        }
    }
    faults
}

/// The one hash table, which may be looked into and never listed.
const LOOKUP: &str = "control-plane/core/src/lookup.rs";

fn hashed(source: &Source) -> Vec<Fault> {
    if !source.is_in(&DETERMINISTIC) {
        return vec![];
    }
    if source.path == LOOKUP {
        let listing = ["iter", "iter_mut", "into_iter", "keys", "values", "values_mut", "drain", "retain", "Deref"];
        let found = listing.iter().flat_map(|&word| {
            source.words(word).map(move |at| (source.line_of(at), format!("no `{word}`: its order would be seen")))
        });
        return found.collect();
    }
    let words = [("HashMap", "BTreeMap"), ("HashSet", "BTreeSet"), ("RandomState", "an ordered map")];
    let found = words.iter().flat_map(|&(word, instead)| {
        source.words(word).map(move |at| (source.line_of(at), format!("no `{word}`: use {instead}")))
    });
    found.collect()
}

/// The lines at which a rule finds fault with a text.
fn lines(rule: impl Fn(&Source) -> Vec<Fault>, path: &str, text: &str) -> Vec<usize> {
    rule(&Source::new(path, text)).into_iter().map(|(line, _)| line).collect()
}

#[test]
fn each_rule_finds_what_it_is_for() {
    let core = "control-plane/core/src/x.rs";
    let long = |lines: usize| format!("fn a() {{\n{}}}\n", "    b();\n".repeat(lines - 2));
    assert_eq!(lines(hashed, core, "use std::collections::HashMap;\n"), [1]);
    assert_eq!(lines(hashed, LOOKUP, "use std::collections::HashMap;\n"), [0; 0]);
    assert_eq!(lines(hashed, LOOKUP, "fn a() {\n    self.0.values()\n}\n"), [2]);
    assert_eq!(lines(long_file, core, &"\n".repeat(501)), [501]);
    assert_eq!(lines(long_file, core, &"\n".repeat(500)), [0; 0]);
    assert_eq!(lines(long_file, "tests/it/x.rs", &"\n".repeat(900)), [0; 0]);
    assert_eq!(lines(long_functions, core, &format!("\n{}", long(71))), [2]);
    assert_eq!(lines(long_functions, core, &long(70)), [0; 0]);
    assert_eq!(lines(long_functions, "tests/it/x.rs", &long(71)), [0; 0]);
    assert_eq!(lines(long_functions, core, &format!("#[cfg(test)]\nmod tests {{\n{}}}\n", long(71))), [0; 0]);
    assert_eq!(lines(long_functions, core, &format!("fn f(g: fn(u8), h: [u8; 2]) -> [u8; 2];\n{}", long(71))), [2]);
    assert_eq!(lines(silent_file, core, "use a;\n//! b\n"), [1]);
    assert_eq!(lines(vague_names, "control-plane/hub/src/utils/x.rs", ""), [1]);
    assert_eq!(lines(|source| forgotten(source, &[]), core, ""), [1]);
    assert_eq!(
        lines(banned_attributes, core, "\n#[allow(dead_code)]\n#![allow(x)]\n#[cfg_attr(a, allow(b))]\n"),
        [2, 3, 4]
    );
    assert_eq!(
        lines(banned_attributes, core, "#[ignore = \"slow\"]\n#[should_panic]\nallow(1); // #[allow(a)]\n"),
        [1, 2]
    );
    assert_eq!(lines(stubs, core, "todo!();\n\"todo!()\";\ndbg!(1)\n"), [1, 3]);
    assert_eq!(lines(ports_in_core, core, "use crate::port::Store;\nlet port = 1;\n"), [1]);
    assert_eq!(lines(ports_in_core, "control-plane/core/src/port/y.rs", "use crate::port::Store;\n"), [0; 0]);
    assert_eq!(lines(unclean_lines, core, &format!("a \n\tb\n{}\nc", "é".repeat(121))), [1, 2, 3, 4]);
    assert_eq!(lines(unclean_lines, core, &format!("{}\n", "é".repeat(120))), [0; 0]);
    // Put together here, so that the rules find no fault with this file.
    let select = ["SEL", "ECT a FROM b"].concat();
    let selects = format!("f(\"{select}\");\nf(\"{select} ORDER BY a\");\n// \"{select}\"\n");
    assert_eq!(lines(unordered_selects, core, &selects), [1]);
    let insert = ["INS", "ERT INTO a VALUES (random())"].concat();
    assert_eq!(lines(unordered_selects, core, &format!("f(\"{insert}\")")), [1]);
    assert_eq!(lines(machine_paths, core, &format!("a\n\"/{}/b\"\n", "work")), [2]);
    assert_eq!(lines(hashed, core, "use std::collections::HashMap;\n// HashSet\nstruct MyHashMap;\n"), [1]);
    assert_eq!(lines(hashed, "control-plane/cli/src/x.rs", "HashMap\n"), [0; 0]);
}

#[test]
fn imports_are_judged_by_the_manifest() {
    let check = |name: &str, rest: &str| lines(imports, "x/Cargo.toml", &format!("name = \"{name}\"\n{rest}"));
    assert_eq!(check("spothub-hub", "[dependencies]\nspothub-core.workspace = true\nspothub-store = \"1\"\n"), [4]);
    assert_eq!(check("spothub-hub", "[dev-dependencies]\nspothub-aws.workspace = true\n"), [3]);
    assert_eq!(check("spothub-core", "[dependencies]\n# a\ntokio = \"1\"\n[features]\ntracing = []\n"), [4]);
    assert_eq!(check("spothub-hub", "[target.'cfg(unix)'.dependencies]\naws-sdk-ec2.workspace = true\n"), [3]);
    assert_eq!(check("spothub-store", "[dev-dependencies]\ntokio.workspace = true\n"), [0; 0]);
    assert_eq!(check("spothub-new", ""), [1]);
}

#[test]
fn each_member_has_one_row() {
    let rows: BTreeSet<&str> = MAY_IMPORT.iter().map(|(member, _)| *member).collect();
    assert_eq!(rows.len(), MAY_IMPORT.len());
    for (member, allowed) in MAY_IMPORT {
        assert!(allowed.iter().all(|other| rows.contains(other)), "{member} may import what has no row");
    }
}
