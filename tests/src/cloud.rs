//! What every cloud must do, whoever it is: one body for each promise, over the ports alone and a [`Stage`] that does
//! what owners and AWS do. Each adapter's tests run all of them.
//!
//! A case never sleeps: it asks again until something holds, and the stage says how time passes between two questions.
//! A case has a site, a neighbor and an elsewhere of its own, so that cases can run side by side.

pub mod accounts;
pub mod alarms;
pub mod clusters;
pub mod commitments;
pub mod directory;
pub mod groups;
pub mod inbox;
pub mod instances;
pub mod launches;
pub mod members;
pub mod outcomes;
pub mod prices;
mod stage;
pub mod templates;
mod twin;

use std::sync::Arc;

use spothub_core::catalog::{Catalog, TypeId};
use spothub_core::cloud::{InstanceSeen, RunState};
use spothub_core::fault::Fault;
use spothub_core::group::{GroupView, MemberState};
use spothub_core::id::{GroupKey, InstanceId, Site};
use spothub_core::port::{Act, Cause, Clock, Commitments, Directory, Inbox, Look, Placement, Prices};

pub use stage::{Image, Obstacle, PAUSES_MAX, Pin, Stage, Start, Wanted};
pub use twin::Twin;

/// One adapter in front of a world that a [`Stage`] moves.
#[derive(Clone)]
pub struct Scene {
    /// Reads.
    pub look: Arc<dyn Look>,
    /// Changes.
    pub act: Arc<dyn Act>,
    /// Public prices.
    pub prices: Arc<dyn Prices>,
    /// What is paid for anyway.
    pub commitments: Arc<dyn Commitments>,
    /// EC2's advice.
    pub placement: Arc<dyn Placement>,
    /// The accounts.
    pub directory: Arc<dyn Directory>,
    /// The queues.
    pub inbox: Arc<dyn Inbox>,
    /// The time that all of them go by.
    pub clock: Arc<dyn Clock>,
    /// What moves the world.
    pub stage: Arc<dyn Stage>,
}

/// A call for nobody in particular.
#[must_use]
pub fn cause() -> Cause<'static> {
    Cause::default()
}

/// A type by its name.
///
/// # Panics
/// Where the catalogue does not know it.
#[must_use]
pub fn kind(name: &str) -> TypeId {
    Catalog::embedded().by_name(name).unwrap_or_else(|| panic!("the catalogue has no {name}"))
}

/// An instance that no world has.
#[must_use]
pub fn nobody() -> InstanceId {
    InstanceId::from_number(0xdead_beef_0000_0001)
}

impl Scene {
    /// The case's own site.
    #[must_use]
    pub fn site(&self) -> Site {
        self.stage.site()
    }

    /// Makes a group.
    pub async fn group(&self, wanted: Wanted) -> GroupKey {
        let key = GroupKey { site: wanted.site.clone().unwrap_or_else(|| self.site()), name: wanted.name() };
        self.stage.make(&key, &wanted).await;
        key
    }

    /// The group as it is now.
    ///
    /// # Panics
    /// Where it is not there, or not alone.
    pub async fn view(&self, key: &GroupKey) -> GroupView {
        let mut views = self.look.groups(&key.site, Some(std::slice::from_ref(&key.name)), cause()).await.unwrap();
        assert_eq!(views.len(), 1, "groups named {}", key.name);
        views.remove(0)
    }

    /// The first member's id.
    pub async fn first(&self, key: &GroupKey) -> InstanceId {
        self.view(key).await.members[0].id.clone()
    }

    /// The instance, where EC2 lists it.
    pub async fn instance(&self, site: &Site, id: &InstanceId) -> Option<InstanceSeen> {
        self.look.instances(site, std::slice::from_ref(id), cause()).await.unwrap().pop()
    }

    /// The instance's state, where EC2 tells one.
    pub async fn state(&self, site: &Site, id: &InstanceId) -> Option<RunState> {
        let rows = self.look.status(site, std::slice::from_ref(id), cause()).await.unwrap();
        rows.into_iter().find(|(row, _)| row == id).map(|(_, state)| state)
    }

