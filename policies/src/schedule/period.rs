//! How far apart the runs of a schedule are.

use super::Cron;

const DAY: u64 = 24 * 3600;
const ALL_MONTHS: u64 = 0b1_1111_1111_1110;
/// The calendar that is walked: from a year after a leap year that begins with a Monday. After 28 years months and weekdays fall together as before;
/// the centuries without a leap day are left aside.
const FIRST_YEAR: u32 = 2001;
const FIRST_WEEKDAY: u64 = 1;

/// The least and the greatest distance between two runs that follow each other, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub shortest: u64,
    pub longest: u64,
}

/// Distances between things that follow each other, and the first and the last of them.
#[derive(Clone, Copy, Debug)]
struct Row {
    first: u64,
    last: u64,
    /// The least and the greatest distance; `None` for one thing alone.
    gaps: Option<(u64, u64)>,
}

impl Row {
    fn of(values: impl Iterator<Item = u64>) -> Option<Self> {
        let mut row: Option<Self> = None;
        for value in values {
            match &mut row {
                None => {
                    row = Some(Self {
                        first: value,
                        last: value,
                        gaps: None,
                    });
                }
                Some(row) => {
                    row.gap(value - row.last);
                    row.last = value;
                }
            }
        }
        row
    }

    fn gap(&mut self, gap: u64) {
        self.gaps = Some(match self.gaps {
            None => (gap, gap),
            Some((least, most)) => (least.min(gap), most.max(gap)),
        });
    }
}

/// `None` when there is no day, or no minute of a day, at which it runs.
pub(super) fn of(cron: &Cron) -> Option<Period> {
    let times = Row::of(times(cron))?;
    let (least, most) = day_gaps(cron)?;
    // from the last run of a day to the first of the next day that has one
    let overnight = |days: u64| days * DAY - times.last + times.first;
    let within = times.gaps.unwrap_or((u64::MAX, 0));
    Some(Period {
        shortest: within.0.min(overnight(least)),
        longest: within.1.max(overnight(most)),
    })
}

/// The seconds of a day at which it runs.
fn times(cron: &Cron) -> impl Iterator<Item = u64> {
    let Cron { minutes, hours, .. } = *cron;
    bits(hours).flat_map(move |hour| bits(minutes).map(move |minute| hour * 3600 + minute * 60))
}

fn bits(mut mask: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let bit = (mask != 0).then(|| u64::from(mask.trailing_zeros()))?;
        mask &= mask - 1;
        Some(bit)
    })
}

/// The least and the greatest number of days from one day with runs to the next.
fn day_gaps(cron: &Cron) -> Option<(u64, u64)> {
    let any_weekday = cron.weekdays == 0b111_1111;
    let any_day = cron.days == 0xffff_fffe;
    // weeks say nothing, or nothing but weeks does: then less of the calendar shows every distance there is
    let years = match (cron.both_days && any_weekday, any_day) {
        (true, _) => 4,
        (_, true) if cron.both_days && cron.months == ALL_MONTHS => 1,
        _ => 28,
    };
    let mut total = 0;
    let days = (FIRST_YEAR..FIRST_YEAR + years).flat_map(|year| {
        (1..=12u32).map(move |month| {
            let length = match month {
                4 | 6 | 9 | 11 => 30,
                2 if year.is_multiple_of(4) => 29,
                2 => 28,
                _ => 31,
            };
            (month, length)
        })
    });
    let row = Row::of(days.flat_map(|(month, length)| {
        let begins = total;
        total += length;
        let mask = if cron.months & 1 << month == 0 {
            0
        } else {
            days_of_month(cron, length, (FIRST_WEEKDAY + begins) % 7)
        };
        bits(mask).map(move |day| begins + day)
    }));
    let mut row = row?;
    if years > 1 {
        row.gap(row.first + total - row.last);
    }
    row.gaps
}

/// The days of a month at which it runs, from the weekday of its first day.
fn days_of_month(cron: &Cron, length: u64, first_weekday: u64) -> u64 {
    // the weekdays from the first day on: week after week of the same seven bits
    let week = (cron.weekdays >> first_weekday | cron.weekdays << (7 - first_weekday)) & 0b111_1111;
    let weeks = week | week << 7 | week << 14 | week << 21 | week << 28;
    let by_weekday = weeks << 1;
    let month = (1u64 << (length + 1)) - 2;
    let days = if cron.both_days {
        cron.days & by_weekday
    } else {
        cron.days | by_weekday
    };
    days & month
}
