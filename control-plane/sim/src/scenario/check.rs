//! What contradicts what in a whole scenario, each told at the line that it is about.

use spothub_core::catalog::Catalog;
use spothub_core::id::{AccountId, OuPath, Region};
use spothub_core::time::Span;
use spothub_hub::document::{Key, Mark, Node, Reading, Value};

use super::Scenario;
use crate::run::STEP;
use crate::shape::Window;

pub(super) fn contradictions(reading: &Reading<'_>, root: &Node, scenario: &Scenario) {
    let check = Check { reading, root, scenario, end: Span::hours(i64::from(scenario.hours)) };
    check.groups();
    check.mix();
    check.storms();
    check.windows();
    check.rules();
    check.brakes();
    if scenario.sweep.is_some_and(|sweep| sweep < Span::mins(1)) {
        check.note(&["sweep"], "a sweep takes longer than a minute", "give 1m or more");
    }
}

struct Check<'a> {
    reading: &'a Reading<'a>,
    root: &'a Node,
    scenario: &'a Scenario,
    end: Span,
}

impl<'a> Check<'a> {
    /// The node at a path of keys, and the path as text; the nearest one above it where it is not given.
    fn find(&self, path: &[&str]) -> (Mark, String) {
        let (mut node, mut text) = (self.root, String::new());
        for key in path {
            let index = key.parse::<usize>().ok();
            let next = index.map_or_else(|| node.get(key), |index| node.items().get(index));
            let Some(next) = next else { break };
            text = match index {
                Some(index) => format!("{text}[{index}]"),
                None if text.is_empty() => (*key).to_owned(),
                None => format!("{text}.{key}"),
            };
            node = next;
        }
        (node.at, text)
    }

    fn note(&self, path: &[&str], what: impl std::fmt::Display, remedy: impl std::fmt::Display) {
        let (at, path) = self.find(path);
        self.reading.note(at, &path, what, remedy);
    }

