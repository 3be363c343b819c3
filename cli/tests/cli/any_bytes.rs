//! Whatever bytes a file holds, the program says something and ends: it neither panics nor hangs.

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use sluice_cli::{
    check::{
        baseline::Baseline,
        excerpt::Excerpts,
        facts::{Known, Reach},
        old::Old,
        policies,
        report::{self, Form},
        verdict::{self, FailOn, Judges},
    },
    console::Style,
    manifest::{document, source::Source},
};
use sluice_policies::schema::{KubernetesVersion, Schemas};

/// What manifests are made of, good and bad.
const PIECES: &[&str] = &[
    "apiVersion: ",
    "batch/v1",
    "apps/v1",
    "v1",
    "sluice.dev/v1alpha1",
    "\n",
    "\n",
    "\n",
    "kind: ",
    "CronJob",
    "Job",
    "Deployment",
    "Policy",
    "PolicyTest",
    "Gate",
    "List",
    "ResourceQuota",
    "metadata: ",
    "name: ",
    "namespace: ",
    "spec:",
    "\n  ",
    "\n  ",
    "\n    ",
    "\n      ",
    "- ",
    "template: ",
    "jobTemplate: ",
    "containers: ",
    "resources: ",
    "limits: ",
    "memory: ",
    "64Mi",
    "-1",
    "1e999",
    "0x",
    "0644",
    "backoffLimit: ",
    "schedule: ",
    "*/5 * * * *",
    "items: ",
    "cases: ",
    "expect: ",
    "rules: ",
    "use: ",
    "{",
    "}",
    "[",
    "]",
    ",",
    ": ",
    "\"",
    "'",
    "&a ",
    "*a",
    "<<: ",
    "|",
    ">",
    "---\n",
    "--- x\n",
    "...\n",
    "%YAML 1.1\n",
    "\t",
    "\r",
    "\r\n",
    "\0",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "ü",
    "🚦",
    "!!str ",
    "? ",
    "# ",
    "~",
    "null",
    "true",
    "no",
    ".inf",
    "{\"apiVersion\": \"v1\"}",
];

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// A good manifest with a few places overwritten: what fuzzing from nothing seldom comes near.
fn damaged() -> impl Strategy<Value = String> {
    let damage = (
        any::<prop::sample::Index>(),
        0..12_usize,
        proptest::sample::select(PIECES),
    );
    vec(damage, 0..6).prop_map(|damages| {
        let mut text: Vec<char> = GOOD.chars().collect();
        for (at, length, piece) in damages {
            let at = at.index(text.len() + 1);
            let end = (at + length).min(text.len());
            text.splice(at..end, piece.chars());
        }
        text.into_iter().collect()
    })
}

const GOOD: &str = "apiVersion: batch/v1
kind: CronJob
metadata: {name: reports, namespace: shop, labels: {a: b}}
spec:
  schedule: '0 3 * * *'
  jobTemplate:
    spec:
      template:
        spec:
          initContainers: [{name: i, image: i, restartPolicy: Always}]
          containers:
          - name: report
            image: registry.test/report:1
            resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 64Mi}}
---
apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: p}
spec: {rules: [{use: job-without-deadline, parameters: {maxActiveDeadline: 1h}}]}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: q, namespace: shop}
spec: {hard: {pods: '3', requests.cpu: '1'}}
";

/// The whole way of `sluice check`, in every form, twice over.
fn check(text: &str) -> Vec<String> {
    let sources = [Source {
        name: "x.yaml".to_owned(),
        text: text.to_owned(),
    }];
    let manifests = document::objects(&sources);
    let mut known = Known::default();
    let objects = manifests.objects.iter().map(|object| &object.value);
    known.learn(objects, Reach::Facts, "default");
    known.learn_manifests(&manifests.objects, "default");
    let policies = policies::load(&[]).set;
    let mut schemas = Schemas::new(KubernetesVersion::newest());
    for object in &manifests.objects {
        schemas.learn(&object.value);
    }
    let targets = sluice_probes::validate::TargetRules::default();
    // every object is its own older self too
    let old = Old::new(&manifests.objects, "default");
    let mut rendered = Vec::new();
    for old in [&Old::default(), &old] {
        let judges = Judges {
            exceptions: None,
            policies: &policies,
            schemas: Some(&schemas),
            old,
            known: &known,
            targets: &targets,
            namespace: "default",
        };
        let mut verdict = verdict::judge(&manifests, judges);
        let excerpts = Excerpts::new(&sources);
        let fail_on = FailOn {
            deny: true,
            warn: true,
            unknown: true,
        };
        for form in [
            Form::Text,
            Form::Concise,
            Form::Json,
            Form::Yaml,
            Form::Sarif,
            Form::Junit,
            Form::Github,
            Form::Gitlab,
        ] {
            let style = Style {
                terminal: form == Form::Text,
            };
            rendered.push(report::render(&verdict, form, fail_on, &excerpts, style).unwrap());
        }
        // a baseline of the verdict covers all of it
        let baseline = Baseline::parse(&Baseline::of(&verdict, |_| true).text().unwrap()).unwrap();
        baseline.lay_over(&mut verdict, &["x.yaml"].into());
        assert!(
            verdict
                .objects
                .iter()
                .flat_map(|object| &object.findings)
                .all(|placed| placed.baselined),
            "{text:?}"
        );
        assert!(verdict.removable.is_empty(), "{text:?}");
    }
    rendered
}

fn runner(cases: u32) -> TestRunner {
    // the same cases in every run; more of them and others with PROPTEST_CASES and PROPTEST_SEED
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(cases);
    let seed = std::env::var("PROPTEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(7_u8);
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    TestRunner::new_with_rng(
        config,
        TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]),
    )
}

#[test]
fn any_text_is_answered_the_same_way_twice() {
    runner(60)
        .run(&prop_oneof![texts(), damaged()], |text| {
            prop_assert_eq!(check(&text), check(&text));
            Ok(())
        })
        .unwrap();
}

#[test]
fn any_bytes_in_a_file_end_in_an_exit_code() {
    let folder = crate::folder::Folder::new("bytes");
    let bytes = vec(any::<u8>(), 0..200);
    let texts = prop_oneof![bytes, damaged().prop_map(String::into_bytes)];
    runner(12)
        .run(&texts, |bytes| {
            folder.write("x.yaml", &bytes);
            for arguments in [
                "check x.yaml",
                "check x.yaml --policies x.yaml --facts x.yaml",
                "policy test .",
                "policy diff x.yaml x.yaml -f x.yaml",
                "check x.yaml --baseline x.yaml",
            ] {
                let output = folder.sluice(arguments);
                let said = crate::folder::text(&output);
                prop_assert!(
                    matches!(output.status.code(), Some(0..=2)),
                    "{arguments}: {said}"
                );
                prop_assert!(!said.contains("panicked"), "{arguments}: {said}");
            }
            Ok(())
        })
        .unwrap();
}
