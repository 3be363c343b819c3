//! Own rules in CEL on a real control plane: a bad one is refused with the spot, a good one judges, and `sluice check` says the same bytes.

use anyhow::{Context, ensure};
use serde_json::Value;
use sluice_e2e::{User, plane::wait_for};

use crate::{answers, deployment, place::in_place};

const BAD: &str = r#"apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: images}
spec:
  rules:
  - name: unpinned-image
    kinds: [Deployment]
    each: container
    cel: container.imgae.contains("@sha256:")
    message: use a digest for {{ container.image }}
"#;

#[tokio::test]
async fn a_bad_own_rule_is_refused_with_the_spot_and_a_good_one_judges_alike_through_both_doors()
-> anyhow::Result<()> {
    in_place("own", "enforce", async |place| {
        let output = place.feed(User::Admin, "create -f -", BAD).await?;
        let message = answers::refused(&output)?;
        let verdict = place.check(BAD).await?;
        let problem = verdict["objects"][0]["problems"][0]["message"]
            .as_str()
            .with_context(|| format!("check says {verdict}"))?;
        ensure!(
            problem.ends_with("did you mean container.image?\n    container.imgae.contains(\"@sha256:\")\n             ^"),
            "{problem}"
        );
        ensure!(message.ends_with(&format!("\n  1. {problem}")), "{message}");

        // a file without a namespace counts as one of Sluice's own, and a finding names the policy
        let policy = BAD.replace("imgae", "image").replace(
            "{name: images}",
            &format!("{{name: images, namespace: {}}}", place.namespace),
        );
        place.feed(User::Admin, "create -f -", &policy).await?.ok()?;
        let file = place.written("own-policies.yaml", &policy)?;
        for (image, denied) in [("registry.test/web:1", true), (GOOD, false)] {
            let manifest = deployment("web", 1, image);
            let path = place.written("own-web.json", &manifest)?;
            let line = format!("check --server -o json -f {path} --policies {file}");
            let checked = place.sluice(User::Admin, &line).await?;
            let verdict: Value = serde_json::from_str(&checked.stdout)
                .with_context(|| format!("{checked:?}"))?;
            let texts: Vec<&str> = verdict["objects"][0]["findings"]
                .as_array()
                .context("findings")?
                .iter()
                .filter_map(|finding| finding["text"].as_str())
                .filter(|text| text.starts_with("OWN "))
                .collect();
            ensure!(texts.is_empty() != denied, "{texts:?}");
            let said = |output: &sluice_e2e::plane::Output| -> Vec<String> {
                let refusal = answers::refusal(output).unwrap_or_default();
                answers::lines(refusal)
                    .into_iter()
                    .filter(|text| text.starts_with("OWN "))
                    .map(str::to_owned)
                    .collect()
            };
            // the policy is in force a moment after it was taken
            wait_for("the webhook to say what check says", || async {
                let output = place
                    .feed(User::Developer, "create --dry-run=server -f -", &manifest)
                    .await?;
                Ok((said(&output) == texts).then_some(()))
            })
            .await?;
        }
        Ok(())
    })
    .await
}

const GOOD: &str =
    "registry.test/web@sha256:6aefddb645ee6963afd681b1845c661d0ea4c3b20ab9db86d9e753b203d385f2";
