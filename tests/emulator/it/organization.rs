//! The organization that journeys of the whole program start from, and what an independent client finds of it before
//! and after.
//!
//! Knows accounts, groups and tags as owners see them; nothing here asks the adapter.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_sdk_ec2::types::{Filter, InstanceLifecycleType, InstanceStateName};
use serde_json::{Value, json};
use spothub_core::id::{AccountId, Site};

use crate::clients::{self, Clients};
use crate::control::Control;

/// Accounts that are enrolled and can be acted in.
pub(crate) const SERVED: [&str; 3] = ["shop", "bank", "lake"];
/// An account whose role is not there.
pub(crate) const DENIED: &str = "vault";
/// An account that is left out of the enrolment.
pub(crate) const UNENROLLED: &str = "sandbox";
/// The tag by which a group is opted in or out.
pub(crate) const ENABLED: &str = "spothub:enabled";
pub(crate) const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// Three served accounts with a group opted in and one opted out in each of two regions, one of a launch configuration,
/// and beside them an account without a role, one that is not enrolled and one that was closed.
pub(crate) fn description() -> Value {
    let (yes, no) = (json!({ENABLED: "true"}), json!({ENABLED: "false"}));
    let groups = json!([
        {"name": "web", "desired": 2, "max": 3, "target_groups": 1, "tags": yes},
        {"name": "full", "desired": 1, "max": 1, "region": "us-east-1", "tags": yes},
        {"name": "old style", "desired": 1, "max": 2, "launch": "configuration", "region": "eu-west-1", "tags": yes},
        {"name": "left alone", "desired": 1, "max": 2, "tags": no},
    ]);
    let one = json!([{"name": "web", "desired": 1, "max": 2, "tags": yes}]);
    json!({"regions": REGIONS, "accounts": [
        {"name": "shop", "ou": "prod/web", "groups": groups},
        {"name": "bank", "ou": "prod", "groups": groups},
        {"name": "lake", "ou": "data", "groups": groups},
        {"name": DENIED, "ou": "prod", "role": false, "groups": one},
        {"name": UNENROLLED, "ou": "test", "groups": one},
        {"name": "gone", "closed": true},
    ]})
}

/// One group as it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Group {
    /// Opted in by its tag.
    pub(crate) enabled: bool,
    /// MinSize, DesiredCapacity and MaxSize.
    pub(crate) sizes: [i32; 3],
    /// Suspended processes.
    pub(crate) suspended: BTreeSet<String>,
    /// Members, and whether each is Spot.
    pub(crate) members: BTreeMap<String, bool>,
}

/// Everything that a journey may change, or must not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Snapshot {
    /// Groups by place and name.
    pub(crate) groups: BTreeMap<(Site, String), Group>,
    /// Launch templates by place and id.
    pub(crate) templates: BTreeSet<(Site, String)>,
    /// Living instances with our tag that no group has.
    pub(crate) orphans: BTreeSet<(Site, String)>,
}

/// The sites of the organization, by the account's name; without closed accounts.
pub(crate) fn sites(told: &Value) -> Vec<(String, Site)> {
    let open = told["accounts"].as_array().unwrap().iter().filter(|row| row["closed"] == false);
    let of = |row: &Value| {
        let account: AccountId = row["id"].as_str().unwrap().parse().unwrap();
        let name = row["name"].as_str().unwrap().to_owned();
        REGIONS.map(|region| (name.clone(), Site { account, region: region.parse().unwrap() }))
    };
    open.flat_map(of).collect()
}

/// Looks at all of it, as the management account's administrator.
pub(crate) async fn snapshot(management: &SdkConfig, told: &Value) -> Snapshot {
    let mut found = Snapshot { groups: BTreeMap::new(), templates: BTreeSet::new(), orphans: BTreeSet::new() };
    for (_, site) in sites(told) {
        let clients = clients::of(management, &site).await;
        look(&clients, &site, &mut found).await;
    }
    found
}

