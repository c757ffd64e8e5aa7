//! Zone names to zone ids: each account has its own letters.

use std::collections::BTreeMap;
use std::sync::Arc;

use spothub_core::fault::Fault;
use spothub_core::id::{AzId, Site};
use spothub_core::time::{Span, Timestamp};

use crate::action::Action;
use crate::bounded::Bounded;
use crate::cloud::{Line, lock};

/// A region gets a new zone once in years, and an account's letters never change.
const AGE_MAX: Span = Span::hours(24);
/// Sites remembered; a site is some ten short texts.
const SITES_MAX: usize = 20_000;

/// Names of one site with their ids.
pub(crate) type Names = Arc<BTreeMap<String, AzId>>;

/// What was read of the sites.
pub(crate) type Zones = Bounded<Site, (Timestamp, Names)>;

impl Zones {
    /// Nothing read yet.
    pub(crate) const fn empty() -> Self {
        Self::new(SITES_MAX)
    }
}

impl Line<'_> {
    /// Zone ids of this site by name: DescribeAvailabilityZones, once a day.
    pub(crate) async fn zones(&self) -> Result<Names, Fault> {
        let now = self.cloud.now();
        if let Some((at, names)) = lock(&self.cloud.zones).get(self.site)
            && now.since(at) < AGE_MAX
        {
            return Ok(names);
        }
        let sending = self.client.ec2().describe_availability_zones().send();
        let answer = self.call(Action::DescribeAvailabilityZones, None, sending).await?;
        let rows = answer.availability_zones.unwrap_or_default();
        let pair = |zone: aws_sdk_ec2::types::AvailabilityZone| Some((zone.zone_name?, zone.zone_id?.parse().ok()?));
        let names: Names = Arc::new(rows.into_iter().filter_map(pair).collect());
        lock(&self.cloud.zones).insert(self.site.clone(), (now, Arc::clone(&names)));
        Ok(names)
    }
}

/// The zone of an answer that gives its id, its name, or both. A name without an id stands for itself: it is no id of
/// any place, so nothing is priced there and the group is held.
pub(crate) fn place(id: Option<&str>, name: Option<&str>, names: &BTreeMap<String, AzId>) -> Option<AzId> {
    let given = id.and_then(|id| id.parse().ok());
    given.or_else(|| name.and_then(|name| names.get(name).cloned())).or_else(|| name.and_then(|n| n.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_win_over_names() {
        let names = BTreeMap::from([("eu-west-1a".to_owned(), "euw1-az3".parse().unwrap())]);
        let place = |id, name| place(id, name, &names).map(|az| az.to_string());
        assert_eq!(place(Some("euw1-az1"), Some("eu-west-1a")).as_deref(), Some("euw1-az1"));
        assert_eq!(place(None, Some("eu-west-1a")).as_deref(), Some("euw1-az3"));
        assert_eq!(place(Some("NOT ONE"), Some("eu-west-1z")).as_deref(), Some("eu-west-1z"));
        assert_eq!(place(None, Some("Not a zone")), None);
        assert_eq!(place(None, None), None);
    }
}
