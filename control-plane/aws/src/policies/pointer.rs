//! What the parameter says: a bucket, and versions of objects in it.
//!
//! Whoever may write the parameter may write anything, so nothing of it is taken unchecked. Knows S3's names; reads
//! nothing from S3.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;

/// Bytes of a pointer: what Systems Manager keeps in one parameter.
const BYTES_MAX: usize = 8 * 1024;
/// Objects of one pointer: as many files as the hub takes.
pub(super) const OBJECTS_MAX: usize = 100;
/// Bytes of a key, and of a version id: S3's own limits.
const KEY_BYTES_MAX: usize = 1024;
/// Version ids that are told of, and their first characters.
const TOLD: usize = 3;
const TOLD_CHARS: usize = 8;
/// Characters of a text of the pointer that a message repeats.
const SHOWN_CHARS: usize = 100;
/// The version of an object that was put while its bucket had none; the next put writes over it.
const UNVERSIONED: &str = "null";

const FORM: &str = r#"write {"bucket": "BUCKET", "objects": [{"key": "KEY", "version": "VERSION ID"}]}"#;
const VERSION: &str = "switch on versioning for the bucket, put the object again, and write the version id that S3 \
                       answers into the pointer";

/// What a pointer looks like.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    bucket: String,
    #[serde(default)]
    objects: Option<Vec<Object>>,
    /// Instead of `objects`, where there is one only.
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    version: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    key: String,
    #[serde(default)]
    version: Option<String>,
}

/// A rule that the pointer breaks, and what to do about it.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) remedy: &'static str,
}

/// One version of one object.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) struct Place {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) version: String,
}

impl Place {
    /// The file's name for messages.
    pub(super) fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {} of {}", self.version, self.name())
    }
}

/// A pointer that keeps all rules.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Pointer {
    bucket: String,
    /// Keys and versions: at least one, each key once.
    objects: Vec<(String, String)>,
}

impl Pointer {
    /// The pointer that a parameter's value is.
    pub(super) fn read(text: &str) -> Result<Self, Wrong> {
        if text.len() > BYTES_MAX {
            return wrong(format!("the value has {} bytes, more than the {BYTES_MAX} of a pointer", text.len()), FORM);
        }
        let written: Written = match serde_json::from_str(text) {
            Ok(written) => written,
            Err(error) => return wrong(format!("the value is no pointer: {}", shown(&error.to_string())), FORM),
        };
        let objects = match (written.objects, written.key, written.version) {
            (Some(objects), None, None) => objects,
            (None, Some(key), version) => vec![Object { key, version }],
            (Some(_), _, _) => return wrong("objects and a key or version beside them are given", FORM),
            (None, None, _) => return wrong("no object is named", FORM),
        };
        if objects.is_empty() {
            return wrong(
                "the list of objects is empty",
                "name at least one object; an emptied list takes nothing back",
            );
        }
        if objects.len() > OBJECTS_MAX {
            let found = objects.len();
            return wrong(format!("{found} objects are named, more than the {OBJECTS_MAX} that are read"), "join some");
        }
        check_bucket(&written.bucket)?;
        let mut keys = BTreeSet::new();
        let mut kept = Vec::with_capacity(objects.len());
        for Object { key, version } in objects {
            check_key(&key)?;
            let version = check_version(&key, version)?;
            if !keys.insert(key.clone()) {
                return wrong(format!("the key {} is named twice", shown(&key)), "name it once");
            }
            kept.push((key, version));
        }
        Ok(Self { bucket: written.bucket, objects: kept })
    }

    /// What it names, in its order.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.objects.iter().map(|(key, version)| Place {
            bucket: self.bucket.clone(),
            key: key.clone(),
            version: version.clone(),
        })
    }

    /// This state of policy in short: the parameter's version, and how the first version ids begin.
    pub(super) fn told(&self, version: i64) -> String {
        let ids = self.objects.iter().take(TOLD).map(|(_, id)| id.chars().take(TOLD_CHARS).collect::<String>());
        let more = self.objects.len().saturating_sub(TOLD);
        let more = (more > 0).then(|| format!("{more} more"));
        let all: Vec<String> = ids.chain(more).collect();
        format!("{version} ({})", all.join(", "))
    }
}

