//! What is issued, when it is renewed, and that nobody is ever served a certificate they do not trust.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sluice_certs::{
    Decision, Material, ServingNames, Terms, decide,
    inspect::{self, InspectError},
    issue::{self, Keyed},
};

fn names() -> ServingNames {
    ServingNames::of_service("sluice-webhook", "sluice-system")
}

fn start() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

#[test]
fn a_client_accepts_what_is_issued_for_its_names_and_time_only() {
    let terms = Terms::default();
    let by_url = names().and_host("hooks.example.com").and_host("10.1.2.3");
    let bundle = issue::issue(start(), &by_url, &terms).unwrap();
    let other = issue::issue(start(), &by_url, &terms).unwrap();
    let check = |ca: &Keyed, leaf: &Keyed, names: &ServingNames, day: i64| {
        inspect::check(&ca.cert_pem, leaf, names, start() + days(day))
    };
    check(&bundle.ca, &bundle.leaf, &by_url, 0).unwrap();
    check(&bundle.ca, &bundle.leaf, &by_url, 89).unwrap();
    let unpaired = Keyed {
        cert_pem: bundle.leaf.cert_pem.clone(),
        key_pem: other.leaf.key_pem.clone(),
    };
    for (why, result) in [
        (
            "another authority",
            check(&other.ca, &bundle.leaf, &by_url, 0),
        ),
        ("expired", check(&bundle.ca, &bundle.leaf, &by_url, 91)),
        (
            "not valid yet",
            check(&bundle.ca, &bundle.leaf, &by_url, -1),
        ),
        (
            "another name",
            check(
                &bundle.ca,
                &bundle.leaf,
                &ServingNames::of_service("other", "ns"),
                0,
            ),
        ),
        (
            "another address",
            check(&bundle.ca, &bundle.leaf, &names().and_host("10.1.2.4"), 0),
        ),
        ("another key", check(&bundle.ca, &unpaired, &by_url, 0)),
    ] {
        assert!(result.is_err(), "{why}");
    }
    assert!(matches!(
        check(&bundle.ca, &unpaired, &by_url, 0),
        Err(InspectError::Key(_))
    ));
}

#[test]
fn a_name_that_no_certificate_can_carry_is_an_error_that_names_it() {
    let names = names().and_host("höhö.example");
    let error = issue::issue(start(), &names, &Terms::default()).unwrap_err();
    assert!(error.to_string().contains("höhö.example"), "{error}");
}

#[test]
fn no_serving_certificate_outlives_its_authority() {
    let terms = Terms::default();
    let ca = issue::authority(start(), &terms).unwrap();
    let late = start() + days(300);
    let leaf = issue::leaf(late, &names(), &ca, &terms).unwrap();
    let (ca, leaf) = (
        inspect::facts(&ca.cert_pem).unwrap(),
        inspect::facts(&leaf.cert_pem).unwrap(),
    );
    assert!(leaf.not_after <= ca.not_after);
    assert!(leaf.not_after > late + days(60));
}

#[test]
fn keys_are_not_shown_by_debug() {
    let material = Material::issue(start(), &names(), &Terms::default()).unwrap();
    assert!(!format!("{material:?}").contains("PRIVATE KEY"));
}

#[test]
fn what_is_broken_is_replaced_by_the_smallest_step() {
    let terms = Terms::default();
    let good = Material::issue(start(), &names(), &terms).unwrap();
    let other = Material::issue(start(), &names(), &terms).unwrap();
    let with = |change: &dyn Fn(&mut Material)| {
        let mut material = good.clone();
        change(&mut material);
        material
    };
    let prepared = good
        .after(Decision::PrepareCa, start(), &names(), &terms)
        .unwrap();
    let keeps = |decision| matches!(decision, Decision::Keep { .. });
    assert!(keeps(decide(start(), &good, &names(), &terms, &[])));
    assert!(
        keeps(decide(start() - days(2), &good, &names(), &terms, &[])),
        "a clock behind the issuer's is no reason to issue"
    );
    for (why, material, day, expected) in [
        (
            "two thirds of the leaf are over",
            good.clone(),
            60,
            Decision::RenewLeaf,
        ),
        (
            "the leaf has expired",
            good.clone(),
            91,
            Decision::RenewLeaf,
        ),
        (
            "two thirds of the authority are over",
            {
                let late = start() + days(240);
                good.after(Decision::RenewLeaf, late, &names(), &terms)
                    .unwrap()
            },
            244,
            Decision::PrepareCa,
        ),
        (
            "the authority has expired",
            good.clone(),
            366,
            Decision::IssueAnew,
        ),
        (
            "the next one was published long enough",
            prepared.clone(),
            1,
            Decision::SwitchCa,
        ),
        (
            "the leaf is no certificate",
            with(&|m| m.leaf.cert_pem = "hello".into()),
            0,
            Decision::RenewLeaf,
        ),
        (
            "the leaf's key is another's",
            with(&|m| m.leaf.key_pem.clone_from(&other.leaf.key_pem)),
            0,
            Decision::RenewLeaf,
        ),
        (
            "the leaf is another authority's",
            with(&|m| m.leaf = other.leaf.clone()),
            0,
            Decision::RenewLeaf,
        ),
        (
            "the authority is no certificate",
            with(&|m| m.ca.cert_pem = String::new()),
            0,
            Decision::IssueAnew,
        ),
        (
            "the authority's key is another's",
            with(&|m| m.ca.key_pem.clone_from(&other.ca.key_pem)),
            0,
            Decision::IssueAnew,
        ),
        (
            "the authority is lost, but the next is published",
            {
                let mut material = prepared;
                material.ca.key_pem = "lost".into();
                material
            },
            0,
            Decision::SwitchCa,
        ),
    ] {
        let now = start() + days(day);
        let published = [material.ca_bundle()];
        assert_eq!(
            decide(now, &material, &names(), &terms, &published),
            expected,
            "{why}"
        );
        // one step leads to a state that serves
        let after = material.after(expected, now, &names(), &terms).unwrap();
        inspect::check(&after.ca.cert_pem, &after.leaf, &names(), now)
            .unwrap_or_else(|error| panic!("{why}: {error}"));
    }
}

