//! What the adapter is told at its start, checked once.

use std::fmt;
use std::str::FromStr;

use spothub_core::id::{AccountId, Region};
use spothub_core::time::Span;

/// Why a text is no setting.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{setting}: {rule}")]
pub struct SettingError {
    /// Which setting.
    pub setting: &'static str,
    /// The rule that it breaks. The value itself is not repeated: it may be one to keep.
    pub rule: &'static str,
}

/// Where an account's number stands in a role's ARN.
const PLACE: &str = "{account}";

/// The member role's ARN with `{account}` for the account's number, as `arn:aws:iam::{account}:role/spothub-member`:
/// so the partition is the installation's and never ours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MemberRole(String);

impl MemberRole {
    /// The role's ARN in an account.
    #[must_use]
    pub fn arn(&self, account: AccountId) -> String {
        self.0.replace(PLACE, &account.to_string())
    }
}

impl FromStr for MemberRole {
    type Err = SettingError;
    fn from_str(text: &str) -> Result<Self, SettingError> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let whole = matches!(parts[..], ["arn", partition, "iam", "", PLACE, role]
            if !partition.is_empty() && role.starts_with("role/") && role.len() > "role/".len());
        let plain = text.len() <= 2048 && text.bytes().all(|b| b.is_ascii_graphic());
        if whole && plain && text.matches(PLACE).count() == 1 {
            return Ok(Self(text.to_owned()));
        }
        Err(SettingError { setting: "member role", rule: "arn:PARTITION:iam::{account}:role/NAME" })
    }
}

/// The second lock of the member role's trust; never shown.
#[derive(Clone, Eq, PartialEq)]
pub struct ExternalId(String);

impl ExternalId {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExternalId(..)")
    }
}

impl FromStr for ExternalId {
    type Err = SettingError;
    fn from_str(text: &str) -> Result<Self, SettingError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b);
        if (2..=1224).contains(&text.len()) && text.bytes().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(SettingError { setting: "external id", rule: "2 to 1,224 letters, digits and any of _+=,.@:/-" })
    }
}

/// The value of the tag `spothub:hub`: which hub launched an instance.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HubId(String);

impl HubId {
    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HubId {
    type Err = SettingError;
    fn from_str(text: &str) -> Result<Self, SettingError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        // A filter's `*` and `?` would find other hubs' instances, too.
        if (1..=128).contains(&text.len()) && text.bytes().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(SettingError { setting: "hub id", rule: "1 to 128 letters, digits and any of -_." })
    }
}

/// The name of a DynamoDB table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TableName(String);

impl TableName {
    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for TableName {
    type Err = SettingError;
    fn from_str(text: &str) -> Result<Self, SettingError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        // DynamoDB's own rule.
        if (3..=255).contains(&text.len()) && text.bytes().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(SettingError { setting: "table name", rule: "3 to 255 letters, digits and any of -_." })
    }
}

/// The name of a parameter of Systems Manager, or its ARN where another account shares it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParameterName(String);

impl ParameterName {
    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ParameterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ParameterName {
    type Err = SettingError;
    fn from_str(text: &str) -> Result<Self, SettingError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_./".contains(&b);
        let name = |text: &str| !text.is_empty() && text.bytes().all(fits) && !text.ends_with('/');
        // A colon would pin one version, or follow a label: then another change than the last counts, and its author.
        let whole = match text.splitn(6, ':').collect::<Vec<_>>()[..] {
            // Systems Manager's own rule: levels begin at the root.
            [plain] => name(plain) && (plain.starts_with('/') || !plain.contains('/')),
            ["arn", partition, "ssm", region, account, rest] => {
                let place = [partition, region].iter().all(|text| name(text));
                place && account.parse::<AccountId>().is_ok() && rest.strip_prefix("parameter/").is_some_and(name)
            }
            _ => false,
        };
        // Systems Manager's own, too: of a name with what stands before it in an ARN.
        if whole && text.len() <= 1011 {
            return Ok(Self(text.to_owned()));
        }
        Err(SettingError {
            setting: "parameter name",
            rule: "/NAME/NAME of letters, digits and any of -_., or its ARN",
        })
    }
}

