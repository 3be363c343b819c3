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

/// Policies that cannot work, each with what kubectl and `sluice check` say of it.
const REFUSED: [(&str, &str); 14] = [
    (
        "rules: [{use: cronjob-without-dedline}]",
        "spec.rules[0].use: unknown rule \"cronjob-without-dedline\"; passes: the name of a rule; did you mean cronjob-without-deadline?",
    ),
    (
        "rules: [{use: cronjob-without-deadline, parameters: {maxActiveDedline: 1h}}]",
        "spec.rules[0].parameters.maxActiveDedline: unknown parameter of cronjob-without-deadline",
    ),
    (
        "rules: [{use: cronjob-without-deadline, paramters: {}}]",
        "unknown field \"spec.rules[0].paramters\"",
    ),
    (
        "rules: [{use: job-backoff-too-high}, {use: job-backoff-too-high}]",
        "spec.rules[1].use: job-backoff-too-high a second time",
    ),
    (
        "rules: [{name: r, kinds: [Pod], cel: 'object.spec ='}]",
        "spec.rules[0].cel: line 1, column 13: ",
    ),
    (
        "rules: [{name: r, kinds: [Pod], cel: 'size(object.metadata.name)'}]",
        "spec.rules[0].cel: line 1, column 5: the answer is int; passes: an expression whose answer is bool",
    ),
    (
        "rules: [{name: r, kinds: [Deployment], cel: 'object.spec.template.spec.containers.all(c, c.imag != \"\")'}]",
        "c has no field imag; passes: did you mean c.image?",
    ),
    (
        "rules: [{name: r, kinds: [Deployment], cel: 'object.spec.replicas == \"3\"'}]",
        "int == string; passes: two values of one type; these are never equal",
    ),
    (
        "rules: [{name: r, kinds: [], cel: 'true'}]",
        "spec.rules[0].kinds in body should have at least 1 items",
    ),
    (
        "match: {namespaces: {matchExpressions: [{key: a, operator: In, values: []}]}}, rules: [{use: job-backoff-too-high}]",
        "spec.match.namespaces.matchExpressions[0].values: no value; passes: at least one value with In",
    ),
    (
        "rules: [{name: r, kinds: [Pod], cel: 'true'}, {name: r, kinds: [Pod], cel: 'true'}]",
        "spec.rules[1].name: r a second time; passes: each name once in a policy",
    ),
    (
        "rules: [{name: r, kinds: [Pod], cel: 'true', message: 'a {{ container.name }}'}]",
        "spec.rules[0].message: line 1, column 6: unknown variable container",
    ),
    (
        "rules: [{name: r, kinds: [Node], cel: 'true'}]",
        "spec.rules[0].kinds[0]: Node, and to judge it could lock the cluster",
    ),
    (
        "match: {namespaces: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}, rules: [{use: job-backoff-too-high}]",
        "kube-system, and to judge it could lock the cluster; passes: other namespaces",
    ),
];

#[tokio::test]
async fn what_cannot_work_is_refused_by_apply_and_by_check_in_the_same_words() -> anyhow::Result<()>
{
    in_place("bad", "enforce", async |place| {
        for (spec, words) in REFUSED {
            let policy = format!(
                "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {{name: bad}}\nspec: {{{spec}}}\n"
            );
            let verdict = place.check(&policy).await?;
            let problems: Vec<&str> = verdict["objects"][0]["problems"]
                .as_array()
                .context("problems")?
                .iter()
                .filter_map(|problem| problem["message"].as_str())
                .collect();
            ensure!(problems.iter().any(|said| said.contains(words)), "{spec}: check says {problems:?}");
            let output = place.feed(User::Admin, "create -f -", &policy).await?;
            ensure!(!output.succeeded(), "{spec}: let in");
            for said in problems {
                ensure!(output.stderr.contains(said), "{spec}: check says\n{said}\nkubectl says\n{}", output.stderr);
            }
        }
        Ok(())
    })
    .await
}
