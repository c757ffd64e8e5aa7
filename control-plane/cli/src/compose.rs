//! Ports for AWS from settings: what `run` works with, and the part of it that only looks, for `plan`.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::anyhow;
use async_trait::async_trait;
use spothub_aws::{
    AwsCloud, AwsCommitments, AwsPlacement, AwsPrices, FixedDirectory, Home, Observer, OrgDirectory, SdkConfig,
    Settings, SqsInbox, SsmPolicies, TimeOuts,
};
use spothub_core::catalog::{Catalog, Product};
use spothub_core::fault::Fault;
use spothub_core::id::{Region, RoleArn};
use spothub_core::port::{
    Act, Clock, Commitments, Directory, Inbox, Journal, Lane, Message, Placement, Policies, Prices, Published, Receipt,
    Store, Unpublished,
};
use spothub_core::time::Span;
use spothub_hub::Ports;
use spothub_hub::limit::Throttled;

use crate::config::{Accounts, Config, Reach, Source};
use crate::local::Local;
use crate::output::remedy;

/// Whether what is found may be acted on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hands {
    /// It may.
    Given,
    /// A dry run: nothing that changes is ever called, and messages are left to whoever acts on them.
    None,
}

/// What does not come from settings.
pub(crate) struct Parts {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) hands: Hands,
    /// Another one at every start.
    pub(crate) seed: u64,
}

/// The organization, within reach of the hub's own session.
pub(crate) struct Reached {
    /// The same without rate limits: for the few calls that are not the engine's.
    pub(crate) aws: Arc<AwsCloud>,
    /// Reads member accounts, and could change them: whoever only looks hands on the reading half.
    pub(crate) cloud: Arc<Throttled<AwsCloud>>,
    pub(crate) prices: Arc<dyn Prices>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) home: Arc<Home>,
}

/// The ports of an engine that runs.
pub(crate) async fn ports(config: &Config, parts: Parts) -> anyhow::Result<Ports> {
    let Parts { clock, store, journal, observer, hands, seed } = parts;
    let Reached { aws, cloud, prices, directory, home } = reach(&config.reach, &clock, observer, seed).await?;
    let commitments = commitments(&config.reach, aws);
    let placement = placement(&config.reach, &home);
    let stands = config.reach.engine.policy_as_it_stands;
    let policies = policies(&config.reach.policies, stands, &home, &clock);
    let (act, inbox): (Option<Arc<dyn Act>>, Arc<dyn Inbox>) = match hands {
        Hands::Given => {
            let queues = SqsInbox::new(home, Arc::clone(&clock), config.queues.clone());
            (Some(cloud.clone()), Arc::new(queues))
        }
        Hands::None => (None, Arc::new(Unread)),
    };
    Ok(Ports { look: cloud, act, prices, directory, store, inbox, clock, journal, policies, commitments, placement })
}

/// What is paid for anyway; `None` where the settings say that nobody asks.
pub(crate) fn commitments(reach: &Reach, aws: Arc<AwsCloud>) -> Option<Arc<dyn Commitments>> {
    reach.commitments.then(|| Arc::new(AwsCommitments::new(aws, reach.payer)) as Arc<dyn Commitments>)
}

/// What EC2 says of the chance of Spot capacity; `None` where the settings allow no question.
fn placement(reach: &Reach, home: &Arc<Home>) -> Option<Arc<dyn Placement>> {
    (reach.engine.scores_a_day > 0).then(|| Arc::new(AwsPlacement::new(Arc::clone(home), Catalog::embedded())) as _)
}

/// Where policy is published; `None` where the built-in one is in force as it stands.
pub(crate) fn policies(
    source: &Source,
    stands: bool,
    home: &Arc<Home>,
    clock: &Arc<dyn Clock>,
) -> Option<Arc<dyn Policies>> {
    Some(match source {
        Source::Nowhere if stands => return None,
        Source::Nowhere => Arc::new(Nowhere),
        Source::Files(paths) => Arc::new(Local { paths: paths.clone() }),
        Source::Parameter(name) => Arc::new(SsmPolicies::new(Arc::clone(home), Arc::clone(clock), name.clone(), None)),
    })
}

/// No policy is named: nothing is in force but what the store remembers.
struct Nowhere;

