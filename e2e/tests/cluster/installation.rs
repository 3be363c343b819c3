//! What `sluice install` puts into a cluster, as it runs there.

use anyhow::ensure;
use serde_json::Value;
use sluice_e2e::{User, installed_cluster};

/// Objects as JSON.
async fn get(line: &str) -> anyhow::Result<Vec<Value>> {
    let cluster = installed_cluster().await?;
    let arguments = ["get", "-o", "json"].into_iter().chain(line.split(' '));
    let said = cluster.kubectl(User::Admin, arguments, None).await?.ok()?;
    let list: Value = serde_json::from_str(&said)?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

#[tokio::test]
async fn two_webhooks_and_two_controllers_run_restricted() -> anyhow::Result<()> {
    let namespaces = get("namespaces -l app.kubernetes.io/part-of=sluice").await?;
    ensure!(
        namespaces[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted",
        "{namespaces:?}"
    );
    for program in ["webhook", "controller"] {
        let pods = get(&format!(
            "pods -n sluice-system -l app.kubernetes.io/name=sluice-{program}"
        ))
        .await?;
        ensure!(pods.len() == 2, "{} pods of {program}", pods.len());
        for pod in pods {
            let status = &pod["status"]["containerStatuses"][0];
            ensure!(
                status["ready"] == true && status["restartCount"] == 0,
                "{status}"
            );
        }
    }
    let budgets = get("poddisruptionbudgets -n sluice-system").await?;
    for budget in &budgets {
        ensure!(
            budget["status"]["disruptionsAllowed"] == 1,
            "{}",
            budget["status"]
        );
    }
    ensure!(budgets.len() == 2, "{} budgets", budgets.len());
    Ok(())
}

#[tokio::test]
async fn the_webhook_refuses_through_its_service() -> anyhow::Result<()> {
    let cluster = installed_cluster().await?;
    for configuration in
        get("validatingwebhookconfigurations -l app.kubernetes.io/part-of=sluice").await?
    {
        for webhook in configuration["webhooks"].as_array().into_iter().flatten() {
            let client = &webhook["clientConfig"];
            ensure!(
                client["service"]["name"] == "sluice-webhook" && client["url"].is_null(),
                "{client}"
            );
        }
    }
    let namespace = cluster
        .namespace_with("refused", &[("sluice.dev/mode", "enforce")])
        .await?;
    let demo = |name: &str| format!("{}/demo/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let apply = async |name: &str| {
        let text = std::fs::read_to_string(demo(name))?
            .replace("namespace: shop", &format!("namespace: {namespace}"));
        cluster
            .kubectl(User::Developer, ["apply", "-f", "-"], Some(&text))
            .await
    };
    let refusal = apply("cronjob-unbounded").await?.refused()?;
    for text in ["admission webhook", "SLU1001", "startingDeadlineSeconds"] {
        ensure!(refusal.contains(text), "no {text} in: {refusal}");
    }
    apply("cronjob-bounded").await?.ok()?;
    Ok(())
}
