//! Clients that are not the adapter's: how a test does what owners do, and looks at what became of it.

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use spothub_core::id::{Region, Site};

/// The clients of one site.
pub(crate) struct Clients {
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) groups: aws_sdk_autoscaling::Client,
    pub(crate) alarms: aws_sdk_cloudwatch::Client,
    pub(crate) balancers: aws_sdk_elasticloadbalancing::Client,
    pub(crate) clusters: aws_sdk_ecs::Client,
    pub(crate) targets: aws_sdk_elasticloadbalancingv2::Client,
}

/// A session with keys, and with a name of its own, so that faults for the adapter pass it by.
pub(crate) fn session(url: &str, region: &Region, keys: [&str; 3]) -> SdkConfig {
    let token = Some(keys[2]).filter(|token| !token.is_empty()).map(ToOwned::to_owned);
    let credentials = Credentials::new(keys[0], keys[1], token, None, "tests");
    SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .endpoint_url(url)
        .region(aws_config::Region::new(region.to_string()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// A session in a member account, also of one that the hub has no role in: of the role by which an organization's
/// management account administers what it made.
pub(crate) async fn administrator(management: &SdkConfig, site: &Site) -> SdkConfig {
    let sts = aws_sdk_sts::Client::new(management);
    let role = format!("arn:aws:iam::{}:role/OrganizationAccountAccessRole", site.account);
    let request = sts.assume_role().role_arn(role).role_session_name("owner");
    let keys = request.send().await.unwrap().credentials.unwrap();
    let keys = [keys.access_key_id.as_str(), keys.secret_access_key.as_str(), keys.session_token.as_str()];
    session(management.endpoint_url().unwrap(), &site.region, keys)
}

impl Clients {
    /// The agent on an instance registers it in a cluster, which is made where there is none.
    pub(crate) async fn register(&self, cluster: &str, instance: &str) {
        self.clusters.create_cluster().cluster_name(cluster).send().await.unwrap();
        let document = serde_json::json!({"instanceId": instance}).to_string();
        let request = self.clusters.register_container_instance().cluster(cluster);
        request.instance_identity_document(document).send().await.unwrap();
    }
}

/// Clients of a member account, as its administrator has them.
pub(crate) async fn of(management: &SdkConfig, site: &Site) -> Clients {
    let session = administrator(management, site).await;
    Clients {
        ec2: aws_sdk_ec2::Client::new(&session),
        groups: aws_sdk_autoscaling::Client::new(&session),
        alarms: aws_sdk_cloudwatch::Client::new(&session),
        balancers: aws_sdk_elasticloadbalancing::Client::new(&session),
        clusters: aws_sdk_ecs::Client::new(&session),
        targets: aws_sdk_elasticloadbalancingv2::Client::new(&session),
    }
}
