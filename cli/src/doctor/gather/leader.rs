//! The Lease of the leading controller, watched until it is renewed: a Lease that is only there proves nothing.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client, ResourceExt};
use sluice_api::{SYSTEM_NAMESPACE, access};
use tokio::time::{Instant, sleep};

use crate::{
    cluster,
    doctor::facts::{Known, Leader},
};

const LOOK: Duration = Duration::from_millis(250);
/// What a renewal may take beyond the time after which the Lease may be taken by another.
const AIR: Duration = Duration::from_secs(2);
/// However long the Lease says it is.
const LONGEST: Duration = Duration::from_secs(60);

/// Listens until it is renewed, or for as long as the Lease is good.
pub async fn listen(client: &Client) -> Known<Option<Leader>> {
    super::said(heard(client)).await
}

async fn heard(client: &Client) -> anyhow::Result<Option<Leader>> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), SYSTEM_NAMESPACE);
    let what = format!("lease in namespace {SYSTEM_NAMESPACE}");
    let began = Instant::now();
    let mut first: Option<Leader> = None;
    loop {
        let Some(lease) = cluster::get(&leases, access::LEADER_LEASE, &what).await? else {
            return Ok(None);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let good_for = spec
            .lease_duration_seconds
            .and_then(|s| u64::try_from(s).ok());
        let mut leader = Leader {
            holder: spec.holder_identity.unwrap_or_default(),
            version: lease.labels().get(access::VERSION_LABEL).cloned(),
            stamp: spec.renew_time.map(|time| time.0),
            heard: None,
        };
        if leader.holder.is_empty() {
            // given up: the next one may take it at once
            if began.elapsed() > AIR {
                return Ok(Some(leader));
            }
        } else if first
            .as_ref()
            .is_some_and(|first| first.stamp != leader.stamp)
        {
            leader.heard = Some(Timestamp::now());
            return Ok(Some(leader));
        } else if began.elapsed() > (Duration::from_secs(good_for.unwrap_or(10)) + AIR).min(LONGEST)
        {
            return Ok(Some(leader));
        }
        first.get_or_insert(leader);
        sleep(LOOK).await;
    }
}