    fn regions(&self) -> impl Iterator<Item = &'a Region> {
        let accounts = self.scenario.shape.accounts.iter().flat_map(|a| &a.regions);
        accounts.chain(self.scenario.shape.groups.iter().map(|g| &g.site.region))
    }

    fn brakes(&self) {
        for (index, braking) in self.scenario.brakes.iter().enumerate() {
            let index = index.to_string();
            for (key, span) in [("after", braking.after), ("for", braking.lasts)] {
                if span.0 % STEP.0 != 0 || span.0 < 0 || (key == "for" && span.0 == 0) {
                    let what = format!("the operator acts every {STEP}, not at {span}");
                    self.note(&["brakes", &index, key], what, "give a multiple of 5m");
                }
            }
            if braking.after > self.end {
                self.note(&["brakes", &index, "after"], "this is after the end", "give less, or more hours");
            }
        }
    }

    fn groups(&self) {
        if self.scenario.shape.groups.is_empty() && self.root.get("groups").is_none() && self.root.get("mix").is_none()
        {
            self.note(&[], "there is no group to look at", "give groups or mix");
        }
        if self.scenario.shape.mix.is_none() {
            return;
        }
        // A mistaken group is not in the shape, so its place comes from the tree.
        for (index, group) in self.root.get("groups").map_or(&[][..], Node::items).iter().enumerate() {
            let Some(Node { value: Value::Scalar { text, .. }, .. }) = group.get("name") else { continue };
            if is_drawn(text) {
                let what = format_args!("the mix may give the name {text:?} to another group");
                self.note(&["groups", &index.to_string(), "name"], what, "use a name that is not a word and a number");
            }
        }
    }

    fn mix(&self) {
        let Some(mix) = &self.scenario.shape.mix else { return };
        let accounts = &self.scenario.shape.accounts;
        if !accounts.is_empty() && !accounts.iter().any(|a| a.enrolled && a.active) {
            self.note(&["mix"], "no account is enrolled and active, so the mix has no place", "");
        }
        let Some(Value::Map(types)) = self.root.get("mix").and_then(|mix| mix.get("types")).map(|node| &node.value)
        else {
            return;
        };
        let catalog = Catalog::in_use();
        let nowhere = |(key, _): &&(Key, Node)| {
            let known = mix.types.iter().any(|(_, name)| *name == key.text);
            let kind = catalog.by_name(&key.text);
            let offers = |region: &Region| {
                catalog.zones(region).iter().any(|zone| kind.is_some_and(|kind| catalog.offered(zone, kind)))
            };
            known && !self.regions().any(offers)
        };
        for (key, _) in types.iter().filter(nowhere) {
            let path = format!("mix.types.{}", key.text);
            self.reading.note(
                key.at,
                &path,
                "no region of the scenario offers this type",
                "remove it, or add a region",
            );
        }
    }

    /// Whether a list was read without leaving out any mistaken item, so that places in it can be named.
    fn whole(&self, path: &[&str], read: usize) -> bool {
        let list = path.iter().try_fold(self.root, |node, key| node.get(key));
        list.is_some_and(|list| list.items().len() == read)
    }

    fn storms(&self) {
        if !self.whole(&["market", "storms"], self.scenario.shape.market.storms.len()) {
            return;
        }
        for (index, storm) in self.scenario.shape.market.storms.iter().enumerate() {
            let index = index.to_string();
            let path = ["market", "storms", &index, "at"];
            if storm.at >= self.end {
                let what = format_args!("the storm begins at {}, and the run ends at {}", storm.at, self.end);
                self.note(&path, what, "raise hours, or let it begin earlier");
            }
            for region in storm.regions.iter().filter(|region| !self.regions().any(|r| r == *region)) {
                let what = format_args!("no account and no group is in {region}");
                self.note(&["market", "storms", &index, "regions"], what, "remove the region, or add it to an account");
            }
        }
    }

    fn windows(&self) {
        if !self.whole(&["accounts"], self.scenario.shape.accounts.len()) {
            return;
        }
        for (index, account) in self.scenario.shape.accounts.iter().enumerate() {
            for (key, window) in [("denied", account.denied), ("unreachable", account.unreachable)] {
                let late = |window: &Window| *window != Window::ALWAYS && window.from >= self.end;
                if window.as_ref().is_some_and(late) {
                    let what = format_args!("it begins after the run's end at {}", self.end);
                    self.note(&["accounts", &index.to_string(), key], what, "raise hours, or let it begin earlier");
                }
            }
        }
    }

    /// A rule that covers nothing is a slip: the scenario would not show what it was written for.
    fn rules(&self) {
        let accounts = &self.scenario.shape.accounts;
        // Defaults are a rule for everything; rules of a file always say for whom they are.
        let rules = self.scenario.policy.rules().iter().filter(|rule| !rule.selector.only.is_empty());
        let rules: Vec<_> = rules.collect();
        if accounts.is_empty() || !self.whole(&["policy", "rules"], rules.len()) {
            return;
        }
        let has_account = |id: AccountId| accounts.iter().any(|a| a.id == id);
        let has_ou = |ou: &OuPath| accounts.iter().any(|a| below(&a.ou, ou));
        for (index, rule) in rules.into_iter().enumerate() {
            let index = index.to_string();
            let at = |key: &'static str| ["policy", "rules", &index, "match", key].map(ToOwned::to_owned);
            let note = |key, what: String| {
                let path = at(key);
                self.note(&path.each_ref().map(String::as_str), what, "change the rule, or the organization");
            };
            let only = &rule.selector.only;
            for id in only.account.iter().filter(|id| !has_account(**id)) {
                note("account", format!("the organization has no account {id}"));
            }
            for ou in only.ou.iter().filter(|ou| !has_ou(ou)) {
                note("ou", format!("no account is in {ou}"));
            }
            for region in only.region.iter().filter(|region| !self.regions().any(|known| known == *region)) {
                note("region", format!("no account and no group is in {region}"));
            }
        }
    }
}

fn below(path: &OuPath, ou: &OuPath) -> bool {
    let (path, ou) = (path.as_str(), ou.as_str());
    ou == "/" || path == ou || path.strip_prefix(ou).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a name has the form of those that the mix gives: a word and a number.
fn is_drawn(name: &str) -> bool {
    name.split_once('-').is_some_and(|(word, number)| {
        !number.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()) && number.bytes().all(|b| b.is_ascii_digit())
    })
}
