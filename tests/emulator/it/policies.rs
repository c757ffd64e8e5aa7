//! Published policy: a parameter that names versions of objects, and what is said where it cannot be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_sdk_ssm::types::ParameterType;
use serde_json::{Value, json};
use spothub_aws::SsmPolicies;
use spothub_core::id::AccountId;
use spothub_core::port::{Policies, Published};
use spothub_hub::published;

use crate::clock::WallClock;
use crate::emulator::{emulator, run};

/// Numbers parameters and buckets.
static NUMBERS: AtomicU64 = AtomicU64::new(1);
const POLICY: &str = "defaults:\n  settle: 10m\n";

/// A bucket, a parameter, and the adapter that reads them.
struct Place {
    parameter: String,
    bucket: String,
    source: SsmPolicies,
}

impl Place {
    /// Nothing but names, and the adapter.
    fn unmade(owner: Option<AccountId>) -> Self {
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let (parameter, bucket) = (format!("/spothub/policy-{number:04}"), format!("acme-policy-{number:04}"));
        let source = SsmPolicies::new(emulator().home(), Arc::new(WallClock), parameter.parse().unwrap(), owner);
        Self { parameter, bucket, source }
    }

    /// A bucket that keeps versions.
    async fn make() -> Self {
        let place = Self::unmade(None);
        place.make_bucket().await;
        place
    }

    async fn make_bucket(&self) {
        let (_, objects) = emulator().publisher(None);
        objects.create_bucket().bucket(&self.bucket).send().await.unwrap();
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        objects.put_bucket_versioning().bucket(&self.bucket).versioning_configuration(enabled).send().await.unwrap();
    }

    /// Puts an object; its version's id.
    async fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) -> String {
        let (_, objects) = emulator().publisher(None);
        let answer = objects.put_object().bucket(&self.bucket).key(key).body(bytes.into().into()).send().await;
        answer.unwrap().version_id.unwrap()
    }

    /// Deletes a version; without one, the object.
    async fn delete(&self, key: &str, version: Option<&str>) -> Option<String> {
        let (_, objects) = emulator().publisher(None);
        let call = objects.delete_object().bucket(&self.bucket).key(key);
        call.set_version_id(version.map(Into::into)).send().await.unwrap().version_id
    }

    /// Writes the parameter, with keys or with those of nobody.
    async fn point(&self, value: &Value, keys: Option<&Value>) {
        let (parameters, _) = emulator().publisher(keys);
        let call = parameters.put_parameter().name(&self.parameter).value(value.to_string());
        call.r#type(ParameterType::String).overwrite(true).send().await.unwrap();
    }

    async fn point_to(&self, objects: &[(&str, &str)]) {
        let objects: Vec<_> = objects.iter().map(|(key, id)| json!({"key": key, "version": id})).collect();
        self.point(&json!({"bucket": self.bucket, "objects": objects}), None).await;
    }

    async fn read(&self) -> Published {
        self.source.read().await.unwrap()
    }

    /// What is said, and what to do about it.
    async fn refused(&self) -> (String, String) {
        let text = self.source.read().await.unwrap_err().to_string();
        let (what, remedy) = text.split_once("\n   = ").unwrap();
        assert!(!what.contains('\n') && !remedy.contains('\n'), "{text}");
        (what.to_owned(), remedy.to_owned())
    }

    /// Calls of the adapter that name this bucket or parameter are done to as the fault says, all of them.
    async fn fault(&self, mut fault: Value) {
        let name = if fault["service"] == "s3" { &self.bucket } else { &self.parameter };
        fault["contains"] = json!(name);
        fault["agent"] = json!("spothub");
        fault["count"] = Value::Null;
        emulator().control.post("/faults", &fault).await;
    }

    async fn cursor() -> u64 {
        emulator().control.get("/calls?after=999999999").await["cursor"].as_u64().unwrap()
    }

    /// Actions of the adapter here since a cursor.
    async fn actions(&self, after: u64) -> Vec<String> {
        let told = emulator().control.get(&format!("/calls?after={after}&agent=spothub")).await;
        let rows = told["calls"].as_array().unwrap().iter().filter(|row| {
            let params = row["params"].to_string();
            params.contains(&self.parameter) || params.contains(&self.bucket)
        });
        rows.map(|row| row["action"].as_str().unwrap().to_owned()).collect()
    }
}

