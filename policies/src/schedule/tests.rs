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

/// A small generator: the same seed gives the same texts.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

#[test]
fn no_text_makes_the_parser_panic_and_periods_make_sense() {
    const PIECES: [&str; 40] = [
        "*",
        "?",
        "/",
        "-",
        ",",
        " ",
        " ",
        " ",
        " ",
        "0",
        "1",
        "2",
        "5",
        "7",
        "12",
        "15",
        "23",
        "31",
        "59",
        "60",
        "99999999999999999999",
        "-1",
        "+",
        "jan",
        "FEB",
        "sun",
        "fri",
        "L",
        "#",
        "@every ",
        "@daily",
        "h",
        "m",
        "s",
        "ms",
        ".",
        "\u{b5}s",
        "\u{0}",
        "ä",
        "\t",
    ];
    const FORMS: [&str; 9] = ["*", "?", "5", "1-6", "*/3", "2/5", "1,3", "4-5/2", "0"];
    let mut random = Random(11);
    let mut read = 0;
    for round in 0..60_000 {
        let text: String = if round % 2 == 0 {
            (0..10).map(|_| PIECES[random.next(PIECES.len())]).collect()
        } else {
            // five fields that nearly make sense
            let mut fields: Vec<String> = (0..5)
                .map(|_| FORMS[random.next(FORMS.len())].to_owned())
                .collect();
            if random.next(3) == 0 {
                fields[random.next(5)].push_str(PIECES[random.next(PIECES.len())]);
            }
            fields.join(" ")
        };
        match Schedule::parse(&text) {
            Ok(schedule) => {
                read += 1;
                if let Some(period) = schedule.period() {
                    assert!(
                        0 < period.shortest && period.shortest <= period.longest,
                        "{text:?}: {period:?}"
                    );
                }
            }
            Err(error) => assert!(error.to_string().len() < 300, "{text:?}: {error}"),
        }
    }
    assert!(read > 5000, "{read} of them were schedules");
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
