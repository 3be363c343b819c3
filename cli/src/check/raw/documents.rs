//! Runs the documents of the rules that judge files only: every YAML block in them is read as a file is, and must give exactly the findings it says.
//!
//! Then the other way round: every manifest of this repository, and every manifest in the documents of the other rules, has none that is not meant.

use std::path::Path;

use serde_json::Value;
use sluice_policies::{
    rules,
    schema::{KubernetesVersion, RAW_RULES, Schemas},
};

use super::findings;
use crate::{
    manifest::{
        document::{self, Manifests},
        source::{self, Source},
    },
    own,
};

/// What is found in the objects of a file, definitions among them taken in.
fn told(manifests: &Manifests, version: KubernetesVersion) -> Vec<String> {
    let mut schemas = Schemas::new(version);
    for object in &manifests.objects {
        schemas.learn(&object.value);
    }
    let mut told = Vec::new();
    for object in &manifests.objects {
        let raw = findings(object, None, &schemas, own::is_own(object));
        told.extend(
            raw.findings
                .iter()
                .map(|finding| format!("# finding: {}", finding.line())),
        );
    }
    told
}

fn read(text: &str) -> Manifests {
    let manifests = document::objects(&[Source {
        name: "block".into(),
        text: text.into(),
    }]);
    assert!(
        manifests.problems.is_empty(),
        "{:?}\n{text}",
        manifests.problems
    );
    manifests
}

/// The YAML blocks of a document, each with the heading it stands under.
fn blocks(document: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let (mut heading, mut open): (&str, Option<String>) = ("", None);
    for line in document.lines() {
        match &mut open {
            Some(_) if line == "```" => blocks.extend(open.take().map(|text| (heading, text))),
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
            None if line == "```yaml" => open = Some(String::new()),
            None => heading = line.strip_prefix("## ").unwrap_or(heading),
        }
    }
    blocks
}

#[test]
fn documents_say_what_the_rules_find() {
    for rule in RAW_RULES {
        let info = rule.info();
        assert!(info.document.starts_with(&format!("# {}\n", info.name)));
        for heading in ["## Known false positives", "## Source"] {
            assert!(
                info.document.contains(heading),
                "{} lacks {heading}",
                info.name
            );
        }
        let blocks = blocks(info.document);
        for heading in ["Fails", "Passes"] {
            assert!(
                blocks.iter().any(|block| block.0 == heading),
                "{} lacks {heading}",
                info.name
            );
        }
        for (heading, text) in blocks {
            let expected: Vec<&str> = text
                .lines()
                .filter(|line| line.starts_with("# finding: "))
                .collect();
            assert_eq!(
                heading == "Fails",
                !expected.is_empty(),
                "{}: {text}",
                info.name
            );
            assert!(
                expected.iter().all(|line| line.contains(info.name)),
                "{}: {text}",
                info.name
            );
            let manifests = read(&text);
            for version in KubernetesVersion::shipped() {
                assert_eq!(
                    told(&manifests, version),
                    expected,
                    "{} in {version}\n{text}",
                    info.name
                );
            }
        }
    }
}

/// What is wrong on purpose in the documents of other rules: these rules are about the same mistake seen from the cluster.
fn is_meant(rule: &str, finding: &str) -> bool {
    match rule {
        "malformed-workload" => finding.contains("wrong-type"),
        // the same misplaced field, as the webhook sees it: gone
        "cronjob-allows-overlap" => finding.contains("misplaced-field"),
        _ => false,
    }
}

