//! Requests field by field, and answers of fleets.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types as asg;
use aws_sdk_ec2::operation::create_fleet::CreateFleetOutput;
use aws_sdk_ec2::operation::run_instances::RunInstancesInput;
use aws_sdk_ec2::types::{
    CapacityReservationPreference, CreateFleetError, CreateFleetInstance, FleetLaunchTemplateOverrides, InstanceType,
    LaunchTemplateAndOverridesResponse, LaunchTemplateCapacityReservationSpecificationResponse,
    LaunchTemplateInstanceNetworkInterfaceSpecification as Interface, LaunchTemplatePlacement,
    LaunchTemplateTagSpecification, ResourceType, ResponseLaunchTemplateData, ShutdownBehavior, Tag,
};
use spothub_core::catalog::{Arch, Catalog, Product, TypeId, Virtualization};
use spothub_core::cloud::{LaunchPool, TemplateFacts};
use spothub_core::group::Source;
use spothub_core::id::{AzId, GroupKey, InstanceId, Site, SubnetId, SwapId};
use spothub_core::money::UsdPerHour;

use super::*;
use crate::recipe::Contents;

struct Want {
    group: GroupKey,
    source: Source,
    pools: Vec<LaunchPool>,
    az: AzId,
    subnet: SubnetId,
    swap: SwapId,
    replaces: InstanceId,
    route: Route,
}

fn kind(name: &str) -> TypeId {
    Catalog::embedded().by_name(name).unwrap()
}

fn template_source() -> Source {
    Source::Template { id: "lt-0123456789abcdef0".parse().unwrap(), version: Some(7) }
}

fn want(route: Route, source: Source, types: &[&str]) -> Want {
    let site = Site { account: "000000000001".parse().unwrap(), region: "eu-west-1".parse().unwrap() };
    Want {
        group: GroupKey { site, name: "web / one".parse().unwrap() },
        source,
        pools: types.iter().map(|name| LaunchPool { kind: kind(name), quoted: UsdPerHour(30_000) }).collect(),
        az: "euw1-az2".parse().unwrap(),
        subnet: "subnet-0123456789abcdef0".parse().unwrap(),
        swap: SwapId::from_number(1, false),
        replaces: InstanceId::from_number(9),
        route,
    }
}

impl Want {
    fn launch(&self) -> Launch<'_> {
        Launch {
            group: &self.group,
            token: "sw-0000000000000001-launch-0",
            source: &self.source,
            route: self.route,
            pools: &self.pools,
            az: &self.az,
            subnet: &self.subnet,
            product: Product::Linux,
            lifecycle: spothub_core::group::Lifecycle::Spot,
            max_price: UsdPerHour(96_000),
            swap: &self.swap,
            replaces: &self.replaces,
        }
    }
}

fn recipe(source: Source, route: Route, contents: Contents) -> Recipe {
    let facts = TemplateFacts {
        source,
        product: Product::Linux,
        arch: Arch::X86_64,
        virtualization: Virtualization::Hvm,
        boot_mode: None,
        ena: true,
        network_interfaces: 1,
        volumes: 1,
        not_on_spot: false,
        profile: None,
        same_type_only: false,
        route,
    };
    Recipe { facts, contents }
}

fn template(data: ResponseLaunchTemplateData, route: Route) -> Recipe {
    recipe(template_source(), route, Contents::Template(Box::new(data)))
}

fn client() -> aws_sdk_ec2::Client {
    let config = aws_sdk_ec2::Config::builder().behavior_version(aws_config::BehaviorVersion::latest());
    aws_sdk_ec2::Client::from_conf(config.build())
}

fn run(want: &Want, recipe: &Recipe, tags: &BTreeMap<String, String>) -> RunInstancesInput {
    let kind = Catalog::embedded().get(want.pools[0].kind);
    let request = run::request(&client(), kind, &want.launch(), recipe, tags).unwrap();
    request.as_input().clone().build().unwrap()
}