fn wrong<T>(what: impl Into<String>, remedy: &'static str) -> Result<T, Wrong> {
    Err(Wrong { what: what.into(), remedy })
}

/// A text of the pointer for a message: short, and without what would move a cursor.
pub(super) fn shown(text: &str) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let begin: String = chars.by_ref().take(SHOWN_CHARS).collect();
    if chars.next().is_some() { begin + "..." } else { begin }
}

/// The rule for names of general purpose buckets. ARNs and aliases lead elsewhere, and directory buckets keep no
/// versions.
fn check_bucket(name: &str) -> Result<(), Wrong> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b);
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let reserved = ["--x-s3", "-s3alias", "--ol-s3", ".mrap", "--table-s3"].iter().any(|end| name.ends_with(end));
    let whole = (3..=63).contains(&name.len()) && bytes.iter().all(|b| fits(*b));
    if whole && ends(bytes.first()) && ends(bytes.last()) && !name.contains("..") && !reserved {
        return Ok(());
    }
    let remedy =
        "give the name of a bucket in the hub's home region: 3 to 63 lower-case letters, digits, dots and hyphens";
    wrong(format!("{:?} is no bucket's name", shown(name)), remedy)
}

fn check_key(key: &str) -> Result<(), Wrong> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX || key.chars().any(char::is_control) {
        let remedy = "name each object by its key: 1 to 1,024 bytes, no control characters";
        return wrong(format!("{:?} is no object's key", shown(key)), remedy);
    }
    Ok(())
}