/// Runs a job there. The emulator is started before: it cannot be from within.
fn on_emulator(job: impl Future<Output = ()> + Send + 'static) {
    emulator();
    run(job);
}

#[test]
fn published_policy_is_read_with_its_author_and_version() {
    on_emulator(async {
        let place = Place::make().await;
        let (base, team) =
            (place.put("policies/base.yaml", POLICY).await, place.put("team a/ä.yaml", "rules: []").await);
        place.point_to(&[("policies/base.yaml", &base)]).await;
        let one = place.read().await;
        assert_eq!(one.author.as_deref(), Some("arn:aws:iam::123456789012:root"));
        assert_eq!(one.version, format!("1 ({})", &base[..8]));

        let objects =
            json!([{"key": "policies/base.yaml", "version": base}, {"key": "team a/ä.yaml", "version": team}]);
        let hub = &emulator().told["hub"]["keys"];
        place.point(&json!({"bucket": place.bucket, "objects": objects}), Some(hub)).await;
        let two = place.read().await;
        let author = two.author.unwrap();
        assert!(author.starts_with("arn:aws:sts::123456789012:assumed-role/spothub-hub/"), "{author}");
        assert_eq!(two.version, format!("2 ({}, {})", &base[..8], &team[..8]));
        let name = |key: &str| format!("s3://{}/{key}", place.bucket);
        let files = [(name("policies/base.yaml"), POLICY.into()), (name("team a/ä.yaml"), b"rules: []".to_vec())];
        assert_eq!(two.files, files);

        place.point(&json!({"bucket": place.bucket, "key": "policies/base.yaml", "version": base}), None).await;
        let three = place.read().await;
        assert_eq!(three.author, one.author);
        assert_eq!(three.files, one.files);
        assert!(published::parse(&three).is_ok(), "{:?}", published::parse(&three));
    });
}

#[test]
fn the_parameter_alone_decides() {
    on_emulator(async {
        let place = Place::make().await;
        let first = place.put("p.yaml", POLICY).await;
        place.point_to(&[("p.yaml", &first)]).await;
        let before = place.read().await;
        let second = place.put("p.yaml", "defaults:\n  settle: 20m\n").await;
        assert_eq!(place.read().await, before);
        place.delete("p.yaml", None).await;
        assert_eq!(place.read().await, before);
        let other = SsmPolicies::new(emulator().home(), Arc::new(WallClock), place.parameter.parse().unwrap(), None);
        assert_eq!(other.read().await.unwrap(), before, "also who reads it for the first time");
        place.point_to(&[("p.yaml", &second)]).await;
        let after = place.read().await;
        assert_eq!(after.version, format!("2 ({})", &second[..8]));
        assert_ne!(after.files, before.files);
        // Going back is a change as any other.
        place.point_to(&[("p.yaml", &first)]).await;
        let back = place.read().await;
        assert_eq!((back.files, back.version), (before.files, format!("3 ({})", &first[..8])));
    });
}

#[test]
fn while_nothing_changes_one_call_is_made() {
    on_emulator(async {
        let place = Place::make().await;
        let (a, b) = (place.put("a.yaml", POLICY).await, place.put("b.yaml", "rules: []").await);
        place.point_to(&[("a.yaml", &a), ("b.yaml", &b)]).await;
        let begun = Place::cursor().await;
        place.read().await;
        let first = ["GetParameter", "GetObjectVersion", "GetObjectVersion", "GetParameterHistory"];
        assert_eq!(place.actions(begun).await, first);
        let begun = Place::cursor().await;
        for _ in 0..3 {
            place.read().await;
        }
        assert_eq!(place.actions(begun).await, ["GetParameter"; 3]);
        let c = place.put("b.yaml", "rules: [] # again").await;
        place.point_to(&[("a.yaml", &a), ("b.yaml", &c)]).await;
        let begun = Place::cursor().await;
        place.read().await;
        assert_eq!(place.actions(begun).await, ["GetParameter", "GetObjectVersion", "GetParameterHistory"]);
        // Made anew it begins again at version 1, and somebody else may have done that.
        let (parameters, _) = emulator().publisher(None);
        parameters.delete_parameter().name(&place.parameter).send().await.unwrap();
        let hub = &emulator().told["hub"]["keys"];
        place.point(&json!({"bucket": place.bucket, "key": "a.yaml", "version": a}), Some(hub)).await;
        let anew = place.read().await;
        assert!(anew.version.starts_with("1 (") && anew.author.unwrap().contains("spothub-hub"));
    });
}

