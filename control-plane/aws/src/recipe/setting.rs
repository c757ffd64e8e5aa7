//! Settings of templates and configurations that decide how, and whether, a twin can be launched on Spot.
//!
//! Pure. One list of settings, and one table of what each of them means.

use std::collections::BTreeSet;

use aws_sdk_autoscaling::types::LaunchConfiguration;
use aws_sdk_ec2::types::{
    CapacityReservationPreference, InstanceBandwidthWeighting, LaunchTemplateCpuOptions,
    LaunchTemplateInstanceNetworkInterfaceSpecification as Interface, LaunchTemplatePlacement,
    ResponseLaunchTemplateData, ShutdownBehavior, Tenancy,
};
use spothub_core::cloud::Route;

/// One setting that matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) enum Setting {
    /// DisableApiTermination: cannot be set on Spot.
    TerminationProtection,
    /// DisableApiStop: likewise.
    StopProtection,
    /// HibernationOptions: on Spot it would turn every interruption into a hibernation.
    Hibernation,
    /// A host, its affinity or its resource group.
    Host,
    /// Dedicated tenancy, whose Spot prices nobody publishes.
    DedicatedTenancy,
    /// Licence configurations are counted on hosts.
    Licenses,
    /// A capacity reservation is asked for: it would be paid on, unused.
    Reservation,
    /// A market that is neither on-demand nor Spot, as capacity blocks.
    OtherMarket,
    /// An interface or an address of its own, which two instances cannot have.
    FixedAddress,
    /// Secondary interfaces, which RunInstances cannot repeat.
    SecondaryInterfaces,
    /// Elastic graphics or inference: withdrawn by AWS.
    ElasticAccelerator,
    /// Types by their attributes, which no launch of one type can carry.
    TypeRequirements,
    /// Security groups by name, which cannot be used together with a subnet.
    NamedSecurityGroups,
    /// A product without Spot prices of its own.
    Product,
    /// CPU options, which not every type has.
    Cpu,
    /// CPU credits, which only burstable types have.
    Credits,
    /// An enclave.
    Enclave,
    /// Elastic fabric adapters, or more than one network card.
    Fabric,
    /// Weighted network bandwidth.
    Bandwidth,
    /// Spot options of its own: CreateFleet takes no such template.
    SpotMarket,
    /// Several interfaces, or one in a subnet of its own.
    Interfaces,
    /// A zone of its own.
    Zone,
    /// Open to capacity reservations.
    OpenReservation,
    /// Stops when the system shuts down: an interruption of a one-time request only terminates.
    StopOnShutdown,
}

/// What a setting means for a launch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Effect {
    /// Spot cannot honor it: hold.
    Hold,
    /// Only the same type surely honors it.
    SameType,
    /// It must be overridden, which only RunInstances can.
    Run,
}

impl Setting {
    const fn effect(self) -> Effect {
        match self {
            Self::TerminationProtection
            | Self::StopProtection
            | Self::Hibernation
            | Self::Host
            | Self::DedicatedTenancy
            | Self::Licenses
            | Self::Reservation
            | Self::OtherMarket
            | Self::FixedAddress
            | Self::SecondaryInterfaces
            | Self::ElasticAccelerator
            | Self::TypeRequirements
            | Self::NamedSecurityGroups
            | Self::Product => Effect::Hold,
            Self::Cpu | Self::Credits | Self::Enclave | Self::Fabric | Self::Bandwidth => Effect::SameType,
            Self::SpotMarket | Self::Interfaces | Self::Zone | Self::OpenReservation | Self::StopOnShutdown => {
                Effect::Run
            }
        }
    }

    /// The setting as AWS names it, for the log.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::TerminationProtection => "DisableApiTermination",
            Self::StopProtection => "DisableApiStop",
            Self::Hibernation => "HibernationOptions",
            Self::Host => "Placement.HostId",
            Self::DedicatedTenancy => "Placement.Tenancy",
            Self::Licenses => "LicenseSpecifications",
            Self::Reservation => "CapacityReservationSpecification",
            Self::OtherMarket | Self::SpotMarket => "InstanceMarketOptions",
            Self::FixedAddress => "NetworkInterfaces.PrivateIpAddress",
            Self::SecondaryInterfaces => "SecondaryInterfaces",
            Self::ElasticAccelerator => "ElasticGpuSpecifications",
            Self::TypeRequirements => "InstanceRequirements",
            Self::NamedSecurityGroups => "SecurityGroups",
            Self::Product => "UsageOperation",
            Self::Cpu => "CpuOptions",
            Self::Credits => "CreditSpecification",
            Self::Enclave => "EnclaveOptions",
            Self::Fabric => "NetworkInterfaces.InterfaceType",
            Self::Bandwidth => "NetworkPerformanceOptions",
            Self::Interfaces => "NetworkInterfaces",
            Self::Zone => "Placement.AvailabilityZone",
            Self::OpenReservation => "CapacityReservationPreference",
            Self::StopOnShutdown => "InstanceInitiatedShutdownBehavior",
        }
    }
}

/// How a source is launched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Ruling {
    /// The first setting that Spot cannot honor.
    pub(super) held: Option<Setting>,
    /// Only the old instance's own type will do.
    pub(super) same_type_only: bool,
    /// How it is sent.
    pub(super) route: Route,
}

