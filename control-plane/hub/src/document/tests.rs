//! The reader on good and bad text; messages are part of what is tested.

use super::*;
use spothub_core::id::AccountId;
use spothub_core::money::Percent;
use spothub_core::time::Span;

fn tree(text: &str) -> Result<Node, String> {
    let reading = Reading::new("a.yaml", text);
    let node = reading.parse();
    reading.finish(node).map_err(|problems| problems.to_string())
}

fn mistakes(text: &str, read: impl FnOnce(&Fields<'_>)) -> String {
    let reading = Reading::new("a.yaml", text);
    let root = reading.parse();
    let value = root.as_ref().and_then(|root| reading.root(root).fields(read));
    reading.finish(value).err().map(|p| p.to_string()).unwrap_or_default()
}

#[test]
fn positions_are_those_of_an_editor() {
    let root = tree("a: 1\nb:\n  - x\n  - {c: \"d\"}\n").unwrap();
    assert_eq!(root.get("a").unwrap().at, Mark { line: 1, column: 4 });
    let map = &root.get("b").unwrap().items()[1];
    assert_eq!(map.at, Mark { line: 4, column: 5 });
    assert_eq!(map.get("c").unwrap().at, Mark { line: 4, column: 9 });
}

#[test]
fn what_could_grow_or_mislead_is_refused() {
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    let text = tree(bomb).unwrap_err();
    assert!(text.contains("a.yaml:2:8: b[0]: aliases are not read"), "{text}");
    assert!(text.ends_with("6 mistakes"), "{text}");
    assert!(tree("a: !!str 1\n").unwrap_err().contains("tags are not read"));
    assert!(tree("a: 1\n---\nb: 2\n").unwrap_err().contains("a second document"));
    assert!(tree("").unwrap_err().contains("the file is empty"));
    assert!(tree("a:\n\tb: 1\n").unwrap_err().contains("a.yaml:2:1: a tab indents this line"));
    assert!(tree(&"[".repeat(200)).unwrap_err().contains("nested more than 32 deep"));
    assert!(tree("{[a]: 1}").unwrap_err().contains("a key must be a single word"));
    assert!(tree("a: 'open\n").unwrap_err().contains("this is no YAML"));
    assert!(tree(&"a".repeat(BYTES_MAX + 1)).unwrap_err().contains("more than the 1048576 that are read"));
    let twice = tree("a: 1\nb: {c: 1, c: 2}\na: 3\n").unwrap_err();
    assert!(twice.contains("a.yaml:2:11: b.c: the key is here a second time; the first is in line 2"), "{twice}");
    assert!(twice.contains("a.yaml:3:1: a: the key is here a second time; the first is in line 1"), "{twice}");
}

#[test]
fn bytes_that_are_no_text_are_named_by_place() {
    let text = decode("a.yaml", b"a: 1\nb: \xff\n".to_vec()).unwrap_err().to_string();
    assert!(text.starts_with("a.yaml:2:4: this byte is no UTF-8"), "{text}");
    assert!(decode("a.yaml", vec![b'a'; BYTES_MAX + 1]).is_err());
    assert_eq!(decode("a.yaml", b"a: 1".to_vec()).unwrap(), "a: 1");
}

#[test]
fn every_mistake_is_shown_with_its_line() {
    let text = "hours: -3\nshare: 150%\nsettel: 90s\nid: 000000000042\nwait: 5 minutes\nok: yes\n";
    let found = mistakes(text, |fields| {
        let _: Option<u32> = fields.get("hours");
        let _: Option<Percent> = fields.get("share");
        let _: Option<Span> = fields.get("settle");
        let _: Option<AccountId> = fields.get("id");
        let _: Option<Span> = fields.get("wait");
        let _: Option<bool> = fields.get("ok");
        let _ = fields.need("name");
    });
    insta::assert_snapshot!(found);
}

#[test]
fn lengths_of_time() {
    for (text, millis) in [("0", 0), ("150ms", 150), ("90s", 90_000), ("1h30m", 5_400_000), ("1d", 86_400_000)] {
        assert_eq!(span(text), Some(Span(millis)), "{text}");
    }
    for bad in ["", "5", "5x", "m", "30m1h", "1h 30m", "1.5h", "-5s", "99999999999999999h", "1s1s"] {
        assert_eq!(span(bad), None, "{bad}");
    }
}

#[test]
fn a_file_cannot_write_to_the_terminal() {
    let text = mistakes("\"a\\u001b[31m\": 1\n", |_| ());
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn long_lines_and_long_lists_are_cut() {
    let line = format!("a: [{}\"x\"", "1, ".repeat(200));
    let text = tree(&line).unwrap_err();
    assert!(text.lines().all(|l| l.chars().count() < 200), "{text}");
    let many = (0..300).map(|n| format!("k{n}: 1")).collect::<Vec<_>>().join("\n");
    let text = mistakes(&many, |_| ());
    assert!(text.ends_with("a.yaml: 300 mistakes, of which 100 are shown"), "{text}");
}