#[test]
fn what_is_not_there_is_named() {
    on_emulator(async {
        let place = Place::unmade(None);
        let (parameter, bucket) = (&place.parameter, &place.bucket);
        let (what, remedy) = place.refused().await;
        assert_eq!(what, format!("there is no SSM parameter {parameter} in us-east-1"));
        assert!(remedy.starts_with("create it"), "{remedy}");

        place.point_to(&[("p.yaml", "v1")]).await;
        assert_eq!(place.refused().await.0, format!("there is no S3 bucket {bucket}"));
        place.make_bucket().await;
        let missing =
            |id: &str| format!("there is no version {id} of s3://{bucket}/p.yaml: it was deleted, or never was");
        assert_eq!(place.refused().await.0, missing("v1"));

        let id = place.put("p.yaml", POLICY).await;
        let marker = place.delete("p.yaml", None).await.unwrap();
        place.point_to(&[("p.yaml", &marker)]).await;
        assert_eq!(place.refused().await.0, format!("version {marker} of s3://{bucket}/p.yaml is a delete marker"));
        place.delete("p.yaml", Some(&id)).await;
        place.point_to(&[("p.yaml", &id)]).await;
        let (what, remedy) = place.refused().await;
        assert_eq!(what, missing(&id));
        assert!(remedy.contains("put the object again") && remedy.contains(parameter), "{remedy}");

        // It is read as soon as it is there.
        let id = place.put("p.yaml", POLICY).await;
        place.point_to(&[("p.yaml", &id)]).await;
        assert_eq!(place.read().await.files.len(), 1);
    });
}

#[test]
fn a_tampered_pointer_is_refused() {
    on_emulator(async {
        let place = Place::make().await;
        let id = place.put("p.yaml", POLICY).await;
        let of = |bucket: &str, objects: Value| json!({"bucket": bucket, "objects": objects});
        let bucket = place.bucket.as_str();
        for (value, expected) in [
            (json!("s3://acme/p.yaml"), "the value is no pointer: "),
            (of(bucket, json!([])), "the list of objects is empty"),
            (of(bucket, json!([{"key": "p.yaml"}])), "the object p.yaml has no version id"),
            (of(bucket, json!([{"key": "p.yaml", "version": "null"}])), "the object p.yaml was put without versions"),
            (of("arn:aws:s3:::acme", json!([{"key": "p.yaml", "version": id}])), "\"arn:aws:s3:::acme\" is no bucket"),
            (of(bucket, json!([{"key": "p.yaml", "version": "a\nb"}])), "the object p.yaml has the version"),
            (of(bucket, json!(vec![json!({"key": "p.yaml", "version": "v"}); 101])), "101 objects are named"),
            (
                json!({"bucket": bucket, "key": "p.yaml", "version": id, "owner": "x"}),
                "the value is no pointer: unknown",
            ),
        ] {
            place.point(&value, None).await;
            let (what, remedy) = place.refused().await;
            let begin = format!("the SSM parameter {} in us-east-1: {expected}", place.parameter);
            assert!(what.starts_with(&begin) && !remedy.is_empty(), "{what}");
        }
        let (parameters, _) = emulator().publisher(None);
        parameters.delete_parameter().name(&place.parameter).send().await.unwrap();
        let value = json!({"bucket": bucket, "key": "p.yaml", "version": id}).to_string();
        let call = parameters.put_parameter().name(&place.parameter).value(value);
        call.r#type(ParameterType::SecureString).send().await.unwrap();
        assert!(place.refused().await.0.ends_with("is of the type SecureString"));
    });
}

#[test]
fn objects_are_read_up_to_their_bound() {
    on_emulator(async {
        let place = Place::make().await;
        let most = "#".repeat(1 << 20);
        let (fits, long) = (place.put("fits.yaml", most.clone()).await, place.put("long.yaml", most.repeat(3)).await);
        place.point_to(&[("fits.yaml", &fits), ("long.yaml", &long)]).await;
        let read = place.read().await;
        assert_eq!(read.files.iter().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>(), [1 << 20, (1 << 20) + 1]);
        let problems = published::parse(&read).unwrap_err();
        assert!(problems.contains("long.yaml:1:1: the file has 1048577 bytes, more than the 1048576"), "{problems}");
        assert!(!problems.contains("fits.yaml"), "{problems}");

        let mut objects = Vec::new();
        for key in ["a", "b", "c", "d", "e"] {
            objects.push((key, place.put(key, most.clone()).await));
        }
        let objects: Vec<_> = objects.iter().map(|(key, id)| (*key, id.as_str())).collect();
        place.point_to(&objects[..4]).await;
        assert_eq!(place.read().await.files.len(), 4);
        place.point_to(&objects).await;
        assert!(place.refused().await.0.ends_with("have more than 4194304 bytes together"));
        let empty = place.put("empty.yaml", "").await;
        place.point_to(&[("empty.yaml", &empty)]).await;
        assert_eq!(place.read().await.files[0].1, b"");
    });
}

