//! Identifiers, each parsed once at the edge.
//!
//! Knows their spelling; knows nothing of what they name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is no identifier.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is no {kind}: {rule}")]
pub struct IdError {
    /// What was expected, for a person.
    pub kind: &'static str,
    /// What was found, shortened to 64 characters.
    pub text: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

fn refuse(kind: &'static str, text: &str, rule: &'static str) -> IdError {
    IdError { kind, text: text.chars().take(64).collect(), rule }
}

/// An AWS account: twelve decimal digits; `Display` keeps the leading zeros.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(u64);

impl AccountId {
    /// One more than the largest account number.
    const END: u64 = 1_000_000_000_000;

    /// The account with this number, if it has at most twelve digits.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        (number < Self::END).then_some(Self(number))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl FromStr for AccountId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() != 12 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refuse("account id", text, "an account id has exactly twelve digits"));
        }
        text.parse().map(Self).map_err(|_| refuse("account id", text, "an account id has exactly twelve digits"))
    }
}

impl TryFrom<String> for AccountId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.to_string()
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        // Most comparisons are of copies of one text: then the address tells.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.is_same(other) || self.0 == other.0
            }
        }

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                if self.is_same(other) { std::cmp::Ordering::Equal } else { self.0.cmp(&other.0) }
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            /// The text as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether both are the very same copy: quicker than comparing, and no means nothing.
            #[must_use]
            pub fn is_same(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.0, &other.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.into())) } else { Err(refuse($kind, text, $rule)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }
    };
}

/// Lower-case letters, digits and hyphens, as in region and zone names.
fn is_place(text: &str) -> bool {
    (4..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A prefix followed by lower-case hexadecimal digits, as EC2 makes ids (8 digits formerly, 17 today).
fn is_resource(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        (8..=17).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// Visible text without control characters, at most `max` characters.
fn is_name(text: &str, max: usize) -> bool {
    !text.is_empty() && text.chars().count() <= max && !text.chars().any(char::is_control)
}

text_id!(
    /// An AWS region, as `eu-west-1`.
    Region, "region", "lower-case letters, digits and hyphens, 4 to 32 of them", is_place
);
text_id!(
    /// An availability zone's id, as `euw1-az2`: the same place in every account.
    AzId, "availability zone id", "lower-case letters, digits and hyphens, 4 to 32 of them", is_place
);
text_id!(
    /// An availability zone's name, as `eu-west-1a`: each account has its own letters.
    AzName, "availability zone name", "lower-case letters, digits and hyphens, 4 to 32 of them", is_place
);
text_id!(
    /// A subnet, as `subnet-0123456789abcdef0`.
    SubnetId, "subnet id", "subnet- and 8 to 17 hexadecimal digits", |t| is_resource(t, "subnet-")
);
text_id!(
    /// A machine image, as `ami-0123456789abcdef0`.
    ImageId, "image id", "ami- and 8 to 17 hexadecimal digits", |t| is_resource(t, "ami-")
);
text_id!(
    /// A launch template, as `lt-0123456789abcdef0`.
    TemplateId, "launch template id", "lt- and 8 to 17 hexadecimal digits", |t| is_resource(t, "lt-")
);
text_id!(
    /// The name of an Auto Scaling group: 1 to 255 characters, none of them a control character.
    GroupName, "group name", "1 to 255 characters, none of them a control character", |t| is_name(t, 255)
);
text_id!(
    /// The name of a launch configuration.
    ConfigurationName, "launch configuration name", "1 to 255 characters, none of them a control character",
    |t| is_name(t, 255)
);
text_id!(
    /// The ARN of a load balancer's target group.
    TargetGroupArn, "target group ARN", "an ARN of at most 2,048 characters",
    |t| t.starts_with("arn:") && is_name(t, 2048)
);
text_id!(
    /// The name of a classic load balancer.
    BalancerName, "classic load balancer name", "1 to 32 letters, digits and hyphens",
    |t| (1..=32).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
);
text_id!(
    /// The name of an ECS cluster: in the account and region of whoever names it.
    ClusterName, "ECS cluster name", "1 to 255 letters, digits, hyphens and underscores",
    |t| (1..=255).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
);
text_id!(
    /// The ARN of an ECS container instance.
    ContainerArn, "container instance ARN", "an ARN with :container-instance/ of at most 2,048 characters",
    |t| t.starts_with("arn:") && t.contains(":container-instance/") && is_name(t, 2048)
);
text_id!(
    /// The name of an instance profile: unique in its account, whatever its path.
    ProfileName, "instance profile name", "1 to 128 letters, digits and any of _+=,.@-",
    |t| (1..=128).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
);
text_id!(
    /// An IAM role's ARN, with its path, as `arn:aws:iam::000000000042:role/app/web`.
    RoleArn, "role ARN", "arn:PARTITION:iam::ACCOUNT:role/NAME", |t| {
        let parts: Vec<&str> = t.splitn(6, ':').collect();
        let whole = matches!(parts[..], ["arn", partition, "iam", "", account, role]
            if !partition.is_empty() && account.parse::<AccountId>().is_ok()
                && role.strip_prefix("role/").is_some_and(|name| !name.is_empty() && !name.ends_with('/')));
        whole && t.len() <= 2048 && t.bytes().all(|b| b.is_ascii_graphic() && !b"*?".contains(&b))
    }
);
text_id!(
    /// A path of organizational units from the root, as `/prod/web`; the root is `/`.
    OuPath, "organizational unit path", "begins with / and has no empty part",
    |t| t.starts_with('/') && is_name(t, 640) && (t == "/" || t.split('/').skip(1).all(|part| !part.is_empty()))
);
text_id!(
    /// One swap or rescue: `sw-` or `rs-` and 16 hexadecimal digits; also the stem of client tokens.
    SwapId, "swap id", "sw- or rs- and 16 hexadecimal digits", |t| {
        t.len() == 19 && (is_resource(t, "sw-") || is_resource(t, "rs-"))
    }
);

impl RoleArn {
    /// Its account.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.0.split(':').nth(4)?.parse().ok()
    }

    /// Its name, without the path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Whether this caller, as STS tells it, is a session of this role, whose path the session's ARN leaves out.
    #[must_use]
    pub fn is_caller(&self, arn: &str) -> bool {
        let (mine, theirs): (Vec<&str>, Vec<&str>) = (self.0.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
        let ([_, partition, _, _, account, _], ["arn", p, "sts", _, a, session]) = (&mine[..], &theirs[..]) else {
            return false;
        };
        let role = session.strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next());
        partition == p && account == a && role == Some(self.name())
    }
}

impl OuPath {
    /// The organization's root.
    #[must_use]
    pub fn root() -> Self {
        Self("/".into())
    }

    /// Whether `path` is this unit or one below it.
    #[must_use]
    pub fn covers(&self, path: &Self) -> bool {
        let (above, path) = (self.as_str(), path.as_str());
        above == "/" || path == above || path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// An EC2 instance, as `i-0123456789abcdef0`: kept as a number, because sets and maps of instances are what the
/// engine compares most.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId {
    number: u128,
    /// Digits in its spelling: 17 today, 8 formerly.
    digits: u8,
}

impl InstanceId {
    /// The id with this number, in today's 17-digit spelling (the number's low 68 bits are used).
    #[must_use]
    pub fn from_number(number: u128) -> Self {
        Self { number: number & ((1 << 68) - 1), digits: 17 }
    }

    /// Its hexadecimal digits as a number.
    #[must_use]
    pub fn number(&self) -> u128 {
        self.number
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "i-{:0width$x}", self.number, width = usize::from(self.digits))
    }
}

impl FromStr for InstanceId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || refuse("instance id", text, "i- and 8 to 17 hexadecimal digits");
        let digits = text.strip_prefix("i-").filter(|_| is_resource(text, "i-")).ok_or_else(wrong)?;
        let number = u128::from_str_radix(digits, 16).map_err(|_| wrong())?;
        Ok(Self { number, digits: u8::try_from(digits.len()).map_err(|_| wrong())? })
    }
}