fn check_version(key: &str, version: Option<String>) -> Result<String, Wrong> {
    let key = shown(key);
    match version {
        None => wrong(format!("the object {key} has no version id"), VERSION),
        Some(id) if id == UNVERSIONED => {
            wrong(format!("the object {key} was put without versions: its version id is {UNVERSIONED}"), VERSION)
        }
        Some(id) if id.is_empty() || id.len() > KEY_BYTES_MAX || !id.bytes().all(|b| b.is_ascii_graphic()) => {
            wrong(format!("the object {key} has the version {:?}, which is no version id", shown(&id)), VERSION)
        }
        Some(id) => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3HL4kqtJvjVBH40Nrjfkd";

    fn refused(text: &str) -> String {
        let Wrong { what, remedy } = Pointer::read(text).unwrap_err();
        assert!(!remedy.is_empty() && !what.contains(char::is_control), "{what}");
        what
    }

    fn with(object: &str) -> String {
        format!(r#"{{"bucket": "acme-policy", "objects": [{object}]}}"#)
    }

    #[test]
    fn pointers_name_versions() {
        let many = format!(
            r#"{{"objects": [{{"key": "policies/base.yaml", "version": "{ID}"}}, {{"version": "b", "key": "å b"}}],
                "bucket": "acme-policy"}}"#
        );
        let found = Pointer::read(&many).unwrap();
        let names: Vec<String> = found.places().map(|place| place.to_string()).collect();
        let first = format!("version {ID} of s3://acme-policy/policies/base.yaml");
        assert_eq!(names, [first.as_str(), "version b of s3://acme-policy/å b"]);
        assert_eq!(found.told(7), "7 (3HL4kqtJ, b)");
        let one = format!(r#"{{"bucket": "acme-policy", "key": "p.yaml", "version": "{ID}"}}"#);
        let found = Pointer::read(&one).unwrap();
        assert_eq!(found.places().next().map(|place| place.name()).as_deref(), Some("s3://acme-policy/p.yaml"));
        assert_eq!(found.told(1), "1 (3HL4kqtJ)");
    }

    #[test]
    fn every_object_is_pinned() {
        for (object, expected) in [
            (r#"{"key": "a"}"#, "the object a has no version id"),
            (r#"{"key": "a", "version": null}"#, "the object a has no version id"),
            (r#"{"key": "a", "version": "null"}"#, "the object a was put without versions: its version id is null"),
            (r#"{"key": "a", "version": ""}"#, r#"the object a has the version "", which is no version id"#),
            (r#"{"key": "a", "version": "x y"}"#, r#"the object a has the version "x y", which is no version id"#),
        ] {
            assert_eq!(refused(&with(object)), expected);
            assert_eq!(Pointer::read(&with(object)).unwrap_err().remedy, VERSION);
        }
        assert_eq!(refused(r#"{"bucket": "acme-policy", "key": "a"}"#), "the object a has no version id");
        let long = format!(r#"{{"key": "a", "version": "{}"}}"#, "x".repeat(1025));
        assert!(refused(&with(&long)).ends_with("xxx...\", which is no version id"));
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for (text, expected) in [
            ("", "the value is no pointer: EOF while parsing a value at line 1 column 0"),
            ("defaults:\n  enabled: true", "the value is no pointer: expected value at line 1 column 1"),
            (
                "[]",
                "the value is no pointer: invalid length 0, expected struct Written with 4 elements at line 1 column 2",
            ),
            (r#"{"objects": []}"#, "the value is no pointer: missing field `bucket` at line 1 column 15"),
            (r#"{"bucket": "acme-policy"}"#, "no object is named"),
            (r#"{"bucket": "acme-policy", "version": "a"}"#, "no object is named"),
            (r#"{"bucket": "acme-policy", "objects": []}"#, "the list of objects is empty"),
            (
                r#"{"bucket": "acme-policy", "objects": [], "key": "a", "version": "b"}"#,
                "objects and a key or version beside them are given",
            ),
            (&with(r#"{"key": "", "version": "b"}"#), r#""" is no object's key"#),
            (&with(r#"{"key": "a\u001b[2J", "version": "b"}"#), r#""a [2J" is no object's key"#),
            (&with(r#"{"key": "a", "version": "b"}, {"key": "a", "version": "c"}"#), "the key a is named twice"),
        ] {
            assert_eq!(refused(text), expected, "{text}");
        }
        for text in [
            r#"{"bucket": "acme-policy", "key": "a", "version": "b", "versoin": "c"}"#,
            r#"{"bucket": "acme-policy", "bucket": "other-bucket", "key": "a", "version": "b"}"#,
            r#"{"bucket": "acme-policy", "key": 1, "version": "b"}"#,
            r#"{"bucket": "acme-policy", "key": "a", "version": "b"} x"#,
            &"[".repeat(8000),
        ] {
            assert!(refused(text).starts_with("the value is no pointer: "), "{text}");
        }
        assert!(refused(&" ".repeat(9000)).starts_with("the value has 9000 bytes"));
        let object = |n: usize| format!(r#"{{"key":"{n}","version":"v"}}"#);
        let named = |count: usize| with(&(0..count).map(object).collect::<Vec<_>>().join(","));
        assert_eq!(refused(&named(101)), "101 objects are named, more than the 100 that are read");
        assert_eq!(Pointer::read(&named(100)).unwrap().told(9), "9 (v, v, v, 97 more)");
    }

    #[test]
    fn only_plain_buckets_are_read() {
        let of = |name: &str| Pointer::read(&format!(r#"{{"bucket": "{name}", "key": "a", "version": "b"}}"#));
        for good in ["abc", "acme.policy-1", &"x".repeat(63)] {
            assert!(of(good).is_ok(), "{good}");
        }
        for bad in [
            "ab",
            "Acme",
            "acme_policy",
            "-acme",
            "acme.",
            "a..b",
            "acme/policy",
            "acme--use1-az4--x-s3",
            "ap-123-s3alias",
            "arn:aws:s3:eu-west-1:000000000042:accesspoint/a",
            "",
            &"x".repeat(64),
        ] {
            assert!(of(bad).unwrap_err().what.ends_with("is no bucket's name"), "{bad}");
        }
    }
}