    /// Asks until there is an answer; the world goes on in between.
    ///
    /// # Panics
    /// Where none comes within [`PAUSES_MAX`] pauses.
    pub async fn until<T, F>(&self, what: &str, mut ask: impl FnMut() -> F + Send) -> T
    where
        F: Future<Output = Option<T>> + Send,
    {
        for _ in 0..PAUSES_MAX {
            if let Some(found) = ask().await {
                return found;
            }
            self.stage.pause().await;
        }
        panic!("waited in vain until {what}");
    }

    /// Waits until an instance runs.
    pub async fn running(&self, site: &Site, id: &InstanceId) {
        let runs = || async {
            let state = self.state(site, id).await;
            state.filter(|state| matches!(state, RunState::Running | RunState::Checked))
        };
        self.until("it runs", runs).await;
    }

    /// Launches a Spot twin of the group's first member and waits until it runs.
    pub async fn running_twin(&self, key: &GroupKey) -> InstanceId {
        let twin = Twin::of(self, key, &["m5.large"]).await;
        let id = self.launch(&twin).await.unwrap();
        self.running(&key.site, &id).await;
        id
    }

    /// Launches, and tells the instance.
    pub async fn launch(&self, twin: &Twin) -> Result<InstanceId, Fault> {
        self.act.launch(&twin.launch(), cause()).await.map(|launched| launched.id)
    }

    /// Waits until so many members are in service.
    pub async fn in_service(&self, key: &GroupKey, count: u32) -> GroupView {
        let serve = || async {
            let view = self.view(key).await;
            (view.in_service() == count).then_some(view)
        };
        self.until("members are in service", serve).await
    }

    /// Waits until the group does not list an instance any more, or as one that goes.
    pub async fn out(&self, key: &GroupKey, id: &InstanceId) {
        let gone = || async {
            let view = self.view(key).await;
            view.member(id).is_none_or(|member| member.state == MemberState::Terminating).then_some(())
        };
        self.until("the member is out", gone).await;
    }

    /// Instances of ours at a site that have not ended.
    pub async fn alive(&self, site: &Site) -> Vec<InstanceSeen> {
        let all = self.look.managed(site, cause()).await.unwrap();
        all.into_iter().filter(|seen| seen.state != RunState::Ended).collect()
    }
}

