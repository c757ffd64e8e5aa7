//! Finds the rules that may cover a group without asking each of them: by account, unit, tag, name and region.

use std::collections::BTreeMap;

use super::NameGlob;
use super::rules::{Context, Rule};
use crate::id::{AccountId, Region};

/// Characters of a name that are looked up together.
const PART: usize = 3;

/// Three bytes that stand in every name of a pattern.
type Part = [u8; PART];

/// Rules by one part of their selector: each rule stands where fewest groups find it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Index {
    account: BTreeMap<AccountId, Vec<usize>>,
    ou: BTreeMap<String, Vec<usize>>,
    tag: BTreeMap<String, Tagged>,
    name: BTreeMap<Part, Vec<usize>>,
    region: BTreeMap<Region, Vec<usize>>,
    rest: Vec<usize>,
    /// Some rule goes by the tags of accounts.
    pub(super) account_tags: bool,
}

/// Rules that want one tag.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Tagged {
    /// By a whole value.
    values: BTreeMap<String, Vec<usize>>,
    /// By a pattern.
    patterns: Vec<usize>,
}

/// All parts of a pattern that stand in every name that has it.
fn parts(glob: &NameGlob) -> impl Iterator<Item = Part> {
    glob.literals().flat_map(|text| text.as_bytes().windows(PART)).filter_map(|part| part.try_into().ok())
}

impl Index {
    pub(super) fn new(rules: &[Rule]) -> Self {
        // A part that many patterns have finds many rules: the rarest one of each is taken.
        let mut common: BTreeMap<Part, usize> = BTreeMap::new();
        for glob in rules.iter().flat_map(|rule| &rule.selector.only.group) {
            parts(glob).for_each(|part| *common.entry(part).or_default() += 1);
        }
        let rarest = |glob: &NameGlob| parts(glob).min_by_key(|part| (common.get(part), *part));
        let mut index = Self::default();
        for (number, rule) in rules.iter().enumerate() {
            let excepted = rule.selector.except.iter().any(|block| !block.account_tag.is_empty());
            index.account_tags |= excepted || !rule.selector.only.account_tag.is_empty();
            index.add(number, rule, rarest);
        }
        index
    }

    fn add(&mut self, number: usize, rule: &Rule, rarest: impl Fn(&NameGlob) -> Option<Part>) {
        let only = &rule.selector.only;
        if !only.account.is_empty() {
            for account in &only.account {
                self.account.entry(*account).or_default().push(number);
            }
        } else if !only.ou.is_empty() {
            for ou in &only.ou {
                self.ou.entry(ou.as_str().to_owned()).or_default().push(number);
            }
        } else if let Some((key, value)) = only.tag.iter().find_map(|(key, value)| Some((key, value.whole()?))) {
            let tagged = self.tag.entry(key.clone()).or_default();
            tagged.values.entry(value.to_owned()).or_default().push(number);
        } else if let Some(parts) = only.group.iter().map(rarest).collect::<Option<Vec<Part>>>()
            && !parts.is_empty()
        {
            for part in parts {
                self.name.entry(part).or_default().push(number);
            }
        } else if let Some(key) = only.tag.keys().next() {
            self.tag.entry(key.clone()).or_default().patterns.push(number);
        } else if !only.region.is_empty() {
            for region in &only.region {
                self.region.entry(region.clone()).or_default().push(number);
            }
        } else {
            self.rest.push(number);
        }
    }

    /// Gives `take` every rule that may cover a group, and some that do not; one may come several times.
    pub(super) fn candidates(&self, at: &Context<'_>, mut take: impl FnMut(&[usize])) {
        take(&self.rest);
        self.region.get(at.region).into_iter().for_each(|numbers| take(numbers));
        self.account.get(&at.account).into_iter().for_each(|numbers| take(numbers));
        if !self.ou.is_empty() {
            let path = at.ou.as_str();
            let ends = path.char_indices().skip(1).filter(|(_, c)| *c == '/').map(|(end, _)| end);
            let above = ends.chain([path.len()]).map(|end| &path[..end]).filter(|unit| *unit != "/");
            above.chain(["/"]).filter_map(|unit| self.ou.get(unit)).for_each(|numbers| take(numbers));
        }
        if !self.tag.is_empty() {
            for (tagged, value) in at.tags.iter().filter_map(|(key, value)| Some((self.tag.get(key)?, value))) {
                take(&tagged.patterns);
                tagged.values.get(value).into_iter().for_each(|numbers| take(numbers));
            }
        }
        if !self.name.is_empty() {
            let parts = at.group.as_bytes().windows(PART);
            parts.filter_map(|part| self.name.get(part)).for_each(|numbers| take(numbers));
        }
    }
}
