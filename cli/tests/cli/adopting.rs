//! Adopting an old repository, and judging a change of it: `--baseline`, `--write-baseline`, `--diff`.

use crate::folder::{Folder, text};
use serde_json::Value;

const POLICY: &str = "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {name: p}\nspec: {rules: [{use: job-backoff-too-high}, {use: job-without-deadline}]}\n";

fn job(name: &str, backoff: u32, deadline: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  backoffLimit: {backoff}\n{deadline}  template: {{spec: {{restartPolicy: Never, containers: [{{name: a, image: a}}]}}}}\n"
    )
}

const DEADLINE: &str = "  activeDeadlineSeconds: 60\n";

#[test]
fn a_baseline_lets_old_findings_be_and_nothing_new_in() {
    let folder = Folder::new("baseline");
    folder.write("p.yaml", POLICY);
    folder.write("m/a.yaml", job("a", 5, ""));
    folder.write("m/b.yaml", job("b", 5, DEADLINE));
    let check = "check m --policies p.yaml";
    let said = text(&folder.sluice(&format!("{check} --write-baseline old.yaml")));
    assert_eq!(said, "3 findings written to old.yaml\n");
    assert_eq!(
        folder.read("old.yaml"),
        "# Findings that were there when `sluice check` began, see its flag --baseline. They do not count; what is mended can go.
findings:
- at: spec.backoffLimit
  file: m/a.yaml
  found: \"5\"
  object: job/a in namespace shop
  rule: SLU1005 job-backoff-too-high
- at: spec.activeDeadlineSeconds
  file: m/a.yaml
  found: absent
  object: job/a in namespace shop
  rule: SLU1006 job-without-deadline
- at: spec.backoffLimit
  file: m/b.yaml
  found: \"5\"
  object: job/b in namespace shop
  rule: SLU1005 job-backoff-too-high
version: 1
"
    );
    let with = format!("{check} --baseline old.yaml");
    let output = folder.sluice(&with);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(
        text(&output).starts_with("2 objects judged, 3 in the baseline (policy set "),
        "{}",
        text(&output)
    );
    for (form, absent) in [
        ("github", "::error"),
        ("gitlab", "SLU1005"),
        ("junit", "<failure"),
    ] {
        let said = text(&folder.sluice(&format!("{with} -o {form}")));
        assert!(!said.contains(absent), "{form}: {said}");
    }
    let sarif: Value =
        serde_json::from_slice(&folder.sluice(&format!("{with} -o sarif")).stdout).unwrap();
    assert_eq!(
        sarif["runs"][0]["results"][0]["suppressions"][0]["kind"],
        "external"
    );
    let verdict: Value =
        serde_json::from_slice(&folder.sluice(&format!("{with} -o json")).stdout).unwrap();
    assert_eq!(verdict["summary"]["baselined"], 3);
    assert_eq!(verdict["objects"][0]["findings"][0]["baselined"], true);

    // one mended, one worse, one new
    folder.write("m/a.yaml", job("a", 5, DEADLINE));
    folder.write("m/b.yaml", job("b", 9, DEADLINE));
    folder.write("m/c.yaml", job("c", 5, DEADLINE));
    let output = folder.sluice(&with);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in [
        "m/b.yaml:5:3: deny: SLU1005",
        "^^^^^^^^^^^^^^^ the baseline has 5\n",
        "m/c.yaml:5:3: deny: SLU1005",
        "no longer found, can go from the baseline: m/a.yaml: job/a in namespace shop: SLU1006 job-without-deadline at spec.activeDeadlineSeconds\n",
        "3 objects judged, 2 would be refused, 2 findings deny, 1 in the baseline",
    ] {
        assert!(said.contains(words), "{words:?} is not in\n{said}");
    }
    assert!(!said.contains("m/a.yaml:5:3"), "{said}");

    // taking out what is mended lets nothing new in
    let said = text(&folder.sluice(&format!("{with} --write-baseline old.yaml")));
    assert_eq!(said, "1 finding written to old.yaml\n");
    assert_eq!(folder.sluice(&with).status.code(), Some(1));
}

#[test]
fn what_is_no_baseline_or_cannot_be_read_makes_none() {
    let folder = Folder::new("no-baseline");
    folder.write("a.yaml", job("a", 5, DEADLINE));
    folder.write("bad.yaml", "a: [\n");
    folder.write("list.yaml", "- a\n");
    for (arguments, words) in [
        (
            "check a.yaml --baseline missing.yaml",
            "baseline missing.yaml",
        ),
        (
            "check a.yaml --baseline list.yaml",
            "not a baseline as --write-baseline writes it",
        ),
        (
            "check a.yaml bad.yaml --write-baseline new.yaml",
            "no baseline is written of what cannot be read: bad.yaml:1:4",
        ),
        (
            "check a.yaml --write-baseline missing/new.yaml",
            "missing/new.yaml cannot be written",
        ),
    ] {
        let output = folder.sluice(arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {said}");
        assert!(
            said.contains(words),
            "{arguments}: {words:?} is not in\n{said}"
        );
    }
    assert!(!folder.path("new.yaml").exists());
}

#[test]
fn a_change_is_judged_as_the_cluster_judges_it() {
    let folder = Folder::new("diff");
    folder.write("p.yaml", POLICY);
    for (name, old, new) in [
        ("same", Some(job("same", 5, "")), job("same", 5, "")),
        (
            "kept",
            Some(job("kept", 5, DEADLINE)),
            job("kept", 5, &DEADLINE.replace("60", "70")),
        ),
        (
            "worse",
            Some(job("worse", 5, DEADLINE)),
            job("worse", 9, DEADLINE),
        ),
        (
            "better",
            Some(job("better", 9, DEADLINE)),
            job("better", 5, DEADLINE),
        ),
        ("lost", Some(job("lost", 1, DEADLINE)), job("lost", 1, "")),
        ("new", None, job("new", 5, DEADLINE)),
        // the overlay of another cluster speaks of the same object
        (
            "x/twin",
            Some(job("twin", 5, DEADLINE)),
            job("twin", 5, DEADLINE),
        ),
        (
            "y/twin",
            Some(job("twin", 1, DEADLINE)),
            job("twin", 5, DEADLINE),
        ),
    ] {
        if let Some(old) = old {
            folder.write(&format!("old/{name}.yaml"), old);
        }
        folder.write(&format!("new/{name}.yaml"), new);
    }
    let output = folder.sluice("check --diff old new --policies p.yaml -o concise");
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let found: Vec<String> = said
        .lines()
        .filter(|line| line.contains(": SLU"))
        .map(|line| line.split(" at ").next().unwrap().to_owned())
        .collect();
    assert_eq!(
        found,
        [
            "new/better.yaml:5:3: warn: SLU1005 job-backoff-too-high",
            "new/lost.yaml:4:1: deny: SLU1006 job-without-deadline",
            "new/new.yaml:5:3: deny: SLU1005 job-backoff-too-high",
            "new/worse.yaml:5:3: warn: SLU1005 job-backoff-too-high",
            "new/y/twin.yaml:5:3: deny: SLU1005 job-backoff-too-high",
        ],
        "{said}"
    );
    folder.write("old/broken.yaml", "a: [\n");
    for arguments in [
        "check --diff old",
        "check --diff old new",
        "check --diff missing new",
        "check --diff old new --diff new old",
    ] {
        let output = folder.sluice(arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments}: {}",
            text(&output)
        );
    }
}
