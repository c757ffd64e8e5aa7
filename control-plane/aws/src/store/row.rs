//! One item of the table: the attributes that a key has, and the condition that a write of it asks for.
//!
//! Knows names and types of attributes; makes no call. Names have one letter, since each item is billed with them.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue as Value;
use spothub_core::port::{Expect, FORGOTTEN_AFTER, LEASELESS_FENCE_MAX, Past, Put, StoreError, Stored};
use spothub_core::time::Timestamp;

use super::layout;

/// The partition key: see [`layout`].
pub(super) const PARTITION: &str = "p";
/// The sort key: the whole key.
pub(super) const KEY: &str = "k";
/// The version, a number.
const VERSION: &str = "v";
/// The highest fence, a number.
const FENCE: &str = "f";
/// The value; a deleted key has none.
pub(super) const DATA: &str = "d";
/// Which write this is the outcome of: 16 bytes.
const WRITE: &str = "w";
/// When DynamoDB may drop a deleted key, in seconds since 1970: the table's time to live.
const EXPIRY: &str = "x";
/// The format number, in the one row of [`layout::META`].
const FORMAT: &str = "n";

/// Only what nobody wrote yet.
const NEVER_WRITTEN: &str = "attribute_not_exists(v)";
/// Only what is exactly as it was seen, and by no writer whose lease is over.
const AS_SEEN: &str = "v = :v AND f <= :f";
/// What a query and a scan leave out: deleted keys, and the row that tells the format.
pub(super) const LIVE: &str = "attribute_exists(d)";
/// What a query and a scan give back.
pub(super) const SHOWN: &str = "k, v, d";

/// Names one write for good: no two have the same, whichever process made them.
pub(super) type WriteId = [u8; 16];

/// An item as the SDK gives it.
#[expect(clippy::disallowed_types, reason = "the SDK's own type; it is looked into and never listed")]
pub(super) type Item = std::collections::HashMap<String, Value>;

/// An attribute's name and value.
pub(super) type Attribute = (&'static str, Value);

/// What stands in the table under a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Row {
    pub(super) past: Past,
    /// The write that it is the outcome of.
    pub(super) id: Option<WriteId>,
}

/// What a write insists on, exactly: so a request that arrives late can do nothing once its answer was known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Condition {
    /// The version that is to be replaced; `None` where nothing must be there.
    pub(super) replaces: Option<u64>,
    fence: u64,
}

impl Condition {
    /// The condition under which this put may follow on `past`.
    pub(super) fn of(put: &Put, past: Past) -> Self {
        let replaces = match put.expect {
            Expect::Version(version) => Some(version),
            Expect::Absent | Expect::Anything => (past != Past::NEVER).then_some(past.version),
        };
        Self { replaces, fence: put.fence }
    }

    pub(super) const fn text(self) -> &'static str {
        if self.replaces.is_some() { AS_SEEN } else { NEVER_WRITTEN }
    }

    /// The values that stand in the text.
    pub(super) fn values(self) -> Vec<(&'static str, Value)> {
        let values = |version| vec![(":v", number(version)), (":f", number(self.fence))];
        self.replaces.map(values).unwrap_or_default()
    }
}

fn number(number: u64) -> Value {
    Value::N(number.to_string())
}

fn text(text: impl Into<String>) -> Value {
    Value::S(text.into())
}

fn bytes(bytes: impl Into<Vec<u8>>) -> Value {
    Value::B(Blob::new(bytes))
}

/// The primary key of a key.
pub(super) fn place(key: &str) -> [Attribute; 2] {
    place_in(layout::partition(key), key)
}

/// The primary key of a key in a partition that is known.
pub(super) fn place_in(partition: impl Into<String>, key: &str) -> [Attribute; 2] {
    [(PARTITION, text(partition)), (KEY, text(key))]
}

/// The whole item that a put leaves behind.
pub(super) fn attributes(put: &Put, version: u64, id: WriteId, now: Timestamp) -> Vec<Attribute> {
    let mut all = Vec::from(place(&put.key));
    all.extend([(VERSION, number(version)), (FENCE, number(put.fence)), (WRITE, bytes(id))]);
    match &put.value {
        Some(value) => all.push((DATA, bytes(value.as_slice()))),
        // Forgetting a fence would let in a writer that it kept out.
        None if put.fence > LEASELESS_FENCE_MAX => {}
        None => all.push((EXPIRY, number(u64::try_from((now + FORGOTTEN_AFTER).0 / 1000).unwrap_or(0)))),
    }
    all
}

