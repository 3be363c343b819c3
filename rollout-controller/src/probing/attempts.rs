//! Which gates refused a release a moment ago. Their probes are asked at once, and those that run for releases only run for [`KEPT`]: so the next attempt
//! meets proof that is fresh.
//!
//! Learned from the Events that the webhook leaves on gates. They are hints: one may be lost, doubled, or written by anybody who may write Events, and all
//! it does is to make probes run that would run anyway.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt, pin_mut};
use kube::{
    Api, Client,
    api::ApiResource,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event},
    },
};
use serde_json::Value;
use sluice_api::event;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::judging::Judge;
use crate::cache::{arrival::Arrival, table::Key};

/// How long an attempt keeps the probes of a gate running that run for releases only.
pub const KEPT: Duration = Duration::from_secs(300);

/// The attempts of the last five minutes.
#[derive(Default)]
pub struct Attempts(Mutex<HashMap<Key, Attempt>>);

struct Attempt {
    at: Instant,
    /// The probes of the gate were asked because of it.
    asked: bool,
}

impl Attempts {
    fn locked(&self, now: Instant) -> MutexGuard<'_, HashMap<Key, Attempt>> {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.retain(|_, attempt| now.duration_since(attempt.at) < KEPT);
        attempts
    }

    /// `gate` refused a release.
    pub fn note(&self, gate: Key, now: Instant) {
        let attempt = Attempt {
            at: now,
            asked: false,
        };
        self.locked(now).insert(gate, attempt);
    }

    /// Whether `gate` refused a release a moment ago.
    #[must_use]
    pub fn recent(&self, gate: &Key, now: Instant) -> bool {
        self.locked(now).contains_key(gate)
    }

    /// The gates whose probes were not asked yet since; they count as asked.
    #[must_use]
    pub fn unasked(&self, now: Instant) -> Vec<Key> {
        self.locked(now)
            .iter_mut()
            .filter_map(|(gate, attempt)| {
                let asked = std::mem::replace(&mut attempt.asked, true);
                (!asked).then(|| gate.clone())
            })
            .collect()
    }
}

/// Tells `judge` of every attempt until `drain`. Errors are retried without end, with backoff; what happened meanwhile is lost.
pub async fn watch(client: Client, judge: Arc<Judge>, drain: CancellationToken) {
    let resource = ApiResource {
        group: "events.k8s.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "events.k8s.io/v1".to_owned(),
        kind: "Event".to_owned(),
        plural: "events".to_owned(),
    };
    let api: Api<Arrival> = Api::all_with(client, &resource);
    let only = format!("reason={}", event::RELEASE_ATTEMPTED);
    let events = watcher::watcher(api, watcher::Config::default().fields(&only)).default_backoff();
    pin_mut!(events);
    loop {
        let event = tokio::select! {
            () = drain.cancelled() => return,
            event = events.next() => event,
        };
        match event {
            None => return,
            Some(Err(error)) => tracing::debug!(
                error = &error as &dyn std::error::Error,
                "attempts cannot be watched; retrying"
            ),
            // an attempt from before this process looked: whoever still waits tries again
            Some(Ok(Event::Apply(arrival))) => {
                if let Some(gate) = gate(&arrival.object) {
                    judge.attempted(gate);
                }
            }
            Some(Ok(_)) => {}
        }
    }
}

/// The gate that an Event of the webhook is about.
fn gate(event: &Value) -> Option<Key> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    let ours = text("/reportingController") == Some(event::WEBHOOK)
        && text("/reason") == Some(event::RELEASE_ATTEMPTED)
        && text("/regarding/kind") == Some("Gate");
    if !ours {
        return None;
    }
    Some(Key::new(
        text("/regarding/namespace")?,
        text("/regarding/name")?,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_attempt_is_asked_for_once_and_forgotten_after_five_minutes() {
        let attempts = Attempts::default();
        let gate = Key::new("shop", "checkout");
        assert!(!attempts.recent(&gate, Instant::now()));
        attempts.note(gate.clone(), Instant::now());
        assert_eq!(
            attempts.unasked(Instant::now()),
            std::slice::from_ref(&gate)
        );
        assert!(attempts.unasked(Instant::now()).is_empty());
        tokio::time::advance(KEPT - Duration::from_millis(1)).await;
        assert!(attempts.recent(&gate, Instant::now()));
        attempts.note(gate.clone(), Instant::now());
        assert_eq!(
            attempts.unasked(Instant::now()),
            std::slice::from_ref(&gate),
            "a second attempt asks again"
        );
        tokio::time::advance(KEPT).await;
        assert!(!attempts.recent(&gate, Instant::now()));
    }

    #[test]
    fn only_the_webhooks_events_on_gates_count() {
        let event = json!({
            "reportingController": "sluice-webhook", "reason": "ReleaseAttempted",
            "regarding": {"kind": "Gate", "namespace": "shop", "name": "checkout"},
        });
        assert_eq!(gate(&event), Some(Key::new("shop", "checkout")));
        for (pointer, other) in [
            ("/reportingController", json!("somebody")),
            ("/reason", json!("Killing")),
            ("/regarding/kind", json!("Pod")),
            ("/regarding/name", json!(null)),
        ] {
            let mut event = event.clone();
            *event.pointer_mut(pointer).unwrap() = other;
            assert_eq!(gate(&event), None, "{pointer}");
        }
    }
}
