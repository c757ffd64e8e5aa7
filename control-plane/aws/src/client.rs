//! SDK clients: one set for each account, region and kind of session, kept while in use.
//!
//! Knows how a client is configured; knows no API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::meta::region::{ProvideRegion, RegionProviderChain};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::{Builder, ConnectorBuilder, proxy, tls};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::app_name::AppName;
use aws_types::sdk_ua_metadata::FrameworkMetadata;
use spothub_core::id::{Region, Site};
use spothub_core::time::{Span, Timestamp};

use crate::session::{Kind, Session, Signer};
use crate::settings::TimeOuts;

/// A client that nobody used for so long is dropped.
const IDLE_MAX: Span = Span::mins(20);
/// Clients kept at most; beyond it the one used longest ago goes. A set weighs some 100 KiB once all its services
/// were used, so this is a few hundred MiB in the worst case.
const KEPT_MAX: usize = 2048;
/// Attempts of one call: the first and two repeats.
const ATTEMPTS_MAX: u32 = 3;

/// Loads the SDK's own configuration (profile, environment, instance or task role) for the hub's account in its home
/// region. Asked once, at the start: nothing else in this crate reads the environment.
pub async fn load(home: &Region, time_outs: TimeOuts) -> SdkConfig {
    loaded(aws_config::Region::new(home.as_str().to_owned()), time_outs).await
}

/// The same for who has no home region yet: in the session's own, or in another where it has none.
pub async fn load_anywhere(or: &Region, time_outs: TimeOuts) -> SdkConfig {
    let own = RegionProviderChain::default_provider().or_else(aws_config::Region::new(or.as_str().to_owned()));
    loaded(own, time_outs).await
}

async fn loaded(region: impl ProvideRegion + 'static, time_outs: TimeOuts) -> SdkConfig {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .http_client(http_client())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
        .timeout_config(timeouts(time_outs));
    let loader = match AppName::new(format!("spothub-{}", env!("CARGO_PKG_VERSION"))) {
        Ok(name) => loader.app_name(name),
        Err(_) => loader,
    };
    let config = loader.load().await;
    match FrameworkMetadata::new("spothub", Some(env!("CARGO_PKG_VERSION"))) {
        Ok(product) => config.into_builder().framework_metadata(product).build(),
        Err(_) => config,
    }
}

fn timeouts(time_outs: TimeOuts) -> TimeoutConfig {
    let span = |span: Span| Duration::from_millis(u64::try_from(span.0).unwrap_or(0).max(1));
    TimeoutConfig::builder()
        .operation_timeout(span(time_outs.operation))
        .operation_attempt_timeout(span(time_outs.attempt))
        .build()
}

/// The SDK's default client, but one for all: each would load the certificates and open connections of its own.
fn http_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
        let mut connector = ConnectorBuilder::default().tls_provider(provider);
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.set_proxy_config(Some(proxy::ProxyConfig::from_env()));
        connector.build()
    })
}

/// The clients of one account, region and kind; each service's is made on first use.
pub(crate) struct Client {
    pub(crate) session: Option<Arc<Session>>,
    config: SdkConfig,
    ec2: OnceLock<aws_sdk_ec2::Client>,
    groups: OnceLock<aws_sdk_autoscaling::Client>,
    targets: OnceLock<aws_sdk_elasticloadbalancingv2::Client>,
    alarms: OnceLock<aws_sdk_cloudwatch::Client>,
    balancers: OnceLock<aws_sdk_elasticloadbalancing::Client>,
    clusters: OnceLock<aws_sdk_ecs::Client>,
}

impl Client {
    fn new(base: &SdkConfig, region: &Region, session: Option<Arc<Session>>) -> Self {
        let mut builder = base.to_builder().region(aws_config::Region::new(region.as_str().to_owned()));
        if let Some(session) = &session {
            // The session itself is what is kept; a cache in front of it would outlive a refresh.
            builder = builder
                .credentials_provider(SharedCredentialsProvider::new(Signer(Arc::clone(session))))
                .identity_cache(IdentityCache::no_cache());
        }
        let config = builder.build();
        let (ec2, groups, targets, alarms, balancers, clusters) = Default::default();
        Self { session, config, ec2, groups, targets, alarms, balancers, clusters }
    }

