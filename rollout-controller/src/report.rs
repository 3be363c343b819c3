//! Tells people what happened: Events on the workload, few and in order. An Event is never a record (that is the Release) and never holds up a write:
//! it waits in a bounded line of its own and is dropped when that is full.

use std::collections::HashMap;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use sluice_api::{Release, ReleasePhase, ReleaseStatus};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{cache::table::Key, metrics::Metrics};

/// Events that may wait. A release has about ten in its life.
const LINE: usize = 512;
/// The same thing about the same workload is said again after this long at the earliest.
const QUIET: std::time::Duration = std::time::Duration::from_secs(60);
/// The API server cuts notes at 1 KiB.
const LONGEST: usize = 1000;

/// One thing to tell about a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// The workload.
    pub workload: Key,
    /// Its uid.
    pub uid: String,
    /// Whether someone should look.
    pub warning: bool,
    /// One word.
    pub reason: String,
    /// One sentence.
    pub text: String,
    /// The Release it is about.
    pub release: Option<String>,
    /// Which batch, where that tells two notes of one reason apart: the same thing about the same release becomes one Event with a count.
    pub batch: Option<String>,
}

/// Takes notes; never waits.
#[derive(Clone)]
pub struct Teller {
    line: mpsc::Sender<Note>,
    metrics: Metrics,
}

/// The other end of the line.
pub struct TellerTask {
    line: mpsc::Receiver<Note>,
    client: Client,
}

/// A teller and the task that sends what it is told.
#[must_use]
pub fn teller(client: Client, metrics: Metrics) -> (Teller, TellerTask) {
    let (sender, receiver) = mpsc::channel(LINE);
    (
        Teller {
            line: sender,
            metrics,
        },
        TellerTask {
            line: receiver,
            client,
        },
    )
}

impl Teller {
    /// Tells `note`, unless too many wait already.
    pub fn tell(&self, note: Note) {
        if self.line.try_send(note).is_err() {
            self.metrics.event_dropped();
        }
    }
}

impl TellerTask {
    /// Sends notes until `drain`.
    pub async fn run(mut self, drain: CancellationToken) {
        let recorder = Recorder::new(
            self.client.clone(),
            Reporter {
                controller: "sluice-controller".to_owned(),
                instance: std::env::var("POD_NAME").ok(),
            },
        );
        let mut said: HashMap<(String, String, String), Instant> = HashMap::new();
        loop {
            let note = tokio::select! {
                () = drain.cancelled() => return,
                note = self.line.recv() => note,
            };
            let Some(note) = note else { return };
            let now = Instant::now();
            said.retain(|_, at| now.duration_since(*at) < QUIET);
            let what = (note.uid.clone(), note.reason.clone(), note.text.clone());
            if said.insert(what, now).is_some() {
                continue;
            }
            let reference = ObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: Some("Deployment".to_owned()),
                namespace: Some(note.workload.namespace.clone()),
                name: Some(note.workload.name.clone()),
                uid: Some(note.uid.clone()),
                ..ObjectReference::default()
            };
            let event = Event {
                type_: if note.warning {
                    EventType::Warning
                } else {
                    EventType::Normal
                },
                reason: note.reason.clone(),
                note: Some(cut(&note.text)),
                action: note
                    .batch
                    .as_deref()
                    .map_or_else(|| "Release".to_owned(), |batch| format!("Batch {batch}")),
                secondary: note.release.clone().map(|name| ObjectReference {
                    api_version: Some("sluice.dev/v1alpha1".to_owned()),
                    kind: Some("Release".to_owned()),
                    namespace: Some(note.workload.namespace.clone()),
                    name: Some(name),
                    ..ObjectReference::default()
                }),
            };
            if let Err(error) = recorder.publish(&event, &reference).await {
                tracing::debug!(
                    workload = %note.workload,
                    error = &error as &dyn std::error::Error,
                    "event not sent"
                );
            }
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// What a new status of a Release is worth telling: a phase that was not there before.
#[must_use]
pub fn phase_note(workload: &Key, release: &Release, status: &ReleaseStatus) -> Option<Note> {
    let before = release.status.as_ref().map(|status| status.phase);
    if before == Some(status.phase) {
        return None;
    }
    let warning = matches!(
        status.phase,
        ReleasePhase::Aborting
            | ReleasePhase::RolledBack
            | ReleasePhase::RollbackIneffective
            | ReleasePhase::Failed
    );
    let name = release.metadata.name.as_deref().unwrap_or_default();
    let number = status
        .batch
        .as_ref()
        .filter(|_| matches!(status.phase, ReleasePhase::Batch | ReleasePhase::Baking))
        .map(|batch| batch.text.clone());
    let batch = number
        .as_deref()
        .map(|number| format!(" {number}"))
        .unwrap_or_default();
    let why = match (&status.abort, status.phase) {
        (Some(abort), ReleasePhase::Aborting) => abort.message.clone(),
        _ => status.message.clone().unwrap_or_default(),
    };
    Some(Note {
        workload: workload.clone(),
        uid: release.spec.workload.uid.clone(),
        warning,
        reason: format!("Release{}", status.phase),
        release: Some(name.to_owned()),
        batch: number,
        text: if why.is_empty() {
            format!("{name}: {}{batch}", status.phase)
        } else {
            format!("{name}: {}{batch}: {why}", status.phase)
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_new_phase_is_told_and_an_abort_says_why() {
        let mut release: Release = serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Release", "metadata": {"name": "deployment-checkout-0123456789-5"},
            "spec": {"workload": {"kind": "Deployment", "name": "checkout", "uid": "u"}, "target": {"hash": "0123456789"},
                "originals": {}, "plan": {"namespace": "shop", "name": "p"}},
            "status": {"phase": "Baking"},
        }))
        .unwrap();
        let key = Key::new("shop", "checkout");
        let mut status = release.status.clone().unwrap();
        status.message = Some("something else".into());
        assert_eq!(phase_note(&key, &release, &status), None);
        status.phase = ReleasePhase::Aborting;
        status.abort = Some(sluice_api::release::AbortRecord {
            reason: sluice_api::reason::AbortReason::ProbeFailed,
            message: "shop/http: status 500".into(),
            evidence: vec![],
            evidence_left_out: 0,
        });
        let note = phase_note(&key, &release, &status).unwrap();
        assert!(note.warning);
        assert_eq!(note.reason, "ReleaseAborting");
        assert_eq!(
            note.text,
            "deployment-checkout-0123456789-5: Aborting: shop/http: status 500"
        );
        release.status = None;
        assert!(phase_note(&key, &release, &status).is_some());
    }
}
