//! AutoSpotting's own settings, as one `KEY=value` in a line: its environment.
//!
//! Everything that is wrong is told at once. What is not known here is kept by name, and told as a difference.

use std::collections::BTreeMap;

use super::Setting;
use super::floor;
use crate::id::Region;
use crate::policy::{AUTOSPOTTING_ENABLED, NameGlob, micros, translated, types};

/// Words for the operating systems that AutoSpotting takes prices for, with those of a policy file. The first is its
/// default, and says nothing of an image.
pub(super) const PRODUCTS: [(&str, &str); 7] = [
    ("Linux/UNIX (Amazon VPC)", ""),
    ("Linux/UNIX", ""),
    ("Red Hat Enterprise Linux", "rhel"),
    ("SUSE Linux", "suse"),
    ("SUSE Linux (Amazon VPC)", "suse"),
    ("Windows", "windows"),
    ("Windows (Amazon VPC)", "windows"),
];

/// One line that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The key, where there is one.
    pub key: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// The settings of one installation of AutoSpotting. The default is one that nobody set anything for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Installation {
    /// What is set, trimmed and never empty.
    values: BTreeMap<Setting, String>,
    /// Keys that are not known here.
    pub unknown: Vec<String>,
}

impl Installation {
    /// The settings of a file with one `KEY=value` in a line; blank lines and those that begin with `#` say nothing.
    /// An empty value is one that is not set.
    pub fn parse(text: &str) -> Result<Self, Vec<Mistake>> {
        let (mut found, mut mistakes, mut lines) = (Self::default(), Vec::new(), BTreeMap::new());
        for (line, text) in (1..).zip(text.lines().map(str::trim)) {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let pair = text.strip_prefix("export ").unwrap_or(text).split_once('=');
            let Some((key, value)) = pair.map(|(key, value)| (key.trim(), bare(value))).filter(|(key, _)| named(key))
            else {
                let remedy = "write one setting in a line, as MIN_ON_DEMAND_NUMBER=1".to_owned();
                mistakes.push(Mistake { line, key: None, what: "this is no KEY=value".to_owned(), remedy });
                continue;
            };
            let mut wrong = |what, remedy| mistakes.push(Mistake { line, key: Some(key.to_owned()), what, remedy });
            if let Some(before) = lines.insert(key.to_ascii_lowercase(), line) {
                wrong(format!("it stands in line {before} already"), "keep one of them".to_owned());
                continue;
            }
            match Setting::ALL.iter().find(|setting| setting.name().eq_ignore_ascii_case(key)) {
                None => found.unknown.push(key.to_owned()),
                Some(_) if value.is_empty() => {}
                Some(setting) => match form(*setting, value) {
                    Ok(()) => drop(found.values.insert(*setting, value.to_owned())),
                    Err(remedy) => wrong(format!("{value:?} cannot be used"), remedy),
                },
            }
        }
        if translated(&found.schedule()).1.is_some() {
            let line = lines.get(Setting::CronSchedule.name()).or(lines.get(Setting::CronTimezone.name()));
            let what = "AutoSpotting can use no such hours, days or time zone, and takes no action".to_owned();
            let remedy = "write hours and days of the week as 9-18 1-5, and a zone as Europe/London".to_owned();
            let key = Some(Setting::CronSchedule.name().to_ascii_uppercase());
            mistakes.push(Mistake { line: line.copied().unwrap_or(1), key, what, remedy });
        }
        if mistakes.is_empty() { Ok(found) } else { Err(mistakes) }
    }

    /// The value of a setting, where it is set.
    #[must_use]
    pub fn get(&self, setting: Setting) -> Option<&str> {
        self.values.get(&setting).map(String::as_str)
    }

    /// Everything that is set.
    pub fn set(&self) -> impl Iterator<Item = (Setting, &str)> {
        self.values.iter().map(|(setting, value)| (*setting, value.as_str()))
    }

    /// Whether the filters leave groups out, and do not choose them.
    #[must_use]
    pub fn opts_out(&self) -> bool {
        self.get(Setting::TagFilteringMode) == Some("opt-out")
    }

    /// The tags that are asked for, with the pattern of each one's value.
    #[must_use]
    pub fn filters(&self) -> Vec<(&str, &str)> {
        match self.get(Setting::TagFilters) {
            Some(text) => pairs(text).collect(),
            None => vec![(AUTOSPOTTING_ENABLED, if self.opts_out() { "false" } else { "true" })],
        }
    }

    /// Whether the filters are those that nobody set.
    pub(super) fn filters_as_built(&self) -> bool {
        self.filters() == Self { values: self.without(Setting::TagFilters), unknown: Vec::new() }.filters()
    }

