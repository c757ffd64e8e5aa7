//! RunInstances of one instance in one pool, from a template's version or a launch configuration.

use std::collections::BTreeMap;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    CapacityReservationPreference, CapacityReservationSpecification, InstanceInterruptionBehavior,
    InstanceMarketOptionsRequest, InstanceType, LaunchTemplateSpecification, MarketType, Placement, ResourceType,
    ResponseLaunchTemplateData, ShutdownBehavior, SpotInstanceType, SpotMarketOptions,
};
use spothub_core::catalog::InstanceType as Type;
use spothub_core::fault::Fault;
use spothub_core::group::{Lifecycle, Source};
use spothub_core::id::TemplateId;
use spothub_core::port::{Launch, Launched};

use super::{configured, failed, interface, tags};
use crate::action::Action;
use crate::cloud::{Failed, Line};
use crate::recipe::{Contents, Recipe};

/// Sends the request; a pool without capacity is named in the fault.
pub(super) async fn send(
    line: &Line<'_>,
    launch: &Launch<'_>,
    recipe: &Recipe,
    tags: &BTreeMap<String, String>,
) -> Result<Launched, Failed> {
    let Some(pool) = launch.pools.first() else { return Err(failed(Fault::Broken)) };
    let kind = line.cloud.catalog.get(pool.kind);
    let request = request(line.client.ec2(), kind, launch, recipe, tags).map_err(failed)?;
    match line.call(Action::RunInstances, None, request.send()).await {
        Ok(answer) => {
            let id = answer.instances().first().and_then(|i| i.instance_id()).and_then(|id| id.parse().ok());
            // An answer without an id: sent again, the token gives the same instance.
            let id = id.ok_or_else(|| failed(Fault::Unclear))?;
            Ok(Launched { id, kind: pool.kind, refused: Vec::new() })
        }
        Err(Failed { fault: Fault::NoCapacity(_), code, message }) => {
            let fault = Fault::NoCapacity(vec![(launch.az.clone(), pool.kind)]);
            Err(Failed { fault, code, message })
        }
        Err(failed) => Err(failed),
    }
}

/// The request: one instance of this type, on Spot at no more than the price to pay.
pub(super) fn request(
    client: &Client,
    kind: &Type,
    launch: &Launch<'_>,
    recipe: &Recipe,
    tags: &BTreeMap<String, String>,
) -> Result<RunInstancesFluentBuilder, Fault> {
    let request = client.run_instances().min_count(1).max_count(1).client_token(launch.token);
    let request = request.instance_type(InstanceType::from(&*kind.name));
    let request = match launch.lifecycle {
        Lifecycle::Spot => request.instance_market_options(market(launch)),
        Lifecycle::OnDemand => request,
    };
    let request = request.tag_specifications(tags::specification(ResourceType::Instance, tags));
    let request = tags::others(recipe).into_iter().fold(request, RunInstancesFluentBuilder::tag_specifications);
    match (&recipe.contents, &recipe.facts.source) {
        (Contents::Template(data), Source::Template { id, version: Some(version) }) => {
            Ok(from_template(request, id, *version, data, launch))
        }
        (Contents::Configuration(found), _) => Ok(configured::request(request, found, kind, launch.subnet)),
        (Contents::Template(_), _) => Err(Fault::Invalid("the template's version is not known")),
    }
}

/// One-time and ended when taken back: a persistent request would launch again by itself, outside the group.
fn market(launch: &Launch<'_>) -> InstanceMarketOptionsRequest {
    let spot = SpotMarketOptions::builder()
        .spot_instance_type(SpotInstanceType::OneTime)
        .instance_interruption_behavior(InstanceInterruptionBehavior::Terminate)
        .max_price(launch.max_price.to_string())
        .build();
    InstanceMarketOptionsRequest::builder().market_type(MarketType::Spot).spot_options(spot).build()
}

/// The template's exact version, and only what must be said otherwise.
fn from_template(
    request: RunInstancesFluentBuilder,
    id: &TemplateId,
    version: u64,
    data: &ResponseLaunchTemplateData,
    launch: &Launch<'_>,
) -> RunInstancesFluentBuilder {
    let template = LaunchTemplateSpecification::builder().launch_template_id(id.as_str()).version(version.to_string());
    let mut request = request.launch_template(template.build());
    if data.network_interfaces().is_empty() {
        request = request.subnet_id(launch.subnet.as_str());
    } else {
        // Beside interfaces neither a subnet nor groups may stand, and a part of the list would not do.
        let interfaces = data.network_interfaces().iter().map(|i| interface::again(i, launch.subnet));
        request = request.set_network_interfaces(Some(interfaces.collect()));
    }
    if data.capacity_reservation_specification().is_some() {
        let none = CapacityReservationSpecification::builder();
        let none = none.capacity_reservation_preference(CapacityReservationPreference::None).build();
        request = request.capacity_reservation_specification(none);
    }
    if data.instance_initiated_shutdown_behavior() == Some(&ShutdownBehavior::Stop) {
        request = request.instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate);
    }
    if let Some(placed) = data.placement() {
        // Everything but the zone: the subnet says where.
        let placement = Placement::builder()
            .set_group_name(placed.group_name().map(ToOwned::to_owned))
            .set_group_id(placed.group_id().map(ToOwned::to_owned))
            .set_partition_number(placed.partition_number())
            .set_spread_domain(placed.spread_domain().map(ToOwned::to_owned))
            .set_tenancy(placed.tenancy().cloned())
            .build();
        request = request.placement(placement);
    }
    request
}
