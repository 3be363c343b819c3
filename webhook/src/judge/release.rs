//! The mutating webhook: holds a release at zero new pods and keeps the stepped fields. It never refuses: what it cannot read or decide it leaves
//! untouched, and the validating webhook, which sees the final object, refuses it.

use std::time::Instant;

use serde_json::Value;
use sluice_api::{Mode, WorkloadKind};
use sluice_planner::admission;

use super::{JudgeError, Judged, Knowledge, Outcome, facts, workload};
use crate::envelope::{Reply, Review};

pub(super) fn judge(
    knowledge: &Knowledge,
    review: &Review<'_>,
    now: Instant,
) -> Result<Judged, JudgeError> {
    let Some(kind) = WorkloadKind::of(&review.kind.kind) else {
        return Ok(Judged::nothing(Outcome::NotJudged));
    };
    let (Ok(new), Ok(old)) = (workload::new_object(review), workload::old_object(review)) else {
        return Ok(Judged::nothing(Outcome::Unreadable));
    };
    let namespace = review.namespace.as_deref().unwrap_or_default();
    let name = workload::name(review, &new.tree);
    let objects = workload::Objects {
        old: old.as_ref(),
        new: &new,
    };
    let request = workload::request(review, kind, &objects);
    let facts = facts::gather(&knowledge.indexes, &request, Mode::Enforce, now);
    let patch: Vec<Value> = match admission::mutate(&request, &facts) {
        Ok(patch) => patch,
        Err(error) => {
            tracing::warn!(
                uid = %review.uid, namespace, name = %name, error = &error as &dyn std::error::Error,
                "left untouched; the validating webhook judges it"
            );
            return Ok(Judged::nothing(Outcome::Unreadable));
        }
    };
    if patch.is_empty() {
        return Ok(Judged::nothing(Outcome::Allowed));
    }
    let patch = serde_json::to_vec(&patch).map_err(JudgeError::Patch)?;
    Ok(Judged {
        reply: Reply {
            patch,
            ..Reply::default()
        },
        ..Judged::nothing(Outcome::Patched)
    })
}
