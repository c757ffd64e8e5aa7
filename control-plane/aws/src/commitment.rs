//! Reserved instances, Savings Plans, and the running instances that can use them.

use aws_sdk_ec2::types::{Filter, Instance, ReservedInstances, Tenancy};
use aws_sdk_savingsplans::types::{SavingsPlan, SavingsPlanState};
use spothub_core::catalog::{Catalog, Product};
use spothub_core::commitment::{Commitment, Running, Slot, Terms};
use spothub_core::fault::Fault;
use spothub_core::id::Site;
use spothub_core::time::Timestamp;

use crate::action::Action;
use crate::cloud::Line;
use crate::zone::{Names, place};

/// Instances in one answer.
const PAGE: i32 = 1000;
/// Pages of running instances read at most: 200,000 instances in one region.
const PAGES_MAX: usize = 200;
/// Plans in one answer (API reference), and pages of them.
const PLANS: i32 = 1000;
const PLAN_PAGES_MAX: usize = 20;

impl Line<'_> {
    /// Active reserved instances of default tenancy, in one answer: the call knows no pages.
    pub(crate) async fn reserved(&self) -> Result<Vec<Commitment>, Fault> {
        let active = Filter::builder().name("state").values("active").build();
        let sending = self.client.ec2().describe_reserved_instances().filters(active).send();
        let answer = self.call(Action::DescribeReservedInstances, None, sending).await?;
        let rows = answer.reserved_instances.unwrap_or_default();
        let zonal = rows.iter().any(|row| row.availability_zone().is_some());
        let zones = if zonal { self.zones().await? } else { Names::default() };
        Ok(rows.iter().filter_map(|row| reserved(row, self.site, &zones, self.cloud.catalog)).collect())
    }

    /// Active plans of the account.
    pub(crate) async fn plans(&self) -> Result<Vec<Commitment>, Fault> {
        let client = aws_sdk_savingsplans::Client::new(self.client.config());
        let (mut plans, mut next) = (Vec::new(), None);
        for _ in 0..PLAN_PAGES_MAX {
            let request = client.describe_savings_plans().states(SavingsPlanState::Active).max_results(PLANS);
            let sending = request.set_next_token(next).send();
            let answer = self.call(Action::DescribeSavingsPlans, None, sending).await?;
            for row in answer.savings_plans.unwrap_or_default() {
                // A plan that cannot be told is unknown, and not nothing.
                plans.extend(plan(&row, self.site)?);
            }
            next = answer.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(plans);
            }
        }
        Err(Fault::Invalid("the account has more Savings Plans than are read"))
    }

    /// What runs on demand with default tenancy.
    pub(crate) async fn running(&self) -> Result<Running, Fault> {
        let (mut running, mut next) = (Running::new(), None);
        let zones = self.zones().await?;
        let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
        for _ in 0..PAGES_MAX {
            let request = self.client.ec2().describe_instances().max_results(PAGE).set_next_token(next);
            let request = request.filters(filter("instance-state-name", "running"));
            let sending = request.filters(filter("tenancy", "default")).send();
            let answer = self.call(Action::DescribeInstances, None, sending).await?;
            let rows = answer.reservations.unwrap_or_default().into_iter().filter_map(|row| row.instances).flatten();
            for slot in rows.filter_map(|row| slot(&row, self.site, &zones, self.cloud.catalog)) {
                *running.entry(slot).or_default() += 1;
            }
            next = answer.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(running);
            }
        }
        Err(Fault::Invalid("the region has more instances than are read"))
    }
}

/// A row of DescribeReservedInstances; `None` where no group of ours can use it: dedicated, without a type or platform
/// that is known, or over.
fn reserved(row: &ReservedInstances, site: &Site, zones: &Names, catalog: &Catalog) -> Option<Commitment> {
    if row.instance_tenancy().is_some_and(|tenancy| *tenancy != Tenancy::Default) {
        return None;
    }
    let kind = catalog.by_name(row.instance_type()?.as_str())?;
    let product = platform(row.product_description()?.as_str())?;
    let zone = row.availability_zone().filter(|zone| !zone.is_empty());
    let az = match zone {
        // A zone that cannot be told is not the whole region.
        Some(name) => Some(place(None, Some(name), zones).filter(|id| id.as_str() != name)?),
        None => None,
    };
    let count = u32::try_from(row.instance_count()?).ok()?;
    let terms = Terms::Reserved { region: site.region.clone(), az, kind, product, count };
    let ends_at = row.end().and_then(|end| end.to_millis().ok()).map(Timestamp);
    Some(Commitment { account: site.account, terms, ends_at })
}

/// The platform in words of DescribeReservedInstances; one of a VPC is the same, as are others that we do not serve
/// none.
fn platform(words: &str) -> Option<Product> {
    words.strip_suffix(" (Amazon VPC)").unwrap_or(words).parse().ok()
}

