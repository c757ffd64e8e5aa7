//! What one pass came to, for people and programs: who failed, why, and what to do about it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use spothub_core::brake::Brake;
use spothub_core::fault::Fault;
use spothub_hub::{Once, Pass};

use crate::Exit;
use crate::output::remedy;

/// A pass as it is told.
pub(super) struct Summary<'a> {
    pub(super) once: &'a Once,
    /// Swaps and rescues that ended, by how.
    pub(super) ended: BTreeMap<&'static str, u64>,
    /// Nothing was changed.
    pub(super) dry: bool,
    /// Brakes that are set.
    pub(super) brakes: Vec<Brake>,
}

impl Summary<'_> {
    /// What the exit code says: in part where some account, region or price failed, or something is still in flight.
    pub(super) fn exit(&self) -> Exit {
        let state = &self.once.state;
        if state.directory.is_some() || self.once.sites == 0 {
            return Exit::Failed;
        }
        if state.failing.len() >= self.once.sites {
            return Exit::Failed;
        }
        let stranded = self.ended.get("stranded").is_some_and(|n| *n > 0);
        let late = self.once.pass == Pass::Limit;
        if state.failing.is_empty() && state.unpriced.is_empty() && !stranded && !late {
            return Exit::Done;
        }
        Exit::Partly
    }

    fn pass(&self) -> &'static str {
        match self.once.pass {
            Pass::Rest => "at rest",
            Pass::Limit => "its time was up",
            Pass::Stopped => "stopped",
        }
    }

    fn failed(&self) -> Vec<(String, &Fault)> {
        let state = &self.once.state;
        let directory = state.directory.iter().map(|fault| ("directory of accounts".to_owned(), fault));
        let sites = state.failing.iter().map(|(site, fault)| (format!("{} {}", site.account, site.region), fault));
        let prices = state.unpriced.iter().map(|(region, fault)| (format!("Spot prices of {region}"), fault));
        directory.chain(sites).chain(prices).collect()
    }

    /// One object.
    pub(super) fn json(&self) -> Value {
        let state = &self.once.state;
        let failed = self.failed();
        let failed: Vec<Value> = failed
            .iter()
            .map(|(what, fault)| json!({"what": what, "fault": fault.label(), "why": fault.to_string()}))
            .collect();
        json!({
            "pass": self.pass(),
            "dry_run": self.dry,
            "accounts": state.accounts,
            "sites": self.once.sites,
            "swaps": self.ended,
            "in_flight": state.in_flight.values().sum::<usize>(),
            "holds": state.holds,
            "brakes": self.brakes,
            "failed": failed,
        })
    }

    /// Some lines.
    pub(super) fn text(&self) -> String {
        let state = &self.once.state;
        let mut text = format!(
            "one pass over {} accounts, {} accounts' regions: {}{}\n",
            state.accounts,
            self.once.sites,
            self.pass(),
            if self.dry { " (dry run: nothing was changed)" } else { "" }
        );
        for (title, rows) in [
            ("swaps and rescues", self.ended.iter().map(|(k, n)| (*k, *n)).collect::<Vec<_>>()),
            ("in flight", state.in_flight.iter().map(|(k, n)| (*k, *n as u64)).collect()),
            ("held", state.holds.iter().map(|(k, n)| (*k, *n as u64)).collect()),
        ] {
            if !rows.is_empty() {
                let list: Vec<String> = rows.iter().map(|(label, number)| format!("{number} {label}")).collect();
                let _ = writeln!(text, "{title}: {}", list.join(", "));
            }
        }
        for brake in &self.brakes {
            let (scope, why, by) = (&brake.scope, &brake.why, &brake.by);
            let _ = writeln!(
                text,
                "paused: {scope}: {why} (by {by})\n   = spothub resume lets it go on, with its scope and --why"
            );
        }
        if self.once.sites == 0 && state.directory.is_none() {
            text.push_str("failed: no account is enrolled\n   = check accounts.* and regions in the settings\n");
        }
        for (what, fault) in self.failed() {
            let _ = writeln!(text, "failed: {what}: {fault}\n   = {}", remedy::of(fault.label()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spothub_core::fault::Unable;
    use spothub_core::id::Site;
    use spothub_hub::State;

    fn summary(once: &Once) -> Summary<'_> {
        Summary { once, ended: [("done", 2)].into(), dry: false, brakes: Vec::new() }
    }

    fn once(sites: usize, failing: usize, pass: Pass) -> Once {
        let site = |n: usize| Site {
            account: spothub_core::id::AccountId::from_number(n as u64 + 1).unwrap(),
            region: "eu-west-1".parse().unwrap(),
        };
        let failing = (0..failing).map(|n| (site(n), Fault::Unreachable("the role refuses us"))).collect();
        Once { pass, sites, state: State { accounts: sites, failing, ..State::default() } }
    }

    #[test]
    fn exit_codes() {
        assert_eq!(summary(&once(3, 0, Pass::Rest)).exit(), Exit::Done);
        assert_eq!(summary(&once(3, 0, Pass::Stopped)).exit(), Exit::Done);
        assert_eq!(summary(&once(3, 1, Pass::Rest)).exit(), Exit::Partly);
        assert_eq!(summary(&once(3, 0, Pass::Limit)).exit(), Exit::Partly);
        assert_eq!(summary(&once(3, 3, Pass::Rest)).exit(), Exit::Failed);
        assert_eq!(summary(&once(0, 0, Pass::Rest)).exit(), Exit::Failed);
    }

    #[test]
    fn what_keeps_the_hub_from_calling_has_a_remedy_each() {
        let mut once = once(0, 0, Pass::Rest);
        for (why, label, words) in [
            (Unable::NoCredentials, "no-credentials", "AWS_PROFILE"),
            (Unable::NotAccepted, "not-accepted", "renew the hub's credentials"),
            (Unable::NoHost, "no-host", "home-region"),
            (Unable::NoConnection, "no-connection", "AWS_ENDPOINT_URL"),
        ] {
            once.state.directory = Some(Fault::Unable(why));
            let summary = summary(&once);
            let text = summary.text();
            assert!(text.contains("the hub cannot call") && text.contains(words), "{text}");
            assert_eq!(summary.json()["failed"][0]["fault"], label);
            assert_eq!(summary.exit(), Exit::Failed);
        }
    }

    #[test]
    fn who_failed_is_named_with_a_remedy() {
        let once = once(3, 1, Pass::Rest);
        let text = summary(&once).text();
        for words in ["3 accounts", "2 done", "failed: 000000000001 eu-west-1:", "the role refuses us", "external id"] {
            assert!(text.contains(words), "{words:?} is missing in\n{text}");
        }
        assert_eq!(summary(&once).json()["failed"][0]["fault"], "unreachable");
    }
}