#[test]
fn documents_of_other_rules_show_manifests_whose_fields_are_right() {
    let mut wrong = Vec::new();
    let mut manifests = 0;
    for rule in rules() {
        for (_, text) in blocks(rule.document()) {
            let read = read(&text);
            manifests += read.objects.len();
            let found = told(&read, KubernetesVersion::newest());
            wrong.extend(
                found
                    .into_iter()
                    .filter(|finding| !is_meant(rule.name(), finding))
                    .map(|finding| format!("{}: {finding}\n{text}", rule.name())),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(manifests > 30, "{manifests} manifests were read");
}

/// The YAML of Markdown pages: the blocks that are whole Kubernetes objects.
fn objects_of_page(text: &str) -> Manifests {
    let mut all = Manifests::default();
    for (_, block) in blocks(text) {
        let read = document::objects(&[Source {
            name: "page".into(),
            text: block,
        }]);
        all.objects.extend(read.objects);
    }
    all
}

#[test]
fn manifests_of_this_repository_have_no_field_in_the_wrong_place() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let (mut judged, mut wrong) = (0, Vec::new());
    let mut look = |name: &str, manifests: Manifests| {
        judged += manifests.objects.len();
        for version in KubernetesVersion::shipped() {
            wrong.extend(
                told(&manifests, version)
                    .into_iter()
                    .map(|line| format!("{name}: {line}")),
            );
        }
    };
    for folder in ["manifests", "e2e", "policies/library"] {
        let (sources, problems) = source::read(&[root.join(folder).to_string_lossy().into_owned()]);
        assert!(problems.is_empty(), "{problems:?}");
        for source in sources {
            look(&source.name.clone(), document::objects(&[source]));
        }
    }
    for page in std::fs::read_dir(root.join("docs"))
        .unwrap()
        .chain(std::fs::read_dir(root.join("docs/concepts")).unwrap())
    {
        let path = page.unwrap().path();
        // the catalogue is the documents, which are tests of their own
        if path.extension().is_some_and(|ending| ending == "md") && !path.ends_with("rules.md") {
            let text = std::fs::read_to_string(&path).unwrap();
            look(&path.to_string_lossy(), objects_of_page(&text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(judged > 25, "{judged} objects were read");
}

/// Numbers from a seed, so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

/// Files that were good once: pieces cut, doubled, moved and swapped, as hands and templates do.
#[test]
fn no_file_makes_the_check_panic() {
    let seeds: Vec<String> = RAW_RULES
        .iter()
        .flat_map(|rule| blocks(rule.info().document))
        .map(|(_, text)| text)
        .collect();
    const PIECES: [&str; 16] = [
        "\n",
        "  ",
        "- ",
        ": ",
        "\"",
        "&a ",
        "*a",
        "<<: ",
        "---\n",
        "{",
        "}",
        "[",
        "spec:\n",
        "\u{feff}",
        "é",
        "!!binary ",
    ];
    let mut dice = Dice(0x5eed_0003);
    let (mut objects, mut problems, mut found) = (0, 0, 0);
    for _ in 0..1_500 {
        let mut text = seeds[dice.roll(seeds.len())].clone();
        for _ in 0..=dice.roll(2) {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let (one, other) = (dice.roll(lines.len()), dice.roll(lines.len()));
            match dice.roll(6) {
                0 => lines.swap(one, other),
                1 => lines.insert(one, lines[other].clone()),
                2 => lines[one].insert_str(0, "  "),
                3 => lines[one] = lines[one].trim_start().to_owned(),
                4 => {
                    let place = (0..=dice.roll(lines[one].len() + 1))
                        .rev()
                        .find(|at| lines[one].is_char_boundary(*at));
                    lines[one].insert_str(place.unwrap_or(0), PIECES[dice.roll(PIECES.len())]);
                }
                _ => {
                    if lines.len() > 2 {
                        lines.remove(one);
                    }
                }
            }
            text = lines.join("\n");
        }
        let manifests = document::objects(&[Source {
            name: "seed".into(),
            text,
        }]);
        objects += manifests.objects.len();
        problems += manifests.problems.len();
        assert!(
            manifests
                .problems
                .iter()
                .all(|problem| !problem.message.contains("gave up"))
        );
        let first = told(&manifests, KubernetesVersion::newest());
        assert_eq!(
            first,
            told(&manifests, KubernetesVersion::newest()),
            "the same file, the same words"
        );
        for object in &manifests.objects {
            for twice in object.duplicates() {
                assert!(object.locate(&twice.path).line >= twice.first.line);
            }
        }
        found += first.len();
    }
    assert!(
        objects > 500 && problems > 100 && found > 500,
        "{objects} objects, {problems} problems, {found} findings"
    );
}

#[test]
fn nothing_of_a_secret_is_printed() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: hunter-two, b: 12345678, c: [hunter-two]}\nstringData: {d: 12345678, e: true}\n";
    let told = told(&read(text), KubernetesVersion::newest()).join("\n");
    assert_eq!(told.lines().count(), 5, "{told}");
    assert!(!told.contains("hunter") && !told.contains("1234"), "{told}");
}

#[test]
fn a_place_that_a_rule_of_the_cluster_calls_malformed_is_told_once() {
    let raw = |path: &str, rule: sluice_policies::schema::RawRule| {
        super::finding(sluice_policies::schema::SchemaFinding {
            rule,
            path: path.into(),
            found: "x".into(),
            passes: "y".into(),
        })
    };
    let judged = sluice_api::Finding {
        rule: "malformed-workload".into(),
        ..raw("spec.a", RAW_RULES[2])
    };
    let all = super::joined(
        vec![
            raw("spec.a", RAW_RULES[2]),
            raw("spec.b", RAW_RULES[2]),
            raw("spec.a", RAW_RULES[1]),
        ],
        vec![judged],
    );
    let told: Vec<String> = all
        .iter()
        .map(|finding| format!("{} {}", finding.rule, finding.path))
        .collect();
    assert_eq!(
        told,
        [
            "wrong-type spec.b",
            "unknown-field spec.a",
            "malformed-workload spec.a"
        ]
    );
    assert_eq!(
        serde_json::to_value(&all[0]).unwrap()["action"],
        Value::from("Deny")
    );
}
