use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use super::*;

const DEADLINES: &str = "apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: deadlines}
spec: {rules: [{use: cronjob-without-deadline}]}
";
const OVERLAP: &str = "apiVersion: sluice.dev/v1alpha1
kind: Policy
metadata: {name: overlap, namespace: shop}
spec: {rules: [{use: cronjob-allows-overlap}]}
";
const EXCEPTION: &str = "apiVersion: sluice.dev/v1alpha1
kind: PolicyException
metadata: {name: legacy, namespace: shop}
spec:
  subject: {kind: CronJob, name: legacy-*}
  rule: SLU1001
  reason: mended in May
  owner: team-reports
  expires: 2026-06-01T00:00:00Z
";

/// A folder of its own, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("sluice-folder-{}-{name}", std::process::id()));
        // left over from an earlier process of the same number
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Puts a link in place as the kubelet and git-sync do: a new one, renamed over the old one.
    fn point(&self, link: &str, to: &str) {
        let new = self.0.join(format!("{link}.new"));
        symlink(to, &new).unwrap();
        fs::rename(new, self.0.join(link)).unwrap();
    }

    fn read(&self) -> Snapshot {
        read::snapshot(&self.0).unwrap().1
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot
        .files
        .iter()
        .map(|(name, _)| name.as_str())
        .collect()
}

fn of(files: &[(&str, &str)]) -> Snapshot {
    Snapshot {
        path: "/policies".into(),
        revision: "one".into(),
        files: files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Ok((*text).to_owned())))
            .collect(),
    }
}

fn first(files: &[(&str, &str)]) -> Content {
    Content::next(None, &of(files), "sluice-system")
}

fn titles(content: &Content) -> Vec<String> {
    let policies = content
        .policies
        .iter()
        .map(|one| format!("{}/{}", one.namespace, one.name));
    let exceptions = content
        .exceptions
        .iter()
        .map(|one| format!("{}/{}", one.namespace, one.name));
    policies.chain(exceptions).collect()
}

#[test]
fn a_mounted_config_map_is_read_through_its_link_and_its_states_are_not_mixed() {
    let place = Place::new("config-map");
    place.write("..2026_01/deadlines.yaml", DEADLINES);
    place.write("..2026_01/notes.txt", "no policy");
    place.point("..data", "..2026_01");
    // as the kubelet makes them: each file a link through ..data
    place.point("deadlines.yaml", "..data/deadlines.yaml");
    let (signature, snapshot) = read::snapshot(&place.0).unwrap();
    assert_eq!(names(&snapshot), ["deadlines.yaml"]);
    assert_eq!(snapshot.revision, "..2026_01");
    assert_eq!(read::signature(&place.0).unwrap(), signature);
    place.write("..2026_02/overlap.yaml", OVERLAP);
    place.point("..data", "..2026_02");
    assert_ne!(read::signature(&place.0).unwrap(), signature);
    // the link of the old file is still there, and leads nowhere
    let snapshot = place.read();
    assert_eq!(
        (names(&snapshot), snapshot.revision.as_str()),
        (vec!["overlap.yaml"], "..2026_02")
    );
}

#[test]
fn a_checkout_of_git_sync_is_read_with_its_folders_and_without_what_is_hidden() {
    let place = Place::new("git-sync");
    for commit in ["aaa", "bbb"] {
        place.write(&format!(".worktrees/{commit}/.git"), "gitdir: x");
        place.write(
            &format!(".worktrees/{commit}/policies/{commit}.yml"),
            DEADLINES,
        );
        place.write(
            &format!(".worktrees/{commit}/policies/shop/overlap.json"),
            "{}",
        );
        place.write(&format!(".worktrees/{commit}/policies/.hidden.yaml"), "x");
    }
    place.point("current", ".worktrees/aaa");
    let folder = place.0.join("current/policies");
    let (before, snapshot) = read::snapshot(&folder).unwrap();
    assert_eq!(names(&snapshot), ["aaa.yml", "shop/overlap.json"]);
    place.point("current", ".worktrees/bbb");
    let (after, snapshot) = read::snapshot(&folder).unwrap();
    assert_eq!(names(&snapshot), ["bbb.yml", "shop/overlap.json"]);
    assert_ne!(before, after);
}

#[test]
fn what_is_no_folder_of_policies_is_an_error_and_no_empty_folder() {
    let place = Place::new("errors");
    assert!(read::snapshot(&place.0.join("nowhere")).is_err());
    place.write("file.yaml", DEADLINES);
    assert!(read::snapshot(&place.0.join("file.yaml")).is_err());
    fs::create_dir(place.0.join("deep")).unwrap();
    symlink(&place.0, place.0.join("deep/loop")).unwrap();
    let error = read::snapshot(&place.0).unwrap_err();
    assert!(
        error.to_string().contains("deep in each other") || error.raw_os_error().is_some(),
        "{error}"
    );
    assert!(read::snapshot(Path::new("/proc/self/mem")).is_err());
}

