//! What a run says at one moment: the standings of its targets, joined. Pure.

use std::time::Duration;

use jiff::Timestamp;
use sluice_api::Verdict;

use crate::{
    moment::Moment,
    outcome::plain,
    tally::{Patience, Standing, Tally},
};

/// What a run says right now.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The verdict, freshness included.
    pub verdict: Verdict,
    /// What was seen, naming the target that decided.
    pub message: String,
    /// End of the sample that made the verdict. With several pods: of a `Pass`, the oldest of their last passing samples, so that all of them are
    /// at least as young; of a `Fail`, the latest failing sample.
    pub at: Option<Timestamp>,
    /// End of the first failing sample of a row that is still on, also before it makes a `Fail`.
    pub first_bad: Option<Timestamp>,
    /// When the verdict became `Fail`.
    pub detected: Option<Timestamp>,
    /// How old `at` is, by this process's own clocks.
    pub age: Option<Duration>,
    /// The targets, those that decide first, at most [`EVIDENCE`].
    pub evidence: Vec<Evidence>,
    /// How many targets there are.
    pub targets: usize,
}

/// How many targets an answer lists.
pub const EVIDENCE: usize = 16;

/// What one target of a run says.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The pod, URL or Prometheus that was asked.
    pub target: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// What its last sample saw.
    pub saw: String,
    /// Start of the sample that last confirmed the verdict.
    pub started: Option<Timestamp>,
    /// Its end.
    pub at: Option<Timestamp>,
}

impl Answer {
    /// Nothing is proved, for this reason.
    #[must_use]
    pub fn unknown(message: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Unknown,
            message: message.into(),
            at: None,
            first_bad: None,
            detected: None,
            age: None,
            evidence: Vec::new(),
            targets: 0,
        }
    }
}

/// One target as the engine holds it.
pub(crate) struct TargetView<'a> {
    /// Its name in messages.
    pub name: &'a str,
    /// Why it is not asked, if it is not.
    pub idle: Option<&'a str>,
    /// Its samples.
    pub tally: &'a Tally,
}

impl TargetView<'_> {
    fn standing(&self, patience: &Patience, now: Moment) -> Standing {
        let mut standing = self.tally.standing(patience, now);
        if self.idle.is_some() {
            standing.verdict = Verdict::Unknown;
            standing.stale = false;
        }
        standing
    }

    fn message(&self, patience: &Patience, standing: &Standing) -> String {
        let saw = self.tally.saw();
        let text = if let Some(idle) = self.idle {
            idle.to_owned()
        } else if standing.stale {
            let age = standing.age.map(|age| age.as_secs()).unwrap_or_default();
            format!("stale: last proved {age} s ago, then: {saw}")
        } else if saw.is_empty() {
            "not asked yet".to_owned()
        } else if standing.verdict == Verdict::Unknown && self.tally.fails() > 0 {
            format!(
                "{saw} ({} of {} failing samples)",
                self.tally.fails(),
                patience.rule.fail_after
            )
        } else if standing.verdict == Verdict::Unknown
            && self.tally.passes() > 0
            && self.tally.passes() < patience.rule.pass_after
        {
            format!(
                "{saw} ({} of {} passing samples)",
                self.tally.passes(),
                patience.rule.pass_after
            )
        } else {
            saw.to_owned()
        };
        plain(&format!("{}: {text}", self.name))
    }
}

/// The verdict of a run alone: cheaper than a whole answer.
pub(crate) fn verdict<'a>(
    targets: impl Iterator<Item = TargetView<'a>>,
    patience: &Patience,
    now: Moment,
) -> Verdict {
    let mut none = true;
    let verdict = Verdict::all(targets.map(|target| {
        none = false;
        target.standing(patience, now).verdict
    }));
    // nothing asked is nothing proved
    if none { Verdict::Unknown } else { verdict }
}

