//! What a failed reading of published policy means, in words with what to do about it.
//!
//! Knows the codes of Systems Manager and S3; makes no call.

use std::error::Error;
use std::fmt::Display;

use aws_smithy_types::error::display::DisplayErrorContext;
use spothub_core::fault::{Fault, Unable};
use spothub_core::id::{AccountId, Region};
use spothub_core::time::Span;

use super::pointer::{Place, Wrong, shown};
use crate::action::Action;
use crate::fault::{Heard, Meaning, judge_own, meaning};

const AGAIN: &str =
    "no good answer came, and it is asked again by itself; where it stays so, -vv shows what the SDK says";
/// S3's words for a bucket of another region: as the region is old or new, and the name is known there or not.
const ELSEWHERE: [&str; 5] = [
    "PermanentRedirect",
    "TemporaryRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "IncorrectEndpoint",
];
/// What is named where an encrypted object's key may not be used.
const DECRYPT: &str = "kms:Decrypt";

/// Where policy was looked for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) parameter: &'a str,
    pub(super) region: &'a str,
}

fn message(what: impl Display, remedy: impl Display) -> String {
    format!("{what}\n   = {remedy}")
}

fn is_denied(heard: &Heard<'_>) -> bool {
    let denied = heard.code.and_then(meaning).is_some_and(|found| matches!(found, Meaning::Denied));
    denied || (heard.status == Some(403) && heard.code.is_none())
}

impl Asked<'_> {
    /// The parameter with its place.
    fn place(&self) -> String {
        format!("the SSM parameter {} in {}", self.parameter, self.region)
    }

    pub(super) fn no_parameter(&self) -> String {
        let remedy = "create it with the pointer to the policy's objects, or correct its name in the settings";
        message(format!("there is no SSM parameter {} in {}", self.parameter, self.region), remedy)
    }

    pub(super) fn not_text(&self, found: &str) -> String {
        let remedy = "make it anew with the type String: a pointer is no secret";
        message(format!("{} is of the type {}", self.place(), shown(found)), remedy)
    }

    pub(super) fn wrong(&self, wrong: &Wrong) -> String {
        message(format!("{}: {}", self.place(), wrong.what), wrong.remedy)
    }

    pub(super) fn late(&self, max: Span) -> String {
        message(format!("policy of {} was not read within {max}", self.place()), AGAIN)
    }

    pub(super) fn too_much(&self, max: usize) -> String {
        let what = format!("the objects of {} have more than {max} bytes together", self.place());
        message(what, "leave out what is not needed: so much is more than the hub reads")
    }

    pub(super) fn no_caller(fault: &Fault) -> String {
        let action = Action::GetCallerIdentity;
        let what = format!("whose the policy's bucket must be is not known: {action} failed: {fault}");
        message(what, remedy(fault, action))
    }

    pub(super) fn cut_off(place: &Place, error: &dyn Error) -> String {
        let error = shown(&DisplayErrorContext(error).to_string());
        message(format!("{place} was cut off while it was read: {error}"), AGAIN)
    }

    pub(super) fn parameter_refused(&self, heard: &Heard<'_>) -> String {
        match heard.code {
            Some("ParameterNotFound" | "ParameterVersionNotFound") => self.no_parameter(),
            _ => self.refused(heard, Action::GetParameter, &self.place()),
        }
    }

    pub(super) fn history_refused(&self, heard: &Heard<'_>) -> String {
        self.refused(heard, Action::GetParameterHistory, &format!("the history of {}", self.place()))
    }

    pub(super) fn other_version(&self, place: &Place, found: Option<&str>) -> String {
        let found = shown(found.unwrap_or("no version at all"));
        let what = format!("S3 was asked for {place} and answered with {found}");
        message(what, self.publish_again())
    }

    fn publish_again(&self) -> String {
        format!("put the object again, and write the version id that S3 answers into the parameter {}", self.parameter)
    }

    /// `region` is where S3 says that the bucket is.
    pub(super) fn object_refused(
        &self,
        heard: &Heard<'_>,
        place: &Place,
        owner: AccountId,
        region: Option<&Region>,
    ) -> String {
        let (name, bucket) = (place.name(), &place.bucket);
        let elsewhere = region.is_some_and(|found| found.as_str() != self.region);
        match heard.code {
            Some(code) if ELSEWHERE.contains(&code) => return self.elsewhere(bucket, region),
            None if matches!(heard.status, Some(301 | 307)) || (heard.status == Some(400) && elsewhere) => {
                return self.elsewhere(bucket, region);
            }
            Some("NoSuchBucket") => {
                let remedy = format!("create it, or correct it in the parameter {}", self.parameter);
                return message(format!("there is no S3 bucket {bucket}"), remedy);
            }
            Some("NoSuchKey") => return message(format!("there is no object {name}"), self.publish_again()),
            Some("NoSuchVersion") => {
                let what = format!("there is no {place}: it was deleted, or never was");
                return message(what, self.publish_again());
            }
            Some("InvalidArgument") => {
                return message(format!("S3 takes no such version id: {place}"), self.publish_again());
            }
            Some("MethodNotAllowed") => {
                return message(format!("{place} is a delete marker"), self.publish_again());
            }
            Some("InvalidObjectState") => {
                let remedy = format!("restore it, or keep it in another storage class: {}", self.publish_again());
                return message(format!("{place} is archived"), remedy);
            }
            _ => {}
        }
        if is_denied(heard) {
            return Self::object_denied(heard, place, owner);
        }
        self.refused(heard, Action::GetObjectVersion, &place.to_string())
    }

    fn elsewhere(&self, bucket: &str, region: Option<&Region>) -> String {
        let found = region.map_or("another region", Region::as_str);
        let remedy =
            format!("keep policy in a bucket in {}, and correct it in the parameter {}", self.region, self.parameter);
        message(format!("the S3 bucket {bucket} is in {found}, and the hub's home is {}", self.region), remedy)
    }

    /// S3 has one answer for many things, and does not say which it was.
    fn object_denied(heard: &Heard<'_>, place: &Place, owner: AccountId) -> String {
        if heard.message.is_some_and(|text| text.contains(DECRYPT)) {
            let remedy =
                format!("allow {DECRYPT} with the object's key to the hub's role, in its policies and in the key's");
            return message(format!("the hub may not read {place}: {DECRYPT} is denied"), remedy);
        }
        let remedy = format!(
            "allow {action} on it to the hub's role; without s3:ListBucketVersions an object that is not there is \
             denied, too, and the bucket must belong to the account {owner}",
            action = Action::GetObjectVersion
        );
        message(format!("the hub may not read {place}: {} is denied", Action::GetObjectVersion), remedy)
    }

    /// What is the same for every call.
    fn refused(&self, heard: &Heard<'_>, action: Action, what: &str) -> String {
        if is_denied(heard) {
            return message(
                format!("the hub may not read {what}: {action} is denied"),
                format!("allow {action} on it to the hub's role, and look for a control policy that forbids it"),
            );
        }
        let (code, said) = heard.told();
        let fault = judge_own(heard, action, None);
        let why = if let Fault::Unable(why) = &fault {
            why.to_string()
        } else if said.is_empty() {
            code.to_owned()
        } else {
            format!("{code}: {said}")
        };
        let remedy = match remedy(&fault, action) {
            "" => format!("correct the parameter {} or what it points to", self.parameter),
            found => found.to_owned(),
        };
        message(format!("{what} cannot be read: {action}: {why}"), remedy)
    }
}

