//! What settings mean, by table.

use aws_sdk_ec2::types::builders::ResponseLaunchTemplateDataBuilder as Builder;
use aws_sdk_ec2::types::{
    CapacityReservationPreference, CapacityReservationTargetResponse, CreditSpecification, InstanceRequirements,
    LaunchTemplateCapacityReservationSpecificationResponse, LaunchTemplateCpuOptions, LaunchTemplateEnclaveOptions,
    LaunchTemplateHibernationOptions, LaunchTemplateInstanceMarketOptions,
    LaunchTemplateInstanceNetworkInterfaceSpecification as Interface, LaunchTemplateLicenseConfiguration,
    LaunchTemplatePlacement, MarketType, ShutdownBehavior, Tenancy,
};
use spothub_core::cloud::Route;

use super::setting::{of_configuration, of_template, rule};
use super::*;

/// How a template with this edit is launched: a route, or `hold`, and `same` where only the same type will do.
fn check(edit: impl FnOnce(Builder) -> Builder, expected: &str) {
    let data = edit(ResponseLaunchTemplateData::builder().image_id("ami-0123456789abcdef0")).build();
    let asked = of_template(&data);
    let ruling = rule(&asked, false);
    let route = match (ruling.held, ruling.route) {
        (Some(_), _) => "hold",
        (None, Route::Fleet) => "fleet",
        (None, Route::Run) => "run",
    };
    let same = if ruling.same_type_only { " same" } else { "" };
    assert_eq!(format!("{route}{same}"), expected, "{asked:?}");
}

fn interface() -> aws_sdk_ec2::types::builders::LaunchTemplateInstanceNetworkInterfaceSpecificationBuilder {
    Interface::builder().device_index(0).groups("sg-1")
}

fn reserved(preference: &str) -> LaunchTemplateCapacityReservationSpecificationResponse {
    LaunchTemplateCapacityReservationSpecificationResponse::builder()
        .capacity_reservation_preference(CapacityReservationPreference::from(preference))
        .build()
}

fn market(word: &str) -> LaunchTemplateInstanceMarketOptions {
    LaunchTemplateInstanceMarketOptions::builder().market_type(MarketType::from(word)).build()
}

fn placed(
    edit: impl FnOnce(
        aws_sdk_ec2::types::builders::LaunchTemplatePlacementBuilder,
    ) -> aws_sdk_ec2::types::builders::LaunchTemplatePlacementBuilder,
) -> LaunchTemplatePlacement {
    edit(LaunchTemplatePlacement::builder()).build()
}

#[test]
fn a_template_that_serves_as_it_stands_goes_by_fleet() {
    check(|t| t, "fleet");
    check(|t| t.network_interfaces(interface().associate_public_ip_address(true).build()), "fleet");
    check(|t| t.placement(placed(|p| p.group_name("spread").tenancy(Tenancy::Default))), "fleet");
    check(|t| t.capacity_reservation_specification(reserved("none")), "fleet");
    check(|t| t.disable_api_termination(false).ebs_optimized(true).security_group_ids("sg-1"), "fleet");
    check(|t| t.instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate), "fleet");
    check(|t| t.enclave_options(LaunchTemplateEnclaveOptions::builder().enabled(false).build()), "fleet");
}

#[test]
fn what_must_be_said_otherwise_goes_by_run() {
    check(|t| t.network_interfaces(interface().subnet_id("subnet-1").build()), "run");
    check(|t| t.network_interfaces(interface().build()).network_interfaces(interface().build()), "run");
    check(|t| t.placement(placed(|p| p.availability_zone("eu-west-1a"))), "run");
    check(|t| t.capacity_reservation_specification(reserved("open")), "run");
    check(|t| t.instance_market_options(market("spot")), "run");
    check(|t| t.instance_initiated_shutdown_behavior(ShutdownBehavior::Stop), "run");
}

#[test]
fn what_spot_cannot_honor_is_a_hold() {
    check(|t| t.disable_api_termination(true), "hold");
    check(|t| t.disable_api_stop(true), "hold");
    let hibernates = LaunchTemplateHibernationOptions::builder().configured(true).build();
    check(|t| t.hibernation_options(hibernates), "hold");
    check(|t| t.placement(placed(|p| p.host_id("h-1"))), "hold");
    check(|t| t.placement(placed(|p| p.tenancy(Tenancy::Host))), "hold");
    check(|t| t.placement(placed(|p| p.tenancy(Tenancy::Dedicated))), "hold");
    check(|t| t.placement(placed(|p| p.affinity("host"))), "hold");
    check(|t| t.license_specifications(LaunchTemplateLicenseConfiguration::builder().build()), "hold");
    check(|t| t.capacity_reservation_specification(reserved("capacity-reservations-only")), "hold");
    check(|t| t.capacity_reservation_specification(reserved("a new word")), "hold");
    let target = CapacityReservationTargetResponse::builder().capacity_reservation_id("cr-1").build();
    let targeted = LaunchTemplateCapacityReservationSpecificationResponse::builder();
    check(|t| t.capacity_reservation_specification(targeted.capacity_reservation_target(target).build()), "hold");
    check(|t| t.instance_market_options(market("capacity-block")), "hold");
    check(|t| t.network_interfaces(interface().network_interface_id("eni-1").build()), "hold");
    check(|t| t.network_interfaces(interface().private_ip_address("10.0.0.9").build()), "hold");
    check(|t| t.instance_requirements(InstanceRequirements::builder().build()), "hold");
    check(|t| t.security_groups("by-name"), "hold");
}

#[test]
fn what_is_tied_to_a_type_asks_for_that_type() {
    let cpu = LaunchTemplateCpuOptions::builder().threads_per_core(1).build();
    check(|t| t.cpu_options(cpu), "fleet same");
    check(|t| t.credit_specification(CreditSpecification::builder().cpu_credits("standard").build()), "fleet same");
    check(|t| t.enclave_options(LaunchTemplateEnclaveOptions::builder().enabled(true).build()), "fleet same");
    check(|t| t.network_interfaces(interface().interface_type("efa").build()), "fleet same");
    check(|t| t.network_interfaces(interface().network_card_index(1).build()), "fleet same");
}

#[test]
fn configurations_go_by_run() {
    let plain = LaunchConfiguration::builder().launch_configuration_name("a").security_groups("sg-1");
    let ruling = |found: &LaunchConfiguration| rule(&of_configuration(found), true);
    let found = ruling(&plain.clone().build());
    assert_eq!((found.route, found.held, found.same_type_only), (Route::Run, None, false));
    assert!(ruling(&plain.clone().placement_tenancy("dedicated").build()).held.is_some());
    assert!(ruling(&plain.security_groups("by-name").build()).held.is_some());
}
