//! Rules and the order in which they count: organization < unit (by depth) < account < region < name < owner's tag.

use std::collections::BTreeMap;

use super::{Enabled, NameGlob, Policy, Schedule, Standing, TagDialect};
use crate::compat::TypeGlob;
use crate::id::{AccountId, OuPath, Region};
use crate::money::Percent;
use crate::reason::OptOut;
use crate::time::Span;

/// Where a rule applies: every part that is given must match.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Selector {
    /// The unit and all below it.
    pub ou: Option<OuPath>,
    /// One account.
    pub account: Option<AccountId>,
    /// One region.
    pub region: Option<Region>,
    /// Group names.
    pub group: Option<NameGlob>,
}

/// Values that a rule sets; what is `None` it leaves to less specific rules.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(missing_docs, reason = "each field is documented where it ends, in Policy")]
pub struct Settings {
    pub enabled: Option<Enabled>,
    pub floor_number: Option<u32>,
    pub floor_percent: Option<Percent>,
    pub min_saving: Option<Percent>,
    pub max_price: Option<Percent>,
    pub allowed_types: Option<Vec<TypeGlob>>,
    pub denied_types: Option<Vec<TypeGlob>>,
    pub same_type_only: Option<bool>,
    pub pools: Option<u8>,
    pub burstable: Option<bool>,
    pub disks_unused: Option<bool>,
    pub ebs_tolerance: Option<Percent>,
    pub template: Option<super::TemplateRule>,
    pub settle: Option<Span>,
    pub interval: Option<Span>,
    pub organization_budget: Option<u32>,
    pub ou_budget: Option<u32>,
    pub account_budget: Option<u32>,
    pub group_share: Option<Percent>,
    pub guard_alarms: Option<Vec<String>>,
    pub guard_bake: Option<Span>,
    pub schedule: Option<Schedule>,
    pub on_interruption: Option<super::OnInterruption>,
    pub on_rebalance: Option<super::OnRebalance>,
    pub protected_members: Option<bool>,
    pub tags: Option<TagDialect>,
}

/// One rule.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rule {
    /// Where it applies.
    pub selector: Selector,
    /// What it sets.
    pub settings: Settings,
}

/// All of policy: defaults and rules.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PolicySet {
    /// What holds where no rule says otherwise.
    pub defaults: Settings,
    /// The rules, in any order.
    pub rules: Vec<Rule>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The account's unit.
    pub ou: &'a OuPath,
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: &'a Region,
    /// The group's name.
    pub group: &'a str,
    /// The group's tags.
    pub tags: &'a BTreeMap<String, String>,
}

/// The policy of one group, and whether to act at all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Effective {
    /// The values in force.
    pub policy: Policy,
    /// Whether to act.
    pub standing: Standing,
}

impl Selector {
    /// Whether it covers the group.
    #[must_use]
    pub fn matches(&self, at: &Context<'_>) -> bool {
        self.ou.as_ref().is_none_or(|ou| ou.covers(at.ou))
            && self.account.is_none_or(|account| account == at.account)
            && self.region.as_ref().is_none_or(|region| region == at.region)
            && self.group.as_ref().is_none_or(|glob| glob.matches(at.group))
    }

    /// The more specific one is larger.
    fn rank(&self) -> (bool, bool, bool, usize) {
        let depth = self.ou.as_ref().map_or(0, |ou| 1 + ou.as_str().split('/').filter(|p| !p.is_empty()).count());
        (self.group.is_some(), self.region.is_some(), self.account.is_some(), depth)
    }
}

impl PolicySet {
    /// The budgets that hold where no rule says otherwise.
    #[must_use]
    pub fn budgets(&self) -> super::Budgets {
        let mut policy = Policy::default();
        self.defaults.apply(&mut policy);
        policy.budgets
    }

    /// The shortest interval between two swaps that any part of policy sets.
    #[must_use]
    pub fn interval_min(&self) -> Span {
        let default = self.defaults.interval.unwrap_or(Policy::default().interval);
        self.rules.iter().filter_map(|r| r.settings.interval).fold(default, Ord::min)
    }

    /// The policy in force for a group with these tags, and whether to act on it.
    #[must_use]
    pub fn effective(&self, at: &Context<'_>) -> Effective {
        let mut rules: Vec<&Rule> = self.rules.iter().filter(|r| r.selector.matches(at)).collect();
        rules.sort_by_key(|r| r.selector.rank());
        let mut policy = Policy::default();
        self.defaults.apply(&mut policy);
        let mut opted_out = self.defaults.enabled == Some(Enabled::False);
        for rule in rules {
            rule.settings.apply(&mut policy);
            opted_out |= rule.settings.enabled == Some(Enabled::False);
        }
        owner(&mut policy, at.tags);
        let standing = standing(&policy, opted_out, at.tags);
        Effective { policy, standing }
    }
}

fn standing(policy: &Policy, opted_out: bool, tags: &BTreeMap<String, String>) -> Standing {
    let says = |key: &str| tags.get(key).map(|v| v.trim().to_ascii_lowercase());
    let mut word = says("spothub:enabled");
    if word.is_none() && policy.tags == TagDialect::Autospotting {
        word = says("spot-enabled");
    }
    match (policy.enabled, word.as_deref()) {
        _ if opted_out => Standing::OptedOut(OptOut::Policy),
        // An unreadable word restricts: it was meant to say something, and it was not "true".
        (_, Some(other)) if other != "true" => Standing::OptedOut(OptOut::Tag),
        (Enabled::ByTag, None) => Standing::NotEnabled,
        (Enabled::False, _) => Standing::OptedOut(OptOut::Policy),
        (Enabled::ByTag | Enabled::True, _) => Standing::Enabled,
    }
}

