//! CreateFleet of one instance: EC2 picks among the pools.

use std::collections::BTreeMap;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::create_fleet::CreateFleetOutput;
use aws_sdk_ec2::operation::create_fleet::builders::CreateFleetFluentBuilder;
use aws_sdk_ec2::types::{
    CreateFleetError, DefaultTargetCapacityType, FleetLaunchTemplateConfigRequest, FleetLaunchTemplateOverridesRequest,
    FleetLaunchTemplateSpecificationRequest, FleetOnDemandAllocationStrategy, FleetType, InstanceType,
    LaunchTemplateAndOverridesResponse, OnDemandOptionsRequest, ResourceType, SpotAllocationStrategy,
    SpotInstanceInterruptionBehavior, SpotOptionsRequest, TargetCapacitySpecificationRequest,
};
use spothub_core::catalog::{Catalog, TypeId};
use spothub_core::fault::Fault;
use spothub_core::group::{Lifecycle, Source};
use spothub_core::port::{Launch, Launched};

use super::{failed, tags};
use crate::action::Action;
use crate::cloud::{Failed, Line};
use crate::fault::{Heard, Reach, judge, lacks_capacity};
use crate::recipe::Recipe;

/// Sends the request and reads what came of it, `Errors[]` included.
pub(super) async fn send(
    line: &Line<'_>,
    launch: &Launch<'_>,
    recipe: &Recipe,
    tags: &BTreeMap<String, String>,
) -> Result<Launched, Failed> {
    let catalog = line.cloud.catalog;
    let request = request(line.client.ec2(), catalog, launch, recipe, tags).map_err(failed)?;
    let answer = line.call(Action::CreateFleet, None, request.send()).await?;
    match outcome(&answer, launch, catalog) {
        Some(answer) => answer.map_err(failed),
        None => Err(Failed { code: super::NAMELESS.to_owned(), ..failed(Fault::Unclear) }),
    }
}

/// The request: one instance, instantly, from one of the pools; on Spot each at no more than the price to pay.
pub(super) fn request(
    client: &Client,
    catalog: &Catalog,
    launch: &Launch<'_>,
    recipe: &Recipe,
    tags: &BTreeMap<String, String>,
) -> Result<CreateFleetFluentBuilder, Fault> {
    let Source::Template { id, version: Some(version) } = &recipe.facts.source else {
        return Err(Fault::Invalid("CreateFleet takes a launch template only"));
    };
    let template = FleetLaunchTemplateSpecificationRequest::builder();
    let template = template.launch_template_id(id.as_str()).version(version.to_string()).build();
    let spot = launch.lifecycle == Lifecycle::Spot;
    let ranks = (0_u16..).map(f64::from);
    let overrides = launch.pools.iter().zip(ranks).map(|(pool, rank)| {
        FleetLaunchTemplateOverridesRequest::builder()
            .instance_type(InstanceType::from(&*catalog.get(pool.kind).name))
            .subnet_id(launch.subnet.as_str())
            .set_max_price(spot.then(|| launch.max_price.to_string()))
            // On demand EC2 goes by our order: the own type first.
            .set_priority((!spot).then_some(rank))
            .build()
    });
    let config = FleetLaunchTemplateConfigRequest::builder().launch_template_specification(template);
    let config = config.set_overrides(Some(overrides.collect())).build();
    let request = client.create_fleet().r#type(FleetType::Instant).client_token(launch.token);
    let request = request.launch_template_configs(config).target_capacity_specification(target(launch.lifecycle));
    let request = match launch.lifecycle {
        Lifecycle::Spot => request.spot_options(
            SpotOptionsRequest::builder()
                .allocation_strategy(SpotAllocationStrategy::PriceCapacityOptimized)
                .instance_interruption_behavior(SpotInstanceInterruptionBehavior::Terminate)
                .build(),
        ),
        Lifecycle::OnDemand => request.on_demand_options(
            OnDemandOptionsRequest::builder().allocation_strategy(FleetOnDemandAllocationStrategy::Prioritized).build(),
        ),
    };
    let request = request.tag_specifications(tags::specification(ResourceType::Instance, tags));
    Ok(request.tag_specifications(tags::specification(ResourceType::Fleet, &tags::own_only(tags))))
}

