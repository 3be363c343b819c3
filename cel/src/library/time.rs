//! Moments and spans: RFC 3339, Go's durations, fields in a time zone.

use std::sync::LazyLock;

use jiff::{
    SignedDuration, Timestamp, Zoned,
    tz::{Offset, TimeZone, TimeZoneDatabase},
};

use super::{ALWAYS, Overload, Takes, member};
use crate::{
    eval::{Raised, Scope},
    value::Value,
};

/// The same zones wherever it runs.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

macro_rules! fields {
    ($($name:literal => $field:expr),* $(,)?) => {
        &[
            $(
                member($name, &[Takes::Timestamp], Takes::Int, ALWAYS, |_, args| read(args, $name, $field)),
                member($name, &[Takes::Timestamp, Takes::String], Takes::Int, ALWAYS, |_, args| read(args, $name, $field)),
            )*
            member("getHours", &[Takes::Duration], Takes::Int, ALWAYS, |_, args| span(args, 3_600_000_000_000)),
            member("getMinutes", &[Takes::Duration], Takes::Int, ALWAYS, |_, args| span(args, 60_000_000_000)),
            member("getSeconds", &[Takes::Duration], Takes::Int, ALWAYS, |_, args| span(args, 1_000_000_000)),
            member("getMilliseconds", &[Takes::Duration], Takes::Int, ALWAYS, milliseconds),
        ]
    };
}

pub(super) const TABLE: &[Overload] = fields! {
    "getFullYear" => |at| i64::from(at.year()),
    "getMonth" => |at| i64::from(at.month()) - 1,
    "getDayOfYear" => |at| i64::from(at.day_of_year()) - 1,
    "getDayOfMonth" => |at| i64::from(at.day()) - 1,
    "getDate" => |at| i64::from(at.day()),
    "getDayOfWeek" => |at| i64::from(at.weekday().to_sunday_zero_offset()),
    "getHours" => |at| i64::from(at.hour()),
    "getMinutes" => |at| i64::from(at.minute()),
    "getSeconds" => |at| i64::from(at.second()),
    "getMilliseconds" => |at| i64::from(at.millisecond()),
};

fn read<'a>(args: &[Value<'a>], name: &str, field: fn(&Zoned) -> i64) -> Result<Value<'a>, Raised> {
    let (moment, zone) = match args {
        [Value::Timestamp(moment)] => (moment, TimeZone::UTC),
        [Value::Timestamp(moment), Value::Str(name)] => (moment, zone(name)?),
        _ => return Err(Raised::overload(name, args)),
    };
    Ok(Value::Int(field(&moment.to_zoned(zone))))
}

fn span<'a>(args: &[Value<'a>], unit: i128) -> Result<Value<'a>, Raised> {
    match args {
        [Value::Duration(span)] => Ok(Value::Int(
            i64::try_from(span.as_nanos() / unit).unwrap_or(i64::MAX),
        )),
        _ => Err(Raised::failed("no such overload")),
    }
}

/// Of a span: the milliseconds within its second, as cel-go gives them.
fn milliseconds<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Raised> {
    match args {
        [Value::Duration(span)] => Ok(Value::Int(
            i64::try_from(span.as_nanos() / 1_000_000).unwrap_or(i64::MAX),
        )),
        _ => Err(Raised::failed("no such overload")),
    }
}

/// A name of the zone database, or `±hh:mm`.
fn zone(name: &str) -> Result<TimeZone, Raised> {
    let unknown = || {
        let name: String = name.chars().take(60).collect();
        Raised::Failed(format!("unknown time zone {name:?}"))
    };
    if let Some((hours, minutes)) = name.split_once(':') {
        let negative = hours.starts_with('-');
        let hours: i32 = hours.parse().map_err(|_| unknown())?;
        let minutes: i32 = minutes.parse().map_err(|_| unknown())?;
        if !(0..60).contains(&minutes) || !(-24..=24).contains(&hours) {
            return Err(unknown());
        }
        let seconds = hours * 3600 + if negative { -minutes } else { minutes } * 60;
        let offset = Offset::from_seconds(seconds).map_err(|_| unknown())?;
        return Ok(TimeZone::fixed(offset));
    }
    if name.is_empty() || name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    ZONES.get(name).map_err(|_| unknown())
}

/// Whether a moment is of the years 1 to 9999.
pub(crate) fn in_range(moment: Timestamp) -> bool {
    const FIRST: i64 = -62_135_596_800;
    (FIRST..=253_402_300_799).contains(&unix_seconds(moment))
}

/// Whole seconds, rounded down.
pub(super) fn unix_seconds(moment: Timestamp) -> i64 {
    i64::try_from(moment.as_nanosecond().div_euclid(1_000_000_000)).unwrap_or(i64::MAX)
}

pub(super) fn of_unix_seconds(seconds: i64) -> Result<Timestamp, Raised> {
    Timestamp::from_second(seconds)
        .ok()
        .filter(|moment| in_range(*moment))
        .ok_or_else(|| Raised::failed("timestamp out of range"))
}

/// A moment in RFC 3339.
pub(super) fn timestamp(text: &str) -> Result<Timestamp, Raised> {
    let shape = text.len() >= 20
        && text.is_ascii()
        && text.as_bytes()[10] == b'T'
        && text.as_bytes()[13] == b':'
        && (text.ends_with('Z') || text.as_bytes()[text.len() - 3] == b':');
    shape
        .then(|| text.parse::<Timestamp>().ok())
        .flatten()
        .filter(|moment| in_range(*moment))
        .ok_or_else(|| {
            let text: String = text.chars().take(60).collect();
            Raised::Failed(format!(
                "{text:?} is no timestamp, such as 2026-11-21T12:00:00Z"
            ))
        })
}

/// A span as Go reads it: `1h30m`, `1.5s`, `-2ms`.
pub(super) fn duration(text: &str) -> Result<SignedDuration, Raised> {
    let told = || {
        let text: String = text.chars().take(60).collect();
        Raised::Failed(format!("{text:?} is no duration, such as 1h30m or 1.5s"))
    };
    nanoseconds(text)
        .and_then(|nanos| i64::try_from(nanos).ok())
        .map(SignedDuration::from_nanos)
        .ok_or_else(told)
}

fn nanoseconds(text: &str) -> Option<i128> {
    if text.len() > 128 {
        return None;
    }
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0i128;
    while !rest.is_empty() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole = digits(rest);
        let (number, after) = rest.split_at(whole);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(digits(after)),
            None => ("", after),
        };
        if number.is_empty() && fraction.is_empty() {
            return None;
        }
        let units = [
            ("ns", 1i128),
            ("us", 1_000),
            ("µs", 1_000),
            ("μs", 1_000),
            ("ms", 1_000_000),
            ("s", 1_000_000_000),
            ("m", 60_000_000_000),
            ("h", 3_600_000_000_000),
        ];
        let (unit, after) = units
            .iter()
            .find_map(|(unit, nanos)| Some((*nanos, after.strip_prefix(unit)?)))?;
        let whole: i128 = if number.is_empty() {
            0
        } else {
            number.parse().ok()?
        };
        total = total.checked_add(whole.checked_mul(unit)?)?;
        let fraction = fraction.get(..fraction.len().min(18))?;
        if !fraction.is_empty() {
            let scale = 10i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
            total = total.checked_add(fraction.parse::<i128>().ok()?.checked_mul(unit)? / scale)?;
        }
        rest = after;
    }
    Some(if negative { -total } else { total })
}
