//! A release that a gate refuses makes the gate's probes run at once, so that the next attempt meets fresh proof. The only trace of it is an Event on the
//! gate: few, and none on dry-run.

use std::time::Instant;

use anyhow::{Context, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use sluice_e2e::scenario::Shop;
use sluice_e2e::{Installed, User};

use crate::gate_fresh_proof::{gate, probe, release, service, state};
use crate::rollback::on_installed;

/// How often in two seconds one gate may be written to.
const QUIET_SECONDS: f64 = 2.0;

#[tokio::test]
async fn a_refused_release_has_the_probes_of_its_gate_asked_at_once() -> anyhow::Result<()> {
    on_installed(async |Installed { plane, .. }| {
        let shop = Shop::new(plane, "attempts", 1).await?;
        shop.apply(&shop.checkout("v1")).await?;
        shop.apply(&service(&shop)).await?;
        shop.runs_everywhere("v1").await?;
        let answers = json!({"http": {"target": {"url": format!("http://checkout.{}.svc/", shop.namespace)}, "expect": {"status": [200]}}});
        let seldom = json!({"http": answers["http"], "interval": "1h"});
        let for_releases = json!({"http": answers["http"], "triggers": ["Release"]});
        let nobody = json!({"http": {"target": {"url": format!("http://nobody.{}.svc/", shop.namespace)}, "expect": {"status": [200]}}});
        for (name, check) in [
            ("seldom", &seldom),
            ("for-releases", &for_releases),
            ("closed", &nobody),
            ("dry", &nobody),
        ] {
            shop.apply(&shop.workload(name, "v1")).await?;
            shop.apply(&probe(&shop, name, check)).await?;
            shop.apply(&gate(&shop, name, &[name], "5s")).await?;
        }

        // proof that grew too old, and proof that is made for releases only: both are there at a later attempt
        for (name, why) in [
            ("seldom", "ProbeStale"),
            ("for-releases", "it runs for releases only"),
        ] {
            state(&shop, name, "Unknown").await?;
            shop.wait(&format!("a release behind {name} is refused with {why}"), || async {
                match release(&shop, name, "v2").await {
                    Ok(()) => anyhow::bail!("a release went in behind gate {name} without fresh proof"),
                    Err(refusal) if refusal.contains(why) => Ok(Ok(())),
                    // the webhook may see the gate a moment later than we do
                    Err(refusal) => Ok(Err(refusal)),
                }
            })
            .await?;
            shop.wait(&format!("a later attempt behind {name} is let in"), || async {
                Ok(release(&shop, name, "v2").await)
            })
            .await?;
        }

        // a gate that stays closed: however often it refuses, it is written to at most once in two seconds
        state(&shop, "closed", "Closed").await?;
        let mark = plane.audit().mark()?;
        let began = Instant::now();
        for version in 2..42 {
            let answer = release(&shop, "closed", &format!("v{version}")).await;
            ensure!(answer.is_err(), "a release went in behind a closed gate");
        }
        shop.wait("people read of it on the gate", || async {
            let described = shop.kubectl(User::Admin, "describe gates.sluice.dev closed").await?.stdout;
            let told = described.contains("ReleaseAttempted") && described.contains("deployment/closed");
            Ok(if told { Ok(()) } else { Err(described) })
        })
        .await?;
        let seconds = began.elapsed().as_secs_f64();
        let notes = plane
            .audit()
            .since(mark)?
            .into_iter()
            .filter(|entry| {
                entry.counts()
                    && entry.writes()
                    && entry.resource == "events"
                    && entry.namespace == shop.namespace
                    && entry.user.ends_with(":sluice-webhook")
            })
            .count();
        let most = 1 + (seconds / QUIET_SECONDS) as usize;
        println!("40 refusals in {seconds:.1} s: {notes} writes");
        ensure!((1..=most).contains(&notes), "{notes} writes in {seconds:.1} s");

        // nothing that is not to be stored leaves anything
        let api: Api<Deployment> = Api::namespaced(shop.client(), &shop.namespace);
        let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "checkout", "image": "registry.test/shop/checkout:v2"}]}}}});
        api.patch("dry", &PatchParams::default().dry_run(), &Patch::Strategic(&patch))
            .await
            .context("a dry-run behind a closed gate")?;
        // a note that comes after it shows that there was time for one
        ensure!(release(&shop, "closed", "v99").await.is_err());
        shop.wait("the later note is there", || async {
            let entries = plane.audit().since(mark)?;
            let written = entries.iter().filter(|entry| entry.resource == "events" && entry.namespace == shop.namespace && entry.writes());
            Ok(if written.count() > notes { Ok(()) } else { Err("not yet".to_owned()) })
        })
        .await?;
        let events = shop.kubectl(User::Admin, "get events --field-selector involvedObject.name=dry,involvedObject.kind=Gate -o name").await?;
        ensure!(events.stdout.trim().is_empty(), "a dry-run left {events:?}");
        Ok(())
    })
    .await
}