/// Hands the modules and names of all cases to a macro of the adapter's tests.
#[macro_export]
macro_rules! cloud_cases {
    ($each:ident) => {
        $each! {
            groups {
                groups_are_found_by_name,
                unknown_names_are_left_out,
                a_site_lists_its_own_groups_and_no_others,
                an_empty_site_is_an_empty_list,
                names_may_hold_blanks_slashes_and_255_characters,
                more_than_a_hundred_groups_are_all_listed,
                more_than_a_hundred_names_are_all_found,
                a_view_tells_sizes_tags_and_target_groups,
                a_view_tells_what_is_suspended,
                a_view_tells_what_is_launched_from,
                members_are_told_with_type_and_zone,
                hooks_and_refreshes_are_told_where_there_are_any,
                a_stack_that_changes_is_told,
            }
            members {
                attaching_raises_desired_by_one,
                an_attached_instance_comes_into_service,
                attaching_beyond_max_is_refused_and_changes_nothing,
                attaching_while_launch_is_suspended_is_refused,
                attaching_a_member_again_is_refused,
                attaching_a_member_of_another_group_is_refused,
                attaching_an_unknown_instance_is_refused,
                attaching_what_does_not_run_yet_is_refused,
                attaching_to_an_unknown_group_is_gone,
                retiring_with_decrement_lowers_desired_and_nothing_comes_after,
                retiring_without_decrement_is_replaced_on_demand,
                retiring_below_min_is_refused_and_changes_nothing,
                retiring_again_is_refused,
                retiring_who_is_no_member_is_gone,
                a_swap_nets_out,
                max_is_set_alone_and_again,
                max_of_an_unknown_group_is_gone,
                what_its_owner_ends_is_replaced_on_demand,
            }
            launches {
                a_launch_is_spot_and_stands_beside_the_old_one,
                a_launch_can_be_on_demand,
                a_launch_leaves_the_group_alone,
                a_token_launches_once,
                another_token_launches_another,
                a_token_with_other_contents_launches_nothing_more,
                an_empty_pool_is_named,
                all_empty_pools_are_named,
                a_fleet_takes_another_pool_and_says_what_was_refused,
                a_pool_that_has_room_again_gives,
                a_price_above_the_most_to_pay_is_no_capacity,
                a_configuration_is_launched_from,
                a_group_that_names_no_subnet_is_launched_into_its_members,
                a_twin_of_a_mixed_group_that_buys_on_demand_joins_it,
                one_request_takes_one_pool_where_ec2_does_not_choose,
                a_token_has_at_most_64_characters,
                a_type_of_another_architecture_is_refused,
                an_unknown_version_is_refused,
            }
            templates {
                the_image_tells_product_and_architecture,
                latest_is_resolved_to_a_number,
                default_is_resolved_to_a_number,
                a_configuration_tells_the_same_and_takes_one_pool_at_a_time,
                what_spot_cannot_honor_is_told,
                volumes_are_counted,
                unknown_versions_and_configurations_are_gone,
            }
            instances {
                unknown_ids_are_left_out,
                what_aws_takes_without_a_word_is_marked,
                a_state_goes_from_pending_over_running_to_checked,
                managed_finds_ours_and_no_others,
                terminating_ends_and_may_be_repeated,
                terminating_what_is_unknown_is_gone,
                what_ended_is_still_told_as_such,
                targets_are_absent_then_healthy,
                activities_tell_who_was_taken_out_and_how,
                activities_begin_at_the_time_asked_for,
            }
            accounts {
                an_account_without_a_role_is_unreachable_and_the_next_is_not,
                an_account_that_forbids_changes_can_be_read,
                regions_of_one_account_are_apart,
            }
            outcomes {
                a_throttled_call_did_nothing,
                a_failed_call_did_nothing,
                a_busy_group_is_a_conflict,
                a_launch_without_an_answer_is_found_by_its_token,
                a_launch_that_never_arrived_can_be_repeated,
                an_attach_without_an_answer_is_unclear_and_its_repeat_a_conflict,
                a_retire_without_an_answer_is_unclear_and_counts_once,
                a_max_without_an_answer_is_unclear_and_may_be_repeated,
            }
            prices {
                quotes_are_by_zone_id,
                a_pool_that_is_not_offered_has_no_quote,
                a_change_shows_in_the_next_quotes,
                history_begins_with_the_price_in_force_and_goes_on_in_order,
                what_has_no_quote_has_no_history,
                scores_are_of_zone_ids_and_from_one_to_ten,
            }
            commitments {
                nothing_bought_is_nothing,
                a_reserved_instance_is_of_its_account_and_region,
                a_plan_is_told_with_what_it_costs_an_hour,
                what_runs_on_demand_is_counted_by_what_it_is,
            }
            alarms {
                an_alarm_is_red_or_not,
                unknown_alarms_are_left_out,
                alarms_of_other_sites_are_unknown_here,
                more_than_a_hundred_alarms_are_all_told,
                alarms_cannot_be_read_without_a_role,
            }
            clusters {
                container_instances_are_told_by_their_instances,
                a_cluster_that_is_not_there_has_none,
                draining_is_set_and_taken_back,
                what_is_not_registered_cannot_drain,
                classic_load_balancers_are_told_and_serve,
                a_classic_load_balancer_that_is_not_there_serves_nobody,
            }
            directory {
                accounts_come_with_name_unit_and_regions,
                a_closed_account_is_not_active,
                who_is_not_enrolled_is_not_listed,
            }
            inbox {
                a_message_is_bytes_and_the_time_it_was_sent,
                at_most_ten_come_at_once_and_none_is_lost,
                lanes_are_apart,
                what_was_not_deleted_comes_again_and_nothing_else,
                an_old_receipt_does_no_harm,
                a_message_for_later_comes_later,
            }
        }
    };
}