#[test]
fn denials_name_the_action_and_an_unknown_author_is_none() {
    on_emulator(async {
        let place = Place::make().await;
        let id = place.put("p.yaml", POLICY).await;
        place.point_to(&[("p.yaml", &id)]).await;
        place.fault(json!({"service": "ssm", "action": "GetParameterHistory", "code": "AccessDeniedException"})).await;
        let begun = Place::cursor().await;
        assert_eq!(place.read().await.author, None);
        assert_eq!(place.read().await.author, None);
        let history = place.actions(begun).await.into_iter().filter(|action| action == "GetParameterHistory");
        assert_eq!(history.count(), 1, "asked once for each version");

        place.fault(json!({"service": "ssm", "action": "GetParameter", "code": "AccessDeniedException"})).await;
        let (what, remedy) = place.refused().await;
        assert!(what.ends_with("ssm:GetParameter is denied") && remedy.starts_with("allow ssm:GetParameter"), "{what}");

        let place = Place::make().await;
        let id = place.put("p.yaml", POLICY).await;
        place.point_to(&[("p.yaml", &id)]).await;
        place.fault(json!({"service": "s3", "action": "GetObjectVersion", "code": "AccessDenied"})).await;
        let (what, remedy) = place.refused().await;
        assert!(what.ends_with("s3:GetObjectVersion is denied"), "{what}");
        assert!(remedy.contains("123456789012"), "{remedy}");
    });
}

#[test]
fn what_passes_is_told_and_asked_again() {
    on_emulator(async {
        let place = Place::make().await;
        let id = place.put("p.yaml", POLICY).await;
        place.point_to(&[("p.yaml", &id)]).await;
        // An author must not be left out because the API was busy.
        place.fault(json!({"service": "ssm", "action": "GetParameterHistory", "code": "ThrottlingException"})).await;
        let (what, remedy) = place.refused().await;
        assert!(what.contains("ssm:GetParameterHistory: ThrottlingException"), "{what}");
        assert!(remedy.ends_with("asked again by itself"), "{remedy}");

        let place = Place::make().await;
        place.point_to(&[("p.yaml", "v1")]).await;
        let elsewhere =
            json!({"service": "s3", "action": "GetObjectVersion", "code": "PermanentRedirect", "status": 301});
        place.fault(elsewhere).await;
        let (what, remedy) = place.refused().await;
        assert_eq!(
            what,
            format!("the S3 bucket {} is in another region, and the hub's home is us-east-1", place.bucket)
        );
        assert!(remedy.starts_with("keep policy in a bucket in us-east-1"), "{remedy}");
    });
}

#[test]
fn a_bucket_of_another_account_is_not_read() {
    on_emulator(async {
        let stranger = Place::unmade(Some("000000000042".parse().unwrap()));
        stranger.make_bucket().await;
        let id = stranger.put("p.yaml", POLICY).await;
        stranger.point_to(&[("p.yaml", &id)]).await;
        let (what, remedy) = stranger.refused().await;
        assert!(what.ends_with("s3:GetObjectVersion is denied"), "{what}");
        assert!(remedy.ends_with("the bucket must belong to the account 000000000042"), "{remedy}");
        let named = Place::unmade(Some("123456789012".parse().unwrap()));
        named.make_bucket().await;
        let id = named.put("p.yaml", POLICY).await;
        named.point_to(&[("p.yaml", &id)]).await;
        assert_eq!(named.read().await.files.len(), 1);
    });
}

#[test]
fn the_hub_knows_who_it_is() {
    on_emulator(async {
        let caller = emulator().home().caller().await.unwrap();
        assert_eq!(caller.account.to_string(), "123456789012");
        assert!(caller.arn.starts_with("arn:aws:sts::123456789012:assumed-role/spothub-hub/"), "{}", caller.arn);
    });
}