/// What to do about a fault that has little to do with policy; nothing where it may have.
fn remedy(fault: &Fault, action: Action) -> &'static str {
    match fault {
        Fault::Throttled { .. } => "others use up the API's limits; it is asked again by itself",
        Fault::Unable(Unable::NoCredentials) => "give the hub credentials, or a role of its instance or task",
        Fault::Unable(Unable::NotAccepted) | Fault::Unreachable(_) => {
            "renew the hub's credentials: they are wrong or over, or of no use in this region"
        }
        Fault::Unable(Unable::NoHost | Unable::NoConnection) if action == Action::GetObjectVersion => {
            "check the way from this network to S3: routes, proxy, VPC endpoint"
        }
        Fault::Unable(Unable::NoHost | Unable::NoConnection) => {
            "check the way from this network to AWS: AWS_ENDPOINT_URL, routes, proxy, VPC endpoints for ssm and sts"
        }
        Fault::Broken | Fault::Unclear => AGAIN,
        Fault::Denied(_)
        | Fault::NoCapacity(_)
        | Fault::Quota
        | Fault::Gone
        | Fault::Conflict(_)
        | Fault::Invalid(_) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Reach;

    const ASKED: Asked<'static> = Asked { parameter: "/spothub/policy", region: "eu-west-1" };

    fn heard<'a>(code: Option<&'a str>, said: &'a str, status: u16) -> Heard<'a> {
        let (reach, message) = (Reach::Answered, Some(said).filter(|said| !said.is_empty()));
        Heard { reach, code, message, status: Some(status), silent: None, unable: None, after: None }
    }

    fn lines(text: &str) -> (&str, &str) {
        let (what, remedy) = text.split_once("\n   = ").unwrap();
        assert!(!what.contains('\n') && !remedy.contains('\n') && !remedy.is_empty(), "{text}");
        (what, remedy)
    }

    fn object(code: Option<&str>, said: &str, status: u16, region: Option<&str>) -> String {
        let (bucket, key, version) = ("acme-policy".to_owned(), "base.yaml".to_owned(), "v1".to_owned());
        let region: Option<Region> = region.map(|name| name.parse().unwrap());
        let owner = "000000000042".parse().unwrap();
        let text =
            ASKED.object_refused(&heard(code, said, status), &Place { bucket, key, version }, owner, region.as_ref());
        let (what, remedy) = lines(&text);
        format!("{what} | {remedy}")
    }

    #[test]
    fn objects_that_cannot_be_had_say_why() {
        let again = "put the object again, and write the version id that S3 answers into the parameter /spothub/policy";
        let place = "version v1 of s3://acme-policy/base.yaml";
        for (code, status, what) in [
            ("NoSuchKey", 404, "there is no object s3://acme-policy/base.yaml".to_owned()),
            ("NoSuchVersion", 404, format!("there is no {place}: it was deleted, or never was")),
            ("InvalidArgument", 400, format!("S3 takes no such version id: {place}")),
            ("MethodNotAllowed", 405, format!("{place} is a delete marker")),
        ] {
            assert_eq!(object(Some(code), "words", status, None), format!("{what} | {again}"));
        }
        assert!(object(Some("InvalidObjectState"), "", 403, None).starts_with(&format!("{place} is archived | ")));
        let bucket = object(Some("NoSuchBucket"), "", 404, None);
        assert!(bucket.starts_with("there is no S3 bucket acme-policy | create it"), "{bucket}");
    }

    #[test]
    fn denials_name_the_action() {
        let place = "version v1 of s3://acme-policy/base.yaml";
        for (code, status) in [(Some("AccessDenied"), 403), (None, 403)] {
            let text = object(code, "Access Denied", status, None);
            let begin =
                format!("the hub may not read {place}: s3:GetObjectVersion is denied | allow s3:GetObjectVersion");
            assert!(text.starts_with(&begin) && text.contains("account 000000000042"), "{text}");
        }
        let said = "User: x is not authorized to perform: kms:Decrypt on resource: y";
        let text = object(Some("AccessDenied"), said, 403, None);
        assert!(text.starts_with(&format!("the hub may not read {place}: kms:Decrypt is denied | ")), "{text}");
        let text = ASKED.parameter_refused(&heard(Some("AccessDeniedException"), "User: x", 400));
        assert_eq!(
            lines(&text).0,
            "the hub may not read the SSM parameter /spothub/policy in eu-west-1: ssm:GetParameter \
                                    is denied"
        );
        let text = ASKED.history_refused(&heard(Some("AccessDeniedException"), "User: x", 400));
        assert!(lines(&text).1.starts_with("allow ssm:GetParameterHistory on it"), "{text}");
    }

    #[test]
    fn buckets_elsewhere_are_told_from_others() {
        let here = "and the hub's home is eu-west-1 | keep policy in a bucket in eu-west-1, and correct it in the \
                    parameter /spothub/policy";
        for (code, status, region, found) in [
            (Some("PermanentRedirect"), 301, Some("us-east-1"), "us-east-1"),
            (None, 301, Some("us-east-1"), "us-east-1"),
            (None, 400, Some("us-east-1"), "us-east-1"),
            (Some("AuthorizationHeaderMalformed"), 400, None, "another region"),
        ] {
            let text = object(code, "", status, region);
            assert_eq!(text, format!("the S3 bucket acme-policy is in {found}, {here}"), "{code:?} {status}");
        }
        assert!(!object(None, "", 400, Some("eu-west-1")).contains("home"));
    }

    #[test]
    fn what_may_pass_says_so() {
        let text = object(Some("SlowDown"), "Please reduce your request rate.", 503, None);
        assert!(text.contains("s3:GetObjectVersion: SlowDown: Please reduce") && text.contains("by itself"), "{text}");
        let silent = Heard {
            reach: Reach::Unanswered,
            unable: Some(Unable::NoConnection),
            silent: Some("refused".to_owned()),
            code: None,
            message: None,
            status: None,
            after: None,
        };
        let text = ASKED.parameter_refused(&silent);
        assert!(lines(&text).0.ends_with("ssm:GetParameter: nobody is reached at the endpoint"), "{text}");
        assert!(lines(&text).1.contains("VPC endpoints for ssm"), "{text}");
        let text = ASKED.parameter_refused(&heard(Some("ExpiredTokenException"), "", 400));
        assert!(lines(&text).1.starts_with("renew the hub's credentials"), "{text}");
        let text = ASKED.parameter_refused(&heard(Some("ParameterNotFound"), "", 400));
        assert_eq!(lines(&text).0, "there is no SSM parameter /spothub/policy in eu-west-1");
        let text = ASKED.parameter_refused(&heard(Some("ValidationException"), "words", 400));
        assert!(lines(&text).0.ends_with("cannot be read: ssm:GetParameter: ValidationException: words"), "{text}");
    }
}
