//! `AwsCloud`: core's `Look` and `Act` over the SDK.
//!
//! Knows how a call is made ready, sent, judged and told of. What the calls say and ask stands in the module of each
//! service.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use spothub_core::catalog::Catalog;
use spothub_core::commitment::{Commitment, Running};
use spothub_core::fault::Fault;
use spothub_core::group::{Alarm, Extras, GroupView, Source};
use spothub_core::id::{
    AccountId, BalancerName, ClusterName, ContainerArn, GroupKey, GroupName, InstanceId, ProfileName, RoleArn, Site,
    TargetGroupArn,
};
use spothub_core::port::{
    Act, Activity, Cause, Clock, Commitments, ContainerSeen, Decrement, InstanceSeen, Launch, Launched, Look, RunState,
    TargetState, TemplateFacts,
};
use spothub_core::time::Timestamp;

use crate::action::{Action, Observer, tell};
use crate::client::{Client, Clients};
use crate::fault::{Heard, judge, judge_own};
use crate::group::Memos;
use crate::recipe::Recipes;
use crate::session::{Kind, Sessions, Sts};
use crate::settings::{HubId, Settings};
use crate::zone::Zones;

/// AWS as the engine asks it: every member account through its sessions.
pub struct AwsCloud {
    pub(crate) catalog: &'static Catalog,
    pub(crate) hub: HubId,
    pub(crate) memos: Mutex<Memos>,
    pub(crate) zones: Mutex<Zones>,
    pub(crate) recipes: Mutex<Recipes>,
    clock: Arc<dyn Clock>,
    sessions: Sessions,
    clients: Clients,
    observer: Arc<dyn Observer>,
}

impl fmt::Debug for AwsCloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsCloud").field("sessions", &self.sessions).finish_non_exhaustive()
    }
}

/// A lock that is never held over an await.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AwsCloud {
    /// The cloud that `base` (see [`load`](crate::load)) reaches. It makes no call by itself.
    #[must_use]
    pub fn new(
        base: SdkConfig,
        settings: Settings,
        catalog: &'static Catalog,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let home = aws_config::Region::new(settings.home.as_str().to_owned());
        let sts = aws_sdk_sts::Client::new(&base.to_builder().region(home).build());
        let hub = settings.hub.clone();
        let sessions = Sessions::new(settings, Arc::clone(&clock), Arc::new(Sts::new(sts, Arc::clone(&observer))));
        Self {
            catalog,
            hub,
            memos: Mutex::new(Memos::empty()),
            zones: Mutex::new(Zones::empty()),
            recipes: Mutex::new(Recipes::empty()),
            clock,
            sessions,
            clients: Clients::new(base),
            observer,
        }
    }

    /// The sessions: which accounts are set aside, and why.
    #[must_use]
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A line to a site: calls are sent over it one after the other.
    pub(crate) fn line<'a>(&'a self, site: &'a Site, kind: Kind, cause: Cause<'a>) -> Line<'a> {
        let client = self.clients.of(site, kind, self.now(), || self.sessions.of(site, kind));
        Line { cloud: self, client, site, cause }
    }
}

/// Clients of one site, for one cause.
pub(crate) struct Line<'a> {
    pub(crate) cloud: &'a AwsCloud,
    pub(crate) client: Arc<Client>,
    pub(crate) site: &'a Site,
    pub(crate) cause: Cause<'a>,
}

/// A call that failed: the fault, and the words behind it for the few that need them.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) fault: Fault,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl From<Failed> for Fault {
    fn from(failed: Failed) -> Self {
        failed.fault
    }
}

/// Characters of an error message that are kept while its call is dealt with.
const MESSAGE_MAX: usize = 4096;

impl Line<'_> {
    /// Sends one call and judges its answer. Nothing is sent without a good session. `about` is the one instance that
    /// the call is about, if any.
    pub(crate) fn call<T: Send, E: ProvideErrorMetadata + Send>(
        &self,
        action: Action,
        about: Option<&InstanceId>,
        sending: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    ) -> impl Future<Output = Result<T, Failed>> + Send {
        // A request's future is some 20 KiB: on the heap at once, or every caller's would carry it.
        let sending = Box::pin(sending);
        async move {
            if let Some(session) = &self.client.session {
                let ready = self.cloud.sessions.ready(session).await;
                ready.map_err(|fault| Failed { fault, code: String::new(), message: String::new() })?;
            }
            let sent_at = self.cloud.now();
            let answer = sending.await.map_err(|error| self.failed(&error, action, about));
            let told = answer.as_ref().map(|_| ()).map_err(|failed| failed.fault.clone());
            tell(&*self.cloud.observer, Some(self.site), action, self.cause, Some(sent_at), &told);
            answer
        }
    }

    fn failed<E: ProvideErrorMetadata>(
        &self,
        error: &SdkError<E, HttpResponse>,
        action: Action,
        about: Option<&InstanceId>,
    ) -> Failed {
        let heard = Heard::new(error);
        if let Some(session) = self.client.session.as_ref().filter(|_| heard.spoils_session()) {
            session.spoil();
        }
        // Without a session it was made with the hub's own credentials.
        let judge = if self.client.session.is_some() { judge } else { judge_own };
        let fault = judge(&heard, action, about);
        let (code, message) = heard.told();
        let (account, region) = (self.site.account, &self.site.region);
        if matches!(fault, Fault::Invalid(_) | Fault::Unreachable(_)) {
            tracing::warn!(account = %account, region = %region, action = action.iam(), code, said = message,
                "a call was refused");
        } else {
            let fault = fault.label();
            tracing::debug!(account = %account, region = %region, action = action.iam(), fault, code, said = message,
                "a call failed");
        }
        let message = heard.message.unwrap_or_default().chars().take(MESSAGE_MAX).collect();
        Failed { fault, code: code.to_owned(), message }
    }
}

