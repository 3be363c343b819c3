//! Quantities as Kubernetes reads and prints them.

use super::*;

/// What `ParseQuantity` of Kubernetes 1.36 gave: the text, then `refused`, or the amount in nano-units and how it is printed.
const KUBERNETES: &str = include_str!("kubernetes.txt");

#[test]
fn quantities_are_read_and_printed_as_kubernetes_does() {
    let (mut refused, mut read) = (0, 0);
    for line in KUBERNETES.lines() {
        let parts: Vec<&str> = line.split('|').collect();
        let ours = parts[0].parse::<Quantity>();
        let unsigned = parts[0].trim_start_matches(['+', '-']);
        if !unsigned
            .trim_start_matches('.')
            .starts_with(|c: char| c.is_ascii_digit())
        {
            // Kubernetes reads a suffix alone as nothing, which nobody means
            assert!(ours.is_err(), "{line}");
            continue;
        }
        let [_, nanos, canonical] = parts[..] else {
            refused += 1;
            assert!(ours.is_err(), "{line}: {ours:?}");
            continue;
        };
        read += 1;
        let ours = ours.unwrap_or_else(|error| panic!("{line}: {error}"));
        // Kubernetes lets some decimal numbers above the greatest amount through
        let nanos: i128 = nanos.parse().unwrap_or(i128::MAX);
        if nanos.abs() > GREATEST * NANO {
            assert_eq!(ours.nanos().abs(), GREATEST * NANO, "{line}");
        } else {
            assert_eq!(
                (ours.nanos(), ours.to_string().as_str()),
                (nanos, canonical),
                "{line}"
            );
        }
    }
    assert!(
        refused > 100 && read > 600,
        "{refused} refused, {read} read"
    );
}

fn nanos(text: &str) -> i128 {
    text.parse::<Quantity>().unwrap().nanos()
}

#[test]
fn reads_and_prints_canonically() {
    for (text, amount, canonical) in [
        ("0", 0, "0"),
        ("0.0", 0, "0"),
        ("-0Ki", 0, "0"),
        ("1", NANO, "1"),
        ("500m", NANO / 2, "500m"),
        ("0.5", NANO / 2, "500m"),
        (".5", NANO / 2, "500m"),
        ("5.", 5 * NANO, "5"),
        ("1000m", NANO, "1"),
        ("12500m", 12_500_000_000, "12500m"),
        ("1000", 1000 * NANO, "1k"),
        ("1k", 1000 * NANO, "1k"),
        ("1Ki", 1024 * NANO, "1Ki"),
        ("1024Ki", 1024 * 1024 * NANO, "1Mi"),
        ("1.5Gi", 1536 * 1024 * 1024 * NANO, "1536Mi"),
        ("0.5Ki", 512 * NANO, "512"),
        ("1025Ki", 1025 * 1024 * NANO, "1025Ki"),
        ("1e3", 1000 * NANO, "1e3"),
        ("1E3", 1000 * NANO, "1e3"),
        ("1e-3", NANO / 1000, "1e-3"),
        (
            "12E",
            12_000_000_000_000_000_000 * NANO / 12 * 12,
            "9223372036854775807",
        ),
        ("1n", 1, "1n"),
        ("1u", 1000, "1u"),
        ("0.1n", 1, "1n"),
        ("1.00000000001", NANO + 1, "1000000001n"),
        ("-100m", -NANO / 10, "-100m"),
        ("+1", NANO, "1"),
        ("00012", 12 * NANO, "12"),
        ("8Ei", GREATEST * NANO, "9223372036854775807"),
    ] {
        let read: Quantity = text.parse().unwrap();
        assert_eq!(read.nanos(), amount.min(GREATEST * NANO), "{text}");
        assert_eq!(read.to_string(), canonical, "{text}");
        assert_eq!(
            read.to_string().parse::<Quantity>().unwrap(),
            read,
            "{text}"
        );
    }
}