#[test]
fn a_fleet_is_asked_for_one_instance_of_any_pool() {
    let want = want(Route::Fleet, template_source(), &["m5.large", "m6i.large"]);
    let recipe = template(ResponseLaunchTemplateData::builder().build(), Route::Fleet);
    let tags = tags::instance_tags(&want.launch(), &recipe, &BTreeMap::new(), &"hub".parse().unwrap());
    let request = fleet::request(&client(), Catalog::embedded(), &want.launch(), &recipe, &tags).unwrap();
    let input = request.as_input().clone().build().unwrap();
    assert_eq!(input.client_token(), Some("sw-0000000000000001-launch-0"));
    assert_eq!(input.r#type().unwrap().as_str(), "instant");
    let spot = input.spot_options().unwrap();
    assert_eq!(spot.allocation_strategy().unwrap().as_str(), "price-capacity-optimized");
    assert_eq!(input.target_capacity_specification().unwrap().total_target_capacity(), Some(1));
    let config = &input.launch_template_configs()[0];
    assert_eq!(config.launch_template_specification().unwrap().version(), Some("7"));
    let pools: Vec<_> = config
        .overrides()
        .iter()
        .map(|o| (o.instance_type().unwrap().as_str(), o.subnet_id().unwrap(), o.max_price().unwrap()))
        .collect();
    let subnet = "subnet-0123456789abcdef0";
    assert_eq!(pools, [("m5.large", subnet, "0.096000"), ("m6i.large", subnet, "0.096000")]);
    let tagged: Vec<_> = input.tag_specifications().iter().map(|s| s.resource_type().unwrap().as_str()).collect();
    assert_eq!(tagged, ["instance", "fleet"]);
}

#[test]
fn tags_are_the_templates_the_groups_and_ours() {
    let pair = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let spec = LaunchTemplateTagSpecification::builder().resource_type(ResourceType::Instance);
    let spec = spec.tags(pair("role", "template")).tags(pair("team", "a")).tags(pair("spothub:hub", "forged")).build();
    let volume = LaunchTemplateTagSpecification::builder().resource_type(ResourceType::Volume);
    let volume = volume.tags(pair("disk", "yes")).build();
    let data = ResponseLaunchTemplateData::builder().tag_specifications(spec).tag_specifications(volume).build();
    let recipe = template(data, Route::Run);
    let want = want(Route::Run, template_source(), &["m5.large"]);
    let group = [("role", "group"), ("aws:reserved", "x"), ("spothub:swap", "forged")];
    let group = group.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let tags = tags::instance_tags(&want.launch(), &recipe, &group, &"hub".parse().unwrap());
    let expected = [
        ("role", "group"),
        ("spothub:group", "web / one"),
        ("spothub:hub", "hub"),
        ("spothub:managed", "true"),
        ("spothub:replaces", "i-00000000000000009"),
        ("spothub:swap", "sw-0000000000000001"),
        ("team", "a"),
    ];
    assert_eq!(tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(), expected);
    assert_eq!(tags::own_only(&tags).len(), 5);
    let input = run(&want, &recipe, &tags);
    let kinds: Vec<_> = input.tag_specifications().iter().map(|s| s.resource_type().unwrap().as_str()).collect();
    assert_eq!(kinds, ["instance", "volume"]);
}

#[test]
fn a_template_is_run_at_its_version_with_overrides_only() {
    let want = want(Route::Run, template_source(), &["m6i.large"]);
    let input = run(&want, &template(ResponseLaunchTemplateData::builder().build(), Route::Run), &BTreeMap::new());
    let named = input.launch_template().unwrap();
    assert_eq!((named.launch_template_id(), named.version()), (Some("lt-0123456789abcdef0"), Some("7")));
    assert_eq!((input.min_count(), input.max_count()), (Some(1), Some(1)));
    assert_eq!(input.subnet_id(), Some("subnet-0123456789abcdef0"));
    let spot = input.instance_market_options().unwrap().spot_options().unwrap();
    assert_eq!((spot.max_price(), spot.spot_instance_type().unwrap().as_str()), (Some("0.096000"), "one-time"));
    assert_eq!(spot.instance_interruption_behavior().unwrap().as_str(), "terminate");
    assert!(input.image_id().is_none() && input.user_data().is_none() && input.network_interfaces().is_empty());
    assert!(input.placement().is_none() && input.capacity_reservation_specification().is_none());
}

#[test]
fn interfaces_zone_reservation_and_shutdown_are_said_again() {
    let reservation = LaunchTemplateCapacityReservationSpecificationResponse::builder()
        .capacity_reservation_preference(CapacityReservationPreference::Open)
        .build();
    let first = Interface::builder().device_index(0).groups("sg-1").subnet_id("subnet-ffffffff");
    let second = Interface::builder().device_index(1).groups("sg-2").ipv6_address_count(1);
    let data = ResponseLaunchTemplateData::builder()
        .network_interfaces(first.associate_public_ip_address(false).delete_on_termination(true).build())
        .network_interfaces(second.build())
        .placement(LaunchTemplatePlacement::builder().availability_zone("eu-west-1c").group_name("spread").build())
        .capacity_reservation_specification(reservation)
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Stop)
        .build();
    let want = want(Route::Run, template_source(), &["m6i.large"]);
    let input = run(&want, &template(data, Route::Run), &BTreeMap::new());
    assert_eq!(input.subnet_id(), None);
    let interfaces = input.network_interfaces();
    assert!(interfaces.iter().all(|i| i.subnet_id() == Some("subnet-0123456789abcdef0")));
    assert_eq!(interfaces[0].groups(), ["sg-1"]);
    assert_eq!(interfaces[0].associate_public_ip_address(), Some(false));
    assert_eq!((interfaces[1].device_index(), interfaces[1].ipv6_address_count()), (Some(1), Some(1)));
    let placement = input.placement().unwrap();
    assert_eq!((placement.availability_zone(), placement.group_name()), (None, Some("spread")));
    let preference = input.capacity_reservation_specification().unwrap().capacity_reservation_preference();
    assert_eq!(preference, Some(&CapacityReservationPreference::None));
    assert_eq!(input.instance_initiated_shutdown_behavior(), Some(&ShutdownBehavior::Terminate));
}

