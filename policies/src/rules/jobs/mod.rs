//! `SLU1…`: Jobs and schedules.

pub(super) mod cronjob_allows_overlap;
pub(super) mod cronjob_history_too_long;
pub(super) mod cronjob_job_without_deadline;
pub(super) mod cronjob_without_deadline;
pub(super) mod job_backoff_too_high;
pub(super) mod job_without_deadline;
