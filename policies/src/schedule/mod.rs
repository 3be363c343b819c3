//! Schedules of CronJobs, read as Kubernetes reads them.
//!
//! Decides: whether a schedule can be read ([`Schedule::parse`]), how close and how far apart its runs are ([`Schedule::period`]) and whether a name is a
//! time zone ([`zone`]). Kubernetes reads schedules with `robfig/cron` 3.0.1, whose rules are kept to the letter, oddities included: day of week is 0 to 6,
//! `?` is `*`, `5/15` goes on to the end of the field, `*-5` is `*`, a field of commas alone matches nothing, and `*/2` restricts while `*` does not.
//! Pure arithmetic on the calendar: there is no clock, and changes to and from daylight saving time are left aside.
//!
//! Invariant: reading is linear in the length of the text, and nothing panics, whatever the text.

mod cron;
mod every;
mod period;
mod zone;

#[cfg(test)]
mod tests;

pub use cron::Cron;
pub use period::Period;
pub use zone::{Zone, zone};

/// When a CronJob runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// At these minutes.
    Cron(Cron),
    /// So many seconds after the last run.
    Every(u64),
}

/// Why a schedule cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    #[error("empty")]
    Empty,
    #[error("a time zone in the schedule")]
    TimeZone,
    #[error("{0} fields")]
    Fields(usize),
    #[error("unknown descriptor {0}")]
    Descriptor(String),
    #[error("{0} is no duration")]
    Every(String),
    #[error("{field} {found} {problem}")]
    Field {
        field: &'static str,
        found: String,
        problem: FieldProblem,
    },
}

/// What is wrong with one part of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    #[error("is no number")]
    NoNumber,
    #[error("is outside of {0} to {1}")]
    Outside(u32, u32),
    #[error("begins after its end")]
    Backwards,
    #[error("has more than one `-`")]
    Hyphens,
    #[error("has more than one `/`")]
    Slashes,
    #[error("has a step of 0")]
    NoStep,
}

impl ScheduleError {
    /// What would pass instead.
    pub fn passes(&self) -> String {
        match self {
            Self::Empty | Self::Fields(_) => {
                "5 fields: minute, hour, day of month, month, day of week".to_owned()
            }
            Self::TimeZone => "the schedule alone, and the zone in timeZone".to_owned(),
            Self::Descriptor(_) => {
                "@yearly, @monthly, @weekly, @daily, @hourly or @every DURATION".to_owned()
            }
            Self::Every(_) => "a duration with units, such as 90m or 1h30m".to_owned(),
            Self::Field { field, found, .. } => cron::field_passes(field, found),
        }
    }
}

impl Schedule {
    /// Reads a schedule as the API server does when a CronJob is created.
    ///
    /// # Errors
    /// Says what in the text cannot be read.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        if text.is_empty() {
            return Err(ScheduleError::Empty);
        }
        // wherever in the text these letters stand
        if text.contains("TZ") {
            return Err(ScheduleError::TimeZone);
        }
        match text {
            "@yearly" | "@annually" => Cron::parse("0 0 1 1 *").map(Self::Cron),
            "@monthly" => Cron::parse("0 0 1 * *").map(Self::Cron),
            "@weekly" => Cron::parse("0 0 * * 0").map(Self::Cron),
            "@daily" | "@midnight" => Cron::parse("0 0 * * *").map(Self::Cron),
            "@hourly" => Cron::parse("0 * * * *").map(Self::Cron),
            _ => match text.strip_prefix("@every ") {
                Some(span) => every::seconds(span)
                    .map(Self::Every)
                    .ok_or_else(|| ScheduleError::Every(short(span))),
                None if text.starts_with('@') => Err(ScheduleError::Descriptor(short(text))),
                None => Cron::parse(text).map(Self::Cron),
            },
        }
    }

    /// How far apart its runs are; `None` when it never runs.
    pub fn period(&self) -> Option<Period> {
        match self {
            Self::Cron(cron) => period::of(cron),
            Self::Every(seconds) => Some(Period {
                shortest: *seconds,
                longest: *seconds,
            }),
        }
    }
}

/// A piece of a schedule for a message.
fn short(text: &str) -> String {
    let text = text.escape_debug().to_string();
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("`{}…`", text.get(..end).unwrap_or_default()),
        None => format!("`{text}`"),
    }
}
