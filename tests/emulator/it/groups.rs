//! Makes groups in a member account, and what they launch from, as their owners do.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_autoscaling::operation::create_auto_scaling_group::builders::CreateAutoScalingGroupFluentBuilder;
use aws_sdk_autoscaling::types as scaling;
use aws_sdk_ec2::types as ec2;
use serde_json::{Value, json};
use spothub_core::id::{GroupKey, Region};
use spothub_tests::cloud::{Image, Pin, Start, Wanted};

use crate::clients::Clients;

/// Numbers what is made, for names that must differ.
static MADE: AtomicUsize = AtomicUsize::new(1);

fn image(image: Image) -> &'static str {
    match image {
        Image::Linux => "ami-0aaaaaaaaaaaaaaa1",
        Image::LinuxArm => "ami-0aaaaaaaaaaaaaaa2",
        Image::Windows => "ami-0aaaaaaaaaaaaaaa3",
        Image::Rhel => "ami-0aaaaaaaaaaaaaaa4",
        Image::Suse => "ami-0aaaaaaaaaaaaaaa5",
    }
}

/// A network in a region that the seed made none in, told as the seed tells it.
pub(crate) async fn network(clients: &Clients, region: &Region) -> Value {
    let made = clients.ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
    let vpc = made.vpc.unwrap().vpc_id.unwrap();
    let zone = format!("{region}a");
    let request = clients.ec2.create_subnet().vpc_id(&vpc).cidr_block("10.0.0.0/20").availability_zone(&zone);
    let subnet = request.send().await.unwrap().subnet.unwrap().subnet_id.unwrap();
    let request = clients.ec2.create_security_group().vpc_id(&vpc).group_name("members").description("members");
    let group = request.send().await.unwrap().group_id.unwrap();
    json!({"vpc": vpc, "subnets": {zone: subnet}, "security_group": group})
}

/// A group being made: the clients of its site, and what the seed told of the site's network.
pub(crate) struct Maker<'a> {
    pub(crate) clients: &'a Clients,
    pub(crate) site: &'a Value,
}

