//! The last findings that refused nothing, in memory: what warned, what was only counted, what an exception let pass. For people who ask what a
//! namespace would meet in mode `enforce`; `sluice audit` asks the same of what is stored.
//!
//! Bounded: so many namespaces, so many findings in each, so long each of them. The same finding about the same object is kept once, with a count. No
//! API object is ever written for it, and it is gone with the process.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use serde::Serialize;
use sluice_api::{Action, Finding};

/// Findings kept of one namespace; the one that was seen least lately goes first.
const FINDINGS: usize = 32;
/// Namespaces kept; the one that was quiet longest goes first.
const NAMESPACES: usize = 128;
/// Characters kept of one finding.
const LONGEST: usize = 512;

/// One finding about one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When it was seen last.
    pub last: Timestamp,
    /// How often it was seen since it is kept.
    pub count: u64,
    /// The kind of the object.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The code of the rule.
    pub code: String,
    /// `Warn`, `Audit`, or `Excepted`.
    pub action: &'static str,
    /// Whether nothing was to be stored when it was seen last.
    pub dry_run: bool,
    /// The finding in one line.
    pub text: String,
}

/// Where a finding was seen.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The namespace of the object.
    pub namespace: &'a str,
    /// The kind of the object.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Whether nothing was to be stored.
    pub dry_run: bool,
    /// When.
    pub at: Timestamp,
}

/// The rings of all namespaces.
#[derive(Debug, Default)]
pub struct Rings(Mutex<BTreeMap<String, VecDeque<Entry>>>);

impl Rings {
    /// Takes the findings of one review in; those that refused are told to whoever was refused.
    pub fn record(&self, seen: Seen<'_>, findings: &[Finding]) {
        let mut told = findings
            .iter()
            .filter(|finding| finding.action != Action::Deny)
            .peekable();
        if told.peek().is_none() {
            return;
        }
        let mut rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !rings.contains_key(seen.namespace) && rings.len() >= NAMESPACES {
            let quiet = rings
                .iter()
                .min_by_key(|(_, ring)| ring.back().map(|entry| entry.last))
                .map(|(namespace, _)| namespace.clone());
            if let Some(quiet) = quiet {
                rings.remove(&quiet);
            }
        }
        let ring = rings.entry(seen.namespace.to_owned()).or_default();
        for finding in told {
            let entry = entry(seen, finding);
            let known = ring.iter().position(|known| same(known, &entry));
            let count = known
                .and_then(|at| ring.remove(at))
                .map_or(0, |known| known.count);
            if ring.len() >= FINDINGS {
                ring.pop_front();
            }
            ring.push_back(Entry {
                count: count.saturating_add(1),
                ..entry
            });
        }
    }

    /// What is kept, of one namespace or of all; the latest first.
    #[must_use]
    pub fn show(&self, namespace: Option<&str>) -> BTreeMap<String, Vec<Entry>> {
        let rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rings
            .iter()
            .filter(|(name, _)| namespace.is_none_or(|wanted| wanted == name.as_str()))
            .map(|(name, ring)| (name.clone(), ring.iter().rev().cloned().collect()))
            .collect()
    }
}

fn entry(seen: Seen<'_>, finding: &Finding) -> Entry {
    Entry {
        last: seen.at,
        count: 0,
        kind: seen.kind.to_owned(),
        name: seen.name.to_owned(),
        code: finding.code.clone(),
        action: match finding.excepted {
            Some(_) => "Excepted",
            None => finding.action.as_str(),
        },
        dry_run: seen.dry_run,
        text: finding.line().chars().take(LONGEST).collect(),
    }
}

fn same(known: &Entry, entry: &Entry) -> bool {
    known.name == entry.name
        && known.kind == entry.kind
        && known.action == entry.action
        && known.text == entry.text
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use sluice_api::{Certainty, finding::Excepted};

    use super::*;

    fn finding(action: Action, found: &str) -> Finding {
        Finding {
            code: "SLU1001".into(),
            rule: "cronjob-without-deadline".into(),
            action,
            certainty: Certainty::Sure,
            path: "spec.startingDeadlineSeconds".into(),
            found: found.into(),
            passes: "1s to 1h".into(),
            way_out: None,
            excepted: None,
            policy: None,
        }
    }

    fn seen<'a>(namespace: &'a str, name: &'a str, second: i64) -> Seen<'a> {
        Seen {
            namespace,
            kind: "CronJob",
            name,
            dry_run: false,
            at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second),
        }
    }

    #[test]
    fn what_refused_nothing_is_kept_once_with_a_count_and_the_latest_first() {
        let rings = Rings::default();
        let excepted = Finding {
            excepted: Some(Excepted {
                by: "shop/e".into(),
                owner: "o".into(),
                reason: "r".into(),
                until: Timestamp::UNIX_EPOCH,
            }),
            ..finding(Action::Warn, "excepted")
        };
        rings.record(
            seen("shop", "a", 1),
            &[finding(Action::Warn, "x"), finding(Action::Deny, "y")],
        );
        rings.record(seen("shop", "b", 2), &[excepted]);
        rings.record(seen("shop", "a", 3), &[finding(Action::Warn, "x")]);
        rings.record(seen("bank", "c", 4), &[finding(Action::Audit, "x")]);
        rings.record(seen("quiet", "d", 5), &[finding(Action::Deny, "x")]);
        let brief = |namespace: Option<&str>| -> Vec<(String, String, &str, u64)> {
            rings
                .show(namespace)
                .into_iter()
                .flat_map(|(namespace, entries)| {
                    entries
                        .into_iter()
                        .map(move |one| (namespace.clone(), one.name, one.action, one.count))
                })
                .collect()
        };
        let row = |namespace: &str, name: &str, action, count| {
            (namespace.to_owned(), name.to_owned(), action, count)
        };
        let shop = [row("shop", "a", "Warn", 2), row("shop", "b", "Excepted", 1)];
        assert_eq!(brief(Some("shop")), shop);
        assert_eq!(
            brief(None),
            [vec![row("bank", "c", "Audit", 1)], shop.to_vec()].concat()
        );
        assert_eq!(brief(Some("nowhere")), []);
    }

    #[test]
    fn rings_stay_within_their_bounds_whatever_comes() {
        let rings = Rings::default();
        for round in 0..400 {
            let namespace = format!("n{}", round % 300);
            let name = format!("o{round}");
            let many: Vec<Finding> = (0..50)
                .map(|i| finding(Action::Warn, &format!("{i}{}", "ü".repeat(5000))))
                .collect();
            rings.record(seen(&namespace, &name, round), &many);
        }
        let kept = rings.show(None);
        assert_eq!(kept.len(), NAMESPACES);
        assert!(kept.contains_key("n99"), "the last one that spoke is kept");
        for entries in kept.values() {
            assert_eq!(entries.len(), FINDINGS);
            assert!(
                entries
                    .iter()
                    .all(|one| one.text.chars().count() <= LONGEST)
            );
        }
    }
}