async fn look(clients: &Clients, site: &Site, found: &mut Snapshot) {
    let answer = clients.groups.describe_auto_scaling_groups().send().await.unwrap();
    let mut members = BTreeSet::new();
    for row in answer.auto_scaling_groups() {
        let ids: Vec<String> = row.instances().iter().map(|m| m.instance_id().unwrap().to_owned()).collect();
        members.extend(ids.iter().cloned());
        let switch = row.tags().iter().find(|tag| tag.key() == Some(ENABLED)).and_then(|tag| tag.value());
        let sizes = [row.min_size(), row.desired_capacity(), row.max_size()].map(Option::unwrap);
        let processes = row.suspended_processes().iter().filter_map(|row| row.process_name());
        let group = Group {
            enabled: switch == Some("true"),
            sizes,
            suspended: processes.map(ToOwned::to_owned).collect(),
            members: spot(clients, ids).await,
        };
        let name = row.auto_scaling_group_name().unwrap().to_owned();
        found.groups.insert((site.clone(), name), group);
    }
    let templates = clients.ec2.describe_launch_templates().send().await.unwrap();
    let ids = templates.launch_templates().iter().filter_map(|row| row.launch_template_id());
    found.templates.extend(ids.map(|id| (site.clone(), id.to_owned())));
    let ours = tagged(clients).await.into_iter().filter(|id| !members.contains(id));
    found.orphans.extend(ours.map(|id| (site.clone(), id)));
}

/// Which of these instances are Spot.
async fn spot(clients: &Clients, ids: Vec<String>) -> BTreeMap<String, bool> {
    if ids.is_empty() {
        return BTreeMap::new();
    }
    let answer = clients.ec2.describe_instances().set_instance_ids(Some(ids)).send().await.unwrap();
    let rows = answer.reservations().iter().flat_map(aws_sdk_ec2::types::Reservation::instances);
    let is_spot = |row: &aws_sdk_ec2::types::Instance| row.instance_lifecycle() == Some(&InstanceLifecycleType::Spot);
    rows.map(|row| (row.instance_id().unwrap().to_owned(), is_spot(row))).collect()
}

/// Living instances with a tag of ours.
async fn tagged(clients: &Clients) -> Vec<String> {
    let filter = Filter::builder().name("tag-key").values("spothub:swap").build();
    let answer = clients.ec2.describe_instances().filters(filter).send().await.unwrap();
    let rows = answer.reservations().iter().flat_map(aws_sdk_ec2::types::Reservation::instances);
    let over = [InstanceStateName::ShuttingDown, InstanceStateName::Terminated];
    let lives = |row: &&aws_sdk_ec2::types::Instance| {
        !row.state().and_then(|state| state.name()).is_some_and(|name| over.contains(name))
    };
    rows.filter(lives).map(|row| row.instance_id().unwrap().to_owned()).collect()
}

impl Snapshot {
    /// What no journey may leave behind, in words: sizes, processes, templates and orphans that were not there before.
    pub(crate) fn left_behind(&self, before: &Self) -> Vec<String> {
        let mut faults = Vec::new();
        for ((site, name), group) in &self.groups {
            let Some(was) = before.groups.get(&(site.clone(), name.clone())) else {
                faults.push(format!("{site}/{name} is new"));
                continue;
            };
            if group.sizes != was.sizes {
                faults.push(format!("{site}/{name} has sizes {:?}, not {:?}", group.sizes, was.sizes));
            }
            if group.suspended != was.suspended {
                faults.push(format!("{site}/{name} has {:?} suspended", group.suspended));
            }
            if group.members.len() != was.members.len() {
                faults.push(format!("{site}/{name} has {} members", group.members.len()));
            }
        }
        faults.extend(self.templates.difference(&before.templates).map(|(site, id)| format!("{site}: template {id}")));
        faults.extend(self.orphans.iter().map(|(site, id)| format!("{site}: orphan {id}")));
        faults
    }

