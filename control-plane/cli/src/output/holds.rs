//! Holds by reason, with what an owner or operator can do.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use comfy_table::Table;
use serde_json::json;
use spothub_core::reason::HoldReason;
use spothub_sim::outcome::Outcome;

use super::figure::count;
use super::{Paint, rendered};

pub(super) fn section(outcome: &Outcome, paint: Paint) -> String {
    let labels: BTreeSet<&String> = outcome.holds.keys().chain(outcome.holds_begun.keys()).collect();
    if labels.is_empty() {
        return String::new();
    }
    let figure =
        |label: &String| (outcome.holds.get(label).copied().unwrap_or(0), outcome.holds_begun.get(label).copied());
    let mut rows: Vec<_> = labels.into_iter().map(|label| (figure(label), label)).collect();
    rows.sort_by_key(|((now, begun), label)| (Reverse(*now), Reverse(*begun), *label));
    let mut table = Table::new();
    for ((now, begun), label) in rows {
        let remedy = remedy(label).unwrap_or_default();
        table.add_row(vec![label.clone(), count(now), count(begun.unwrap_or(0)), remedy.to_owned()]);
    }
    let header = ["reason", "at the end", "in all", "what you can do"];
    format!("\n{}\n{}", paint.bold("Why members stayed on demand"), rendered(table, &header, &[1, 2], paint))
}

/// The remedy of the reason with this label: any numbers will do, since the remedy does not depend on them as a rule.
pub(super) fn remedy(label: &str) -> Option<&'static str> {
    sample(label)?.remedy()
}

fn sample(label: &str) -> Option<HoldReason> {
    let any = json!({
        "reason": label, "by": "policy", "process": "Launch", "full": 0, "members": 0, "in_service": 0, "want": 0,
        "floor": 0, "running": 0, "until": 0, "used": 0, "limit": 0, "scope": "account", "as_of": 0, "compatible":
        0, "found": 0, "needed": 0, "closed": 0, "brake": {"scope": "org"}, "breaker": "group", "why": null,
        "alarm": "", "tag": "", "guard": "opt-in-tag", "cluster": "c", "swap": "sw-0000000000000000", "profile":
        "p", "role": "arn:aws:iam::000000000000:role/r", "covered": 0,
    });
    serde_json::from_value(any).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_is_a_reason() {
        for label in HoldReason::LABELS {
            assert_eq!(sample(label).map(|reason| reason.label()), Some(label));
        }
        assert_eq!(remedy("process-suspended"), Some("resume the process"));
        assert_eq!(remedy("swap-interval"), None);
        assert_eq!(remedy("no such"), None);
    }
}