fn configuration() -> asg::builders::LaunchConfigurationBuilder {
    asg::LaunchConfiguration::builder()
        .launch_configuration_name("old")
        .image_id("ami-0123456789abcdef0")
        .key_name("")
        .kernel_id("")
        .user_data("IyEvYmluL3No")
        .security_groups("sg-1")
        .iam_instance_profile("arn:aws:iam::000000000001:instance-profile/web")
        .instance_monitoring(asg::InstanceMonitoring::builder().enabled(true).build())
        .ebs_optimized(true)
}

fn configured(found: asg::LaunchConfiguration, types: &[&str]) -> RunInstancesInput {
    let source = Source::Configuration("old".parse().unwrap());
    let want = want(Route::Run, source.clone(), types);
    run(&want, &recipe(source, Route::Run, Contents::Configuration(Box::new(found))), &BTreeMap::new())
}

#[test]
fn a_configuration_is_said_again_in_full() {
    let device = |name: &str| asg::BlockDeviceMapping::builder().device_name(name);
    let snapshot = asg::Ebs::builder().snapshot_id("snap-1").encrypted(false).volume_size(20).build();
    let fresh = asg::Ebs::builder().encrypted(true).volume_type("gp3").iops(4000).throughput(250);
    let metadata = asg::InstanceMetadataOptions::builder()
        .http_tokens(asg::InstanceMetadataHttpTokensState::Required)
        .http_put_response_hop_limit(2)
        .http_endpoint(asg::InstanceMetadataEndpointState::Enabled)
        .build();
    let found = configuration()
        .block_device_mappings(device("/dev/sda1").ebs(snapshot).build())
        .block_device_mappings(device("/dev/sdf").ebs(fresh.delete_on_termination(false).build()).build())
        .block_device_mappings(device("/dev/sdg").no_device(true).build())
        .block_device_mappings(device("/dev/sdh").virtual_name("ephemeral0").build())
        .metadata_options(metadata)
        .build();
    let input = configured(found, &["m5.large"]);
    assert_eq!(input.image_id(), Some("ami-0123456789abcdef0"));
    assert_eq!((input.key_name(), input.kernel_id(), input.launch_template()), (None, None, None));
    assert_eq!(input.user_data(), Some("IyEvYmluL3No"), "as it came: base64");
    assert_eq!(
        (input.subnet_id(), input.security_group_ids()),
        (Some("subnet-0123456789abcdef0"), &["sg-1".to_owned()][..])
    );
    assert!(input.iam_instance_profile().unwrap().arn().is_some());
    assert_eq!(input.monitoring().unwrap().enabled(), Some(true));
    let options = input.metadata_options().unwrap();
    assert_eq!(options.http_tokens().unwrap().as_str(), "required");
    assert_eq!(options.http_put_response_hop_limit(), Some(2));
    let devices = input.block_device_mappings();
    let first = devices[0].ebs().unwrap();
    assert_eq!((first.snapshot_id(), first.encrypted(), first.volume_type()), (Some("snap-1"), None, None));
    let second = devices[1].ebs().unwrap();
    assert_eq!((second.encrypted(), second.iops(), second.throughput()), (Some(true), Some(4000), Some(250)));
    assert_eq!((second.volume_type().unwrap().as_str(), second.delete_on_termination()), ("gp3", Some(false)));
    assert_eq!((devices[2].no_device(), devices[2].ebs().is_none()), (Some(""), true));
    assert_eq!(devices[3].virtual_name(), Some("ephemeral0"));
}

#[test]
fn a_public_address_moves_groups_to_the_interface() {
    let input = configured(configuration().associate_public_ip_address(true).build(), &["m5.large"]);
    assert_eq!((input.subnet_id(), input.security_group_ids().len()), (None, 0));
    let interface = &input.network_interfaces()[0];
    assert_eq!(interface.associate_public_ip_address(), Some(true));
    assert_eq!((interface.groups(), interface.delete_on_termination()), (&["sg-1".to_owned()][..], Some(true)));
    let named = configured(configuration().iam_instance_profile("web").build(), &["m5.large"]);
    assert_eq!(named.iam_instance_profile().unwrap().name(), Some("web"));
}