/// Owners' tags restrict: they raise the floor and narrow the types. What cannot be read keeps all on demand.
fn owner(policy: &mut Policy, tags: &BTreeMap<String, String>) {
    if let Some(text) = tags.get("spothub:min-on-demand") {
        policy.floor_number = policy.floor_number.max(text.trim().parse().unwrap_or(u32::MAX));
    }
    if let Some(text) = tags.get("spothub:min-on-demand-percent") {
        let percent = text.trim().parse().ok().and_then(|n| Percent::new(n).ok()).unwrap_or(Percent::ALL);
        policy.floor_percent = policy.floor_percent.max(percent);
    }
    let globs = |text: &String| text.split_whitespace().map(str::parse).collect::<Result<Vec<TypeGlob>, _>>();
    if let Some(text) = tags.get("spothub:denied-types") {
        match globs(text) {
            Ok(more) => policy.denied_types.extend(more),
            Err(_) => policy.same_type_only = true,
        }
    }
    if let (Some(text), true) = (tags.get("spothub:allowed-types"), policy.allowed_types.is_empty()) {
        match globs(text) {
            Ok(only) => policy.allowed_types = only,
            Err(_) => policy.same_type_only = true,
        }
    }
}

impl Settings {
    fn apply(&self, to: &mut Policy) {
        macro_rules! take {
            ($($from:ident => $($into:ident).+),* $(,)?) => {
                $(if let Some(value) = &self.$from { to.$($into).+ = value.clone(); })*
            };
        }
        take!(
            enabled => enabled, floor_number => floor_number, floor_percent => floor_percent,
            min_saving => min_saving, max_price => max_price, allowed_types => allowed_types,
            denied_types => denied_types, same_type_only => same_type_only, pools => pools, burstable => burstable,
            disks_unused => disks_unused, ebs_tolerance => ebs_tolerance, template => template, settle => settle,
            interval => interval, organization_budget => budgets.organization, ou_budget => budgets.ou,
            account_budget => budgets.account, group_share => budgets.group_share,
            guard_alarms => guard_alarms, guard_bake => guard_bake,
            on_interruption => on_interruption, on_rebalance => on_rebalance,
            protected_members => protected_members, tags => tags,
        );
        if let Some(schedule) = &self.schedule {
            to.schedule = Some(schedule.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(set: &PolicySet, tags: &[(&str, &str)]) -> Effective {
        let tags = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let (ou, region) = ("/prod/web".parse().unwrap(), "eu-west-1".parse().unwrap());
        let account = "000000000007".parse().unwrap();
        set.effective(&Context { ou: &ou, account, region: &region, group: "api", tags: &tags })
    }

    fn rule(ou: &str, enabled: Option<Enabled>, floor: Option<u32>) -> Rule {
        let selector = Selector { ou: Some(ou.parse().unwrap()), ..Selector::default() };
        Rule { selector, settings: Settings { enabled, floor_number: floor, ..Settings::default() } }
    }

    #[test]
    fn the_deeper_unit_wins_whatever_the_order() {
        let mut rules = vec![rule("/prod/web", None, Some(3)), rule("/", None, Some(1)), rule("/prod", None, Some(2))];
        for _ in 0..3 {
            rules.rotate_left(1);
            let set = PolicySet { rules: rules.clone(), ..PolicySet::default() };
            assert_eq!(ask(&set, &[]).policy.floor_number, 3);
        }
        let set = PolicySet { rules: vec![rule("/pro", None, Some(9))], ..PolicySet::default() };
        assert_eq!(ask(&set, &[]).policy.floor_number, 0, "a unit is no text prefix");
    }

    #[test]
    fn an_opt_out_anywhere_wins() {
        let set = PolicySet {
            rules: vec![rule("/", Some(Enabled::False), None), rule("/prod/web", Some(Enabled::True), None)],
            ..PolicySet::default()
        };
        assert_eq!(ask(&set, &[("spothub:enabled", "true")]).standing, Standing::OptedOut(OptOut::Policy));
        let set = PolicySet { rules: vec![rule("/", Some(Enabled::True), None)], ..PolicySet::default() };
        assert_eq!(ask(&set, &[]).standing, Standing::Enabled);
        assert_eq!(ask(&set, &[("spothub:enabled", "nope")]).standing, Standing::OptedOut(OptOut::Tag));
        assert_eq!(ask(&PolicySet::default(), &[]).standing, Standing::NotEnabled);
        assert_eq!(ask(&PolicySet::default(), &[("spothub:enabled", " True ")]).standing, Standing::Enabled);
        assert_eq!(ask(&PolicySet::default(), &[("spot-enabled", "true")]).standing, Standing::NotEnabled);
    }

    #[test]
    fn tags_only_restrict() {
        let set = PolicySet::default();
        assert_eq!(ask(&set, &[("spothub:min-on-demand", "2")]).policy.floor(10), 2);
        assert_eq!(ask(&set, &[("spothub:min-on-demand", "two")]).policy.floor(10), u32::MAX);
        assert_eq!(ask(&set, &[("spothub:min-on-demand-percent", "50")]).policy.floor(5), 3);
        assert_eq!(ask(&set, &[("spothub:min-on-demand-percent", "150")]).policy.floor(5), 5);
    }
}