/// The answer of a run: any target that fails fails it, all must pass for a pass, and none at all proves nothing.
pub(crate) fn join<'a>(
    targets: impl Iterator<Item = TargetView<'a>>,
    patience: &Patience,
    now: Moment,
) -> Answer {
    let mut views: Vec<(Standing, TargetView<'a>)> = targets
        .map(|target| (target.standing(patience, now), target))
        .collect();
    // those that decide first; of a pass the oldest proof, of a fail the youngest
    views.sort_by(|(a, _), (b, _)| {
        b.verdict.cmp(&a.verdict).then_with(|| {
            if a.verdict == Verdict::Fail {
                b.at.cmp(&a.at)
            } else {
                a.at.cmp(&b.at)
            }
        })
    });
    let Some((first, decides)) = views.first() else {
        return Answer::unknown("no pods to ask");
    };
    let same = views
        .iter()
        .filter(|(standing, _)| standing.verdict == first.verdict)
        .count();
    let mut message = decides.message(patience, first);
    if views.len() > 1 {
        let what = match first.verdict {
            Verdict::Fail => "fail",
            Verdict::Unknown => "unknown",
            Verdict::Pass => "pass",
        };
        message.push_str(&format!(" ({same} of {} pods {what})", views.len()));
    }
    Answer {
        verdict: first.verdict,
        message,
        at: first.at,
        first_bad: views.iter().filter_map(|(s, _)| s.first_bad).min(),
        detected: views.iter().filter_map(|(s, _)| s.detected).min(),
        age: first.age,
        evidence: views
            .iter()
            .take(EVIDENCE)
            .map(|(standing, view)| Evidence {
                target: view.name.to_owned(),
                verdict: standing.verdict,
                saw: view.idle.unwrap_or(view.tally.saw()).to_owned(),
                started: standing.started,
                at: standing.at,
            })
            .collect(),
        targets: views.len(),
    }
}

#[cfg(test)]
mod tests {
    use sluice_api::probe::VerdictRule;

    use super::*;
    use crate::outcome::Outcome;

    fn patience() -> Patience {
        Patience::of(
            VerdictRule {
                fail_after: 1,
                pass_after: 1,
            },
            Duration::from_secs(5),
            Duration::from_secs(1),
        )
    }

    fn tally(outcome: Option<Outcome>, at: Moment) -> Tally {
        let mut tally = Tally::default();
        if let Some(outcome) = outcome {
            tally.record(&patience(), &outcome, at, at);
        }
        tally
    }

    #[test]
    fn one_failing_pod_fails_and_only_all_passing_pass() {
        let now = Moment::now();
        let good = || Some(Outcome::good("status 200"));
        let bad = || Some(Outcome::bad("status 500"));
        for (samples, verdict, message) in [
            (vec![], Verdict::Unknown, "no pods to ask"),
            (vec![good()], Verdict::Pass, "pod-0: status 200"),
            (
                vec![good(), good()],
                Verdict::Pass,
                "pod-0: status 200 (2 of 2 pods pass)",
            ),
            (
                vec![good(), None],
                Verdict::Unknown,
                "pod-1: not asked yet (1 of 2 pods unknown)",
            ),
            (
                vec![None, good(), bad()],
                Verdict::Fail,
                "pod-2: status 500 (1 of 3 pods fail)",
            ),
        ] {
            let tallies: Vec<(String, Tally)> = samples
                .into_iter()
                .enumerate()
                .map(|(i, outcome)| (format!("pod-{i}"), tally(outcome, now)))
                .collect();
            let views = || {
                tallies.iter().map(|(name, tally)| TargetView {
                    name,
                    idle: None,
                    tally,
                })
            };
            let answer = join(views(), &patience(), now);
            assert_eq!(
                (answer.verdict, answer.message.as_str()),
                (verdict, message)
            );
            assert_eq!(super::verdict(views(), &patience(), now), verdict);
        }
    }

    #[test]
    fn a_pass_is_as_old_as_its_oldest_pod() {
        let old = Moment::now();
        let young = Moment {
            monotonic: old.monotonic + Duration::from_secs(4),
            wall: old.wall + Duration::from_secs(4),
        };
        let tallies = [
            tally(Some(Outcome::good("ok")), young),
            tally(Some(Outcome::good("ok")), old),
        ];
        let views = tallies.iter().map(|tally| TargetView {
            name: "pod",
            idle: None,
            tally,
        });
        let answer = join(views, &patience(), young);
        assert_eq!(answer.at, Some(old.wall));
        assert_eq!(answer.age, Some(Duration::from_secs(4)));
    }

    #[test]
    fn a_pod_that_is_not_asked_is_unknown_whatever_it_once_proved() {
        let now = Moment::now();
        let tally = tally(Some(Outcome::good("ok")), now);
        let view = TargetView {
            name: "pod",
            idle: Some("has no address yet"),
            tally: &tally,
        };
        let answer = join(std::iter::once(view), &patience(), now);
        assert_eq!(answer.verdict, Verdict::Unknown);
        assert_eq!(answer.message, "pod: has no address yet");
    }
}
