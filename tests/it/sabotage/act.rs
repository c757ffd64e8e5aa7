//! Hands that slip: a decorator of core's `Act` for each call done wrongly, twice, or not at all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use spothub_core::cloud::{Decrement, Launched};
use spothub_core::fault::Fault;
use spothub_core::id::{ClusterName, ContainerArn, GroupKey, InstanceId, Site, SwapId};
use spothub_core::port::{Act, Cause, Launch};

/// What slips; the rest is done as asked.
#[async_trait]
pub(crate) trait Slip: Send + Sync {
    /// CreateFleet or RunInstances.
    async fn launch(&self, inner: &dyn Act, launch: &Launch<'_>, cause: Cause<'_>) -> Result<Launched, Fault> {
        inner.launch(launch, cause).await
    }

    /// TerminateInstances.
    async fn terminate(&self, inner: &dyn Act, site: &Site, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault> {
        inner.terminate(site, id, cause).await
    }

    /// UpdateAutoScalingGroup.
    async fn set_max(&self, inner: &dyn Act, group: &GroupKey, max: u32, cause: Cause<'_>) -> Result<(), Fault> {
        inner.set_max(group, max, cause).await
    }

    /// AttachInstances.
    async fn attach(&self, inner: &dyn Act, group: &GroupKey, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault> {
        inner.attach(group, id, cause).await
    }
}

/// A hand that slips.
pub(crate) struct Hands<S> {
    inner: Arc<dyn Act>,
    slip: S,
}

impl<S: Slip + 'static> Hands<S> {
    pub(crate) fn with(slip: S, inner: Option<&Arc<dyn Act>>) -> Option<Arc<dyn Act>> {
        inner.map(|inner| Arc::new(Self { inner: Arc::clone(inner), slip }) as Arc<dyn Act>)
    }
}

#[async_trait]
impl<S: Slip> Act for Hands<S> {
    async fn admit(&self, site: &Site, cause: Cause<'_>) -> Result<(), Fault> {
        self.inner.admit(site, cause).await
    }

    async fn launch(&self, launch: &Launch<'_>, cause: Cause<'_>) -> Result<Launched, Fault> {
        self.slip.launch(&*self.inner, launch, cause).await
    }

    async fn terminate(&self, site: &Site, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault> {
        self.slip.terminate(&*self.inner, site, id, cause).await
    }

    async fn set_max(&self, group: &GroupKey, max: u32, cause: Cause<'_>) -> Result<(), Fault> {
        self.slip.set_max(&*self.inner, group, max, cause).await
    }

    async fn attach(&self, group: &GroupKey, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault> {
        self.slip.attach(&*self.inner, group, id, cause).await
    }

    async fn drain(
        &self,
        group: &GroupKey,
        cluster: &ClusterName,
        container: &ContainerArn,
        drains: bool,
        cause: Cause<'_>,
    ) -> Result<(), Fault> {
        self.inner.drain(group, cluster, container, drains, cause).await
    }

    async fn retire(
        &self,
        group: &GroupKey,
        id: &InstanceId,
        decrement: Decrement,
        cause: Cause<'_>,
    ) -> Result<(), Fault> {
        self.inner.retire(group, id, decrement, cause).await
    }
}

/// Takes the old one out as soon as the new one is launched.
pub(crate) struct RetiresFirst;

#[async_trait]
impl Slip for RetiresFirst {
    async fn launch(&self, inner: &dyn Act, launch: &Launch<'_>, cause: Cause<'_>) -> Result<Launched, Fault> {
        let launched = inner.launch(launch, cause).await?;
        inner.retire(launch.group, launch.replaces, Decrement::Yes, cause).await.ok();
        Ok(launched)
    }
}

/// Says that it attached, and did not.
pub(crate) struct NeverAttaches;

#[async_trait]
impl Slip for NeverAttaches {
    async fn attach(&self, _: &dyn Act, _: &GroupKey, _: &InstanceId, _: Cause<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

/// Raises MaxSize and forgets to put it back.
#[derive(Default)]
pub(crate) struct ForgetsMax(Mutex<BTreeMap<GroupKey, u32>>);

#[async_trait]
impl Slip for ForgetsMax {
    async fn set_max(&self, inner: &dyn Act, group: &GroupKey, max: u32, cause: Cause<'_>) -> Result<(), Fault> {
        let raised = self.0.lock().unwrap().insert(group.clone(), max);
        if raised.is_some_and(|raised| max < raised) {
            return Ok(());
        }
        inner.set_max(group, max, cause).await
    }
}

/// Begins a second swap beside each one.
#[derive(Default)]
pub(crate) struct SwapsTwice(AtomicU64);

#[async_trait]
impl Slip for SwapsTwice {
    async fn launch(&self, inner: &dyn Act, launch: &Launch<'_>, cause: Cause<'_>) -> Result<Launched, Fault> {
        let launched = inner.launch(launch, cause).await?;
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        let swap = SwapId::from_number(0xdead_0000_0000_0000 + number, false);
        let token = format!("{swap}-launch-0");
        let again = Launch { token: &token, swap: &swap, ..launch.clone() };
        inner.launch(&again, Cause { swaps: std::slice::from_ref(&swap), ..cause }).await.ok();
        Ok(launched)
    }
}

/// Launches without an answer, and once more when asked again: the token does not keep it from that.
#[derive(Default)]
pub(crate) struct IgnoresToken(Mutex<BTreeMap<String, u32>>);

#[async_trait]
impl Slip for IgnoresToken {
    async fn launch(&self, inner: &dyn Act, launch: &Launch<'_>, cause: Cause<'_>) -> Result<Launched, Fault> {
        let time = {
            let mut times = self.0.lock().unwrap();
            let times = times.entry(launch.token.to_owned()).or_default();
            *times += 1;
            *times
        };
        let token = format!("{}-{time}", launch.token);
        let launched = inner.launch(&Launch { token: &token, ..launch.clone() }, cause).await?;
        if time == 1 { Err(Fault::Unclear) } else { Ok(launched) }
    }
}

/// Says that it ended an instance, and did not.
pub(crate) struct NeverTerminates;

#[async_trait]
impl Slip for NeverTerminates {
    async fn terminate(&self, _: &dyn Act, _: &Site, _: &InstanceId, _: Cause<'_>) -> Result<(), Fault> {
        Ok(())
    }
}
