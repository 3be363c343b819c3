//! Says what this replica judges by, for whoever asks all of them at once (`sluice check --expect-server-digest`): at once when it changes, and every few
//! seconds, so that silence can be told from agreement. Nothing here is a condition of readiness, and no verdict waits for it.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use kube::Client;
use sluice_runtime::{
    admin::Readiness,
    lease,
    replicas::{self, Said, Teller},
};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::judge::Knowledge;

/// How often it is looked whether something changed; a look compares two short texts.
const LOOK: Duration = Duration::from_millis(200);
/// How long the last word may take.
const LAST_WORD: Duration = Duration::from_secs(2);
/// How many file names and conditions are said, and how long each.
const NAMED: usize = 3;
const LONGEST: usize = 200;

/// Says it until `until`, then falls silent.
///
/// # Errors
/// None: what cannot be said is logged, and readers see the last word stand still.
pub async fn say(
    client: Client,
    namespace: String,
    knowledge: Arc<Knowledge>,
    readiness: Readiness,
    until: CancellationToken,
) -> Result<(), Infallible> {
    let replica = name();
    let mut teller = Teller::new(client, &namespace, &replica);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last: Option<(Said, Instant)> = None;
    let mut failing = false;
    loop {
        tokio::select! {
            () = until.cancelled() => break,
            _ = look.tick() => {}
        }
        let said = said(&knowledge, &readiness, &replica);
        let due = last.as_ref().is_none_or(|(before, at)| {
            (!failing && said.differs(before)) || at.elapsed() >= replicas::INTERVAL
        });
        if !due {
            continue;
        }
        let told = tokio::select! {
            () = until.cancelled() => break,
            told = teller.tell(&said) => told,
        };
        match told {
            Ok(()) if failing => {
                tracing::info!("what this replica enforces is said again");
                failing = false;
            }
            Ok(()) => {}
            Err(error) if failing => {
                tracing::debug!(error = &error as &dyn std::error::Error, "still not said");
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what this replica enforces cannot be said: `--expect-server-digest` cannot tell"
                );
                failing = true;
            }
        }
        last = Some((said, Instant::now()));
    }
    match timeout(LAST_WORD, teller.fall_silent()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the last word stays"
            );
        }
        Err(_) => tracing::debug!("the last word stays: no answer in time"),
    }
    Ok(())
}

/// The name of the pod, by which the API server's endpoints call it; elsewhere one that no other process has.
fn name() -> String {
    std::env::var("POD_NAME")
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(lease::identity)
}

fn said(knowledge: &Knowledge, readiness: &Readiness, replica: &str) -> Said {
    let rulebook = knowledge.indexes.rulebook();
    let short = |text: &str| text.chars().take(LONGEST).collect::<String>();
    let quarantined = rulebook.files.iter().flat_map(|files| &files.quarantined);
    Said {
        replica: replica.to_owned(),
        waiting: readiness
            .missing()
            .iter()
            .take(NAMED)
            .map(|(name, _)| short(name))
            .collect(),
        digest: rulebook.policies.digest().to_owned(),
        policies: rulebook.policies.policies(),
        exceptions_digest: rulebook.exceptions.digest().to_owned(),
        quarantined: quarantined
            .take(NAMED)
            .map(|one| short(&one.file))
            .collect(),
        left_out: rulebook.broken_policies.len() + rulebook.broken_exceptions.len(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: Timestamp::now(),
    }
}
