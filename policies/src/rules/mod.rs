//! The built-in rules: one file each, in the folder of its category, with its document beside it.
//!
//! A new rule is its two files, its `mod` line and its line in [`RULES`]; tests run its document and check what it says about itself.

mod bounds;
mod capacity;
mod images;
mod jobs;
mod object;
mod references;
mod rollout;
mod security;
mod upgrades;

use crate::rule::Rule;

/// Always in force, whatever the policies use.
pub(crate) const MALFORMED: &dyn Rule = object::malformed_workload::RULE;

/// The rule whose findings point at values that must not be shown, in no excerpt of a file either.
pub const HIDES_VALUES: &str = security::secret_in_environment::NAME;

/// The parameter that says for which Kubernetes a rule judges.
pub(crate) const TARGET_VERSION: &str = upgrades::TARGET_VERSION;

/// By code.
static RULES: &[&dyn Rule] = &[
    jobs::cronjob_without_deadline::RULE,
    jobs::cronjob_allows_overlap::RULE,
    jobs::cronjob_job_without_deadline::RULE,
    jobs::cronjob_history_too_long::RULE,
    jobs::job_backoff_too_high::RULE,
    jobs::job_without_deadline::RULE,
    jobs::cronjob_schedule_unreadable::RULE,
    jobs::cronjob_never_fires::RULE,
    jobs::cronjob_too_frequent::RULE,
    jobs::cronjob_unknown_time_zone::RULE,
    jobs::cronjob_deadline_above_period::RULE,
    jobs::job_never_cleaned_up::RULE,
    jobs::job_restarts_in_place::RULE,
    capacity::container_without_memory_limit::RULE,
    capacity::container_without_requests::RULE,
    capacity::quota_breach::RULE,
    capacity::limit_range_breach::RULE,
    capacity::resources_cut::RULE,
    capacity::limit_far_above_request::RULE,
    capacity::object_quota_breach::RULE,
    capacity::requests_above_every_node::RULE,
    capacity::memory_limit_near_peak::RULE,
    rollout::deployment_without_readiness_probe::RULE,
    rollout::liveness_equals_readiness::RULE,
    rollout::startup_shorter_than_delay::RULE,
    rollout::grace_shorter_than_prestop::RULE,
    rollout::rollout_stops_every_pod::RULE,
    rollout::recreate_with_several_replicas::RULE,
    rollout::progress_deadline_senseless::RULE,
    rollout::min_ready_seconds_out_of_bounds::RULE,
    rollout::no_revision_to_roll_back_to::RULE,
    rollout::single_replica::RULE,
    rollout::replicas_not_spread::RULE,
    rollout::set_without_readiness_probe::RULE,
    rollout::immutable_field_changed::RULE,
    rollout::disruption_budget_blocks_drains::RULE,
    rollout::autoscaler_fights_replicas::RULE,
    rollout::scaled_to_zero_with_service::RULE,
    rollout::disruption_budget_missing::RULE,
    references::configmap_not_found::RULE,
    references::secret_not_found::RULE,
    references::service_account_not_found::RULE,
    references::persistent_volume_claim_not_found::RULE,
    references::priority_class_not_found::RULE,
    references::runtime_class_not_found::RULE,
    references::storage_class_not_found::RULE,
    references::image_pull_secret_not_found::RULE,
    references::ingress_backend_not_found::RULE,
    references::ingress_tls_secret_not_found::RULE,
    references::autoscaler_target_not_found::RULE,
    references::disruption_budget_selects_nothing::RULE,
    references::service_selects_nothing::RULE,
    references::service_port_not_found::RULE,
    references::statefulset_without_headless_service::RULE,
    references::probe_port_not_found::RULE,
    images::image_tag_moves::RULE,
    images::image_without_digest::RULE,
    images::image_from_other_registry::RULE,
    images::image_pull_policy_unfit::RULE,
    security::privileged_container::RULE,
    security::container_adds_capabilities::RULE,
    security::container_keeps_capabilities::RULE,
    security::host_namespace::RULE,
    security::host_path_volume::RULE,
    security::host_port::RULE,
    security::container_may_run_as_root::RULE,
    security::writable_root_file_system::RULE,
    security::seccomp_unconfined::RULE,
    security::service_account_token_mounted::RULE,
    security::secret_in_environment::RULE,
    security::container_may_escalate::RULE,
    upgrades::api_version_removed::RULE,
    upgrades::api_version_deprecated::RULE,
    MALFORMED,
];

/// Every built-in rule, by code.
#[must_use]
pub fn rules() -> &'static [&'static dyn Rule] {
    RULES
}

/// The rule of this name.
#[must_use]
pub fn rule_by_name(name: &str) -> Option<&'static dyn Rule> {
    RULES.iter().copied().find(|rule| rule.name() == name)
}

/// The rule of this code, in any case of letters.
#[must_use]
pub fn rule_by_code(code: &str) -> Option<&'static dyn Rule> {
    RULES
        .iter()
        .copied()
        .find(|rule| rule.code().eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sluice_tree::Value;

    use super::*;
    use crate::{
        capacity::Quantity,
        rule::{Category, Parameter, ParameterValue},
    };

    #[test]
    fn codes_and_names_are_unique_ordered_and_of_their_category() {
        let codes: Vec<&str> = rules().iter().map(|rule| rule.code()).collect();
        assert!(codes.is_sorted(), "{codes:?}");
        let names: BTreeSet<&str> = rules().iter().map(|rule| rule.name()).collect();
        assert_eq!(names.len(), codes.iter().collect::<BTreeSet<_>>().len());
        for rule in rules() {
            let series = match rule.category() {
                Category::Jobs => '1',
                Category::Capacity => '2',
                Category::RolloutSafety => '3',
                Category::References => '4',
                Category::Images => '5',
                Category::Security => '6',
                Category::Upgrades => '7',
                Category::Object => '9',
            };
            assert!(
                rule.code().starts_with(&format!("SLU{series}")),
                "{}",
                rule.code()
            );
            assert_eq!(rule.code().len(), 7);
            assert!(
                rule.name()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-')
            );
            assert!(!rule.info().reads.is_empty(), "{}", rule.code());
            for parameter in rule.parameters() {
                holds_its_own_default(parameter);
            }
        }
    }
    /// A default means the same when a policy spells it out. A list may be empty only by default: it then says nothing.
    fn holds_its_own_default(parameter: &Parameter) {
        let default = parameter.default();
        let written = match &default {
            ParameterValue::Texts(texts) if texts.is_empty() => return,
            ParameterValue::Int(value) => Value::from(*value),
            ParameterValue::Bool(value) => Value::from(*value),
            ParameterValue::Text(text) => Value::from(text.as_str()),
            ParameterValue::Texts(texts) => Value::from(texts.as_slice()),
            other => Value::from(other.to_string()),
        };
        let read = parameter.read(&written);
        assert_eq!(read, Ok(default), "{}", parameter.name());
        if let Parameter::Quantity(quantity) = parameter {
            for bound in [quantity.least, quantity.default, quantity.most] {
                assert!(bound.parse::<Quantity>().is_ok(), "{bound}");
            }
        }
    }
}