/// How long a call may take: the SDK has no limit by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TimeOuts {
    /// All attempts of one call together.
    pub operation: Span,
    /// One attempt.
    pub attempt: Span,
}

impl Default for TimeOuts {
    /// 20 and 6 seconds: three attempts and their pauses fit, and a lease of a minute outlasts them.
    fn default() -> Self {
        Self { operation: Span::secs(20), attempt: Span::secs(6) }
    }
}

/// How the hub's own account is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Own {
    /// Through its member role, like any other.
    ByRole,
    /// This account: with the hub's own credentials, without a role and its narrowing.
    Directly(AccountId),
}

/// What sessions and the adapter are told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The hub's own region: its STS is asked, and session names carry it.
    pub home: Region,
    /// Which hub this is.
    pub hub: HubId,
    /// The role that is assumed in members.
    pub role: MemberRole,
    /// What the role's trust asks for, where it does.
    pub external_id: Option<ExternalId>,
    /// How the hub's own account is reached.
    pub own: Own,
    /// Spreads refreshes: another number in each worker.
    pub noise: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_keep_their_partition() {
        let role: MemberRole = "arn:aws-cn:iam::{account}:role/spot/hub-member".parse().unwrap();
        assert_eq!(role.arn("000000000042".parse().unwrap()), "arn:aws-cn:iam::000000000042:role/spot/hub-member");
        for wrong in [
            "arn:aws:iam::000000000042:role/a",
            "arn:aws:iam::{account}:user/a",
            "arn:aws:iam::{account}:role/",
            "arn::iam::{account}:role/a",
            "arn:aws:iam::{account}:role/{account}",
            "arn:aws:iam::{account}:role/a b",
            "",
        ] {
            assert!(wrong.parse::<MemberRole>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn external_ids_are_checked_and_never_shown() {
        let id: ExternalId = "o-abc:12/x".parse().unwrap();
        assert!(!format!("{id:?}").contains("abc"));
        for wrong in ["a", "with space", "é-accent"] {
            let error = wrong.parse::<ExternalId>().unwrap_err();
            assert!(!error.to_string().contains(wrong) || wrong.len() < 2, "{wrong}");
        }
        assert!("*".parse::<HubId>().is_err() && "hub-1".parse::<HubId>().is_ok());
    }

    #[test]
    fn table_names_are_dynamo_db_s() {
        for good in ["hub", "spothub-hub.1_x"] {
            assert_eq!(good.parse::<TableName>().unwrap().to_string(), good);
        }
        for wrong in ["ab", "a b c", "arn:aws:dynamodb:eu-west-1:1:table/x", ""] {
            assert!(wrong.parse::<TableName>().is_err(), "{wrong}");
        }
        assert!("x".repeat(256).parse::<TableName>().is_err());
    }

    #[test]
    fn parameters_are_named_without_a_version() {
        for good in [
            "policy",
            "/spothub/policy",
            "/a/b-c_d.e",
            "arn:aws-cn:ssm:cn-north-1:000000000042:parameter/spothub/policy",
        ] {
            assert_eq!(good.parse::<ParameterName>().unwrap().to_string(), good);
        }
        for wrong in [
            "",
            "/",
            "a/b",
            "/a/",
            "/spothub/policy:3",
            "/spothub/policy:live",
            "/a b",
            "/a\n",
            "arn:aws:ssm:eu-west-1:42:parameter/a",
            "arn:aws:s3:::bucket",
            "arn:aws:ssm:eu-west-1:000000000042:parameter/a:3",
        ] {
            assert!(wrong.parse::<ParameterName>().is_err(), "{wrong}");
        }
        assert!(format!("/{}", "x".repeat(1011)).parse::<ParameterName>().is_err());
    }
}