#[async_trait]
impl Policies for Nowhere {
    async fn read(&self) -> Result<Published, Unpublished> {
        let remedy = "name it under policies in the settings; policy-as-it-stands takes the built-in one";
        Err(Unpublished::Absent(format!("no policy is named\n   = {remedy}")))
    }
}

/// What settings reach. Brings the catalogue up to date first: types are known by their place in it from then on.
pub(crate) async fn reach(
    config: &Reach,
    clock: &Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    seed: u64,
) -> anyhow::Result<Reached> {
    let base =
        session(&config.home, config.hub_role.as_ref(), config.time_outs, Arc::clone(clock), Arc::clone(&observer));
    let base = base.await?;
    let home = Home::new(base.clone(), Arc::clone(&observer));
    let catalog = catalog(config, &home, clock).await;
    let settings = Settings {
        home: config.home.clone(),
        hub: config.hub.clone(),
        role: config.role.clone(),
        external_id: config.external_id.clone(),
        own: config.own,
        noise: seed,
    };
    let aws = Arc::new(AwsCloud::new(base, settings, catalog, Arc::clone(clock), observer));
    let cloud = Arc::new(Throttled::new(
        Arc::clone(&aws),
        Arc::clone(clock),
        config.engine.limiter_wait_max,
        config.engine.shares.clone(),
    ));
    let directory: Arc<dyn Directory> = match &config.accounts {
        Accounts::List(accounts) => Arc::new(FixedDirectory::new(accounts.clone())),
        Accounts::Organization(enrolment) => {
            let (clock, regions) = (Arc::clone(clock), config.regions.clone());
            Arc::new(OrgDirectory::new(Arc::clone(&home), clock, enrolment.clone(), regions))
        }
    };
    let prices = Arc::new(AwsPrices::new(Arc::clone(&home), Arc::clone(clock), catalog));
    Ok(Reached { aws, cloud, prices, directory, home })
}

/// The hub's own session: the credentials that the SDK finds, or the hub's role where it is to be assumed first.
pub(crate) async fn session(
    home: &Region,
    role: Option<&RoleArn>,
    time_outs: TimeOuts,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
) -> anyhow::Result<SdkConfig> {
    let own = spothub_aws::load(home, time_outs).await;
    let Some(role) = role else { return Ok(own) };
    spothub_aws::as_hub(own, role, home, clock, observer).await.map_err(|error| {
        let fault = error.fault();
        let remedy = if matches!(fault, Fault::Denied(_)) {
            "name the caller in OperatorArns of the hub's stack, and allow it sts:AssumeRole on the role; or leave \
             hub-role out, where these credentials are the hub's own"
        } else {
            remedy::of(fault.label())
        };
        anyhow!("{error}: {fault}\n   = {remedy}")
    })
}

/// Another number at every start, also of two containers in the same millisecond: session names, swap ids, the worker's
/// name and the names of its writes come from it.
#[expect(clippy::disallowed_types, reason = "the system's own chance, taken once")]
pub(crate) fn seed(clock: &dyn Clock) -> u64 {
    std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), (clock.now().0, std::process::id()))
}

/// Newer types and prices laid over the embedded ones, as far as they can be had in time.
async fn catalog(config: &Reach, home: &Arc<Home>, clock: &Arc<dyn Clock>) -> &'static Catalog {
    if config.catalogue.0 <= 0 {
        return Catalog::in_use();
    }
    let regions: &BTreeSet<Region> = &config.regions;
    let give_up = clock.now() + config.catalogue;
    let refreshed = spothub_aws::refresh(home, clock.as_ref(), regions, &Product::ALL, give_up).await;
    let (types, zones, prices) = refreshed.overlay.counts();
    tracing::info!(types, zones, prices, failed = refreshed.failed.len(), "the catalogue was brought up to date");
    // Refused only where this process installed one before, and then that one serves.
    Catalog::embedded().with_overlay(&refreshed.overlay).install().unwrap_or_else(|_| Catalog::in_use())
}

/// Queues that nobody reads.
struct Unread;

#[async_trait]
impl Inbox for Unread {
    async fn receive(&self, _: Lane, _: usize) -> Result<Vec<Message>, Fault> {
        std::future::pending().await
    }

    async fn later(&self, _: Lane, _: String, _: Span) -> Result<(), Fault> {
        Ok(())
    }

    async fn delete(&self, _: Lane, _: &[Receipt]) -> Result<(), Fault> {
        Ok(())
    }
}
