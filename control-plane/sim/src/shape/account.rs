//! What one account is, and what its role may do.

use std::collections::BTreeMap;

use spothub_core::commitment::Commitment;
use spothub_core::id::{AccountId, OuPath, Region};

use super::Window;

/// One account.
#[derive(Clone, Debug)]
pub struct AccountShape {
    /// Its id.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Its organizational unit.
    pub ou: OuPath,
    /// Its tags in the directory.
    pub tags: BTreeMap<String, String>,
    /// The regions that it uses and the hub serves. Groups may also be in others: those are not served.
    pub regions: Vec<Region>,
    /// ACTIVE in the directory. Default true.
    pub active: bool,
    /// Listed by the directory. Its events come either way. Default true.
    pub enrolled: bool,
    /// When the role is refused every changing call. Default never.
    pub denied: Option<Window>,
    /// Actions that the role lacks, each for a part of the run. Default none.
    pub lacks: BTreeMap<&'static str, Window>,
    /// When the role cannot be assumed at all. Default never.
    pub unreachable: Option<Window>,
    /// Spot vCPUs that it may run in each region. Default no limit.
    pub spot_vcpu_quota: Option<u32>,
    /// Reserved instances and Savings Plans that it has bought. Default none.
    pub commitments: Vec<Commitment>,
}

impl AccountShape {
    /// An ordinary account.
    #[must_use]
    pub fn new(id: AccountId, name: &str, ou: OuPath, regions: Vec<Region>) -> Self {
        Self {
            id,
            name: name.to_owned(),
            ou,
            tags: BTreeMap::new(),
            regions,
            active: true,
            enrolled: true,
            denied: None,
            lacks: BTreeMap::new(),
            unreachable: None,
            spot_vcpu_quota: None,
            commitments: Vec::new(),
        }
    }
}