    /// Groups whose members are no longer those that they were.
    pub(crate) fn touched(&self, before: &Self) -> BTreeSet<(Site, String)> {
        let changed = |(place, group): &(&(Site, String), &Group)| {
            before.groups.get(*place).is_none_or(|was| was.members != group.members)
        };
        self.groups.iter().filter(changed).map(|(place, _)| place.clone()).collect()
    }

    /// Groups of which every member is Spot.
    pub(crate) fn converted(&self) -> BTreeSet<(Site, String)> {
        let whole = |group: &Group| !group.members.is_empty() && group.members.values().all(|spot| *spot);
        self.groups.iter().filter(|(_, group)| whole(group)).map(|(place, _)| place.clone()).collect()
    }

    /// Groups that a journey is to convert: opted in, in these accounts.
    pub(crate) fn wanted(&self, accounts: &BTreeSet<AccountId>) -> BTreeSet<(Site, String)> {
        let served = self.groups.iter().filter(|((site, _), group)| group.enabled && accounts.contains(&site.account));
        served.map(|(place, _)| place.clone()).collect()
    }
}

/// The accounts of these names.
pub(crate) fn accounts(told: &Value, names: &[&str]) -> BTreeSet<AccountId> {
    sites(told).into_iter().filter(|(name, _)| names.contains(&name.as_str())).map(|(_, site)| site.account).collect()
}

/// The changing calls that the program made in an account since a cursor of the call log.
pub(crate) async fn changes(control: &Control, account: AccountId, after: u64) -> Vec<String> {
    let told = control.get(&format!("/calls?after={after}&account={account}&changing=true&agent=spothub")).await;
    let rows = told["calls"].as_array().unwrap();
    rows.iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulator::{HERE, region, run};
    use crate::server::Server;

    async fn orphan(clients: &Clients) {
        let tag = aws_sdk_ec2::types::Tag::builder().key("spothub:swap").value("sw-0000000000000001").build();
        let tags = aws_sdk_ec2::types::TagSpecification::builder();
        let tags = tags.resource_type(aws_sdk_ec2::types::ResourceType::Instance).tags(tag).build();
        let request = clients.ec2.run_instances().image_id("ami-0aaaaaaaaaaaaaaa1").min_count(1).max_count(1);
        let request = request.instance_type(aws_sdk_ec2::types::InstanceType::M5Large).tag_specifications(tags);
        request.send().await.unwrap();
    }

    #[test]
    fn what_is_left_behind_is_found() {
        let server = Server::start();
        let told = server.seed(description());
        let url = server.url.clone();
        run(async move {
            let management = clients::session(&url, &region(HERE), ["testing", "testing", ""]);
            let before = snapshot(&management, &told).await;
            let members = accounts(&told, &SERVED);
            assert_eq!(before.wanted(&members).len(), 3 * 4);
            assert_eq!((before.groups.len(), before.converted().len()), (3 * 6 + 2 * 2, 0));
            assert!(before.left_behind(&before).is_empty() && before.touched(&before).is_empty());
            let others = accounts(&told, &[DENIED, UNENROLLED]);
            assert!(others.len() == 2 && others.is_disjoint(&members));

            let (_, site) = sites(&told).remove(0);
            let clients = clients::of(&management, &site).await;
            orphan(&clients).await;
            let request = clients.groups.update_auto_scaling_group().auto_scaling_group_name("web").max_size(9);
            request.send().await.unwrap();
            let request = clients.groups.suspend_processes().auto_scaling_group_name("full");
            request.scaling_processes("Launch").send().await.unwrap();
            let after = snapshot(&management, &told).await;
            let found = after.left_behind(&before);
            assert_eq!(found.len(), 3, "{found:?}");
            assert!(after.touched(&before).is_empty());
            let control = Control::new(&url);
            assert!(changes(&control, site.account, 0).await.is_empty(), "nothing of this is the program's");
        });
    }
}
