//! AutoSpotting's settings: one table says each one's name, its tag, and what becomes of it here.

use crate::policy::Key;

/// What becomes of a setting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Matter {
    /// It says which groups are acted on.
    Choice,
    /// Policy has a key for it.
    Value(Key),
    /// Nothing here does the same.
    Absent {
        /// The value with which nothing differs.
        same: Option<&'static str>,
        /// What is done here.
        here: &'static str,
        /// What to do where the difference matters.
        remedy: &'static str,
    },
    /// It says how AutoSpotting itself is run, and nothing of the groups.
    Plumbing,
}

macro_rules! settings {
    ($($variant:ident $name:literal $tag:expr, $matter:expr, $doc:literal;)*) => {
        /// One setting of AutoSpotting.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
        pub enum Setting {
            $(#[doc = $doc] $variant,)*
        }

        impl Setting {
            /// Every setting that is known here.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name as a flag; in capitals it is the variable of its environment.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The tag of a group that stands in its place.
            #[must_use]
            pub const fn tag(self) -> Option<&'static str> {
                match self { $(Self::$variant => $tag),* }
            }

            /// What becomes of it.
            #[must_use]
            pub const fn matter(self) -> Matter {
                match self { $(Self::$variant => $matter),* }
            }
        }
    };
}

settings! {
    Regions "regions" None, Matter::Choice, "Regions that it works in, as patterns.";
    TagFilteringMode "tag_filtering_mode" None, Matter::Choice, "Whether the filters choose groups or leave them out.";
    TagFilters "tag_filters" None, Matter::Choice, "Tags of the groups that are chosen, or left out.";
    MinOnDemandNumber "min_on_demand_number" Some("autospotting_min_on_demand_number"),
        Matter::Value(Key::FloorNumber), "On-demand members to keep, as a number.";
    MinOnDemandPercentage "min_on_demand_percentage" Some("autospotting_min_on_demand_percentage"),
        Matter::Value(Key::FloorPercent), "On-demand members to keep, in percent of the group's members.";
    AllowedInstanceTypes "allowed_instance_types" Some("autospotting_allowed_instance_types"),
        Matter::Value(Key::AllowedTypes), "Only these types.";
    DisallowedInstanceTypes "disallowed_instance_types" Some("autospotting_disallowed_instance_types"),
        Matter::Value(Key::DeniedTypes), "Never these types.";
    OnDemandPriceMultiplier "on_demand_price_multiplier" Some("autospotting_on_demand_price_multiplier"),
        Matter::Value(Key::MaxPrice), "What the on-demand price counts, as a factor.";
    BiddingPolicy "bidding_policy" Some("autospotting_bidding_policy"),
        Matter::Value(Key::MaxPriceOverSpot), "Whether bids are the on-demand price, or a little above the Spot price.";
    SpotPriceBufferPercentage "spot_price_buffer_percentage" Some("autospotting_spot_price_buffer_percentage"),
        Matter::Value(Key::MaxPriceOverSpot), "How much above the Spot price an aggressive bid is.";
    CronSchedule "cron_schedule" Some("autospotting_cron_schedule"),
        Matter::Value(Key::Schedule), "Hours and days of the week.";
    CronTimezone "cron_timezone" Some("autospotting_cron_timezone"),
        Matter::Value(Key::Schedule), "The time zone of these hours.";
    CronScheduleState "cron_schedule_state" Some("autospotting_cron_schedule_state"),
        Matter::Value(Key::Schedule), "Whether it works within these hours or outside of them.";
    SpotProductDescription "spot_product_description" None,
        Matter::Value(Key::Product), "The operating system that Spot prices are taken for.";
    EnableInstanceRebalanceRecommendation "enable_instance_rebalance_recommendation" None,
        Matter::Value(Key::OnRebalance), "Whether rebalance recommendations are acted on.";
    DisableInstanceRebalanceRecommendation "disable_instance_rebalance_recommendation" None,
        Matter::Value(Key::OnRebalance), "Whether rebalance recommendations are passed over.";
    ConsiderEbsBandwidth "consider_ebs_bandwidth" None,
        Matter::Value(Key::EbsTolerance), "Whether a type with less EBS bandwidth is refused.";
    InstanceTerminationMethod "instance_termination_method" None, Matter::Absent {
        same: Some("autoscaling"),
        here: "a member leaves by TerminateInstanceInAutoScalingGroup, so termination hooks run",
        remedy: "see that the group's termination hooks may run at each swap",
    }, "How a member that was replaced leaves the group.";
    TerminationNotificationAction "termination_notification_action" None, Matter::Absent {
        same: None,
        here: "an interrupted member is replaced as on-interruption says, the same way in every group",
        remedy: "set on-interruption: ignore for groups that are to see to it themselves",
    }, "What is done with a member that EC2 takes back.";
    PatchBeanstalkUserdata "patch_beanstalk_userdata" Some("autospotting_patch_beanstalk_userdata"), Matter::Absent {
        same: Some("false"),
        here: "a newcomer has the user data of the group's template as it stands",
        remedy: "put the change into the environment's own template, or keep the group with AutoSpotting",
    }, "Whether the user data of Elastic Beanstalk is changed.";
    EbsGp2ConversionThreshold "ebs_gp2_conversion_threshold" Some("autospotting_gp2_conversion_threshold"),
        Matter::Absent {
            same: Some("0"),
            here: "a newcomer has the volumes of the group's template as they stand",
            remedy: "set volume type gp3 in the group's template",
        }, "Up to which size gp2 volumes become gp3.";
    SpotAllocationStrategy "spot_allocation_strategy" Some("autospotting_spot_allocation_strategy"), Matter::Absent {
        same: None,
        here: "EC2 chooses by price-capacity-optimized among the best-ranked pools; the key pools says how many",
        remedy: "raise pools for fewer interruptions, lower it for lower prices",
    }, "How EC2 chooses among types.";
    PrioritizedInstanceTypesBias "prioritized_instance_types_bias"
        Some("autospotting_prioritized_instance_types_bias"), Matter::Absent {
            same: None,
            here: "pools are ranked by what they save and how often they are taken back, not by generation",
            remedy: "name the generations that you do not want under denied-types",
        }, "Which types come first.";
    SpotProductPremium "spot_product_premium" None, Matter::Absent {
        same: Some("0"),
        here: "on-demand prices are those of the image's own operating system, its licence included",
        remedy: "nothing, unless your image does not say its system: then set product",
    }, "What is added to on-demand prices.";
    AllowParallelInstanceReplacements "allow_parallel_instance_replacements" None, Matter::Absent {
        same: Some("false"),
        here: "one swap at a time in a group",
        remedy: "nothing: shorten interval or settle where a group takes too long",
    }, "Whether members of a group are replaced at the same time.";
    DisableEventBasedInstanceReplacement "disable_event_based_instance_replacement" None, Matter::Absent {
        same: None,
        here: "events and the regular sweep wake the same look at a group; neither can be chosen alone",
        remedy: "set interval and schedule where a group is to change more slowly",
    }, "Whether new instances are replaced by the timer alone.";
    License "license" None, Matter::Plumbing, "Its licence.";
    SqsQueueUrl "sqs_queue_url" None, Matter::Plumbing, "Its queue.";
    NotificationSnsTopic "notification_sns_topic" None, Matter::Plumbing, "Where its mails go.";
    SavingsReportsFrequency "savings_reports_frequency" None, Matter::Plumbing, "How often it reports.";
    AutomatedInstanceDataUpdate "automated_instance_data_update" None, Matter::Plumbing, "Where it knows types from.";
}

