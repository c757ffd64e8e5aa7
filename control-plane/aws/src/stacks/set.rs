//! Stack sets: read, created, updated and deleted, with their instances in accounts and regions.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types as aws;
use aws_sdk_cloudformation::types::Capability;
use spothub_core::id::{AccountId, Region};

use super::call::{given, heard, kept, parameters, tagged, tags};
use super::{Begun, CallAs, Instance, Named, Operation, PAGE_ROWS, PAGES_MAX, Row, StackError};
use crate::action::Action;
use crate::home::Home;
use crate::org::UnitId;

/// Operations that are looked through for one that runs: they come newest first, and one runs or a few are queued.
const OPERATIONS_SEEN: i32 = 20;

/// Which of a unit's accounts are meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Filter {
    /// All of them.
    All,
    /// Those that are named.
    Only,
    /// All but those that are named.
    Without,
}

/// Where a set is to be deployed, or taken away: units for a set that is managed by the service, else accounts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Targets {
    /// Units, at most 50 in a call.
    pub units: BTreeSet<UnitId>,
    /// Accounts that the filter speaks of, or, without units, the accounts.
    pub accounts: BTreeSet<AccountId>,
    /// What the accounts are.
    pub filter: Filter,
    /// Regions.
    pub regions: BTreeSet<Region>,
}

/// What becomes of the stacks of instances that are deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Leaving {
    /// They are deleted, too.
    Deleted,
    /// They stay as they are, and belong to no set any more.
    Released,
}

/// Who sees to a set's deployment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Model {
    /// The service itself, through the organization.
    Service {
        /// Accounts that join a targeted unit are deployed to, and those that leave are cleaned up.
        auto: bool,
        /// Sets whose automatic deployment comes first, by ARN.
        after: BTreeSet<String>,
    },
    /// Roles that somebody else made.
    Roles {
        /// The role that CloudFormation assumes, where it is not its default.
        administration: Option<String>,
        /// The role in the targets, by name, where it is not its default.
        execution: Option<String>,
    },
}

/// How many at once, and how many may fail, in percent of the accounts of a region.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Preferences {
    /// At once.
    pub at_once: u8,
    /// May fail before the region, and all after it, are given up.
    pub may_fail: u8,
}

/// A set as it is to be.
#[derive(Clone, Copy, Debug)]
pub struct SetAsk<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is for.
    pub about: &'a str,
    /// The template's text.
    pub template: &'a str,
    /// All its parameters: automatic deployment knows no others.
    pub parameters: &'a Named,
    /// Its tags.
    pub tags: &'a Named,
    /// Who sees to its deployment.
    pub model: &'a Model,
}

/// Who sees to the deployment of a set that is there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SeenModel {
    /// Who.
    pub model: Model,
    /// Units that it is deployed to, of a set that is managed by the service.
    pub units: BTreeSet<UnitId>,
}

/// A set as it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SetSeen {
    /// Its ARN.
    pub arn: String,
    /// The template's text.
    pub template: String,
    /// Its parameters.
    pub parameters: Named,
    /// Its tags.
    pub tags: Named,
    /// Who sees to its deployment, and where.
    pub deployed: SeenModel,
    /// Its instances.
    pub instances: Vec<Instance>,
    /// The last operation, if there was any: each new one is told apart by it.
    pub last: Option<Operation>,
}

/// The stack sets of one account in one region.
pub struct StackSets {
    home: Arc<Home>,
    client: Client,
    call_as: aws::CallAs,
}

impl StackSets {
    /// Asks with this session.
    #[must_use]
    pub fn new(home: Arc<Home>, region: &Region, call_as: CallAs) -> Self {
        let call_as = match call_as {
            CallAs::Own => aws::CallAs::SelfValue,
            CallAs::Delegated => aws::CallAs::DelegatedAdmin,
        };
        Self { client: Client::new(&home.in_region(region.as_str())), home, call_as }
    }

