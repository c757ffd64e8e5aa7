//! An account: whether its role can be assumed, by whom, of which version, and roles of AWS's services.

use spothub_aws::doctor::{RoleSeen, Trust};
use spothub_core::fault::Fault;
use spothub_core::id::AccountId;

use super::{again_global, version};
use crate::doctor::expected::{TEMPLATE_VERSION, VERSION_TAG};
use crate::doctor::facts::{AccountFacts, OurRole, Seen};
use crate::doctor::row::{Check, Row, Whose};

/// Everything about an account but its regions. `in_use` where it has groups.
pub(super) fn rows(account: AccountId, facts: &AccountFacts, external_id: bool, in_use: bool) -> Vec<Row> {
    let Some(inside) = &facts.inside else { return vec![role(account, &facts.role)] };
    let mut rows = match &inside.ours {
        None => vec![Row::ok(Check::Role, account, "none is needed: the hub's own credentials serve")],
        Some(ours) => vec![
            role(account, &facts.role),
            if external_id { locked(account, ours) } else { unlocked(account) },
            template(account, &ours.role),
        ],
    };
    rows.push(spot(account, &inside.spot_role, in_use));
    rows.push(scaling(account, &inside.scaling_role, in_use));
    rows
}

fn role(account: AccountId, role: &Result<(), Fault>) -> Row {
    match role {
        Ok(()) => Row::ok(Check::Role, account, "it can be assumed"),
        Err(Fault::Unreachable(why)) => {
            let remedy = "AWS does not say which of these it is. Look in the account whether the role is there \
                          (spothub rollout apply makes it), whether its trust names this hub's account, role and \
                          organization, and whether its external id is that of the settings; then for a control \
                          policy that denies sts:AssumeRole";
            Row::missing(Check::Role, account, *why, remedy)
        }
        Err(fault) => Row::failed(Check::Role, account, fault, Whose::Hub),
    }
}

/// The external id of the settings is right, or the role would not have been assumed; whether it is a lock, others
/// tell.
fn locked(account: AccountId, ours: &OurRole) -> Row {
    let remedy = || {
        format!(
            "ask for it in the role's trust, StringEquals sts:ExternalId: {}; a role of your own: as \
             policies/iam/member-trust.json has it",
            again_global()
        )
    };
    match (&ours.wrong, &ours.none) {
        (Ok(Trust::Admits), _) => {
            let found = "a wrong external id is admitted, too: the trust does not check it";
            Row::missing(Check::ExternalId, account, found, remedy())
        }
        (_, Ok(Trust::Admits)) => {
            let found = "none at all is admitted, too: the trust checks it only where one is given";
            Row::missing(Check::ExternalId, account, found, remedy())
        }
        (Ok(Trust::Refuses), Ok(Trust::Refuses)) => {
            Row::ok(Check::ExternalId, account, "it is right; a wrong one and none are refused")
        }
        (Err(fault), _) | (_, Err(fault)) => Row::failed(Check::ExternalId, account, fault, Whose::Hub),
    }
}

fn unlocked(account: AccountId) -> Row {
    let found = "the settings give none, and the role is assumed without";
    let remedy = "set ExternalId where the members are rolled out, and external-id in the settings: it is the second \
                  lock of the role";
    Row::warning(Check::ExternalId, account, found, remedy)
}

fn template(account: AccountId, role: &Seen<RoleSeen>) -> Row {
    let check = Check::RoleVersion;
    let role = match role {
        Err(fault) => return Row::failed(check, account, fault, Whose::Member),
        Ok(None) => {
            let remedy = "check the name at the end of member-role in the settings";
            return Row::unknown(check, account, "IAM knows no role of this name, though it was assumed", remedy);
        }
        Ok(Some(role)) => role,
    };
    let told = role.tags.get(VERSION_TAG).and_then(|text| text.parse().ok());
    match told.map(|found| (found, version(found))) {
        Some((found, None)) => Row::ok(check, account, format!("template {found}")),
        Some((_, Some((found, remedy)))) => Row::missing(check, account, found, remedy),
        None => {
            let remedy = format!(
                "made by the template it would have it: spothub rollout apply; a role of your own: tag it \
                 {VERSION_TAG}={TEMPLATE_VERSION} once its policies are those of policies/iam"
            );
            Row::warning(check, account, format!("it has no tag {VERSION_TAG}"), remedy)
        }
    }
}

fn spot(account: AccountId, role: &Seen<RoleSeen>, in_use: bool) -> Row {
    let remedy = "the first Spot launch makes it, unless a control policy forbids that; to be sure: aws iam \
                  create-service-linked-role --aws-service-name spot.amazonaws.com";
    linked(Check::SpotRole, account, role, in_use, "AWSServiceRoleForEC2Spot", remedy)
}

fn scaling(account: AccountId, role: &Seen<RoleSeen>, in_use: bool) -> Row {
    let remedy = "groups work with another service-linked role there, or not at all; to make the usual one: aws iam \
                  create-service-linked-role --aws-service-name autoscaling.amazonaws.com";
    linked(Check::ScalingRole, account, role, in_use, "AWSServiceRoleForAutoScaling", remedy)
}

fn linked(
    check: Check,
    account: AccountId,
    role: &Seen<RoleSeen>,
    in_use: bool,
    name: &str,
    remedy: &'static str,
) -> Row {
    match role {
        Ok(Some(_)) => Row::ok(check, account, format!("{name} is there")),
        Ok(None) if in_use => Row::warning(check, account, format!("{name} is not there"), remedy),
        Ok(None) => Row::ok(check, account, format!("{name} is not there, and not needed: there are no groups")),
        Err(fault) => Row::failed(check, account, fault, Whose::Member),
    }
}