#[test]
fn a_file_that_is_no_text_or_too_large_is_quarantined() {
    let place = Place::new("bytes");
    place.write("good.yaml", DEADLINES);
    fs::write(place.0.join("bytes.yaml"), [0xff, 0xfe]).unwrap();
    place.write("large.yaml", &"#".repeat((1 << 20) + 1));
    let content = Content::next(None, &place.read(), "sluice-system");
    assert_eq!(titles(&content), ["sluice-system/deadlines"]);
    let broken: Vec<(&str, &str)> = content
        .quarantined
        .iter()
        .map(|one| (one.file.as_str(), one.problems[0].as_str()))
        .collect();
    assert_eq!(broken.len(), 2, "{broken:?}");
    assert!(
        broken[0].0 == "bytes.yaml" && broken[0].1.starts_with("not UTF-8"),
        "{broken:?}"
    );
    assert!(
        broken[1].0 == "large.yaml" && broken[1].1.contains("at most 1048576"),
        "{broken:?}"
    );
}

#[test]
fn documents_lists_and_json_are_read_and_other_kinds_passed_over() {
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n- {}",
        EXCEPTION.trim_end().replace('\n', "\n  ")
    );
    let json = serde_json::json!({"apiVersion": "sluice.dev/v1alpha1", "kind": "Policy", "metadata": {"name": "json"},
        "spec": {"rules": [{"use": "cronjob-allows-overlap"}]}, "status": {"conditions": []}});
    let content = first(&[
        (
            "a.yaml",
            &format!("# head\n---\n{DEADLINES}---\n{OVERLAP}---\n"),
        ),
        ("b.yaml", &list),
        ("c.json", &json.to_string()),
        (
            "d.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
        ),
        ("e.yaml", "# nothing\n"),
        ("f.yaml", ""),
    ]);
    assert_eq!(content.quarantined, []);
    assert_eq!(
        titles(&content),
        [
            "sluice-system/deadlines",
            "shop/overlap",
            "sluice-system/json",
            "shop/legacy"
        ]
    );
    let passed_over: Vec<usize> = content.files.iter().map(|file| file.passed_over).collect();
    assert_eq!(passed_over, [0, 0, 0, 1, 0, 0]);
}

#[test]
fn a_broken_file_is_quarantined_in_the_words_of_admission() {
    for (text, said) in [
        (
            DEADLINES.replace("deadline}", "dedline}"),
            "policy sluice-system/deadlines: spec.rules[0].use: unknown rule \"cronjob-without-dedline\"; passes: the name of a rule; did you mean cronjob-without-deadline?",
        ),
        (
            DEADLINES.replace("rules:", "rulez:"),
            "policy sluice-system/deadlines: unknown field \"spec.rulez\"",
        ),
        (
            DEADLINES.replace("{use", "{colour: red, use"),
            "policy sluice-system/deadlines: unknown field \"spec.rules[0].colour\"",
        ),
        (
            DEADLINES.replace("{rules", "{params: [{}], rules"),
            "policy sluice-system/deadlines: spec.params: Invalid value: \"array\": spec.params in body must be of type object: \"array\"",
        ),
        (
            DEADLINES.replace("{use", "{action: Refuse, use"),
            "policy sluice-system/deadlines: spec.rules[0].action: ",
        ),
        (
            DEADLINES.replace("v1alpha1", "v7"),
            "policy sluice-system/deadlines: apiVersion: sluice.dev/v7; passes: sluice.dev/v1alpha1",
        ),
        (
            DEADLINES.replace("name: deadlines", "labels: {}"),
            "policy sluice-system/without a name: metadata.name: Required value",
        ),
        (
            EXCEPTION.replace("SLU1001", "SLU1999"),
            "exception shop/legacy: spec.rule: unknown rule \"SLU1999\"",
        ),
        (
            EXCEPTION.replace("2026-06-01T00:00:00Z", "soon"),
            "exception shop/legacy: spec.expires: ",
        ),
        (
            EXCEPTION.replace("  owner: team-reports\n", ""),
            "exception shop/legacy: spec",
        ),
        (
            EXCEPTION.replace(", namespace: shop", ""),
            "exception sluice-system/legacy: metadata.namespace: absent",
        ),
        ("a: [\n".to_owned(), "not readable as YAML: "),
        ("a: 1\na: 2\n".to_owned(), "not readable as YAML: "),
        ("just text\n".to_owned(), "no Kubernetes object"),
        ("kind: Policy\n".to_owned(), "no Kubernetes object"),
        (
            format!("{DEADLINES}---\n{DEADLINES}"),
            "policy sluice-system/deadlines: metadata.name: there already in x.yaml",
        ),
        ("[".repeat(100_000), "not readable as YAML: "),
    ] {
        let content = first(&[("x.yaml", &text), ("y.yaml", OVERLAP)]);
        assert_eq!(titles(&content), ["shop/overlap"], "{said}");
        assert_eq!(content.quarantined.len(), 1, "{said}");
        let problems = &content.quarantined[0].problems;
        assert!(
            problems.iter().any(|one| one.starts_with(said)),
            "{said}\n{problems:?}"
        );
    }
}

