//! What a walk finds.

use proptest::prelude::*;

use super::*;

/// A whole chain of rows `0`, `1` and so on.
fn chain(length: u64) -> (Option<Link>, BTreeMap<String, Option<Link>>) {
    let (mut head, mut rows) = (None, BTreeMap::new());
    for number in 0..length {
        let next = Link::after(head.as_ref(), number.to_string());
        rows.insert(number.to_string(), head.replace(next));
    }
    (head, rows)
}

#[test]
fn a_chain_that_leads_back_to_itself_ends() {
    let (head, mut rows) = chain(3);
    rows.insert("0".to_owned(), Some(Link { count: 3, digest: "2".to_owned() }));
    assert!(walk(head.as_ref(), &rows).broken.is_some());
}

proptest! {
    #[test]
    fn a_whole_chain_is_walked_to_its_beginning(length in 0_u64..40) {
        let (head, rows) = chain(length);
        let walk = walk(head.as_ref(), &rows);
        prop_assert_eq!(walk.links.len() as u64, length);
        prop_assert!(walk.broken.is_none() && walk.loose.is_empty());
    }

    #[test]
    fn a_row_that_is_gone_changed_or_added_is_found(length in 1_u64..40, at in 0_u64..40, deed in 0_u8..3) {
        let (head, mut rows) = chain(length);
        let at = at % length;
        let row = rows.remove(&at.to_string()).unwrap();
        match deed {
            0 => {}
            // Its bytes are others, and so is its digest.
            1 => drop(rows.insert("changed".to_owned(), row)),
            _ => {
                rows.insert(at.to_string(), row.clone());
                rows.insert("added".to_owned(), row);
            }
        }
        let walk = walk(head.as_ref(), &rows);
        prop_assert!(walk.broken.is_some() || !walk.loose.is_empty());
        prop_assert_eq!(walk.broken.is_some(), deed < 2);
    }
}