/// The row that tells the format.
pub(super) fn format_row(format: u32) -> Vec<Attribute> {
    let mut all = Vec::from(place_in(layout::META, "format"));
    all.push((FORMAT, number(u64::from(format))));
    all
}

/// The format that its row tells.
pub(super) fn format_of(row: &Item) -> Option<u32> {
    row.get(FORMAT).and_then(parsed)
}

fn parsed<T: std::str::FromStr>(value: &Value) -> Option<T> {
    value.as_n().ok()?.parse().ok()
}

/// Reads what a refusal shows of an item.
pub(super) fn row(item: &Item) -> Result<Row, StoreError> {
    let past = || {
        let (version, fence) = (parsed(item.get(VERSION)?)?, parsed(item.get(FENCE)?)?);
        Some(Past { version, fence, live: item.contains_key(DATA) })
    };
    let id = item.get(WRITE).and_then(|value| value.as_b().ok()).and_then(|blob| blob.as_ref().try_into().ok());
    past().map(|past| Row { past, id }).ok_or_else(|| foreign(item.get(KEY)))
}

/// Reads an item that a get, query or scan gave; `None` where it was deleted.
pub(super) fn stored(mut item: Item) -> Result<Option<Stored>, StoreError> {
    let (key, version) = (item.remove(KEY), item.get(VERSION).and_then(parsed));
    match (key, version, item.remove(DATA)) {
        (_, _, None) => Ok(None),
        (Some(Value::S(key)), Some(version), Some(Value::B(blob))) => {
            Ok(Some(Stored { key, version, value: blob.into_inner() }))
        }
        (key, _, Some(_)) => Err(foreign(key.as_ref())),
    }
}

fn foreign(key: Option<&Value>) -> StoreError {
    let key = key.and_then(|key| key.as_s().ok()).map_or("", String::as_str);
    StoreError::Unavailable(format!("the item {key:?} was not written by this program: restore it from a backup"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn put(value: Option<&str>, expect: Expect, fence: u64) -> Put {
        Put { key: "group/1".to_owned(), value: value.map(|text| text.as_bytes().to_vec()), expect, fence }
    }

    fn item(all: &[Attribute]) -> Item {
        all.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let all = attributes(&put(Some("hello"), Expect::Absent, 7), u64::MAX, [9; 16], NOW);
        let told = stored(item(&all)).unwrap().unwrap();
        assert_eq!((told.key.as_str(), told.version, told.value.as_slice()), ("group/1", u64::MAX, &b"hello"[..]));
        let past = Past { version: u64::MAX, fence: 7, live: true };
        assert_eq!(row(&item(&all)).unwrap(), Row { past, id: Some([9; 16]) });
        assert!(!item(&all).contains_key(EXPIRY));
    }

    #[test]
    fn a_deleted_key_is_forgotten_only_where_no_lease_guarded_it() {
        for (fence, expiry) in [(0, Some("2593000")), (1, Some("2593000")), (2, None), (u64::MAX, None)] {
            let all = attributes(&put(None, Expect::Anything, fence), 2, [0; 16], NOW);
            assert_eq!(item(&all).get(EXPIRY).map(|x| x.as_n().unwrap().as_str()), expiry, "fence {fence}");
            assert_eq!(stored(item(&all)).unwrap(), None);
            assert_eq!(row(&item(&all)).unwrap().past, Past { version: 2, fence, live: false });
        }
    }

    #[test]
    fn a_condition_is_exact() {
        let dead = Past { version: 4, fence: 0, live: false };
        let cases = [
            (Expect::Version(3), Past::NEVER, Some(3)),
            (Expect::Version(0), Past::NEVER, Some(0)),
            (Expect::Absent, Past::NEVER, None),
            (Expect::Absent, dead, Some(4)),
            (Expect::Anything, Past { live: true, ..dead }, Some(4)),
        ];
        for (expect, past, replaces) in cases {
            let condition = Condition::of(&put(None, expect, 5), past);
            assert_eq!(condition.replaces, replaces, "{expect:?}");
            assert_eq!(condition.values().len(), condition.text().matches(':').count());
        }
    }

    #[test]
    fn what_others_wrote_is_told_by_its_key() {
        let all = [(KEY, text("song")), (DATA, text("no bytes"))];
        assert!(stored(item(&all)).unwrap_err().to_string().contains("\"song\""));
        assert!(row(&item(&all)).is_err());
        assert_eq!(format_of(&item(&format_row(3))), Some(3));
        assert_eq!(format_of(&item(&all)), None);
    }
}
