//! `SLU1…`: Jobs and schedules.

pub(super) mod cronjob_allows_overlap;
pub(super) mod cronjob_deadline_above_period;
pub(super) mod cronjob_history_too_long;
pub(super) mod cronjob_job_without_deadline;
pub(super) mod cronjob_never_fires;
pub(super) mod cronjob_schedule_unreadable;
pub(super) mod cronjob_too_frequent;
pub(super) mod cronjob_unknown_time_zone;
pub(super) mod cronjob_without_deadline;
pub(super) mod job_backoff_too_high;
pub(super) mod job_never_cleaned_up;
pub(super) mod job_restarts_in_place;
pub(super) mod job_without_deadline;
