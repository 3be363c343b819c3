//! The five fields of a schedule.

use super::{FieldProblem, ScheduleError, short};

/// The minutes at which a schedule runs: a bit for every value of each field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cron {
    pub(super) minutes: u64,
    pub(super) hours: u64,
    /// Bits 1 to 31.
    pub(super) days: u64,
    /// Bits 1 to 12.
    pub(super) months: u64,
    /// Bits 0 (Sunday) to 6.
    pub(super) weekdays: u64,
    /// Whether a day must match both day fields (`*` in either of them) or one is enough.
    pub(super) both_days: bool,
}

struct Bounds {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

static FIELDS: [Bounds; 5] = [
    bounds("minute", 0, 59, &[]),
    bounds("hour", 0, 23, &[]),
    bounds("day of month", 1, 31, &[]),
    bounds("month", 1, 12, &MONTHS),
    bounds("day of week", 0, 6, &WEEKDAYS),
];

const fn bounds(
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
) -> Bounds {
    Bounds {
        name,
        least,
        most,
        names,
    }
}

/// What would pass in a field; knows the habits of other schedulers.
pub(super) fn field_passes(field: &str, found: &str) -> String {
    let (least, most) = FIELDS
        .iter()
        .find(|bounds| bounds.name == field)
        .map_or((0, 0), |bounds| (bounds.least, bounds.most));
    let numbers = format!("numbers from {least} to {most}");
    match field {
        "month" => format!("{numbers} or names from jan to dec"),
        "day of week" if found.contains('7') => {
            format!("{numbers} (Sunday is 0) or names from sun to sat")
        }
        "day of week" => format!("{numbers} or names from sun to sat"),
        "day of month" if found.contains(['L', 'W']) => {
            format!("{numbers} (there is no last day and no nearest weekday)")
        }
        _ => numbers,
    }
}

impl Cron {
    pub(super) fn parse(text: &str) -> Result<Self, ScheduleError> {
        let mut fields = text.split_whitespace();
        let mut read = [(0, false); 5];
        for (place, bounds) in FIELDS.iter().enumerate() {
            let Some(field) = fields.next() else {
                return Err(ScheduleError::Fields(place));
            };
            read[place] = bits(field, bounds).map_err(|(found, problem)| {
                // with a field too many or too few the fields are not what they look like
                let count = text.split_whitespace().count();
                if count != FIELDS.len() {
                    return ScheduleError::Fields(count);
                }
                ScheduleError::Field {
                    field: bounds.name,
                    found: short(found),
                    problem,
                }
            })?;
        }
        let more = fields.count();
        if more > 0 {
            return Err(ScheduleError::Fields(FIELDS.len() + more));
        }
        let [minute, hour, day, month, weekday] = read;
        Ok(Self {
            minutes: minute.0,
            hours: hour.0,
            days: day.0,
            months: month.0,
            weekdays: weekday.0,
            both_days: day.1 || weekday.1,
        })
    }
}

/// The values of a field, and whether it holds a `*`.
fn bits<'a>(field: &'a str, bounds: &Bounds) -> Result<(u64, bool), (&'a str, FieldProblem)> {
    let (mut all, mut star) = (0, false);
    for part in field.split(',').filter(|part| !part.is_empty()) {
        let (bits, any) = range(part, bounds).map_err(|problem| (part, problem))?;
        all |= bits;
        star |= any;
    }
    Ok((all, star))
}

fn range(part: &str, bounds: &Bounds) -> Result<(u64, bool), FieldProblem> {
    let (ends, step) = match part.split_once('/') {
        None => (part, None),
        Some((_, step)) if step.contains('/') => return Err(FieldProblem::Slashes),
        Some((ends, step)) => (ends, Some(step)),
    };
    let (first, last) = match ends.split_once('-') {
        None => (ends, None),
        Some((first, last)) => (first, Some(last)),
    };
    let mut star = matches!(first, "*" | "?");
    let (start, mut end) = if star {
        // whatever comes after the hyphen
        (bounds.least, bounds.most)
    } else {
        let start = number(first, bounds)?;
        let end = match last {
            None => start,
            Some(last) if last.contains('-') => return Err(FieldProblem::Hyphens),
            Some(last) => number(last, bounds)?,
        };
        (start, end)
    };
    let mut stride = 1;
    if let Some(step) = step {
        stride = plain(step).ok_or(FieldProblem::NoNumber)?;
        if last.is_none() {
            end = bounds.most;
        }
        // with a step it restricts
        star &= stride <= 1;
    }
    if start < bounds.least || end > bounds.most {
        return Err(FieldProblem::Outside(bounds.least, bounds.most));
    }
    if start > end {
        return Err(FieldProblem::Backwards);
    }
    if stride == 0 {
        return Err(FieldProblem::NoStep);
    }
    let stride = usize::try_from(stride).unwrap_or(usize::MAX);
    let bits = (start..=end)
        .step_by(stride)
        .fold(0, |bits, value| bits | 1u64 << value);
    Ok((bits, star))
}

/// A number, or a name that stands for one.
fn number(text: &str, bounds: &Bounds) -> Result<u32, FieldProblem> {
    let named = bounds
        .names
        .iter()
        .zip(bounds.least..)
        .find(|(name, _)| text.eq_ignore_ascii_case(name));
    if let Some((_, value)) = named {
        return Ok(value);
    }
    plain(text).ok_or(FieldProblem::NoNumber)
}

/// A whole number, not negative; what is greater than any field saturates.
fn plain(text: &str) -> Option<u32> {
    let number: i64 = text.parse().ok()?;
    (number >= 0).then(|| u32::try_from(number).unwrap_or(u32::MAX))
}
