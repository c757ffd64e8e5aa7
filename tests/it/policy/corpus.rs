//! Files that are wrong in every way that is known, what is said of each, and thousands that chance made of them.

use super::bytes::checked;
use super::{folder, path};

/// Mutated files of an ordinary run: two seconds at most. `SPOTHUB_FUZZ_CASES` asks for others.
const CASES: u64 = 5_000;

#[test]
fn each_bad_file_is_told_what_is_wrong_with_it() {
    for (name, bytes) in folder("tests/it/policy/corpus", &[".yaml", ".bin"]) {
        let said = checked(&name, &bytes);
        let stem = name.rsplit_once('.').unwrap().0.replace('-', "_");
        if name == "byte-order-mark.bin" {
            assert_eq!(said, "", "editors write it, and it says nothing");
            continue;
        }
        assert!(!said.is_empty(), "{name} is wrong, and nothing is said of it");
        insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(format!("policy_{stem}"), said);
        });
    }
}

#[test]
fn ten_megabytes_are_refused_by_their_size() {
    let line = b"  - {match: {ou: /prod}, enabled: false}\n";
    let bytes: Vec<u8> = b"rules:\n".iter().chain(line.iter().cycle().take(10 << 20)).copied().collect();
    let said = checked("huge.yaml", &bytes);
    assert!(said.starts_with("huge.yaml:1:1: the file has 10485767 bytes, more than the 1048576 that"), "{said}");
    assert!(said.lines().count() < 5, "{said}");
}

/// Files just below the limit that take long where somebody compares each part with each other.
#[test]
fn a_large_file_is_checked_in_time() {
    let filled = |begin: &str, line: &dyn Fn(usize) -> String| {
        let mut text = begin.to_owned();
        let mut number = 0;
        while text.len() < (1 << 20) - 200 {
            text.push_str(&line(number));
            number += 1;
        }
        text
    };
    let keys = filled("defaults:\n", &|n| format!("  k{n}: 1\n"));
    let window = |n| format!("    - {{days: [mon], from: \"05:00\", to: \"0{}:00\"}}\n", n % 5);
    let windows = filled("defaults:\n  schedule:\n    zone: UTC\n    windows:\n", &window);
    let rules = |unit: &dyn Fn(usize) -> String| {
        let rule = |n: usize| format!("- {{match: {{ou: /a{}}}, pools: {}}}\n", unit(n), 1 + n % 50);
        (0..4_990).fold("rules:\n".to_owned(), |text, n| text + &rule(n))
    };
    let (same, apart) = (rules(&|_| String::new()), rules(&|n| n.to_string()));
    let many = filled("rules:\n", &|n| format!("- {{match: {{ou: /a{n}}}, pools: {}}}\n", 1 + n % 50));
    assert!(checked("many", many.as_bytes()).contains("rules, more than the 5000 that are read"));
    let long = filled("defaults: {settle: ", &|_| "9".to_owned()) + "}\n";
    for (name, text) in [("keys", keys), ("windows", windows), ("same", same), ("apart", apart), ("long", long)] {
        assert!(checked(name, text.as_bytes()).is_empty() == (name == "apart"), "{name}");
    }
}

/// Numbers that differ by seed and are the same on every machine (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where there is none.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap().max(1);
        usize::try_from(self.next() % end).unwrap()
    }
}

/// What is likely to be misread where it turns up.
const WORDS: &[&[u8]] = &[
    b"\n", b"  ", b"\t", b": ", b"- ", b"{", b"}", b"[", b"]", b"\"", b"'", b"|", b">", b"&a ", b"*a", b"!!str ", b"#",
    b"? ", b"---\n", b"...\n", b"%YAML 9\n", b"<<", b"~", b"0", b"-1", b"18446744073709551616", b"1e9", b"100%",
    b"24:00", b"\xff", b"\xc3\xa4", b"\xef\xbb\xbf", b"\x00", b"\r\n", b"\xe2\x80\xa8", b"enabled", b"rules", b"match",
    b"*", b"?",
];

/// A file after a few edits that nobody meant.
fn mutated(files: &[(String, Vec<u8>)], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = files[chance.below(files.len())].1.clone();
    for _ in 0..=chance.below(6) {
        let at = chance.below(bytes.len() + 1);
        let until = at + chance.below((bytes.len() - at).min(40) + 1);
        match chance.below(6) {
            0 => drop(bytes.drain(at..until)),
            1 => drop(bytes.splice(at..at, WORDS[chance.below(WORDS.len())].iter().copied())),
            2 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            3 => bytes.truncate(at),
            4 => {
                let again = bytes[at..until].to_vec();
                drop(bytes.splice(at..at, again));
            }
            _ => {
                let other = &files[chance.below(files.len())].1;
                let from = chance.below(other.len());
                let part = other[from..].iter().copied().take(200);
                drop(bytes.splice(at..until, part));
            }
        }
    }
    bytes
}

/// The corpus and the shipped files, and what chance makes of them: each case has its number as its seed, so a failure
/// is repeated by that.
#[test]
fn files_that_chance_made() {
    #[expect(clippy::disallowed_methods, reason = "how long to run is the caller's")]
    let cases = std::env::var("SPOTHUB_FUZZ_CASES").ok().map_or(CASES, |cases| cases.parse().expect("a number"));
    let mut files = folder("tests/it/policy/corpus", &[".yaml", ".bin"]);
    files.extend(folder("policies", &[".yaml"]));
    for (name, bytes) in &files {
        checked(name, bytes);
    }
    for case in 0..cases {
        let bytes = mutated(&files, &mut Chance(case));
        if std::panic::catch_unwind(|| checked("mutated.yaml", &bytes)).is_err() {
            let kept = path("target").join(format!("policy-case-{case}.bin"));
            let _ = std::fs::write(&kept, &bytes);
            panic!("case {case} of {cases}, kept as {}: {:?}", kept.display(), String::from_utf8_lossy(&bytes));
        }
    }
}
