//! Leaves a note on a gate that refused a release: an Event, the one side effect of admission.
//!
//! The controller reads it and asks the gate's probes at once, so that proof which was too old, or is only made for releases, is there when the release is
//! tried again; people read it in `kubectl describe`. It is no record: it waits in a bounded line, several refusals within [`QUIET`] are one note, and it
//! may be lost. A dry-run leaves none.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use sluice_api::event;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    index::{Indexes, reduce::GateEntry},
    judge::Knowledge,
};

/// Notes that may wait.
const LINE: usize = 256;
/// One gate is written to no more often than this.
const QUIET: Duration = Duration::from_secs(2);

/// A release that gates refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The kind of the workload.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The gates that were not open, as `namespace/name`.
    pub gates: Vec<String>,
}

/// Takes notes; never waits.
#[derive(Clone, Debug)]
pub struct Attempts(mpsc::Sender<Attempt>);

/// The line, and the end that [`tell`] reads.
#[must_use]
pub fn line() -> (Attempts, mpsc::Receiver<Attempt>) {
    let (sender, receiver) = mpsc::channel(LINE);
    (Attempts(sender), receiver)
}

impl Attempts {
    /// Notes `attempt`, unless too many wait already.
    pub fn note(&self, attempt: Attempt) {
        if self.0.try_send(attempt).is_err() {
            tracing::debug!("note of an attempt dropped");
        }
    }
}

/// Sends what was noted until `until`.
///
/// # Errors
/// None: an Event that cannot be sent is logged.
pub async fn tell(
    client: Client,
    knowledge: Arc<Knowledge>,
    mut line: mpsc::Receiver<Attempt>,
    until: CancellationToken,
) -> Result<(), Infallible> {
    let recorder = Recorder::new(
        client,
        Reporter {
            controller: event::WEBHOOK.to_owned(),
            instance: std::env::var("POD_NAME").ok(),
        },
    );
    let mut told = Told::default();
    loop {
        let attempt = tokio::select! {
            () = until.cancelled() => return Ok(()),
            attempt = line.recv() => attempt,
        };
        let Some(attempt) = attempt else {
            until.cancelled().await;
            return Ok(());
        };
        for gate in told.due(&attempt.gates, Instant::now()) {
            let Some(about) = reference(&knowledge.indexes, gate) else {
                continue;
            };
            if let Err(error) = recorder.publish(&note(&attempt), &about).await {
                tracing::debug!(
                    gate,
                    error = &error as &dyn std::error::Error,
                    "event not sent"
                );
            }
        }
    }
}

/// When each gate was last written to.
#[derive(Debug, Default)]
struct Told(HashMap<String, Instant>);

impl Told {
    /// Those of `gates` that may be written to now; they count as written to.
    fn due<'g>(&mut self, gates: &'g [String], now: Instant) -> Vec<&'g str> {
        self.0.retain(|_, at| now.duration_since(*at) < QUIET);
        gates
            .iter()
            .filter(|gate| {
                let new = !self.0.contains_key(*gate);
                self.0.entry((*gate).clone()).or_insert(now);
                new
            })
            .map(String::as_str)
            .collect()
    }
}

/// The gate as Events name objects. None when it is gone, or cannot be read: asking its probes would not open it.
fn reference(indexes: &Indexes, gate: &str) -> Option<ObjectReference> {
    let (namespace, name) = gate.split_once('/')?;
    let bucket = indexes.gates.bucket(namespace)?;
    let GateEntry::Readable(gate) = bucket.get(name)? else {
        return None;
    };
    Some(ObjectReference {
        api_version: Some("sluice.dev/v1alpha1".to_owned()),
        kind: Some("Gate".to_owned()),
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
        uid: gate.metadata.uid.clone(),
        ..ObjectReference::default()
    })
}

fn note(attempt: &Attempt) -> Event {
    let Attempt {
        kind,
        namespace,
        name,
        ..
    } = attempt;
    Event {
        type_: EventType::Normal,
        reason: event::RELEASE_ATTEMPTED.to_owned(),
        note: Some(format!(
            "a release of {}/{name} in namespace {namespace} was refused here; the probes of this gate are asked now",
            kind.to_lowercase(),
        )),
        action: "Admission".to_owned(),
        secondary: Some(ObjectReference {
            api_version: Some("apps/v1".to_owned()),
            kind: Some(kind.clone()),
            namespace: Some(namespace.clone()),
            name: Some(name.clone()),
            ..ObjectReference::default()
        }),
    }
}