    /// Whether CloudFormation may act in the organization: DescribeOrganizationsAccess.
    pub async fn is_trusted(&self) -> Result<bool, StackError> {
        let answer = self.client.describe_organizations_access().call_as(self.call_as.clone()).send().await;
        let found = heard(&self.home, Action::DescribeOrganizationsAccess, answer)?;
        Ok(found.status() == Some(&aws::OrganizationStatus::Enabled))
    }

    /// A set with its instances and its last operation: DescribeStackSet, ListStackInstances, ListStackSetOperations.
    pub async fn find(&self, name: &str) -> Result<Option<SetSeen>, StackError> {
        let answer = self.client.describe_stack_set().stack_set_name(name).call_as(self.call_as.clone()).send().await;
        let action = Action::DescribeStackSet;
        let set = match heard(&self.home, action, answer) {
            Ok(found) => found.stack_set.ok_or_else(|| StackError::odd(action, "stack set"))?,
            Err(error) if error.is(&["StackSetNotFoundException"]) => return Ok(None),
            Err(error) => return Err(error),
        };
        if set.status() == Some(&aws::StackSetStatus::Deleted) {
            return Ok(None);
        }
        Ok(Some(SetSeen {
            arn: set.stack_set_arn().unwrap_or_default().to_owned(),
            template: set.template_body().unwrap_or_default().to_owned(),
            parameters: parameters(set.parameters()),
            tags: tags(set.tags()),
            deployed: deployed(&set),
            instances: self.instances(name).await?,
            last: self.operations(name).await?.into_iter().next(),
        }))
    }