/// One instance, bought in this way and in no other.
fn target(lifecycle: Lifecycle) -> TargetCapacitySpecificationRequest {
    let (spot, on_demand, by_default) = match lifecycle {
        Lifecycle::Spot => (1, 0, DefaultTargetCapacityType::Spot),
        Lifecycle::OnDemand => (0, 1, DefaultTargetCapacityType::OnDemand),
    };
    TargetCapacitySpecificationRequest::builder()
        .total_target_capacity(1)
        .spot_target_capacity(spot)
        .on_demand_target_capacity(on_demand)
        .default_target_capacity_type(by_default)
        .build()
}

/// What an answer says; `None` where it names neither an instance nor an error.
pub(super) fn outcome(
    answer: &CreateFleetOutput,
    launch: &Launch<'_>,
    catalog: &Catalog,
) -> Option<Result<Launched, Fault>> {
    let refused: Vec<TypeId> = {
        let empty = answer.errors().iter().filter(|error| is_empty(error));
        let kinds = empty.filter_map(|error| kind_of(error.launch_template_and_overrides(), catalog));
        let mut kinds: Vec<TypeId> = kinds.filter(|kind| launch.pools.iter().any(|p| p.kind == *kind)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    };
    for row in answer.instances() {
        let Some(id) = row.instance_ids().first().and_then(|id| id.parse().ok()) else { continue };
        let said = row.instance_type().and_then(|kind| catalog.by_name(kind.as_str()));
        let kind = said.or_else(|| kind_of(row.launch_template_and_overrides(), catalog));
        let kind = kind.or_else(|| launch.pools.first().map(|pool| pool.kind))?;
        return Some(Ok(Launched { id, kind, refused }));
    }
    if !refused.is_empty() {
        return Some(Err(Fault::NoCapacity(refused.into_iter().map(|kind| (launch.az.clone(), kind)).collect())));
    }
    answer.errors().first().map(|_| Err(worst(answer.errors())))
}

fn is_empty(error: &CreateFleetError) -> bool {
    lacks_capacity(error.error_code().unwrap_or_default(), error.error_message().unwrap_or_default())
}

fn kind_of(found: Option<&LaunchTemplateAndOverridesResponse>, catalog: &Catalog) -> Option<TypeId> {
    let kind = found?.overrides()?.instance_type()?;
    catalog.by_name(kind.as_str())
}

/// The fault of a fleet that launched nothing, and not for want of capacity. Capacity without a type that we know
/// counts for none of our pools.
fn worst(errors: &[CreateFleetError]) -> Fault {
    let faults = errors.iter().map(|error| {
        let heard = Heard {
            reach: Reach::Answered,
            code: error.error_code(),
            message: error.error_message(),
            status: Some(400),
            silent: None,
            unable: None,
            after: None,
        };
        let (code, message) = heard.told();
        tracing::debug!(code, said = message, "a pool of a fleet was refused");
        judge(&heard, Action::CreateFleet, None)
    });
    // What concerns the whole account comes before what concerns one pool.
    let weight = |fault: &Fault| match fault {
        Fault::Denied(_) | Fault::Unreachable(_) => 0,
        Fault::Throttled { .. } => 1,
        Fault::Quota => 2,
        Fault::Gone => 3,
        Fault::NoCapacity(_) => 4,
        Fault::Invalid(_) | Fault::Conflict(_) | Fault::Unclear | Fault::Unable(_) | Fault::Broken => 5,
    };
    faults.min_by_key(weight).unwrap_or(Fault::Broken)
}
