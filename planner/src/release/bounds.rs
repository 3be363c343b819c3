//! Keeps the stored status of a release well below what etcd takes for one object, however many batches there are and whatever their probes say.
//!
//! The schema bounds every text and every list; all of them full would still be several megabytes. So evidence has a budget in bytes: the youngest is kept
//! whole, and of what does not fit only the count is left. Run again on its own outcome it changes nothing.

use sluice_api::{ReleaseStatus, release::ProbeEvidence};

/// For the answers of all batches together.
const BATCHES: usize = 192 * 1024;
/// For the answers that ended the release.
const ABORT: usize = 64 * 1024;

/// Drops the oldest evidence that does not fit.
pub(super) fn keep_small(status: &mut ReleaseStatus) {
    if let Some(abort) = &mut status.abort {
        keep(&mut abort.evidence, &mut abort.evidence_left_out, &mut {
            ABORT
        });
    }
    let mut room = BATCHES;
    for record in status.batches.iter_mut().rev() {
        keep(
            &mut record.evidence,
            &mut record.evidence_left_out,
            &mut room,
        );
    }
}

fn keep(evidence: &mut Vec<ProbeEvidence>, left_out: &mut u32, room: &mut usize) {
    let mut kept = 0;
    for answer in evidence.iter() {
        let Some(left) = room.checked_sub(size(answer)) else {
            // what is older than something that did not fit is not kept in its place
            *room = 0;
            break;
        };
        *room = left;
        kept += 1;
    }
    let surplus = u32::try_from(evidence.len() - kept).unwrap_or(u32::MAX);
    *left_out = left_out.saturating_add(surplus);
    evidence.truncate(kept);
}

/// Bytes of an answer as the API server stores it: it writes `<`, `>` and `&` as six characters each.
fn size(answer: &ProbeEvidence) -> usize {
    let escaped = |text: &str| 5 * text.matches(['<', '>', '&']).count();
    serde_json::to_string(answer).map_or(usize::MAX, |text| {
        text.len() + 1 + escaped(&answer.message) + escaped(&answer.probe)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sluice_api::{
        Condition, Release, Verdict,
        reason::{AbortReason, WaitReason},
        release::{AbortRecord, BatchRecord, Waiting},
    };

    use super::*;

    const TIME: &str = "2026-01-02T03:04:05.678Z";

    /// Every list and text as long as the schema allows, in the character that takes most room.
    fn extreme() -> ReleaseStatus {
        let text = |characters: usize| "\u{1}".repeat(characters);
        let evidence = || {
            vec![
                ProbeEvidence {
                    probe: text(127),
                    verdict: Verdict::Pass,
                    message: text(1024),
                    at: TIME.into(),
                };
                64
            ]
        };
        ReleaseStatus {
            message: Some(text(2048)),
            waiting_on: vec![
                Waiting {
                    reason: WaitReason::ProbeNotPassed,
                    message: text(1024),
                    until: Some(TIME.into()),
                };
                32
            ],
            batches: (1..=64)
                .map(|index| BatchRecord {
                    index,
                    started: TIME.into(),
                    progressed: Some(TIME.into()),
                    ready: Some(TIME.into()),
                    verified: Some(TIME.into()),
                    evidence: evidence(),
                    ..BatchRecord::default()
                })
                .collect(),
            abort: Some(AbortRecord {
                reason: AbortReason::ProbeFailed,
                message: text(2048),
                evidence: evidence(),
                evidence_left_out: 0,
            }),
            conditions: vec![
                Condition {
                    type_: "Failed".into(),
                    status: "True".into(),
                    reason: "StillFailing".into(),
                    message: text(2048),
                    observed_generation: Some(1),
                    last_transition_time: TIME.into(),
                };
                3
            ],
            ..ReleaseStatus::default()
        }
    }

    fn bytes(status: &ReleaseStatus) -> usize {
        serde_json::to_string(status).unwrap().len()
    }

    #[test]
    fn the_longest_record_there_can_be_is_far_below_the_limit_and_counts_what_it_left_out() {
        let mut status = extreme();
        assert!(bytes(&status) > 10_000_000);
        keep_small(&mut status);
        // the limit is 1.5 MiB for the whole object, and it holds the stable template twice
        assert!(bytes(&status) < 640 * 1024, "{}", bytes(&status));
        for record in &status.batches {
            let kept = u32::try_from(record.evidence.len()).unwrap();
            assert_eq!(
                kept + record.evidence_left_out,
                64,
                "batch {}",
                record.index
            );
        }
        assert!(
            !status.batches[63].evidence.is_empty(),
            "the youngest is kept"
        );
        assert!(
            status.batches[0].evidence.is_empty(),
            "the oldest goes first"
        );
        assert!(!status.abort.as_ref().unwrap().evidence.is_empty());
        let once = status.clone();
        keep_small(&mut status);
        assert_eq!(status, once);
    }

    #[test]
    fn an_ordinary_record_is_left_as_it_is() {
        let mut status = extreme();
        let answer = ProbeEvidence {
            probe: "shop/checkout-http".into(),
            verdict: Verdict::Pass,
            message: "all 10 pods answered 200".into(),
            at: TIME.into(),
        };
        for record in &mut status.batches {
            record.evidence = vec![answer.clone(); 10];
        }
        status.abort = None;
        let before = status.clone();
        keep_small(&mut status);
        assert_eq!(status, before);
    }

    #[test]
    fn what_a_release_stores_at_the_end_is_bounded_too() {
        let mut release: Release = serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Release", "metadata": {"name": "r1"},
            "spec": {"workload": {"kind": "Deployment", "name": "checkout", "uid": "u"}, "target": {"hash": "0123456789"},
                "originals": {}, "plan": {"namespace": "shop", "name": "p"}},
        }))
        .unwrap();
        release.status = Some(extreme());
        let closed = super::super::draft::closed(&release, jiff::Timestamp::UNIX_EPOCH, "r2");
        assert!(bytes(&closed) < 1_000_000, "{}", bytes(&closed));
    }
}
