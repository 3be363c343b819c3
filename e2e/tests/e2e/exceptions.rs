//! Exceptions from policies: what is let in until when, and who may write one.

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_e2e::{User, plane::wait_for};

use crate::{
    answers::{lines, refused, warnings},
    place::{Place, in_place},
};

const OWNER: &str = "team-reports";

/// Everything bounded but its starting deadline.
fn cron_job(name: &str) -> String {
    json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": {
        "schedule": "0 3 * * *", "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 1,
        "jobTemplate": {"spec": {"activeDeadlineSeconds": 600, "backoffLimit": 1, "template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "report", "image": "registry.test/report:1",
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}}}],
        }}}},
    }})
    .to_string()
}

fn exception(namespace: &str, reason: &str, expires: Timestamp) -> String {
    json!({"apiVersion": "sluice.dev/v1alpha1", "kind": "PolicyException",
        "metadata": {"name": "legacy", "namespace": namespace},
        "spec": {"subject": {"kind": "CronJob", "name": "legacy-*"}, "rule": "SLU1001",
            "reason": reason, "owner": OWNER, "expires": expires}})
    .to_string()
}

/// A moment some seconds ahead, on the second.
fn ahead(seconds: i64) -> anyhow::Result<Timestamp> {
    Ok(Timestamp::from_second(
        Timestamp::now().as_second() + seconds,
    )?)
}

async fn conditions(place: &Place) -> anyhow::Result<Vec<String>> {
    let object = place.object("policyexceptions.sluice.dev legacy").await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| {
            format!(
                "{} {} {}",
                text(&one["type"]),
                text(&one["status"]),
                text(&one["reason"])
            )
        })
        .collect())
}

async fn says(place: &Place, condition: &str) -> anyhow::Result<()> {
    wait_for(condition, || async {
        let found = conditions(place).await?;
        Ok(found.iter().any(|one| one == condition).then_some(()))
    })
    .await
}

/// What `sluice check` says about the manifest with the exception in a file: the lines of its findings and the whole refusal.
async fn checked(
    place: &Place,
    manifest: &str,
    exceptions: &str,
) -> anyhow::Result<(Vec<String>, Option<String>)> {
    let manifest = place.written("legacy.json", manifest)?;
    let exceptions = place.written("exceptions.json", exceptions)?;
    let policies = place
        .kubectl(User::Admin, "get policies.sluice.dev -A -o yaml")
        .await?
        .ok()?;
    let policies = place.written("policies.yaml", &policies)?;
    let line = format!(
        "check --server -o json --policies {policies} --exceptions {exceptions} -f {manifest}"
    );
    let output = place.sluice(User::Admin, &line).await?;
    ensure!(matches!(output.code, Some(0 | 1)), "{output:?}");
    let verdict: Value =
        serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))?;
    let object = &verdict["objects"][0];
    let texts = object["findings"]
        .as_array()
        .context("findings")?
        .iter()
        .filter_map(|finding| finding["text"].as_str().map(str::to_owned))
        .collect();
    Ok((texts, object["refusal"].as_str().map(str::to_owned)))
}

#[tokio::test]
async fn what_is_excepted_is_let_in_with_a_warning_and_refused_from_the_second_it_expires()
-> anyhow::Result<()> {
    in_place("exception", "enforce", async |place| {
        let manifest = cron_job("legacy-reports");
        let create = "create --dry-run=server -f -";
        let before = place
            .feed(User::Developer, "create -f -", &manifest)
            .await?;
        ensure!(
            lines(refused(&before)?)
                .iter()
                .all(|line| line.starts_with("SLU1001 ")),
            "{before:?}"
        );

        let expires = ahead(40)?;
        let excepting = exception(&place.namespace, "mended in May", expires);
        place
            .feed(User::Admin, "create -f -", &excepting)
            .await?
            .ok()?;
        let told = wait_for("the webhook to know the exception", || async {
            let output = place.feed(User::Developer, create, &manifest).await?;
            Ok(output.succeeded().then(|| warnings(&output)))
        })
        .await?;
        let end = format!(
            "; excepted until {expires} by {}/legacy, for which {OWNER} answers",
            place.namespace
        );
        ensure!(
            told.iter()
                .any(|line| line.starts_with("SLU1001 ") && line.ends_with(&end)),
            "{told:?}"
        );
        let (texts, refusal) = checked(place, &manifest, &excepting).await?;
        ensure!(
            texts == told && refusal.is_none(),
            "check says\n{texts:#?}\nthe cluster\n{told:#?}"
        );
        // another name is not covered
        let other = place
            .feed(User::Developer, create, &cron_job("reports"))
            .await?;
        refused(&other)?;

        // what is there needs it, and the status says so
        place
            .feed(User::Developer, "create -f -", &manifest)
            .await?
            .ok()?;
        let again = exception(&place.namespace, "mended in June", expires);
        place.feed(User::Admin, "apply -f -", &again).await?;
        says(place, "InForce True ExpiresSoon").await?;
        says(place, "Used True Needed").await?;

        // before the second it is let in, from the second on it is refused
        let manifest = cron_job("legacy-invoices");
        let (mut let_in, mut kept_out) = (0, 0);
        let last = loop {
            let began = Timestamp::now();
            let output = place.feed(User::Developer, create, &manifest).await?;
            let ended = Timestamp::now();
            if output.succeeded() {
                ensure!(began < expires, "let in at {began}, expired at {expires}");
                let_in += 1;
            } else {
                refused(&output)?;
                ensure!(
                    ended >= expires,
                    "refused at {ended}, in force until {expires}"
                );
                kept_out += 1;
            }
            if kept_out >= 3 {
                break output;
            }
        };
        ensure!(
            let_in > 0,
            "the exception had expired before anything was asked"
        );
        let (_, refusal) = checked(place, &manifest, &again).await?;
        ensure!(
            refusal.as_deref() == Some(refused(&last)?),
            "check says\n{refusal:?}\nthe cluster\n{last:?}"
        );
        says(place, "InForce False Expired").await
    })
    .await
}

#[tokio::test]
async fn a_developer_cannot_except_himself() -> anyhow::Result<()> {
    in_place("excepted", "enforce", async |place| {
        let excepting = exception(&place.namespace, "I am in a hurry", ahead(3600)?);
        for user in [User::Developer, User::OnCall] {
            let output = place.feed(user, "create -f -", &excepting).await?;
            ensure!(
                !output.succeeded() && output.stderr.contains("is forbidden"),
                "{user:?}: {output:?}"
            );
        }
        place
            .feed(User::Admin, "create -f -", &excepting)
            .await?
            .ok()?;
        // whom it covers may see it and neither prolong it nor say that it is accepted
        let seen = place
            .kubectl(User::Developer, "get slexception legacy")
            .await?
            .ok()?;
        for column in ["RULE", "OWNER", "UNTIL", "IN FORCE", "SLU1001", OWNER] {
            ensure!(seen.contains(column), "{column}: {seen}");
        }
        for line in [
            r#"patch slexception legacy --type=merge -p {"spec":{"owner":"nobody"}}"#,
            r#"patch slexception legacy --subresource=status --type=merge -p {"status":{"conditions":[]}}"#,
            "delete slexception legacy",
            "delete slexception --all",
        ] {
            let output = place.kubectl(User::Developer, line).await?;
            ensure!(
                !output.succeeded() && output.stderr.contains("forbidden"),
                "{line}: {output:?}"
            );
        }
        Ok(())
    })
    .await
}