/// A row of DescribeSavingsPlans; `None` for plans of other services than EC2.
fn plan(row: &SavingsPlan, site: &Site) -> Result<Option<Commitment>, Fault> {
    const UNTOLD: Fault = Fault::Invalid("a Savings Plan cannot be told");
    let hourly = || {
        // Elsewhere than in USD prices cannot be told either.
        let usd = row.currency().is_none_or(|currency| currency.as_str() == "USD");
        row.commitment().filter(|_| usd).and_then(|text| text.parse().ok()).ok_or(UNTOLD)
    };
    let terms = match row.savings_plan_type().ok_or(UNTOLD)?.as_str() {
        "Compute" => Terms::ComputePlan { hourly: hourly()? },
        "EC2Instance" => Terms::InstancePlan {
            region: row.region().and_then(|region| region.parse().ok()).ok_or(UNTOLD)?,
            family: row.ec2_instance_family().ok_or(UNTOLD)?.to_owned(),
            hourly: hourly()?,
        },
        // Those for databases and machine learning pay for no instance of EC2.
        _ => return Ok(None),
    };
    let ends_at = row.end().and_then(Timestamp::from_rfc3339);
    Ok(Some(Commitment { account: site.account, terms, ends_at }))
}

/// What a running instance counts as; `None` for Spot and what is paid otherwise, or is of no known type or platform.
fn slot(row: &Instance, site: &Site, zones: &Names, catalog: &Catalog) -> Option<Slot> {
    let placement = row.placement()?;
    if row.instance_lifecycle().is_some() || placement.tenancy().is_some_and(|t| *t != Tenancy::Default) {
        return None;
    }
    let az = place(placement.availability_zone_id(), placement.availability_zone(), zones)?;
    let kind = catalog.by_name(row.instance_type()?.as_str())?;
    let product = platform(row.platform_details().unwrap_or("Linux/UNIX"))?;
    let Site { account, region } = site.clone();
    Some(Slot { account, region, az, kind, product })
}

#[cfg(test)]
mod tests {
    use aws_sdk_savingsplans::types::SavingsPlanType;

    use aws_sdk_ec2::types::{InstanceType, Placement, RiProductDescription};
    use aws_sdk_savingsplans::types::CurrencyCode;
    use spothub_core::money::UsdPerHour;

    use super::*;

    fn site() -> Site {
        Site { account: "000000000001".parse().unwrap(), region: "eu-west-1".parse().unwrap() }
    }

    fn zones() -> Names {
        Names::new(std::collections::BTreeMap::from([("eu-west-1a".to_owned(), "euw1-az3".parse().unwrap())]))
    }

    fn bought() -> aws_sdk_ec2::types::builders::ReservedInstancesBuilder {
        ReservedInstances::builder()
            .instance_type(InstanceType::from("m5.large"))
            .product_description(RiProductDescription::from("Linux/UNIX (Amazon VPC)"))
            .instance_count(3)
    }

    #[test]
    fn reserved_instances_are_for_their_zone_or_the_region() {
        let read = |row: &ReservedInstances| reserved(row, &site(), &zones(), Catalog::embedded());
        let zone = |row: ReservedInstances| match read(&row)?.terms {
            Terms::Reserved { az, count, product, .. } => Some((az.map(|az| az.to_string()), count, product)),
            Terms::InstancePlan { .. } | Terms::ComputePlan { .. } => None,
        };
        assert_eq!(zone(bought().build()), Some((None, 3, Product::Linux)));
        let zonal = bought().availability_zone("eu-west-1a").build();
        assert_eq!(zone(zonal), Some((Some("euw1-az3".to_owned()), 3, Product::Linux)));
        assert_eq!(zone(bought().availability_zone("eu-west-1x").build()), None, "not the region");
        assert_eq!(zone(bought().instance_tenancy(Tenancy::Dedicated).build()), None);
        assert_eq!(zone(bought().product_description(RiProductDescription::from("Windows with SQL")).build()), None);
    }

    #[test]
    fn plans_are_told_or_refused() {
        let row = || SavingsPlan::builder().commitment("1.5").currency(CurrencyCode::Usd);
        let read = |row: SavingsPlan| plan(&row, &site()).map(|plan| plan.map(|plan| plan.terms));
        let compute = row().savings_plan_type(SavingsPlanType::Compute).end("2027-01-01T00:00:00.000Z");
        assert_eq!(read(compute.build()), Ok(Some(Terms::ComputePlan { hourly: UsdPerHour(1_500_000) })));
        let family = row().savings_plan_type(SavingsPlanType::Ec2Instance).ec2_instance_family("m5");
        assert!(read(family.clone().build()).is_err(), "without a region");
        assert!(matches!(read(family.region("eu-west-1").build()), Ok(Some(Terms::InstancePlan { .. }))));
        assert_eq!(read(row().savings_plan_type(SavingsPlanType::from("SageMaker")).build()), Ok(None));
        let yuan = SavingsPlan::builder().commitment("1.5").currency(CurrencyCode::Cny);
        assert!(read(yuan.savings_plan_type(SavingsPlanType::Compute).build()).is_err());
    }

    #[test]
    fn what_runs_on_demand_counts() {
        let placed = Placement::builder().availability_zone("eu-west-1a").build();
        let row = || Instance::builder().instance_type(InstanceType::from("m5.large")).placement(placed.clone());
        let read = |row: Instance| slot(&row, &site(), &zones(), Catalog::embedded()).map(|slot| slot.product);
        assert_eq!(read(row().platform_details("Windows").build()), Some(Product::Windows));
        assert_eq!(read(row().build()), Some(Product::Linux));
        assert_eq!(read(row().instance_lifecycle("spot".into()).build()), None);
    }
}