impl Maker<'_> {
    fn subnets(&self) -> String {
        let subnets = self.site["subnets"].as_object().unwrap().values();
        subnets.map(|subnet| subnet.as_str().unwrap()).collect::<Vec<_>>().join(",")
    }

    fn security_group(&self) -> &str {
        self.site["security_group"].as_str().unwrap()
    }

    /// A launch template with one version; its id.
    pub(crate) async fn template(&self, wanted: &Wanted) -> String {
        let name = format!("template-{}", MADE.fetch_add(1, Ordering::Relaxed));
        let data = ec2::RequestLaunchTemplateData::builder()
            .image_id(image(wanted.image))
            .instance_type(ec2::InstanceType::from(wanted.kind))
            .set_security_group_ids((!wanted.default_vpc).then(|| vec![self.security_group().to_owned()]));
        let device = |n: u8| {
            let ebs = ec2::LaunchTemplateEbsBlockDeviceRequest::builder().volume_size(8).build();
            let name = format!("/dev/sd{}", char::from(b'a' + n));
            ec2::LaunchTemplateBlockDeviceMappingRequest::builder().device_name(name).ebs(ebs).build()
        };
        let devices: Vec<_> = (1..wanted.volumes).map(device).collect();
        let data = data.set_block_device_mappings((!devices.is_empty()).then_some(devices));
        let hibernation = || ec2::LaunchTemplateHibernationOptionsRequest::builder().configured(true).build();
        let data = data.set_hibernation_options(wanted.hibernates.then(hibernation));
        let request = self.clients.ec2.create_launch_template().launch_template_name(name);
        let made = request.launch_template_data(data.build()).send().await.unwrap();
        made.launch_template.unwrap().launch_template_id.unwrap()
    }

    /// A launch configuration; its name.
    async fn configuration(&self, wanted: &Wanted) -> String {
        let name = format!("configuration {}", MADE.fetch_add(1, Ordering::Relaxed));
        let request = self.clients.groups.create_launch_configuration().launch_configuration_name(&name);
        let request = request.image_id(image(wanted.image)).instance_type(wanted.kind);
        request.security_groups(self.security_group()).send().await.unwrap();
        name
    }

    /// The request with what the group launches from.
    async fn with_start(
        &self,
        request: CreateAutoScalingGroupFluentBuilder,
        wanted: &Wanted,
    ) -> CreateAutoScalingGroupFluentBuilder {
        let named = |id: String, version: &str| {
            scaling::LaunchTemplateSpecification::builder().launch_template_id(id).version(version).build()
        };
        match wanted.start {
            Start::Template(Pin::Number) => request.launch_template(named(self.template(wanted).await, "1")),
            Start::Template(Pin::Latest) => request.launch_template(named(self.template(wanted).await, "$Latest")),
            Start::Template(Pin::Default) => request.launch_template(named(self.template(wanted).await, "$Default")),
            Start::Configuration => request.launch_configuration_name(self.configuration(wanted).await),
            Start::Mixed => request.mixed_instances_policy(self.mixed(wanted, "1", Some(50)).await),
            Start::MixedOnDemand(pin) => {
                let version = match pin {
                    Pin::Number => "1",
                    Pin::Latest => "$Latest",
                    Pin::Default => "$Default",
                };
                request.mixed_instances_policy(self.mixed(wanted, version, None).await)
            }
        }
    }

    /// A mixed-instances policy of two types, with so many percent on demand; AWS's default where that is not said.
    async fn mixed(&self, wanted: &Wanted, version: &str, on_demand: Option<i32>) -> scaling::MixedInstancesPolicy {
        let id = self.template(wanted).await;
        let named = scaling::LaunchTemplateSpecification::builder().launch_template_id(id).version(version).build();
        let typed = |name: &str| scaling::LaunchTemplateOverrides::builder().instance_type(name).build();
        let template = scaling::LaunchTemplate::builder().launch_template_specification(named);
        let template = template.overrides(typed(wanted.kind)).overrides(typed("m5a.large")).build();
        let bought =
            scaling::InstancesDistribution::builder().set_on_demand_percentage_above_base_capacity(on_demand).build();
        let policy = scaling::MixedInstancesPolicy::builder().launch_template(template);
        policy.set_instances_distribution(on_demand.map(|_| bought)).build()
    }

    async fn target_groups(&self, count: u32) -> Vec<String> {
        let mut arns = Vec::new();
        for _ in 0..count {
            let name = format!("targets-{}", MADE.fetch_add(1, Ordering::Relaxed));
            let request = self.clients.targets.create_target_group().name(name);
            let protocol = aws_sdk_elasticloadbalancingv2::types::ProtocolEnum::Http;
            let request = request.protocol(protocol).port(80).vpc_id(self.site["vpc"].as_str().unwrap());
            let made = request.send().await.unwrap();
            arns.push(made.target_groups.unwrap().remove(0).target_group_arn.unwrap());
        }
        arns
    }

    async fn classic_balancers(&self, count: u32) -> Vec<String> {
        use aws_sdk_elasticloadbalancing::types::Listener;
        let mut names = Vec::new();
        for _ in 0..count {
            let name = format!("classic-{}", MADE.fetch_add(1, Ordering::Relaxed));
            let listener =
                Listener::builder().protocol("HTTP").load_balancer_port(80).instance_port(80).build().unwrap();
            let request = self.clients.balancers.create_load_balancer().load_balancer_name(&name);
            let subnets = self.subnets().split(',').map(ToOwned::to_owned).collect();
            request.listeners(listener).set_subnets(Some(subnets)).send().await.unwrap();
            names.push(name);
        }
        names
    }

    /// The group, with everything that it needs.
    pub(crate) async fn make(&self, key: &GroupKey, wanted: &Wanted) {
        let whole = |n: u32| i32::try_from(n).unwrap();
        let request = self.clients.groups.create_auto_scaling_group().auto_scaling_group_name(key.name.as_str());
        let request = request.min_size(whole(wanted.min)).max_size(whole(wanted.max));
        let request = request.desired_capacity(whole(wanted.desired));
        let request = if wanted.default_vpc {
            request.availability_zones(format!("{}a", key.site.region))
        } else {
            request.vpc_zone_identifier(self.subnets())
        };
        let tag = |(name, value): (&String, &String)| {
            scaling::Tag::builder().key(name).value(value).propagate_at_launch(true).build()
        };
        let tags: Vec<_> = wanted.tags.iter().map(tag).collect();
        let targets = self.target_groups(wanted.target_groups).await;
        let request = request.set_tags((!tags.is_empty()).then_some(tags));
        let request = request.set_target_group_arns((!targets.is_empty()).then_some(targets));
        let classic = self.classic_balancers(wanted.classic_balancers).await;
        let request = request.set_load_balancer_names((!classic.is_empty()).then_some(classic));
        Box::pin(self.with_start(request, wanted)).await.send().await.unwrap();
        if wanted.launch_hook {
            let request = self.clients.groups.put_lifecycle_hook().auto_scaling_group_name(key.name.as_str());
            let request = request.lifecycle_hook_name("bootstrap").heartbeat_timeout(60);
            request.lifecycle_transition("autoscaling:EC2_INSTANCE_LAUNCHING").send().await.unwrap();
        }
    }
}