/// CreateFleet where the template serves as it stands; RunInstances where something must be said otherwise, and for
/// launch configurations.
pub(super) fn rule(asked: &BTreeSet<Setting>, configured: bool) -> Ruling {
    let first = |effect| asked.iter().copied().find(|setting| setting.effect() == effect);
    let overridden = first(Effect::Run).is_some();
    Ruling {
        held: first(Effect::Hold),
        same_type_only: first(Effect::SameType).is_some(),
        route: if configured || overridden { Route::Run } else { Route::Fleet },
    }
}

fn each(rows: &[(bool, Setting)]) -> impl Iterator<Item = Setting> {
    rows.iter().filter(|(asked, _)| *asked).map(|(_, setting)| *setting)
}

/// The settings of a launch template's version.
pub(super) fn of_template(data: &ResponseLaunchTemplateData) -> BTreeSet<Setting> {
    let behavior = data.instance_initiated_shutdown_behavior().map(ShutdownBehavior::as_str);
    let market = data.instance_market_options().map(|m| m.market_type().map_or("spot", |t| t.as_str()));
    let reservation = data.capacity_reservation_specification();
    let preference =
        reservation.and_then(|r| r.capacity_reservation_preference()).map(CapacityReservationPreference::as_str);
    let targeted = reservation.is_some_and(|r| r.capacity_reservation_target().is_some());
    let weighting = data
        .network_performance_options()
        .and_then(|o| o.bandwidth_weighting())
        .map(InstanceBandwidthWeighting::as_str);
    let elastic = !data.elastic_gpu_specifications().is_empty() || !data.elastic_inference_accelerators().is_empty();
    let rows = [
        (data.disable_api_termination() == Some(true), Setting::TerminationProtection),
        (data.disable_api_stop() == Some(true), Setting::StopProtection),
        (data.hibernation_options().is_some_and(|h| h.configured() == Some(true)), Setting::Hibernation),
        (!data.license_specifications().is_empty(), Setting::Licenses),
        (targeted || !matches!(preference, None | Some("none" | "open")), Setting::Reservation),
        (preference == Some("open"), Setting::OpenReservation),
        (market.is_some_and(|market| market != "spot"), Setting::OtherMarket),
        (market == Some("spot"), Setting::SpotMarket),
        (!data.secondary_interfaces().is_empty(), Setting::SecondaryInterfaces),
        (elastic, Setting::ElasticAccelerator),
        (data.instance_requirements().is_some(), Setting::TypeRequirements),
        (data.security_group_ids().is_empty() && !data.security_groups().is_empty(), Setting::NamedSecurityGroups),
        (data.cpu_options().is_some_and(asks_cpu), Setting::Cpu),
        (data.credit_specification().is_some_and(|c| c.cpu_credits().is_some()), Setting::Credits),
        (data.enclave_options().is_some_and(|e| e.enabled() == Some(true)), Setting::Enclave),
        (weighting.is_some_and(|w| w != "default"), Setting::Bandwidth),
        (behavior == Some("stop"), Setting::StopOnShutdown),
    ];
    let placed = data.placement().map(of_placement).unwrap_or_default();
    each(&rows).chain(placed).chain(of_interfaces(data.network_interfaces())).collect()
}

fn asks_cpu(options: &LaunchTemplateCpuOptions) -> bool {
    options.core_count().is_some()
        || options.threads_per_core().is_some()
        || options.amd_sev_snp().is_some()
        || options.nested_virtualization().is_some()
}

fn of_placement(placement: &LaunchTemplatePlacement) -> BTreeSet<Setting> {
    let tenancy = placement.tenancy().map(Tenancy::as_str);
    let host = placement.host_id().is_some() || placement.host_resource_group_arn().is_some();
    let zoned = placement.availability_zone().is_some() || placement.availability_zone_id().is_some();
    let rows = [
        (host || placement.affinity() == Some("host") || tenancy == Some("host"), Setting::Host),
        (tenancy == Some("dedicated"), Setting::DedicatedTenancy),
        (zoned, Setting::Zone),
    ];
    each(&rows).collect()
}

fn of_interfaces(interfaces: &[Interface]) -> BTreeSet<Setting> {
    let any = |test: fn(&Interface) -> bool| interfaces.iter().any(test);
    let fixed = any(|i| {
        let addresses = i.private_ip_address().is_some() || !i.private_ip_addresses().is_empty();
        let prefixes = !i.ipv4_prefixes().is_empty() || !i.ipv6_prefixes().is_empty();
        addresses || prefixes || i.network_interface_id().is_some() || !i.ipv6_addresses().is_empty()
    });
    let fabric = any(|i| {
        i.network_card_index().unwrap_or(0) > 0 || !matches!(i.interface_type(), None | Some("" | "interface"))
    });
    let rows = [
        (fixed, Setting::FixedAddress),
        (fabric, Setting::Fabric),
        (interfaces.len() > 1 || any(|i| i.subnet_id().is_some()), Setting::Interfaces),
    ];
    each(&rows).collect()
}

/// The settings of a launch configuration.
pub(super) fn of_configuration(found: &LaunchConfiguration) -> BTreeSet<Setting> {
    let named = found.security_groups().iter().any(|group| !group.starts_with("sg-"));
    let rows = [
        (found.placement_tenancy() == Some("host"), Setting::Host),
        (found.placement_tenancy() == Some("dedicated"), Setting::DedicatedTenancy),
        (named, Setting::NamedSecurityGroups),
    ];
    each(&rows).collect()
}