#[test]
fn while_a_file_is_broken_the_last_whole_state_goes_on_and_nothing_of_the_new_one_judges() {
    let before = first(&[("a.yaml", DEADLINES)]);
    let broken = Snapshot {
        revision: "two".into(),
        ..of(&[("a.yaml", "a: ["), ("b.yaml", OVERLAP)])
    };
    let during = Content::next(Some(&before), &broken, "sluice-system");
    assert_eq!(titles(&during), ["sluice-system/deadlines"]);
    assert_eq!((during.revision.as_str(), during.files.len()), ("one", 1));
    assert_eq!(during.quarantined[0].file, "a.yaml");
    // broken in another way: still the last whole state
    let worse = Snapshot {
        revision: "three".into(),
        ..of(&[("c.yaml", "kind: 1")])
    };
    let during = Content::next(Some(&during), &worse, "sluice-system");
    assert_eq!(
        (titles(&during), during.revision.as_str()),
        (vec!["sluice-system/deadlines".to_owned()], "one")
    );
    assert_eq!(during.quarantined[0].file, "c.yaml");
    let whole = Snapshot {
        revision: "four".into(),
        ..of(&[("b.yaml", OVERLAP)])
    };
    let after = Content::next(Some(&during), &whole, "sluice-system");
    assert_eq!(
        (titles(&after), after.quarantined.len()),
        (vec!["shop/overlap".to_owned()], 0)
    );
    assert_eq!(after.revision, "four");
    // an empty folder is a whole state: every policy was taken away
    let empty = Content::next(Some(&after), &of(&[]), "sluice-system");
    assert_eq!(titles(&empty), Vec::<String>::new());
}

const REPLICAS: &str = "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: replicas}
spec:
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: ['*'], resources: [deployments]}]}
  validations: [{expression: object.spec.replicas <= int(params.data.max), message: too many}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: everywhere}
spec: {policyName: replicas, validationActions: [Deny], paramRef: {name: limits, namespace: rules, parameterNotFoundAction: Deny}}
";
const LIMITS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: limits, namespace: rules}\ndata: {max: '5'}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n";

#[test]
fn policies_of_the_api_server_are_taken_with_what_they_take_parameters_from() {
    let content = first(&[("limits.yaml", LIMITS), ("replicas.yaml", REPLICAS)]);
    assert_eq!(content.quarantined, []);
    assert_eq!(content.files[1].admission, ["replicas", "everywhere"]);
    // the Secret is none of their business
    assert_eq!(
        (content.files[0].passed_over, content.admission.len()),
        (1, 3)
    );
    let documents: Vec<&sluice_tree::Value> = content.admission.iter().map(AsRef::as_ref).collect();
    let (set, problems) = sluice_policies::PolicySet::compile_with([], documents);
    assert!(problems.is_empty() && set.policies() == 1, "{problems:?}");
    let object = sluice_tree::json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 6}});
    let judgement = set.judge(
        &sluice_policies::Subject {
            operation: sluice_policies::Operation::Create,
            namespace: "shop",
            object: &object,
            old: None,
            dry_run: false,
        },
        &sluice_policies::Facts::default(),
    );
    assert!(
        judgement.findings.iter().any(|finding| {
            (finding.code.as_str(), finding.found.as_str()) == ("VAP", "too many")
        })
    );

    // a broken one quarantines its file, and so does a name that is there already
    for (files, problem) in [
        (
            [
                ("a.yaml", REPLICAS.replace("<= int", "=< int")),
                ("b.yaml", LIMITS.to_owned()),
            ],
            "ValidatingAdmissionPolicy replicas: spec.validations[0].expression: line 1, column 22: ",
        ),
        (
            [
                ("a.yaml", REPLICAS.to_owned()),
                ("b.yaml", REPLICAS.to_owned()),
            ],
            "ValidatingAdmissionPolicy replicas: metadata.name: there already in a.yaml; passes: each name once in the folder",
        ),
    ] {
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(name, text)| (*name, text.as_str()))
            .collect();
        let next = Content::next(Some(&content), &of(&files), "sluice-system");
        assert!(
            next.quarantined[0].problems[0].starts_with(problem),
            "{:?}",
            next.quarantined
        );
        assert_eq!(next.admission, content.admission);
    }
}

#[test]
fn what_is_nested_as_deeply_as_a_file_may_be_fits_every_stack() {
    for levels in [95, 100_000] {
        let text = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let content = Content::next(None, &of(&[("a.yaml", &text)]), "sluice-system");
        assert_eq!(content.quarantined.len(), 1, "{levels}");
    }
}
