//! A Deployment with `strategy: Recreate` is held at zero and then released as a whole, which is what its user chose; then it is proved or undone like any other.

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_e2e::{installed_plane, scenario::Shop};

fn recreate(shop: &Shop<'_>, tag: &str) -> Value {
    let mut manifest = shop.checkout(tag);
    manifest["spec"]["strategy"] = json!({"type": "Recreate"});
    manifest
}

#[tokio::test]
async fn recreate_is_released_as_a_whole_and_undone_as_a_whole() -> anyhow::Result<()> {
    let installed = installed_plane().await?;
    let shop = Shop::new(&installed.plane, "recreate", 3).await?;
    shop.apply(&recreate(&shop, "v1")).await?;
    shop.runs_everywhere("v1").await?;
    shop.apply(&shop.canary_probe()).await?;
    shop.apply(&shop.plan(&["1", "50%"], "200ms")).await?;
    shop.accepted("rolloutplans", "checkout").await?;

    shop.apply(&recreate(&shop, "v2")).await?;
    shop.release_in("Succeeded").await?;
    shop.runs_everywhere("v2").await?;
    let spec = shop.deployment().await?["spec"].clone();
    ensure!(
        spec["strategy"] == json!({"type": "Recreate"}),
        "strategy: {}",
        spec["strategy"]
    );
    ensure!(
        spec.get("paused").is_none() && spec.get("minReadySeconds").is_none(),
        "left behind: {spec}"
    );

    shop.apply(&recreate(&shop, "v3--errors-100")).await?;
    // until the record of v3 is there, the youngest is that of v2
    shop.recorded(2).await?;
    shop.release_in("RolledBack").await?;
    shop.runs_everywhere("v2").await
}