#[test]
fn refuses_what_is_no_quantity() {
    for text in [
        "",
        ".",
        "+",
        "-",
        "m",
        "1mm",
        "1ki",
        "1K",
        "1 Gi",
        "1e",
        "1e+",
        "1e1.5",
        "1.2.3",
        "--1",
        "0x10",
        "1Gib",
        "١",
        "NaN",
        "inf",
        "1e99999999999999999999",
        "1,5",
    ] {
        assert!(text.parse::<Quantity>().is_err(), "{text} was read");
    }
    assert!(Quantity::of(&sluice_tree::json!({"a": 1})).is_err());
    assert_eq!(
        Quantity::of(&sluice_tree::json!(0.5)).unwrap().to_string(),
        "500m"
    );
}

#[test]
fn hostile_numbers_saturate() {
    let long = "9".repeat(1 << 20);
    for text in [
        long.as_str(),
        "1e4000000000",
        "1e9223372036854775807",
        "99999999999999999999Ei",
    ] {
        assert_eq!(nanos(text), GREATEST * NANO);
    }
    for text in [
        "1e-4000000000",
        "1e-9223372036854775808",
        &format!("0.{}1", "0".repeat(1 << 20)),
    ] {
        assert_eq!(nanos(text), 1);
    }
    assert_eq!(nanos(&format!("1.{}", "0".repeat(1 << 20))), NANO);
    assert_eq!(nanos(&format!("1{}e-100", "0".repeat(100))), NANO);
    // 10^-15 of 2^60, with more digits than anybody needs
    let tiny = format!("0.{}1{}Ei", "0".repeat(14), "2".repeat(33));
    assert_eq!(nanos(&tiny) / 1_000_000, 1_409_126);
    let most: Quantity = "9e18".parse().unwrap();
    let sum = most.times(i64::MAX).times(i64::MAX).plus(most);
    assert_eq!(sum.nanos(), i128::MAX);
    assert!(sum.to_string().parse::<Quantity>().is_ok());
}

#[test]
fn every_way_of_writing_an_amount_is_the_same_amount() {
    // a small generator instead of a dependency: every number, split at every point, with every suffix
    for number in [
        1u64,
        7,
        10,
        1023,
        1024,
        1025,
        99_999,
        1_048_576,
        123_456_789,
    ] {
        let digits = number.to_string();
        for at in 0..=digits.len() {
            let (whole, fraction) = digits.split_at(at);
            for (suffix, factor) in [("Ki", 1i128 << 10), ("Gi", 1 << 30), ("", 1), ("k", 1000)] {
                let scale = 10i128.pow(u32::try_from(fraction.len()).unwrap());
                let exact = i128::from(number) * factor * NANO;
                let expected = exact / scale + i128::from(exact % scale != 0);
                let text = format!("{whole}.{fraction}{suffix}");
                assert_eq!(nanos(&text), expected, "{text}");
            }
        }
    }
}

#[test]
fn parts_are_rounded_up_to_what_people_write() {
    for (text, count, part) in [
        ("2Gi", 50, "1Gi"),
        ("1Gi", 75, "768Mi"),
        ("1000Mi", 33, "330Mi"),
        ("1001Mi", 50, "501Mi"),
        ("3Ki", 50, "2Ki"),
        ("1", 50, "500m"),
        ("1", 1, "10m"),
        ("7m", 50, "4m"),
        ("0", 50, "0"),
        ("1G", 50, "500M"),
    ] {
        let quantity: Quantity = text.parse().unwrap();
        let of = quantity.hundredths(count);
        assert!(of.nanos() * 100 >= quantity.nanos() * i128::from(count));
        assert_eq!(of.to_string(), part, "{text}");
    }
}

#[test]
fn rounds_up_to_thousandths() {
    for (text, rounded) in [
        ("1n", "1m"),
        ("1500u", "2m"),
        ("1", "1"),
        ("0", "0"),
        ("-1n", "-1m"),
    ] {
        let quantity: Quantity = text.parse().unwrap();
        assert_eq!(quantity.rounded_to_milli().to_string(), rounded);
    }
}
