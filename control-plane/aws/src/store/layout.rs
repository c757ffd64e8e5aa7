//! Where a key lies in the table: its partition, and the partitions that a prefix spans, in the order of the keys.
//!
//! Knows texts only. This is part of the table's format: another layout needs another format number.
//!
//! A partition takes at most 1,000 write units a second, so a family of keys with many writers ([`SPREAD`]) is spread
//! over twelve: by the first byte of what follows the family's `/`, the first digit of an account. Ranges instead of a
//! hash keep the keys' order from one partition to the next: a page reads what it gives and nothing else, and goes on
//! where the last one ended. An organization with few accounts has few partitions at first; DynamoDB then splits a busy
//! one between sort keys by itself. All other families have one partition each: few items, read all at once, as brakes
//! are.

/// The families that are spread: an account follows their name. One that has items already must not be added without a
/// new format: its items would not be found any more.
const SPREAD: [&str; 4] = ["group", "notice", "swap", "usage"];
/// Between a family and the range: a family has none in it.
const SLASH: char = '/';
/// The ranges of one family, in the order of the keys in them: below the digits, each digit, above the digits.
const RANGES: [char; 12] = ['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '~'];

/// The partition of the row that says what the table is. No key lies there: those of keys have a slash.
pub(super) const META: &str = "meta";

/// The family and what follows it; a key without a slash has no family.
fn parts(key: &str) -> (&str, &str) {
    key.split_once(SLASH).unwrap_or(("", key))
}

fn range(rest: &str) -> usize {
    match rest.bytes().next() {
        Some(digit @ b'0'..=b'9') => usize::from(digit - b'0') + 1,
        Some(above) if above > b'9' => RANGES.len() - 1,
        Some(_) | None => 0,
    }
}

fn named(family: &str, range: usize) -> String {
    format!("{family}{SLASH}{}", RANGES[range])
}

/// The partition of a key: at most 1,024 bytes, and DynamoDB takes 2,048.
pub(super) fn partition(key: &str) -> String {
    let (family, rest) = parts(key);
    if SPREAD.contains(&family) { named(family, range(rest)) } else { alone(family) }
}

fn alone(family: &str) -> String {
    format!("{family}{SLASH}")
}

/// The partitions in which keys with this prefix may lie after `after`, in the order of these keys. `None` where they
/// may lie anywhere: the prefix ends before the family does.
pub(super) fn partitions(prefix: &str, after: Option<&str>) -> Option<Vec<String>> {
    let (family, rest) = prefix.split_once(SLASH)?;
    if !SPREAD.contains(&family) {
        return Some(vec![alone(family)]);
    }
    let (mut first, last) = match range(rest) {
        _ if rest.is_empty() => (0, RANGES.len() - 1),
        one => (one, one),
    };
    if let Some(after) = after.filter(|after| after.starts_with(prefix)) {
        first = range(parts(after).1);
    }
    Some((first..=last).map(|range| named(family, range)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spread_by_what_follows_the_family() {
        let cases = [
            ("group/012345678901/eu-west-1/web", "group/0"),
            ("usage/912345678901/eu-west-1/i-1", "usage/9"),
            ("swap/hub-1", "swap/~"),
            ("notice/é", "notice/~"),
            ("group/ b", "group/-"),
            ("group/", "group/-"),
            ("group//b", "group/-"),
            ("pause/org", "pause/"),
            ("pause/7", "pause/"),
            ("groups/7", "groups/"),
            ("/x", "/"),
            ("alone", "/"),
            ("group", "/"),
            ("\u{0}", "/"),
        ];
        for (key, expected) in cases {
            assert_eq!(partition(key), expected, "{key:?}");
            assert_ne!(partition(key), META);
        }
        assert_eq!(partition(&("x".repeat(1023) + "/")).len(), 1024);
    }

    #[test]
    fn a_prefix_spans_the_ranges_that_it_may() {
        let all = partitions("group/", None).unwrap();
        assert_eq!((all.len(), all[0].as_str(), all[11].as_str()), (12, "group/-", "group/~"));
        assert_eq!(partitions("group/0123", None).unwrap(), ["group/0"]);
        assert_eq!(partitions("pause/", None).unwrap(), ["pause/"]);
        assert_eq!(partitions("pause/9", Some("pause/99")).unwrap(), ["pause/"]);
        assert_eq!(partitions("/x", None).unwrap(), ["/"]);
        assert_eq!(partitions("group", None), None);
        assert_eq!(partitions("", None), None);
        assert_eq!(partitions("group/", Some("group/8x")).unwrap(), ["group/8", "group/9", "group/~"]);
        assert_eq!(partitions("group/", Some("group/")).unwrap().len(), 12);
        assert_eq!(partitions("group/0", Some("group/01")).unwrap(), ["group/0"]);
    }

    /// Within one family, partitions in their order hold keys in theirs.
    #[test]
    fn partitions_keep_the_order_of_keys() {
        let rests =
            ["", "\u{0}", " ", "/", "0", "0/", "05", "1", "8z", "9", "9~", ":", "A", "a", "~", "é", "\u{10ffff}"];
        let mut keys: Vec<String> = rests.iter().map(|rest| format!("usage/{rest}")).collect();
        keys.sort_unstable();
        let all = partitions("usage/", None).unwrap();
        let places: Vec<usize> =
            keys.iter().map(|key| all.iter().position(|name| *name == partition(key)).unwrap()).collect();
        assert!(places.is_sorted(), "{places:?}");
    }
}
