//! What the documents and the sample file say is so.

use sluice_tree::json;

use super::{create, deployment, knows_none, lines, refused::problems_in, spec, update};
use crate::{Facts, PolicySet, PolicySource, documents::yaml};

/// The blocks of the guide's section about own rules, by their language.
fn guide(language: &str) -> Vec<&'static str> {
    let (_, section) = include_str!("../../../../../docs/concepts/policy.md")
        .split_once("## Own rules")
        .unwrap();
    let section = section.split("\n## ").next().unwrap();
    section
        .split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'))
        .collect()
}

#[test]
fn the_guide_says_what_is_so() {
    let policy = yaml(guide("yaml")[0]);
    let spec = spec(policy["spec"].clone());
    let (set, problems) = PolicySet::compile([PolicySource {
        namespace: "sluice-system",
        name: "images",
        spec: &spec,
        cluster_wide: true,
    }]);
    assert!(problems.is_empty(), "{problems:?}");
    let texts = guide("text");
    let mut object = deployment("web:1");
    object["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .truncate(1);
    object["spec"]["template"]["spec"]
        .as_object_mut()
        .unwrap()
        .remove("initContainers");
    let mut told = lines(&set.judge(&create(&object), &knows_none()));
    told.sort();
    let told: Vec<String> = told
        .iter()
        .map(|line| line.replacen("Deny", "deny", 1).replacen("Warn", "warn", 1))
        .collect();
    assert_eq!(told, texts[0].lines().collect::<Vec<_>>());
    assert_eq!(
        problems_in(
            "- {name: r, kinds: [Pod], each: container, cel: 'container.imgae.contains(\"@sha256:\")'}"
        ),
        [texts[1].trim_end()]
    );
}

#[test]
fn the_sample_file_works() {
    let policy = yaml(include_str!("../../../../samples/own-rules.yaml"));
    let spec = spec(policy["spec"].clone());
    let (set, problems) = PolicySet::compile([PolicySource {
        namespace: "sluice-system",
        name: "own-rules",
        spec: &spec,
        cluster_wide: true,
    }]);
    assert!(problems.is_empty(), "{problems:?}");
    let labels = [("team".to_owned(), "shop".to_owned())].into();
    let facts = Facts {
        namespace_labels: Some(&labels),
        ..knows_none()
    };
    let digest = "@sha256:6aefddb645ee6963afd681b1845c661d0ea4c3b20ab9db86d9e753b203d385f2";
    let mut good = deployment(&format!("registry.example.com/web{digest}"));
    let pod = &mut good["spec"]["template"]["spec"];
    pod.as_object_mut().unwrap().remove("initContainers");
    pod["containers"].as_array_mut().unwrap().truncate(1);
    good["metadata"]["labels"]["team"] = "shop".into();
    assert_eq!(lines(&set.judge(&create(&good), &facts)), [""; 0]);
    for (path, value, rule) in [
        (
            "/spec/template/spec/containers/0/image",
            json!("registry.example.com/web:1"),
            "unpinned-image",
        ),
        (
            "/spec/template/spec/containers/0/image",
            json!(format!("evil.example.com/web{digest}")),
            "foreign-registry",
        ),
        ("/spec/replicas", json!(21), "too-many-replicas"),
        (
            "/spec/template/spec/containers/0/resources",
            json!({"limits": {"memory": "3Gi"}, "requests": {"memory": "1Gi"}}),
            "memory-limit-over-twice-request",
        ),
        (
            "/metadata/labels/team",
            json!("other"),
            "team-label-of-another-namespace",
        ),
    ] {
        let mut bad = good.clone();
        bad["spec"]["replicas"] = 3.into();
        *bad.pointer_mut(path).unwrap() = value;
        let told = lines(&set.judge(&create(&bad), &facts));
        assert!(
            told.len() == 1 && told[0].contains(&format!("OWN {rule} at ")),
            "{rule}: {told:?}"
        );
    }
    let mut moved = good.clone();
    moved["spec"]["selector"] = json!({"matchLabels": {"app": "other"}});
    assert!(
        lines(&set.judge(&update(&moved, &good), &facts))[0].contains("OWN selector-changed at ")
    );
}
