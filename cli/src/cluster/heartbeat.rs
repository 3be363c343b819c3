//! Whether the probe engine is alive, for a reader that has just arrived: it waits for one renewal before it trusts anything.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use sluice_api::{SYSTEM_NAMESPACE, access::HEARTBEAT_LEASE};
use sluice_runtime::heartbeat::HeartbeatReader;
use tokio::time;

use super::explained;

/// How long a renewal is waited for: two beats of an engine that beats every two seconds, and some air.
pub const PATIENCE: Duration = Duration::from_secs(6);
const LOOK: Duration = Duration::from_millis(250);

/// Whether the heartbeat was renewed before our eyes within [`PATIENCE`]. A Lease that is only there proves nothing, however young its stamp:
/// another machine's clock is not ours.
///
/// # Errors
/// When the Lease cannot be read; that it does not exist is an answer, not an error.
pub async fn fresh(client: &Client) -> anyhow::Result<bool> {
    let api: Api<Lease> = Api::namespaced(client.clone(), SYSTEM_NAMESPACE);
    let began = Instant::now();
    let mut reader = HeartbeatReader::new(began);
    loop {
        let doing = format!(
            "the heartbeat (lease {HEARTBEAT_LEASE} in namespace {SYSTEM_NAMESPACE}) cannot be read"
        );
        let Some(lease) = explained(api.get_opt(HEARTBEAT_LEASE).await, &doing)? else {
            return Ok(false);
        };
        let now = Instant::now();
        reader.observe(&lease, now);
        if reader.fresh(now) {
            return Ok(true);
        }
        if now.duration_since(began) > PATIENCE {
            return Ok(false);
        }
        time::sleep(LOOK).await;
    }
}