#[async_trait]
impl Look for AwsCloud {
    async fn groups(
        &self,
        site: &Site,
        names: Option<&[GroupName]>,
        cause: Cause<'_>,
    ) -> Result<Vec<GroupView>, Fault> {
        self.line(site, Kind::Looking, cause).groups(names).await
    }

    async fn extras(&self, group: &GroupKey, cause: Cause<'_>) -> Result<Extras, Fault> {
        self.line(&group.site, Kind::Looking, cause).extras(group).await
    }

    async fn alarms(&self, site: &Site, names: &[String], cause: Cause<'_>) -> Result<Vec<Alarm>, Fault> {
        self.line(site, Kind::Looking, cause).alarms(names).await
    }

    async fn template(&self, group: &GroupKey, source: &Source, cause: Cause<'_>) -> Result<TemplateFacts, Fault> {
        let recipe = self.line(&group.site, Kind::Looking, cause).recipe(group, source).await?;
        Ok(recipe.facts.clone())
    }

    async fn profile(&self, site: &Site, profile: &ProfileName, cause: Cause<'_>) -> Result<Option<RoleArn>, Fault> {
        self.line(site, Kind::Looking, cause).profile(profile).await
    }

    async fn instances(&self, site: &Site, ids: &[InstanceId], cause: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault> {
        self.line(site, Kind::Looking, cause).instances(ids).await
    }

    async fn managed(&self, site: &Site, cause: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault> {
        self.line(site, Kind::Looking, cause).managed().await
    }

    async fn status(
        &self,
        site: &Site,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<(InstanceId, RunState)>, Fault> {
        self.line(site, Kind::Looking, cause).status(ids).await
    }

    async fn marked(
        &self,
        site: &Site,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<(InstanceId, Timestamp)>, Fault> {
        self.line(site, Kind::Looking, cause).marked(ids).await
    }

    async fn target(
        &self,
        site: &Site,
        group: &TargetGroupArn,
        id: &InstanceId,
        cause: Cause<'_>,
    ) -> Result<TargetState, Fault> {
        self.line(site, Kind::Looking, cause).target(group, id).await
    }

    async fn balancer(
        &self,
        site: &Site,
        name: &BalancerName,
        id: &InstanceId,
        cause: Cause<'_>,
    ) -> Result<TargetState, Fault> {
        self.line(site, Kind::Looking, cause).balancer(name, id).await
    }

    async fn containers(
        &self,
        site: &Site,
        cluster: &ClusterName,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<ContainerSeen>, Fault> {
        self.line(site, Kind::Looking, cause).containers(cluster, ids).await
    }

    async fn activities(&self, group: &GroupKey, since: Timestamp, cause: Cause<'_>) -> Result<Vec<Activity>, Fault> {
        self.line(&group.site, Kind::Looking, cause).activities(&group.name, since).await
    }
}

#[async_trait]
impl Act for AwsCloud {
    async fn admit(&self, _: &Site, _: Cause<'_>) -> Result<(), Fault> {
        Ok(())
    }

    async fn launch(&self, launch: &Launch<'_>, cause: Cause<'_>) -> Result<Launched, Fault> {
        crate::launch::launch(self, launch, cause).await
    }

    async fn terminate(&self, site: &Site, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault> {
        self.line(site, Kind::Acting, cause).terminate(id).await
    }

    async fn set_max(&self, group: &GroupKey, max: u32, cause: Cause<'_>) -> Result<(), Fault> {
        self.line(&group.site, Kind::Acting, cause).set_max(&group.name, max).await
    }

    async fn attach(&self, group: &GroupKey, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault> {
        self.line(&group.site, Kind::Acting, cause).attach(&group.name, id).await
    }

    async fn drain(
        &self,
        group: &GroupKey,
        cluster: &ClusterName,
        container: &ContainerArn,
        drains: bool,
        cause: Cause<'_>,
    ) -> Result<(), Fault> {
        self.line(&group.site, Kind::Acting, cause).drain(cluster, container, drains).await
    }

    async fn retire(
        &self,
        group: &GroupKey,
        id: &InstanceId,
        decrement: Decrement,
        cause: Cause<'_>,
    ) -> Result<(), Fault> {
        self.line(&group.site, Kind::Acting, cause).retire(id, decrement).await
    }
}

/// AWS's commitments, with the account that pays where the settings name it.
#[derive(Debug)]
pub struct AwsCommitments {
    cloud: Arc<AwsCloud>,
    payer: Option<AccountId>,
}

impl AwsCommitments {
    /// Those that `cloud` reaches.
    #[must_use]
    pub const fn new(cloud: Arc<AwsCloud>, payer: Option<AccountId>) -> Self {
        Self { cloud, payer }
    }
}

#[async_trait]
impl Commitments for AwsCommitments {
    fn payer(&self) -> Option<AccountId> {
        self.payer
    }

    async fn reserved(&self, site: &Site) -> Result<Vec<Commitment>, Fault> {
        self.cloud.line(site, Kind::Looking, Cause::default()).reserved().await
    }

    async fn plans(&self, via: &Site) -> Result<Vec<Commitment>, Fault> {
        self.cloud.line(via, Kind::Looking, Cause::default()).plans().await
    }

    async fn running(&self, site: &Site) -> Result<Running, Fault> {
        self.cloud.line(site, Kind::Looking, Cause::default()).running().await
    }
}
