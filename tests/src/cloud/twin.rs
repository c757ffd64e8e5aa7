//! A launch request for a Spot instance like a group's first member.

use spothub_core::catalog::Product;
use spothub_core::group::{Lifecycle, Source};
use spothub_core::id::{AzId, GroupKey, InstanceId, SubnetId, SwapId};
use spothub_core::market::Pool;
use spothub_core::money::UsdPerHour;
use spothub_core::port::{Launch, LaunchPool, Route};

use super::{Scene, cause, kind};

/// More than any Spot price of the types that cases launch.
const ENOUGH: UsdPerHour = UsdPerHour(90_000);

/// What a [`Launch`] borrows.
#[derive(Clone, Debug)]
pub struct Twin {
    /// For which group.
    pub group: GroupKey,
    /// Client token.
    pub token: String,
    /// What to launch from.
    pub source: Source,
    /// How to send it.
    pub route: Route,
    /// The pools.
    pub pools: Vec<LaunchPool>,
    /// Zone of the one it replaces.
    pub az: AzId,
    /// Subnet of the one it replaces.
    pub subnet: SubnetId,
    /// The operating system.
    pub product: Product,
    /// How it is bought.
    pub lifecycle: Lifecycle,
    /// The most to pay.
    pub max_price: UsdPerHour,
    /// The swap.
    pub swap: SwapId,
    /// The one it replaces.
    pub replaces: InstanceId,
}

impl Twin {
    /// A twin of the group's first member from pools of these types, in its zone and subnet.
    pub async fn of(scene: &Scene, key: &GroupKey, types: &[&str]) -> Self {
        let view = scene.view(key).await;
        let old = &view.members[0];
        let seen = scene.instance(&key.site, &old.id).await.unwrap();
        let facts = scene.look.template(key, &view.source, cause()).await.unwrap();
        Self {
            group: key.clone(),
            token: "sw-0000000000000001.1".to_owned(),
            source: facts.source,
            route: facts.route,
            pools: types.iter().map(|name| LaunchPool { kind: kind(name), quoted: UsdPerHour(35_000) }).collect(),
            az: old.az.clone(),
            subnet: seen.facts.subnet.clone(),
            product: facts.product,
            lifecycle: Lifecycle::Spot,
            max_price: ENOUGH,
            swap: SwapId::from_number(1, false),
            replaces: old.id.clone(),
        }
    }

    /// The same for another swap and under another token.
    #[must_use]
    pub fn again(&self, number: u64) -> Self {
        let swap = SwapId::from_number(number, false);
        Self { token: format!("{swap}.1"), swap, ..self.clone() }
    }

    /// The request.
    #[must_use]
    pub fn launch(&self) -> Launch<'_> {
        Launch {
            group: &self.group,
            token: &self.token,
            source: &self.source,
            route: self.route,
            pools: &self.pools,
            az: &self.az,
            subnet: &self.subnet,
            product: self.product,
            lifecycle: self.lifecycle,
            max_price: self.max_price,
            swap: &self.swap,
            replaces: &self.replaces,
        }
    }

    /// The pool of a type in the twin's zone.
    #[must_use]
    pub fn pool(&self, name: &str) -> Pool {
        Pool { az: self.az.clone(), kind: kind(name), product: self.product }
    }
}