/// The tag with which AutoSpotting itself marks a group that it is done with.
const OWN_MARK: &str = "autospotting_enable_instance_launch_event_handling";

/// Tags of 2018 and before, which today's AutoSpotting passes over.
const OLD: [(&str, Setting); 5] = [
    ("autospotting_on_demand_number", Setting::MinOnDemandNumber),
    ("autospotting_on_demand_percentage", Setting::MinOnDemandPercentage),
    ("allowed-instance-types", Setting::AllowedInstanceTypes),
    ("disallowed-instance-types", Setting::DisallowedInstanceTypes),
    ("patch_beanstalk_userdata", Setting::PatchBeanstalkUserdata),
];

/// What a tag of a group is to AutoSpotting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tag {
    /// Somebody else's.
    Foreign,
    /// `spot-enabled`.
    Switch,
    /// Its own mark.
    Mark,
    /// One that stands in a setting's place.
    Of(Setting),
    /// The same, under a name that it had once.
    Once(Setting),
    /// It begins as its tags do, and is none that is known.
    Unknown,
}

/// What a tag is.
pub(super) fn tag(name: &str) -> Tag {
    if name == crate::policy::AUTOSPOTTING_ENABLED {
        return Tag::Switch;
    }
    if name == OWN_MARK {
        return Tag::Mark;
    }
    if let Some(setting) = Setting::ALL.iter().find(|setting| setting.tag() == Some(name)) {
        return Tag::Of(*setting);
    }
    match OLD.iter().find(|(old, _)| *old == name) {
        Some((_, setting)) => Tag::Once(*setting),
        None if name.starts_with("autospotting_") => Tag::Unknown,
        None => Tag::Foreign,
    }
}
