//! What robfig/cron makes of schedules, and what we do.

use super::*;

/// What `ParseStandard` and `Next` of robfig/cron 3.0.1 gave: the schedule, then `refused`, `never`, or the least and greatest seconds between two runs from 2001 to 2028.
/// Where `seen` follows there were too many runs to walk through all of them.
const ROBFIG: &str = include_str!("robfig.txt");

#[test]
fn schedules_are_read_as_robfig_reads_them() {
    let (mut refused, mut never, mut periods) = (0, 0, 0);
    for line in ROBFIG.lines() {
        let (text, says) = line.split_once('|').unwrap();
        let text = text.replace("\\t", "\t").replace("\\n", "\n");
        let read = Schedule::parse(&text);
        match says.split('|').collect::<Vec<_>>()[..] {
            ["refused"] => {
                refused += 1;
                assert!(read.is_err(), "{text:?} was read as {read:?}");
            }
            ["never"] => {
                never += 1;
                assert_eq!(read.unwrap().period(), None, "{text:?}");
            }
            [shortest, longest, ref seen @ ..] => {
                periods += 1;
                let read = read.unwrap_or_else(|error| panic!("{text:?}: {error}"));
                let period = read
                    .period()
                    .unwrap_or_else(|| panic!("{text:?} never runs"));
                let (shortest, longest): (u64, u64) =
                    (shortest.parse().unwrap(), longest.parse().unwrap());
                assert_eq!(period.shortest, shortest, "{text:?}");
                if seen.is_empty() {
                    assert_eq!(period.longest, longest, "{text:?}");
                } else {
                    assert!(period.longest >= longest, "{text:?}");
                }
            }
            _ => panic!("{line}"),
        }
    }
    // the table is not empty, and neither is a part of it
    assert!(refused > 300 && never >= 9 && periods > 250);
}

#[test]
fn what_cannot_be_read_says_what_would_pass() {
    for (text, found, passes) in [
        ("", "empty", "5 fields"),
        ("* * * *", "4 fields", "5 fields"),
        // the seconds of other schedulers shift every field
        ("0 0 24 * * *", "6 fields", "5 fields"),
        (
            "60 * * * *",
            "minute `60` is outside of 0 to 59",
            "numbers from 0 to 59",
        ),
        (
            "* * 0 * *",
            "day of month `0` is outside of 1 to 31",
            "numbers from 1 to 31",
        ),
        (
            "* * * * 0-7",
            "day of week `0-7` is outside of 0 to 6",
            "numbers from 0 to 6 (Sunday is 0)",
        ),
        (
            "* * * Januar *",
            "month `Januar` is no number",
            "numbers from 1 to 12 or names from jan to dec",
        ),
        (
            "5-1 * * * *",
            "minute `5-1` begins after its end",
            "numbers",
        ),
        ("*/0 * * * *", "minute `*/0` has a step of 0", "numbers"),
        (
            "1,2-3-4 * * * *",
            "minute `2-3-4` has more than one `-`",
            "numbers",
        ),
        (
            "1/2/3 * * * *",
            "minute `1/2/3` has more than one `/`",
            "numbers",
        ),
        (
            "TZ=UTC 0 0 * * *",
            "a time zone in the schedule",
            "timeZone",
        ),
        ("0 0 * * MTZ", "a time zone in the schedule", "timeZone"),
        ("TZ=0", "a time zone in the schedule", "timeZone"),
        ("@reboot", "unknown descriptor `@reboot`", "@every DURATION"),
        ("@every 1d", "`1d` is no duration", "90m"),
    ] {
        let error = Schedule::parse(text).unwrap_err();
        assert_eq!(error.to_string(), found, "{text:?}");
        assert!(
            error.passes().contains(passes),
            "{text:?}: {}",
            error.passes()
        );
    }
}

#[test]
fn hostile_sizes_are_read_in_no_time() {
    let long = "1,".repeat(1 << 20);
    assert!(Schedule::parse(&format!("{long} * * * *")).is_ok());
    for text in [
        "x".repeat(1 << 20),
        "* ".repeat(1 << 20),
        format!("@every {}", "1h".repeat(1 << 22)),
        "\u{7f}".repeat(1 << 16),
    ] {
        let error = Schedule::parse(&text).unwrap_err();
        assert!(error.to_string().len() < 500);
    }
    assert_eq!(zone(&"x".repeat(1 << 20)), Zone::Unknown(None));
}

#[test]
fn zones_are_names_of_the_database_letter_for_letter() {
    for (name, expected) in [
        ("Europe/Berlin", Zone::Known),
        ("Etc/UTC", Zone::Known),
        ("UTC", Zone::Known),
        ("America/Argentina/Buenos_Aires", Zone::Known),
        ("Etc/GMT+12", Zone::Known),
        ("US/Pacific", Zone::Known),
        ("europe/berlin", Zone::Unknown(Some("Europe/Berlin"))),
        ("Europe/Berln", Zone::Unknown(Some("Europe/Berlin"))),
        ("Local", Zone::Unknown(None)),
        ("", Zone::Unknown(None)),
        ("../etc/passwd", Zone::Unknown(None)),
        ("2026e", Zone::Unknown(None)),
        ("Factory ", Zone::Unknown(Some("Factory"))),
    ] {
        assert_eq!(zone(name), expected, "{name:?}");
    }
}
