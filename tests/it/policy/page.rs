//! The page on policy has every key with its name, its default, which value is the stricter, and its tag.

use spothub_core::policy::{Key, OWNERS, Policy};

/// The row of a key, as the page has it.
fn row(key: Key) -> String {
    let tag = OWNERS.iter().find(|(_, one)| *one == key).map(|(tag, _)| *tag);
    let tag = tag.or_else(|| (key == Key::Enabled).then_some(spothub_core::policy::ENABLED));
    let tag = tag.map_or("none".to_owned(), |tag| format!("`{tag}`"));
    format!("| `{key}` | {} | {} | {} | {tag} |", key.about(), Policy::default().shown(key), key.stricter())
}

#[test]
fn the_page_has_every_key() {
    let page = std::fs::read_to_string(super::path("control-plane/docs/policy.md")).unwrap();
    let rows: Vec<String> = Key::ALL.iter().map(|key| row(*key)).collect();
    let table = format!(
        "| key | says | default | the stricter | owner's tag |\n| --- | --- | --- | --- | --- |\n{}\n",
        rows.join("\n")
    );
    assert!(page.contains(&table), "control-plane/docs/policy.md: the table of keys should be\n{table}");
}

/// What the page shows to copy is a policy, or part of one.
#[test]
fn the_pages_examples_are_read() {
    let page = std::fs::read_to_string(super::path("control-plane/docs/policy.md")).unwrap();
    let blocks: Vec<&str> = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        assert_eq!(super::bytes::checked("policy.md", block.as_bytes()), "");
    }
}