#[test]
fn another_name_needs_another_leaf_of_the_same_authority() {
    let terms = Terms::default();
    let material = Material::issue(start(), &names(), &terms).unwrap();
    let wanted = names().and_host("127.0.0.1");
    assert_eq!(
        decide(start(), &material, &wanted, &terms, &[]),
        Decision::RenewLeaf
    );
    let after = material
        .after(Decision::RenewLeaf, start(), &wanted, &terms)
        .unwrap();
    assert_eq!(after.ca_bundle(), material.ca_bundle());
}

#[test]
fn what_is_not_published_yet_is_not_served_however_old_it_is() {
    let terms = Terms::default();
    let old = Material::issue(start(), &names(), &terms).unwrap();
    let prepared = old
        .after(Decision::PrepareCa, start() + days(10), &names(), &terms)
        .unwrap();
    let (before, both) = (old.ca_bundle(), prepared.ca_bundle());
    let keep = |day| Decision::Keep {
        until: start() + days(day),
    };
    for (why, day, bundles, expected) in [
        ("nothing is published", 12, vec![], Decision::SwitchCa),
        ("all have it", 12, vec![&both, &both], Decision::SwitchCa),
        ("one has not", 12, vec![&both, &before], keep(12)),
        ("none has", 30, vec![&before], keep(30)),
        ("too early", 10, vec![&both], keep(11)),
        // the old authority is over: there is nothing to lose
        ("too late", 366, vec![&before], Decision::SwitchCa),
    ] {
        let bundles: Vec<String> = bundles.into_iter().cloned().collect();
        let now = start() + days(day);
        let decision = decide(now, &prepared, &names(), &terms, &bundles);
        assert_eq!(decision, expected, "{why}");
    }
}

/// Plays six years in hours. The leader asks when it was told to, sometimes days late; API servers learn of a bundle and replicas of a certificate
/// with a delay below the overlap. At no hour does any API server refuse what any replica serves.
#[test]
fn in_six_years_no_api_server_refuses_any_replica() {
    let terms = Terms::default();
    let names = names();
    let lag = usize::try_from(terms.overlap.as_secs() / 3600).unwrap() - 1;
    let mut material = Material::issue(start(), &names, &terms).unwrap();
    let mut history = vec![material.clone()];
    let (mut leaves, mut authorities) = (0, 0);
    let mut asked_again = start();
    let mut verified = std::collections::HashSet::new();
    for hour in 1..6 * 365 * 24i64 {
        let now = start() + SignedDuration::from_hours(hour);
        // away for 40 hours out of every 400
        if now >= asked_again && hour % 400 > 40 {
            match decide(now, &material, &names, &terms, &[material.ca_bundle()]) {
                Decision::Keep { until } => asked_again = until,
                step => {
                    material = material.after(step, now, &names, &terms).unwrap();
                    leaves += u32::from(matches!(step, Decision::RenewLeaf | Decision::SwitchCa));
                    authorities += u32::from(step == Decision::SwitchCa);
                    assert_ne!(step, Decision::IssueAnew);
                }
            }
        }
        history.push(material.clone());
        if history.len() > lag {
            history.remove(0);
        }
        let (oldest, newest) = (&history[0], &material);
        for (bundle, served) in [(oldest, newest), (newest, oldest), (newest, newest)] {
            let pair = (bundle.ca_bundle(), served.leaf.cert_pem.clone());
            // the same pair is looked at once a week only: nothing but time can change its verdict
            if verified.contains(&pair) && hour % 168 != 0 {
                continue;
            }
            let trusted = bundle.ca_bundle();
            let accepted = trusted
                .split_inclusive("-----END CERTIFICATE-----")
                .filter(|pem| pem.contains("BEGIN"))
                .any(|pem| inspect::check(pem, &served.leaf, &names, now).is_ok());
            assert!(accepted, "hour {hour}");
            verified.insert(pair);
        }
    }
    assert!(authorities >= 8, "{authorities} authorities");
    assert!(leaves >= 36, "{leaves} leaves");
    assert_eq!(terms.overlap, Duration::from_secs(24 * 3600));
}