#[test]
fn ebs_optimization_is_said_where_it_is_a_choice() {
    assert_eq!(configured(configuration().build(), &["m5.large"]).ebs_optimized(), None, "optimized anyway");
    assert_eq!(configured(configuration().build(), &["m3.xlarge"]).ebs_optimized(), Some(true));
}

fn refusal(name: &str, code: &str) -> CreateFleetError {
    let over = FleetLaunchTemplateOverrides::builder().instance_type(InstanceType::from(name)).build();
    CreateFleetError::builder()
        .launch_template_and_overrides(LaunchTemplateAndOverridesResponse::builder().overrides(over).build())
        .error_code(code)
        .error_message("Request would have succeeded")
        .build()
}

fn outcome(output: &CreateFleetOutput) -> Option<Result<Launched, Fault>> {
    let want = want(Route::Fleet, template_source(), &["m5.large", "m6i.large"]);
    fleet::outcome(output, &want.launch(), Catalog::embedded())
}

#[test]
fn answers_of_fleets_are_read_with_their_errors() {
    let given = CreateFleetInstance::builder().instance_ids("i-0123456789abcdef0");
    let given = given.instance_type(InstanceType::from("m6i.large")).build();
    let output = CreateFleetOutput::builder()
        .errors(refusal("m5.large", "InsufficientInstanceCapacity"))
        .errors(refusal("c5.large", "InsufficientInstanceCapacity"))
        .instances(given)
        .build();
    let launched = outcome(&output).unwrap().unwrap();
    assert_eq!((launched.kind, launched.refused), (kind("m6i.large"), vec![kind("m5.large")]));

    let rows: [(&[(&str, &str)], Fault); 6] = [
        (
            &[("m5.large", "UnfulfillableCapacity"), ("m6i.large", "InvalidParameterValue")],
            Fault::NoCapacity(vec![("euw1-az2".parse().unwrap(), kind("m5.large"))]),
        ),
        (&[("m5.large", "MaxSpotInstanceCountExceeded"), ("m6i.large", "InvalidParameterValue")], Fault::Quota),
        (
            &[("m5.large", "UnauthorizedOperation"), ("m6i.large", "VcpuLimitExceeded")],
            Fault::Denied("ec2:CreateFleet"),
        ),
        (&[("m5.large", "InvalidAMIID.NotFound")], Fault::Gone),
        (&[("m5.large", "InvalidParameterCombination")], Fault::Invalid("a parameter is not valid")),
        (&[("z9.odd", "InsufficientInstanceCapacity")], Fault::NoCapacity(vec![])),
    ];
    for (errors, fault) in rows {
        let builder = errors.iter().fold(CreateFleetOutput::builder(), |b, (name, code)| b.errors(refusal(name, code)));
        assert_eq!(outcome(&builder.build()), Some(Err(fault)), "{errors:?}");
    }
    assert_eq!(outcome(&CreateFleetOutput::builder().fleet_id("fleet-1").build()), None);
    let odd = CreateFleetInstance::builder().instance_ids("i-odd").build();
    assert_eq!(outcome(&CreateFleetOutput::builder().instances(odd).build()), None);
}

#[test]
fn what_is_wrong_is_refused_before_it_is_sent() {
    let recipe = template(ResponseLaunchTemplateData::builder().build(), Route::Fleet);
    let refused = |want: &Want, recipe: &Recipe| matches!(check(&want.launch(), recipe), Err(Fault::Invalid(_)));
    assert!(!refused(&want(Route::Fleet, template_source(), &["m5.large", "m6i.large"]), &recipe));
    assert!(refused(&want(Route::Fleet, template_source(), &[]), &recipe));
    assert!(refused(&want(Route::Run, template_source(), &["m5.large", "m6i.large"]), &recipe));
    let mut held = template(ResponseLaunchTemplateData::builder().build(), Route::Fleet);
    held.facts.not_on_spot = true;
    assert!(refused(&want(Route::Fleet, template_source(), &["m5.large"]), &held));
    let by_run = template(ResponseLaunchTemplateData::builder().build(), Route::Run);
    assert!(refused(&want(Route::Fleet, template_source(), &["m5.large"]), &by_run));
    let one = want(Route::Run, template_source(), &["m5.large"]);
    let mut launch = one.launch();
    for token in ["", "é", &"x".repeat(65)] {
        launch.token = token;
        assert!(check(&launch, &recipe).is_err(), "{token}");
    }
}
