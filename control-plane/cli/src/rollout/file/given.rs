//! Parameters that the file gives to templates: known to the template, allowed by it, and not filled in by the rollout
//! itself.

use spothub_aws::stacks::Named;
use spothub_hub::document::{At, Fields, Value, nearest};

use crate::rollout::template::{Part, Template};

/// What the rollout fills in itself, and from what.
const FILLED: [(Part, &str, &str); 17] = [
    (Part::Hub, "HubId", "the key hub-id"),
    (Part::Hub, "OrganizationId", "AWS Organizations"),
    (Part::Hub, "ExternalId", "the key external-id"),
    (Part::Hub, "Regions", "the key members.regions"),
    (Part::Hub, "AccountsFrom", "members and management"),
    (Part::Hub, "AccountsUnits", "the key members.units"),
    (Part::Hub, "AccountsOnly", "the key members.accounts"),
    (Part::Hub, "AccountsWithout", "the key members.without"),
    (Part::Hub, "MemberRolePath", "RolePath in members.parameters.global"),
    (Part::Hub, "ForwarderRolePath", "RolePath in members.parameters.global"),
    (Part::Global, "HubAccountId", "the key hub.account"),
    (Part::Global, "HubRoleName", "the hub's stack"),
    (Part::Global, "HubRolePath", "the hub's stack"),
    (Part::Global, "OrganizationId", "AWS Organizations"),
    (Part::Global, "ExternalId", "the key external-id"),
    (Part::Global, "HubBusArn", "the hub's stack"),
    (Part::Regional, "HubBusArn", "the hub's stack"),
];

/// What the hub must know as members have it: given once, and handed to both.
pub(crate) const SHARED_WITH_HUB: [&str; 7] = [
    "MemberRoleName", "ForwarderRoleName", "GroupGuard", "PassableRoleArns", "AllowOnDemandFallback",
    "AllowLaunchConfigurations", "AllowEcsDraining",
];

/// Who fills a parameter in, where the rollout does.
pub(crate) fn filled(part: Part, name: &str) -> Option<&'static str> {
    FILLED.iter().find(|(of, known, _)| *of == part && *known == name).map(|(_, _, from)| *from)
}

/// Reads the parameters given to a template.
pub(super) fn parameters(fields: &Fields<'_>, at: Option<At<'_>>, part: Part, template: &Template) -> Named {
    let mut found = Named::new();
    for (key, at) in at.and_then(|at| at.pairs()).unwrap_or_default() {
        let name = key.text.as_str();
        if let Some(from) = filled(part, name) {
            at.fail::<()>(format_args!("the rollout fills in {name} itself, from {from}"), "leave it out");
            continue;
        }
        let Some(known) = template.parameters.get(name) else {
            let names: Vec<&str> = template.parameters.keys().map(String::as_str).collect();
            // Names of parameters are in capitals, and what is near is looked for in small letters.
            let lower: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
            let meant = nearest(name, lower.iter().map(String::as_str));
            let meant = meant.and_then(|meant| names.iter().find(|name| name.to_lowercase() == meant));
            let remedy =
                meant.map_or_else(|| format!("it has {}", names.join(", ")), |one| format!("did you mean {one}?"));
            at.fail::<()>(format_args!("{} has no parameter {name}", part.file()), remedy);
            continue;
        };
        let Some(value) = value(&at, known.is_list()) else { continue };
        if let Some(wrong) = known.refuses(name, &value) {
            at.fail::<()>(wrong, "");
            continue;
        }
        found.insert(key.text.clone(), value);
    }
    for (name, known) in &template.parameters {
        if known.default.is_none() && !found.contains_key(name) && filled(part, name).is_none() {
            fields.note("parameters", format_args!("{} needs the parameter {name}", part.file()), "");
        }
    }
    found
}

/// A value, or the values of a list as CloudFormation writes them.
fn value(at: &At<'_>, list: bool) -> Option<String> {
    match &at.node().value {
        Value::List(_) if list => {
            let items = at.each(|one| {
                let text = one.text()?;
                if text.contains(',') {
                    return one.fail(format_args!("{text:?} has a comma"), "CloudFormation would read two values");
                }
                Some(text.to_owned())
            })?;
            Some(items.join(","))
        }
        Value::Scalar { .. } | Value::List(_) | Value::Map(_) | Value::Refused => at.text().map(ToOwned::to_owned),
    }
}

/// Notes what is given twice with two values.
pub(super) fn shared(fields: &Fields<'_>, given: [(Part, &Named); 3]) {
    let [(_, hub), (_, global), (_, regional)] = given;
    let twice = |a: &Named, b: &Named, name: &str| a.get(name).zip(b.get(name)).is_some_and(|(a, b)| a != b);
    for name in SHARED_WITH_HUB.iter().filter(|name| twice(hub, global, name)) {
        let what = format!("{name} is given twice, to hub and to members.parameters.global, with two values");
        fields.note("hub", what, "give it once, in members.parameters.global: both get it");
    }
    for name in regional.keys().filter(|name| twice(global, regional, name)) {
        let what = format!("{name} is given twice, in members.parameters, with two values");
        fields.note("members", what, "give it once, in global: both get it");
    }
}