    /// Whether it works in a region.
    #[must_use]
    pub fn covers(&self, region: &Region) -> bool {
        let name = region.to_string();
        self.get(Setting::Regions).is_none_or(|text| listed(text).any(|glob| matches(glob, &name)))
    }

    /// Whether the group is chosen by these tags.
    #[must_use]
    pub fn chooses(&self, tags: &BTreeMap<String, String>) -> bool {
        let has = |(key, glob): &(&str, &str)| tags.get(*key).is_some_and(|value| matches(glob, value));
        self.filters().iter().all(has) != self.opts_out()
    }

    /// What is set of hours, under the names of tags.
    fn schedule(&self) -> BTreeMap<String, String> {
        let hours = [Setting::CronSchedule, Setting::CronTimezone, Setting::CronScheduleState];
        let said = hours.into_iter().filter_map(|one| Some((one.tag()?.to_owned(), self.get(one)?.to_owned())));
        said.collect()
    }

    fn without(&self, setting: Setting) -> BTreeMap<Setting, String> {
        let kept = self.values.iter().filter(|(one, _)| **one != setting);
        kept.map(|(one, value)| (*one, value.clone())).collect()
    }
}

/// Whether it can be the name of a variable.
fn named(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A value without blanks around it, and without the quotes of a shell.
fn bare(value: &str) -> &str {
    let value = value.trim();
    let within = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(value).trim()
}

/// The parts of a list with commas or blanks between.
pub(super) fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty())
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    listed(text).filter_map(|part| part.split_once('='))
}

fn matches(glob: &str, name: &str) -> bool {
    glob.parse::<NameGlob>().is_ok_and(|glob| glob.matches(name))
}

/// A truth as Go reads it.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Some(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// Whether a value has the form that its setting asks for; what to write where it has not.
fn form(setting: Setting, value: &str) -> Result<(), String> {
    let one_of = |words: &[&str]| (words.contains(&value), format!("write {}", words.join(" or ")));
    let plain = |part: &str| !part.contains(['[', ']', '\\']) && part.chars().count() <= 255;
    let (good, remedy) = match setting {
        Setting::MinOnDemandNumber => (floor::number(value).is_some(), "write a whole number from 0 on".to_owned()),
        Setting::MinOnDemandPercentage => {
            (floor::share(value, 1).is_some(), "write a number from 0 to 100, as 33.3".to_owned())
        }
        Setting::OnDemandPriceMultiplier => {
            (micros(value).is_some_and(|factor| factor > 0), "write a number above 0, as 0.9".to_owned())
        }
        Setting::SpotPriceBufferPercentage => (micros(value).is_some(), "write a number from 0 on, as 10.0".to_owned()),
        Setting::BiddingPolicy => one_of(&["normal", "aggressive"]),
        Setting::TagFilteringMode => one_of(&["opt-in", "opt-out"]),
        Setting::CronScheduleState => one_of(&["on", "off"]),
        Setting::SpotProductDescription => one_of(&PRODUCTS.map(|(word, _)| word)),
        Setting::AllowedInstanceTypes | Setting::DisallowedInstanceTypes => (
            value == "current" && setting == Setting::AllowedInstanceTypes || types(value).is_some(),
            "write types or patterns with commas between, as m5.*,c5.large".to_owned(),
        ),
        Setting::EnableInstanceRebalanceRecommendation
        | Setting::DisableInstanceRebalanceRecommendation
        | Setting::ConsiderEbsBandwidth => (truth(value).is_some(), "write true or false".to_owned()),
        Setting::TagFilters => {
            let good = |part: &str| part.split_once('=').is_some_and(|(key, _)| !key.is_empty()) && plain(part);
            let remedy = "write TAG=value with commas between; in a value, * and ? are the only patterns that are read";
            (listed(value).all(good), remedy.to_owned())
        }
        Setting::Regions => {
            (listed(value).all(plain), "write regions or patterns with commas between, as eu-*,us-east-1".to_owned())
        }
        // Hours are read together with their zone; the others are passed on as they stand.
        Setting::CronSchedule
        | Setting::CronTimezone
        | Setting::InstanceTerminationMethod
        | Setting::TerminationNotificationAction
        | Setting::PatchBeanstalkUserdata
        | Setting::EbsGp2ConversionThreshold
        | Setting::SpotAllocationStrategy
        | Setting::PrioritizedInstanceTypesBias
        | Setting::SpotProductPremium
        | Setting::AllowParallelInstanceReplacements
        | Setting::DisableEventBasedInstanceReplacement
        | Setting::License
        | Setting::SqsQueueUrl
        | Setting::NotificationSnsTopic
        | Setting::SavingsReportsFrequency
        | Setting::AutomatedInstanceDataUpdate => return Ok(()),
    };
    if good { Ok(()) } else { Err(remedy) }
}