impl TryFrom<String> for InstanceId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> Self {
        id.to_string()
    }
}

impl SwapId {
    /// A new swap's or rescue's id from a number that is unique to it.
    #[must_use]
    pub fn from_number(number: u64, rescue: bool) -> Self {
        let prefix = if rescue { "rs" } else { "sw" };
        Self(format!("{prefix}-{number:016x}").into())
    }

    /// Whether this is a rescue and no swap.
    #[must_use]
    pub fn is_rescue(&self) -> bool {
        self.0.starts_with("rs-")
    }
}

/// One account in one region: what a session, a limiter and a batched call belong to.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub struct Site {
    /// The member account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

/// One Auto Scaling group of the organization.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub struct GroupKey {
    /// Where it is.
    pub site: Site,
    /// Its name, unique at the site.
    pub name: GroupName,
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.site, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_keeps_its_leading_zeros() {
        let id: AccountId = "000000000042".parse().unwrap();
        assert_eq!(id.to_string(), "000000000042");
        assert!("42".parse::<AccountId>().is_err());
        assert!("00000000004x".parse::<AccountId>().is_err());
    }

    #[test]
    fn odd_characters_are_refused() {
        for good in ["i-0123456789abcdef0", "i-00abcdef"] {
            assert_eq!(good.parse::<InstanceId>().unwrap().to_string(), good);
        }
        for bad in ["i-", "i-0123", "i-0123456789ABCDEF0", "i-0123456789abcdef0\n", "x-0123456789abcdef0"] {
            assert!(bad.parse::<InstanceId>().is_err(), "{bad:?}");
        }
        assert!("a/b c".parse::<GroupName>().is_ok());
        assert!("a\u{7}b".parse::<GroupName>().is_err());
        assert!("x".repeat(256).parse::<GroupName>().is_err());
    }

    #[test]
    fn a_role_knows_its_sessions() {
        let role: RoleArn = "arn:aws-cn:iam::000000000042:role/spot/hub".parse().unwrap();
        assert_eq!((role.account().unwrap().to_string().as_str(), role.name()), ("000000000042", "hub"));
        assert!(role.is_caller("arn:aws-cn:sts::000000000042:assumed-role/hub/ann"));
        for other in [
            "arn:aws-cn:sts::000000000042:assumed-role/hub2/ann",
            "arn:aws-cn:sts::000000000043:assumed-role/hub/ann",
            "arn:aws:sts::000000000042:assumed-role/hub/ann",
            "arn:aws-cn:iam::000000000042:role/spot/hub",
            "arn:aws-cn:iam::000000000042:user/hub",
            "",
        ] {
            assert!(!role.is_caller(other), "{other}");
        }
        for wrong in
            ["arn:aws:iam::42:role/a", "arn:aws:iam::000000000042:role/", "arn:aws:iam::000000000042:role/*", "a"]
        {
            assert!(wrong.parse::<RoleArn>().is_err(), "{wrong}");
        }
        assert!("app+x.y".parse::<ProfileName>().is_ok() && "a/b".parse::<ProfileName>().is_err());
    }

    #[test]
    fn a_swap_id_says_what_it_is() {
        assert!(SwapId::from_number(7, true).is_rescue());
        assert_eq!(SwapId::from_number(7, false).to_string(), "sw-0000000000000007");
        assert!("sw-0000000000000007".parse::<SwapId>().is_ok());
        assert!("sw-07".parse::<SwapId>().is_err());
    }
}
