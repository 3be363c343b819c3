//! The heartbeat that backs every stored gate state: beaten while, and only while, the probe engine runs on schedule, this process leads, and what was
//! judged lately is also what is stored.

use std::{sync::Arc, time::Duration};

use sluice_probes::{Engine, moment::Moment};
use sluice_runtime::heartbeat::{self, Heartbeat};
use tokio_util::sync::CancellationToken;

use super::judging::Judge;
use crate::{execute::Executor, metrics::Metrics};

/// How old the last complete judgement may be. The loop judges every second; a few slow writes are no reason to close every gate of the cluster.
const SOUND_FOR: Duration = Duration::from_secs(4);

/// Beats until `drain`; `heart` makes a writer for a term of leadership.
pub async fn beat(
    heart: impl Fn() -> Heartbeat,
    engine: &Engine,
    judge: &Arc<Judge>,
    executor: &Executor,
    metrics: &Metrics,
    drain: CancellationToken,
) {
    let mut ticks = tokio::time::interval(heartbeat::INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut silent: Option<&'static str> = None;
    let mut beating: Option<(u64, Heartbeat)> = None;
    loop {
        tokio::select! {
            () = drain.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let leads = executor.leads();
        metrics.leads(leads);
        let why = if !leads {
            Some("this process does not lead")
        } else if !engine.pulse().is_healthy(Moment::now()) {
            Some("the probe engine does not run on schedule")
        } else if judge.sound_at().is_none_or(|at| at.elapsed() > SOUND_FOR) {
            Some("gates were not judged and stored lately")
        } else {
            None
        };
        if why != silent {
            match why {
                Some(why) if leads => tracing::warn!(why, "heartbeat stops: every gate is unknown"),
                Some(why) => tracing::info!(why, "no heartbeat"),
                None => tracing::info!("heartbeat beats"),
            }
            silent = why;
        }
        if why.is_none() {
            let term = executor.term();
            let (_, heart) = match beating.take() {
                Some((of, heart)) if of == term => beating.insert((of, heart)),
                _ => beating.insert((term, heart())),
            };
            match heart.beat().await {
                Ok(()) => metrics.wrote("Heartbeat"),
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "heartbeat not written"
                ),
            }
        }
    }
}
