//! Schedules of CronJobs, beside a second reading of the same rules that is as plain as can be.
//!
//! The second reading tries every value of a field against every part of it, and walks the calendar of another library day by day.

use std::str;

use jiff::civil::{Date, Weekday, date};
use sluice_policies::schedule::{Schedule, Zone, zone};

use super::{chosen, holds};
use crate::{
    corpus,
    random::Random,
    target::{Fingerprint, Form, Seen, Target},
};

/// One schedule in so many is walked through the calendar, and one text in so many is asked for as a time zone: both take long.
const WALKED: u64 = 16;

/// Seconds of the longest span that Go knows, and one less.
const LONGEST: i128 = i64::MAX as i128 / NANO - 1;
/// Nanoseconds of a second.
const NANO: i128 = 1_000_000_000;

const FIELDS: [(u32, u32, &[&str]); 5] = [
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (
        1,
        12,
        &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    ),
    (0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

/// The target.
pub struct Schedules {
    calendar: Calendar,
}

impl Schedules {
    /// With a calendar to walk through.
    #[must_use]
    pub fn new() -> Self {
        // after 28 years months and weekdays fall together as before
        let days = date(2001, 1, 1).series(jiff::Span::new().days(1));
        Self {
            calendar: days.take_while(|day| day.year() < 2029).collect(),
        }
    }
}

impl Default for Schedules {
    fn default() -> Self {
        Self::new()
    }
}

/// Days that follow each other.
type Calendar = Vec<Date>;

impl Target for Schedules {
    fn name(&self) -> &'static str {
        "schedule"
    }

    fn form(&self) -> Form {
        Form::Line
    }

    fn longest(&self) -> usize {
        160
    }

    fn memory(&self) -> usize {
        1 << 20
    }

    fn seeds(&self) -> Vec<String> {
        let table = corpus::texts("policies/src/schedule", "txt").concat();
        let zones = ["Europe/Berlin", "Etc/GMT+12", "UTC", "Local", "US/Pacific"];
        table
            .lines()
            .filter_map(|line| line.split('|').next())
            .map(|text| text.replace("\\t", "\t").replace("\\n", "\n"))
            .chain(zones.map(str::to_owned))
            .collect()
    }

    fn words(&self) -> Vec<String> {
        super::words(&[
            "*",
            "?",
            "/",
            "-",
            ",",
            " ",
            "  ",
            "\t",
            "\u{a0}",
            "\u{3000}",
            "*/",
            "0",
            "31",
            "29",
            "60",
            "99999999999999999999",
            "+1",
            "L",
            "W",
            "#",
            "jan",
            "FEB",
            "sun",
            "Fri",
            "TZ=UTC ",
            "CRON_TZ=",
            "@every ",
            "@daily",
            "@reboot",
            "1h",
            "1.5h",
            "ms",
            "µs",
            "0 0 29 2 *",
            "0 0 31 2 *",
            "0 0 29 2 1",
            "1-5",
            "5-1",
            "*-5",
            "1,2,3",
        ])
    }

    fn generate(&self, random: &mut Random) -> Option<String> {
        if random.once_in(8) {
            let units = ["ns", "us", "ms", "s", "m", "h", "d", ""];
            let span: String = (0..1 + random.below(3))
                .map(|_| {
                    let point = if random.once_in(3) { "." } else { "" };
                    let unit = random.pick(&units).copied().unwrap_or_default();
                    format!("{}{point}{}{unit}", random.below(1000), random.below(100))
                })
                .collect();
            return Some(format!("@every {span}"));
        }
        let fields: Vec<String> = FIELDS.iter().map(|field| made(field, random)).collect();
        Some(fields.join(" "))
    }

    fn check(&mut self, case: &[u8]) -> Result<Seen, String> {
        let mut print = Fingerprint::default();
        let Ok(text) = str::from_utf8(case) else {
            return Ok(print.seen("no text"));
        };
        if chosen(case, WALKED) {
            zone_is_known_or_not(text)?;
        }
        let reference = Reference::read(text);
        let schedule = match Schedule::parse(text) {
            Ok(schedule) => schedule,
            Err(error) => {
                let (found, passes) = (error.to_string(), error.passes());
                holds(found.len() + passes.len() < 600, || {
                    format!("a message of {} bytes", found.len() + passes.len())
                })?;
                holds(!found.chars().any(char::is_control), || {
                    format!("control characters in the message {found:?}")
                })?;
                let span = text
                    .strip_prefix("@every ")
                    .filter(|_| !text.contains("TZ"));
                let fits = span
                    .and_then(seconds)
                    .is_some_and(|span| span.abs() < LONGEST);
                holds(reference != Reading::Cron && !fits, || {
                    format!("refused: {found}; a second reading takes it")
                })?;
                return Ok(print
                    .words(&found)
                    .add(text.split_whitespace().count())
                    .seen("refused"));
            }
        };
        let period = schedule.period();
        if let Some(period) = period {
            holds(
                0 < period.shortest && period.shortest <= period.longest,
                || format!("{period:?}"),
            )?;
            holds(
                period.longest <= 8 * 366 * 86_400 || matches!(schedule, Schedule::Every(_)),
                || format!("{period:?}"),
            )?;
        }
        print.add(period.map(|period| (period.shortest.ilog2(), period.longest.ilog2())));
        if text.starts_with('@') {
            by_name(text, &schedule)?;
            return Ok(print.seen("by name"));
        }
        let Some(fields) = Reference::fields(text) else {
            return Err(format!("read as {schedule:?}; a second reading refuses it"));
        };
        if chosen(case, WALKED) {
            let walked = fields.walk(&self.calendar);
            let told = period.map(|period| (period.shortest, period.longest));
            holds(walked == told, || {
                format!(
                    "the shortest and longest periods are {told:?}; a walk through the calendar gives {walked:?}"
                )
            })?;
        }
        Ok(print.seen(if period.is_some() {
            "runs"
        } else {
            "never runs"
        }))
    }
}

/// A field that mostly makes sense.
fn made((least, most, names): &(u32, u32, &[&str]), random: &mut Random) -> String {
    let value = |random: &mut Random| -> String {
        if random.once_in(8) && !names.is_empty() {
            return random.pick(names).copied().unwrap_or_default().to_owned();
        }
        let width = usize::try_from(most - least + 1).unwrap_or(1);
        // one beyond the end, at times
        let beyond = usize::from(random.once_in(32));
        let number = *least + u32::try_from(random.below(width + beyond)).unwrap_or_default();
        number.to_string()
    };
    let parts: Vec<String> = (0..1 + random.below(3))
        .map(|_| match random.below(6) {
            0 | 1 => "*".to_owned(),
            2 => format!("*/{}", 1 + random.below(40)),
            3 => format!("{}-{}", value(random), value(random)),
            4 => format!("{}/{}", value(random), 1 + random.below(40)),
            _ => value(random),
        })
        .collect();
    let most = if random.once_in(3) { parts.len() } else { 1 };
    parts[..most].join(",")
}

fn zone_is_known_or_not(text: &str) -> Result<(), String> {
    let known = jiff::tz::TimeZoneDatabase::bundled().get(text).is_ok();
    match zone(text) {
        // the database of the other library takes any case
        Zone::Known => holds(known, || {
            "known as a time zone, and nobody else knows it".to_owned()
        }),
        Zone::Unknown(near) => holds(near != Some(text), || {
            "unknown, and named as what is meant".to_owned()
        }),
    }
}

/// What stands behind an `@` is one of the names, or a span that is as long as exact arithmetic says.
fn by_name(text: &str, schedule: &Schedule) -> Result<(), String> {
    let names = [
        "@yearly",
        "@annually",
        "@monthly",
        "@weekly",
        "@daily",
        "@midnight",
        "@hourly",
    ];
    let Some(span) = text.strip_prefix("@every ") else {
        return holds(names.contains(&text), || format!("read as {schedule:?}"));
    };
    let Some(seconds) = seconds(span) else {
        return Err(format!(
            "read as {schedule:?}; a second reading makes no span of it"
        ));
    };
    let told = match schedule {
        Schedule::Every(seconds) => i128::from(*seconds),
        Schedule::Cron(_) => return Err(format!("read as {schedule:?}")),
    };
    // Go takes fractions for floating point numbers: it may be a second beside
    holds((told - seconds.max(1)).abs() <= 1, || {
        format!("{told} seconds; a second reading makes {seconds} of it")
    })
}

/// A span in whole seconds, by exact arithmetic in parts of ten thousand of a nanosecond; digits beyond them are left aside.
fn seconds(span: &str) -> Option<i128> {
    const SECOND: i128 = 10_000_000_000_000;
    let units = [
        ("ns", SECOND / NANO),
        ("us", SECOND / 1_000_000),
        ("\u{b5}s", SECOND / 1_000_000),
        ("\u{3bc}s", SECOND / 1_000_000),
        ("ms", SECOND / 1000),
        ("s", SECOND),
        ("m", 60 * SECOND),
        ("h", 3600 * SECOND),
    ];
    let unsigned = span.strip_prefix(['-', '+']).unwrap_or(span);
    let mut rest = unsigned;
    let mut sum: i128 = 0;
    while !rest.is_empty() && unsigned != "0" {
        let number = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(number);
        let unit = after
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let (_, unit) = units.iter().find(|(name, _)| *name == unit)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || fraction.contains('.') {
            return None;
        }
        let whole = format!("0{whole}").parse::<i128>().ok()?;
        sum = sum.checked_add(whole.checked_mul(*unit)?)?;
        let mut place = *unit;
        for digit in fraction.bytes() {
            // what is left of it at most: nine of the next place, and so on
            place /= 10;
            sum += i128::from(digit - b'0') * place;
        }
        rest = after;
    }
    if unsigned.is_empty() {
        return None;
    }
    let sign = if span.starts_with('-') { -1 } else { 1 };
    Some(sign * sum / SECOND)
}

/// What a second reading makes of a text.
#[derive(Debug, PartialEq, Eq)]
enum Reading {
    Cron,
    /// Refused, or no five fields but a name.
    Other,
}

/// The values of each field, and which of the two day fields holds a star.
struct Reference {
    values: Vec<Vec<u32>>,
    stars: Vec<bool>,
}

impl Reference {
    fn read(text: &str) -> Reading {
        if Self::fields(text).is_some() {
            Reading::Cron
        } else {
            Reading::Other
        }
    }

    fn fields(text: &str) -> Option<Self> {
        if text.contains("TZ") || text.starts_with('@') {
            return None;
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.len() != FIELDS.len() {
            return None;
        }
        let (mut values, mut stars) = (Vec::new(), Vec::new());
        for (word, (least, most, names)) in words.iter().zip(FIELDS) {
            let parts: Option<Vec<Part>> = word
                .split(',')
                .filter(|part| !part.is_empty())
                .map(|part| Part::read(part, least, most, names))
                .collect();
            let parts = parts?;
            values.push(
                (least..=most)
                    .filter(|value| parts.iter().any(|part| part.has(*value)))
                    .collect(),
            );
            stars.push(parts.iter().any(|part| part.star));
        }
        Some(Self { values, stars })
    }

    /// The shortest and the longest time between two runs, the end of the calendar joined to its beginning.
    fn walk(&self, calendar: &[Date]) -> Option<(u64, u64)> {
        let runs: Vec<u64> = (0_u64..)
            .zip(calendar)
            .filter(|(_, day)| self.on(**day))
            .map(|(number, _)| number)
            .collect();
        let times = self.times();
        let (begins, ends) = (*times.first()?, *times.last()?);
        let mut gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let over_the_end = runs.first()? + calendar.len() as u64 - runs.last()?;
        let between = runs
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .chain([over_the_end]);
        gaps.extend(between.map(|days| days * 86_400 - ends + begins));
        Some((*gaps.iter().min()?, *gaps.iter().max()?))
    }

    fn times(&self) -> Vec<u64> {
        let [minutes, hours, ..] = self.values.as_slice() else {
            return Vec::new();
        };
        let seconds = hours.iter().flat_map(|hour| {
            minutes
                .iter()
                .map(move |minute| u64::from(hour * 3600 + minute * 60))
        });
        seconds.collect()
    }

    fn on(&self, day: Date) -> bool {
        let has = |field: usize, value: i8| {
            self.values[field].contains(&u32::try_from(value).unwrap_or(u32::MAX))
        };
        let of_month = has(2, day.day());
        let of_week = has(4, Weekday::to_sunday_zero_offset(day.weekday()));
        let days = if self.stars[2] || self.stars[4] {
            of_month && of_week
        } else {
            of_month || of_week
        };
        days && has(3, day.month())
    }
}

/// One part of a field, between commas.
struct Part {
    start: i64,
    end: i64,
    step: i64,
    star: bool,
}

impl Part {
    fn read(part: &str, least: u32, most: u32, names: &[&str]) -> Option<Self> {
        let (least, most) = (i64::from(least), i64::from(most));
        let named = |text: &str| {
            let name = names
                .iter()
                .position(|name| name.eq_ignore_ascii_case(text));
            match name {
                Some(place) => Some(least + i64::try_from(place).ok()?),
                None => text.parse::<i64>().ok(),
            }
        };
        let slashed: Vec<&str> = part.split('/').collect();
        let ends: Vec<&str> = slashed[0].split('-').collect();
        let (start, mut end, mut star) = match ends.as_slice() {
            ["*" | "?", ..] => (least, most, true),
            [one] => (named(one)?, named(one)?, false),
            [start, end] => (named(start)?, named(end)?, false),
            _ => return None,
        };
        let step = match slashed.as_slice() {
            [_] => 1,
            [_, step] => {
                if ends.len() == 1 {
                    end = most;
                }
                step.parse::<i64>().ok()?
            }
            _ => return None,
        };
        star &= step <= 1;
        (start >= least && end <= most && start <= end && step > 0).then_some(Self {
            start,
            end,
            step,
            star,
        })
    }

    fn has(&self, value: u32) -> bool {
        let value = i64::from(value);
        (self.start..=self.end).contains(&value) && (value - self.start) % self.step == 0
    }
}