    /// All its instances: ListStackInstances, one call for each 100.
    pub async fn instances(&self, name: &str) -> Result<Vec<Instance>, StackError> {
        let (mut found, mut next) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let call = self.client.list_stack_instances().stack_set_name(name).max_results(PAGE_ROWS);
            let answer = call.call_as(self.call_as.clone()).set_next_token(next).send().await;
            let answer = heard(&self.home, Action::ListStackInstances, answer)?;
            found.extend(answer.summaries().iter().filter_map(Instance::read));
            next = answer.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// Its latest operations, the newest first: ListStackSetOperations.
    pub async fn operations(&self, name: &str) -> Result<Vec<Operation>, StackError> {
        let call = self.client.list_stack_set_operations().stack_set_name(name).max_results(OPERATIONS_SEEN);
        let answer = call.call_as(self.call_as.clone()).send().await;
        let found = heard(&self.home, Action::ListStackSetOperations, answer)?;
        let read = |row: &aws::StackSetOperationSummary| {
            Operation::read(row.operation_id(), row.status(), row.status_reason())
        };
        Ok(found.summaries().iter().filter_map(read).collect())
    }

    /// One operation: DescribeStackSetOperation.
    pub async fn operation(&self, name: &str, id: &str) -> Result<Operation, StackError> {
        let action = Action::DescribeStackSetOperation;
        let call = self.client.describe_stack_set_operation().stack_set_name(name).operation_id(id);
        let found = heard(&self.home, action, call.call_as(self.call_as.clone()).send().await)?.stack_set_operation;
        let found = found.and_then(|row| Operation::read(row.operation_id(), row.status(), row.status_reason()));
        found.ok_or_else(|| StackError::odd(action, "operation"))
    }

    /// What an operation did in each account and region: ListStackSetOperationResults.
    pub async fn results(&self, name: &str, id: &str) -> Result<Vec<Row>, StackError> {
        let (mut found, mut next) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let call = self.client.list_stack_set_operation_results().stack_set_name(name).operation_id(id);
            let call = call.max_results(PAGE_ROWS).call_as(self.call_as.clone()).set_next_token(next);
            let answer = heard(&self.home, Action::ListStackSetOperationResults, call.send().await)?;
            found.extend(answer.summaries().iter().filter_map(Row::read));
            next = answer.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// Creates a set without instances; one of this name that is there already is left as it is.
    pub async fn create(&self, ask: &SetAsk<'_>, token: &str) -> Result<(), StackError> {
        let call = self.client.create_stack_set().stack_set_name(ask.name).description(ask.about);
        let call = call.template_body(ask.template).set_parameters(Some(given(ask.parameters)));
        let call = call.set_tags(Some(tagged(ask.tags))).capabilities(Capability::CapabilityNamedIam);
        // Operations that come together wait for one another instead of being refused.
        let call = call.managed_execution(managed()).client_request_token(token);
        let call = match ask.model {
            Model::Service { auto, after } => {
                let call = call.permission_model(aws::PermissionModels::ServiceManaged);
                call.auto_deployment(deployment(*auto, after))
            }
            Model::Roles { administration, execution } => {
                let call = call.permission_model(aws::PermissionModels::SelfManaged);
                call.set_administration_role_arn(administration.clone()).set_execution_role_name(execution.clone())
            }
        };
        match heard(&self.home, Action::CreateStackSet, call.call_as(self.call_as.clone()).send().await) {
            Err(error) if error.is(&["NameAlreadyExistsException"]) => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    /// Updates a set and all its instances.
    pub async fn update(&self, ask: &SetAsk<'_>, how: Preferences, id: &str) -> Result<Begun, StackError> {
        let call = self.client.update_stack_set().stack_set_name(ask.name).description(ask.about);
        let call = call.template_body(ask.template).set_parameters(Some(given(ask.parameters)));
        let call = call.set_tags(Some(tagged(ask.tags))).capabilities(Capability::CapabilityNamedIam);
        let call = call.managed_execution(managed()).operation_preferences(preferences(how)).operation_id(id);
        let call = match ask.model {
            Model::Service { auto, after } => {
                let call = call.permission_model(aws::PermissionModels::ServiceManaged);
                call.auto_deployment(deployment(*auto, after))
            }
            Model::Roles { administration, execution } => {
                let call = call.permission_model(aws::PermissionModels::SelfManaged);
                call.set_administration_role_arn(administration.clone()).set_execution_role_name(execution.clone())
            }
        };
        let answer = call.call_as(self.call_as.clone()).send().await;
        begun(id, heard(&self.home, Action::UpdateStackSet, answer).map(|_| ()))
    }

    /// Tries again in some accounts and regions, and leaves all others alone: an update that changes nothing.
    pub async fn again(
        &self,
        (name, parameters): (&str, &Named),
        targets: &Targets,
        how: Preferences,
        id: &str,
    ) -> Result<Begun, StackError> {
        let call = self.client.update_stack_set().stack_set_name(name).use_previous_template(true);
        let call = call.set_parameters(Some(kept(parameters))).capabilities(Capability::CapabilityNamedIam);
        let call = call.operation_preferences(preferences(how)).operation_id(id);
        let (accounts, deployment) = places(targets);
        let call = call.set_accounts(accounts).set_deployment_targets(deployment);
        let answer = call.set_regions(regions(targets)).call_as(self.call_as.clone()).send().await;
        begun(id, heard(&self.home, Action::UpdateStackSet, answer).map(|_| ()))
    }

    /// Creates instances; those that are there already are left as they are.
    pub async fn deploy(&self, name: &str, targets: &Targets, how: Preferences, id: &str) -> Result<Begun, StackError> {
        let (accounts, deployment) = places(targets);
        let call = self.client.create_stack_instances().stack_set_name(name).operation_id(id);
        let call = call.set_accounts(accounts).set_deployment_targets(deployment).set_regions(regions(targets));
        let answer = call.operation_preferences(preferences(how)).call_as(self.call_as.clone()).send().await;
        begun(id, heard(&self.home, Action::CreateStackInstances, answer).map(|_| ()))
    }

    /// Deletes instances, with their stacks or without. Of a suspended account no stack can be deleted: there it needs
    /// to be without.
    pub async fn withdraw(
        &self,
        (name, leaving): (&str, Leaving),
        targets: &Targets,
        how: Preferences,
        id: &str,
    ) -> Result<Begun, StackError> {
        let (accounts, deployment) = places(targets);
        let retain = leaving == Leaving::Released;
        let call = self.client.delete_stack_instances().stack_set_name(name).operation_id(id).retain_stacks(retain);
        let call = call.set_accounts(accounts).set_deployment_targets(deployment).set_regions(regions(targets));
        let answer = call.operation_preferences(preferences(how)).call_as(self.call_as.clone()).send().await;
        begun(id, heard(&self.home, Action::DeleteStackInstances, answer).map(|_| ()))
    }

    /// Deletes a set that has no instances; one that is not there is deleted.
    pub async fn delete(&self, name: &str) -> Result<Begun, StackError> {
        let answer = self.client.delete_stack_set().stack_set_name(name).call_as(self.call_as.clone()).send().await;
        match heard(&self.home, Action::DeleteStackSet, answer) {
            Err(error) if error.is(&["StackSetNotFoundException"]) => Ok(Begun::Runs(String::new())),
            answer => begun("", answer.map(|_| ())),
        }
    }
}

/// What became of a request for an operation. One whose id is known already had lost its answer.
fn begun(id: &str, answer: Result<(), StackError>) -> Result<Begun, StackError> {
    match answer {
        Ok(()) => Ok(Begun::Runs(id.to_owned())),
        Err(error) if error.is(&["OperationIdAlreadyExistsException"]) => Ok(Begun::Runs(id.to_owned())),
        Err(error) if error.is(&["OperationInProgressException", "StaleRequestException"]) => Ok(Begun::Busy),
        Err(error) => Err(error),
    }
}

fn managed() -> aws::ManagedExecution {
    aws::ManagedExecution::builder().active(true).build()
}

fn deployment(auto: bool, after: &BTreeSet<String>) -> aws::AutoDeployment {
    let deployment = aws::AutoDeployment::builder().enabled(auto);
    if !auto {
        // AWS takes neither of the others then.
        return deployment.build();
    }
    let after = (!after.is_empty()).then(|| after.iter().cloned().collect());
    deployment.retain_stacks_on_account_removal(false).set_depends_on(after).build()
}

/// All regions at once, and no region given up for another's failures.
fn preferences(how: Preferences) -> aws::StackSetOperationPreferences {
    aws::StackSetOperationPreferences::builder()
        .region_concurrency_type(aws::RegionConcurrencyType::Parallel)
        .concurrency_mode(aws::ConcurrencyMode::SoftFailureTolerance)
        .max_concurrent_percentage(i32::from(how.at_once))
        .failure_tolerance_percentage(i32::from(how.may_fail))
        .build()
}

fn texts<T: ToString>(items: &BTreeSet<T>) -> Option<Vec<String>> {
    (!items.is_empty()).then(|| items.iter().map(ToString::to_string).collect())
}

fn regions(targets: &Targets) -> Option<Vec<String>> {
    texts(&targets.regions)
}

/// Accounts for a set of our own roles, deployment targets for one that is managed by the service.
fn places(targets: &Targets) -> (Option<Vec<String>>, Option<aws::DeploymentTargets>) {
    if targets.units.is_empty() {
        return (texts(&targets.accounts), None);
    }
    let filter = match targets.filter {
        Filter::All => aws::AccountFilterType::None,
        Filter::Only => aws::AccountFilterType::Intersection,
        Filter::Without => aws::AccountFilterType::Difference,
    };
    let found = aws::DeploymentTargets::builder().set_organizational_unit_ids(texts(&targets.units));
    let found = found.account_filter_type(filter);
    let accounts = if targets.filter == Filter::All { None } else { texts(&targets.accounts) };
    (None, Some(found.set_accounts(accounts).build()))
}

fn deployed(set: &aws::StackSet) -> SeenModel {
    let units = set.organizational_unit_ids().iter().filter_map(|id| id.parse().ok()).collect();
    if set.permission_model() != Some(&aws::PermissionModels::ServiceManaged) {
        let (administration, execution) = (set.administration_role_arn(), set.execution_role_name());
        let text = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(ToOwned::to_owned);
        let model = Model::Roles { administration: text(administration), execution: text(execution) };
        return SeenModel { model, units };
    }
    let auto = set.auto_deployment();
    let after = auto.map(|auto| auto.depends_on().iter().cloned().collect()).unwrap_or_default();
    let auto = auto.and_then(aws::AutoDeployment::enabled).unwrap_or_default();
    SeenModel { model: Model::Service { auto, after }, units }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(units: &[&str], filter: Filter) -> Targets {
        Targets {
            units: units.iter().map(|id| id.parse().unwrap()).collect(),
            accounts: BTreeSet::from(["000000000042".parse().unwrap()]),
            filter,
            regions: BTreeSet::from(["eu-west-1".parse().unwrap()]),
        }
    }

    #[test]
    fn units_are_targets_and_accounts_without_them_are_accounts() {
        let (accounts, deployment) = places(&targets(&[], Filter::All));
        assert_eq!((accounts.unwrap(), deployment.is_none()), (vec!["000000000042".to_owned()], true));
        for (filter, kind, named) in [
            (Filter::All, aws::AccountFilterType::None, 0),
            (Filter::Only, aws::AccountFilterType::Intersection, 1),
            (Filter::Without, aws::AccountFilterType::Difference, 1),
        ] {
            let (accounts, deployment) = places(&targets(&["r-ab12"], filter));
            let deployment = deployment.unwrap();
            assert!(accounts.is_none() && deployment.accounts().len() == named);
            assert_eq!(
                (deployment.account_filter_type(), deployment.organizational_unit_ids().len()),
                (Some(&kind), 1)
            );
        }
    }

    #[test]
    fn what_needs_automatic_deployment_is_left_out_without_it() {
        let after = BTreeSet::from(["arn".to_owned()]);
        let off = deployment(false, &after);
        assert!(off.depends_on().is_empty() && off.retain_stacks_on_account_removal().is_none());
        assert_eq!(deployment(true, &after).depends_on(), ["arn"]);
        assert_eq!(deployment(true, &BTreeSet::new()).retain_stacks_on_account_removal(), Some(false));
    }

    #[test]
    fn a_set_is_read_with_who_deploys_it() {
        let auto = aws::AutoDeployment::builder().enabled(true).depends_on("arn").build();
        let set =
            aws::StackSet::builder().permission_model(aws::PermissionModels::ServiceManaged).auto_deployment(auto);
        let seen = deployed(&set.organizational_unit_ids("r-ab12").build());
        assert_eq!(seen.model, Model::Service { auto: true, after: BTreeSet::from(["arn".to_owned()]) });
        assert_eq!(seen.units.len(), 1);
        let set =
            aws::StackSet::builder().permission_model(aws::PermissionModels::SelfManaged).execution_role_name("x");
        let model = Model::Roles { administration: None, execution: Some("x".to_owned()) };
        assert_eq!(deployed(&set.build()).model, model);
    }

    #[test]
    fn a_request_that_is_known_already_runs() {
        let error = |code: &str| StackError {
            action: Action::UpdateStackSet,
            fault: spothub_core::fault::Fault::Broken,
            code: code.to_owned(),
            said: String::new(),
        };
        assert_eq!(begun("x", Err(error("OperationIdAlreadyExistsException"))), Ok(Begun::Runs("x".to_owned())));
        assert_eq!(begun("x", Err(error("OperationInProgressException"))), Ok(Begun::Busy));
        assert!(begun("x", Err(error("AccessDenied"))).is_err());
    }
}
