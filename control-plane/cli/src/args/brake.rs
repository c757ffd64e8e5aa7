//! What `pause`, `resume` and `status` take.

use std::path::{Path, PathBuf};

use spothub_core::brake::BrakeScope;
use spothub_core::id::{AccountId, GroupKey, OuPath, Region, Site};

use super::Format;

/// Examples of their help.
pub(super) const EXAMPLES: &str = "\
Examples:
  spothub pause --org --why \"change freeze until Monday\"
  spothub pause --group 123456789012/eu-west-1/web --why \"they debug it\"
  spothub resume --org --why \"the freeze is over\"
  spothub status";

/// Examples of the help of `revert`.
pub(super) const REVERTS: &str = "\
Examples:
  spothub revert --account 123456789012 --why \"the team moves out\"
  spothub revert --account 123456789012 --why \"the team moves out\" --apply
  spothub status                                    how far it is
  spothub resume --account 123456789012 --why \"they stay\"";

/// What a brake covers.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("scope").required(true).multiple(false)
    .args(["all", "org", "ou", "account", "region", "group"])))]
pub struct Covers {
    /// Everything: swaps of the whole organization, and rescues too.
    #[arg(long)]
    pub all: bool,
    /// Swaps of the whole organization; rescues go on.
    #[arg(long)]
    pub org: bool,
    /// Swaps in an organizational unit and all below it, by its path, as /prod/web.
    #[arg(long, value_name = "PATH")]
    pub ou: Option<OuPath>,
    /// Swaps in an account.
    #[arg(long, value_name = "ID")]
    pub account: Option<AccountId>,
    /// Swaps in a region of every account.
    #[arg(long, value_name = "REGION")]
    pub region: Option<Region>,
    /// Swaps of one group.
    #[arg(long, value_name = "ACCOUNT/REGION/NAME", value_parser = group)]
    pub group: Option<GroupKey>,
}

impl Covers {
    /// The scope; clap sees to it that one is given.
    pub(crate) fn scope(&self) -> Option<BrakeScope> {
        let all = self.all.then_some(BrakeScope::All);
        let org = self.org.then_some(BrakeScope::Org);
        let ou = self.ou.clone().map(BrakeScope::Ou);
        let account = self.account.map(BrakeScope::Account);
        let region = self.region.clone().map(BrakeScope::Region);
        all.or(org).or(ou).or(account).or(region).or(self.group.clone().map(BrakeScope::Group))
    }
}

/// Which store is the hub's.
#[derive(Debug, Default, clap::Args)]
pub struct HubStore {
    /// The settings file of the hub; only where its store is is read from it.
    #[arg(long, value_name = "FILE", env = "SPOTHUB_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,

    /// The store itself, instead of the one that the settings name.
    #[arg(long, value_name = "STORE", env = "SPOTHUB_STORE", hide_env_values = true)]
    pub store: Option<String>,

    /// The hub's home region, where its table is, instead of the one that the settings name.
    #[arg(long, value_name = "REGION", env = "SPOTHUB_HOME_REGION", hide_env_values = true)]
    pub home_region: Option<Region>,
}

impl HubStore {
    /// The one that this settings file names.
    #[must_use]
    pub fn of(file: &Path) -> Self {
        Self { config: Some(file.to_owned()), ..Self::default() }
    }
}

/// Where the hub's store is, and how what is found there is told.
#[derive(Debug, clap::Args)]
pub struct Hub {
    /// Where the hub's store is.
    #[command(flatten)]
    pub at: HubStore,

    /// How the answer is printed.
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub output: Format,
}

/// What `pause` and `resume` take.
#[derive(Debug, clap::Args)]
pub struct Brake {
    /// What it covers.
    #[command(flatten)]
    pub covers: Covers,

    /// Why, for whoever finds it so; at most 500 characters.
    #[arg(long, value_name = "TEXT", value_parser = why)]
    pub why: String,

    /// Who does it, where that is not who is logged in.
    #[arg(long, value_name = "NAME", env = "SPOTHUB_BY", hide_env_values = true)]
    pub by: Option<String>,

    /// Where the hub's store is.
    #[command(flatten)]
    pub hub: Hub,
}

/// What `revert` takes.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("scope").required(true).multiple(false)
    .args(["org", "ou", "account", "region", "group"])))]
pub struct Revert {
    /// The whole organization.
    #[arg(long)]
    pub org: bool,
    /// An organizational unit and all below it, by its path, as /prod/web.
    #[arg(long, value_name = "PATH")]
    pub ou: Option<OuPath>,
    /// An account.
    #[arg(long, value_name = "ID")]
    pub account: Option<AccountId>,
    /// A region of every account.
    #[arg(long, value_name = "REGION")]
    pub region: Option<Region>,
    /// One group.
    #[arg(long, value_name = "ACCOUNT/REGION/NAME", value_parser = group)]
    pub group: Option<GroupKey>,

    /// Why, for whoever finds it so; at most 500 characters.
    #[arg(long, value_name = "TEXT", value_parser = why)]
    pub why: String,

    /// Who does it, where that is not who is logged in.
    #[arg(long, value_name = "NAME", env = "SPOTHUB_BY", hide_env_values = true)]
    pub by: Option<String>,

    /// Do it; without this it is only said what would go back.
    #[arg(long)]
    pub apply: bool,

    /// Where the hub's store is.
    #[command(flatten)]
    pub hub: Hub,
}

impl Revert {
    /// The scope; clap sees to it that one is given.
    pub(crate) fn scope(&self) -> Option<BrakeScope> {
        let org = self.org.then_some(BrakeScope::Org);
        let ou = self.ou.clone().map(BrakeScope::Ou);
        let account = self.account.map(BrakeScope::Account);
        let region = self.region.clone().map(BrakeScope::Region);
        org.or(ou).or(account).or(region).or(self.group.clone().map(BrakeScope::Group))
    }
}

pub(super) fn why(text: &str) -> Result<String, String> {
    let text = text.trim();
    let good = !text.is_empty() && text.chars().count() <= 500 && !text.chars().any(char::is_control);
    good.then(|| text.to_owned()).ok_or_else(|| "say why, in one line of at most 500 characters".to_owned())
}

fn group(text: &str) -> Result<GroupKey, String> {
    let told = || format!("{text:?} is no group: give ACCOUNT/REGION/NAME, as 123456789012/eu-west-1/web");
    let mut parts = text.splitn(3, '/');
    let (Some(account), Some(region), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(told());
    };
    let site = match (account.parse(), region.parse()) {
        (Ok(account), Ok(region)) => Site { account, region },
        _ => return Err(told()),
    };
    Ok(GroupKey { site, name: name.parse().map_err(|_| told())? })
}