    /// What a client of any other service is made with.
    pub(crate) const fn config(&self) -> &SdkConfig {
        &self.config
    }

    pub(crate) fn ec2(&self) -> &aws_sdk_ec2::Client {
        self.ec2.get_or_init(|| aws_sdk_ec2::Client::new(&self.config))
    }

    pub(crate) fn groups(&self) -> &aws_sdk_autoscaling::Client {
        self.groups.get_or_init(|| aws_sdk_autoscaling::Client::new(&self.config))
    }

    pub(crate) fn targets(&self) -> &aws_sdk_elasticloadbalancingv2::Client {
        self.targets.get_or_init(|| aws_sdk_elasticloadbalancingv2::Client::new(&self.config))
    }

    pub(crate) fn balancers(&self) -> &aws_sdk_elasticloadbalancing::Client {
        self.balancers.get_or_init(|| aws_sdk_elasticloadbalancing::Client::new(&self.config))
    }

    pub(crate) fn clusters(&self) -> &aws_sdk_ecs::Client {
        self.clusters.get_or_init(|| aws_sdk_ecs::Client::new(&self.config))
    }

    pub(crate) fn alarms(&self) -> &aws_sdk_cloudwatch::Client {
        self.alarms.get_or_init(|| aws_sdk_cloudwatch::Client::new(&self.config))
    }
}

/// The clients that are kept.
pub(crate) struct Clients {
    base: SdkConfig,
    kept: Mutex<BTreeMap<(Site, Kind), Kept>>,
}

struct Kept {
    client: Arc<Client>,
    used_at: Timestamp,
}

impl Clients {
    pub(crate) fn new(base: SdkConfig) -> Self {
        Self { base, kept: Mutex::default() }
    }

    /// The clients of a site, made with `session` where there are none yet.
    pub(crate) fn of(
        &self,
        site: &Site,
        kind: Kind,
        now: Timestamp,
        session: impl FnOnce() -> Option<Arc<Session>>,
    ) -> Arc<Client> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (site.clone(), kind);
        if let Some(found) = kept.get_mut(&key) {
            found.used_at = now;
            return Arc::clone(&found.client);
        }
        kept.retain(|_, other| now.since(other.used_at) < IDLE_MAX);
        if kept.len() >= KEPT_MAX
            && let Some(oldest) = kept.iter().min_by_key(|(_, k)| k.used_at).map(|(key, _)| key.clone())
        {
            kept.remove(&oldest);
        }
        let client = Arc::new(Client::new(&self.base, &site.region, session()));
        kept.insert(key, Kept { client: Arc::clone(&client), used_at: now });
        client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(n: u64) -> Site {
        Site { account: spothub_core::id::AccountId::from_number(n).unwrap(), region: "eu-west-1".parse().unwrap() }
    }

    fn base() -> SdkConfig {
        SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build()
    }

    #[test]
    fn clients_are_kept_while_in_use() {
        let clients = Clients::new(base());
        let at = |n, now| clients.of(&site(n), Kind::Looking, now, || None);
        let first = at(1, Timestamp(0));
        assert!(Arc::ptr_eq(&first, &at(1, Timestamp(0) + Span::mins(15))));
        at(2, Timestamp(0) + Span::mins(30));
        assert!(Arc::ptr_eq(&first, &at(1, Timestamp(0) + Span::mins(31))), "used a quarter of an hour ago");
        at(3, Timestamp(0) + Span::mins(60));
        assert_eq!(clients.kept.lock().unwrap().len(), 1);
        assert!(!Arc::ptr_eq(&first, &at(1, Timestamp(0) + Span::mins(60))));
    }

    #[test]
    fn there_is_a_cap() {
        let clients = Clients::new(base());
        for n in 0..KEPT_MAX as u64 + 5 {
            clients.of(&site(n), Kind::Acting, Timestamp(i64::try_from(n).unwrap()), || None);
        }
        let kept = clients.kept.lock().unwrap();
        assert_eq!(kept.len(), KEPT_MAX);
        assert!(!kept.contains_key(&(site(0), Kind::Acting)));
    }
}
