//! Runs the documents of the rules: every YAML block in them is judged by the rule alone, and must give exactly the findings it says.
//!
//! In a block the first document is the object, one with `# before the update` is the one it replaces, and every other is a fact. `# finding: LINE` is a denial, `# warning: LINE` a warning; LINE is what the user sees. `# parameters: {…}` sets parameters (JSON),
//! `# facts: unknown` takes all knowledge away, `# facts: part` says that there may be more than the facts tell.

use sluice_api::{Action, Finding, PolicySpec};
use sluice_tree::{Value, json};

use crate::facts::Stock;
use crate::{
    FactKind, Facts, Judgement, Operation, PolicySet, PolicySource, Rule, Subject, rules,
    with_defaults,
};

/// One YAML block of a document.
struct Block<'a> {
    heading: &'a str,
    text: String,
}

pub(crate) fn yaml(text: &str) -> Value {
    // as kubectl reads `0644`
    let options = serde_saphyr::options! { legacy_octal_numbers: true };
    serde_saphyr::from_str_with_options(text, options)
        .unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn blocks(document: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut heading = "";
    let mut open: Option<String> = None;
    for line in document.lines() {
        match &mut open {
            Some(_) if line == "```" => {
                blocks.extend(open.take().map(|text| Block { heading, text }))
            }
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
            None if line == "```yaml" => open = Some(String::new()),
            None => heading = line.strip_prefix("## ").unwrap_or(heading),
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

fn directive<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let prefix = format!("# {name}: ");
    text.lines()
        .filter_map(move |line| line.trim().strip_prefix(prefix.as_str()))
}

pub(crate) fn set_of(rules: Value) -> PolicySet {
    let spec: PolicySpec = sluice_tree::from_value(json!({"rules": rules})).unwrap();
    let (set, problems) = PolicySet::compile([PolicySource {
        namespace: "sluice-system",
        name: "test",
        spec: &spec,
        cluster_wide: true,
    }]);
    assert!(problems.is_empty(), "{problems:?}");
    set
}

fn told(finding: &Finding) -> String {
    let word = match finding.action {
        Action::Deny => "finding",
        Action::Warn => "warning",
        Action::Audit => "audit",
    };
    format!("# {word}: {}", finding.line())
}

/// Judges one block; what it does not say rightly goes to `wrong`.
fn run(rule: &dyn Rule, block: &Block<'_>, wrong: &mut Vec<String>) {
    let parameters: Value = directive(&block.text, "parameters")
        .next()
        .map_or(json!({}), |text| {
            sluice_tree::Reader::default().read(text).unwrap()
        });
    let set = set_of(json!([{"use": rule.name(), "parameters": parameters}]));
    let known = directive(&block.text, "facts").next();
    assert!(
        matches!(known, None | Some("unknown" | "part")),
        "{}: {known:?}",
        rule.name()
    );
    let mut texts = block.text.split("\n---\n");
    let object = yaml(texts.next().unwrap_or_default());
    let (mut old, mut stock) = (None, Stock::default());
    for text in texts {
        let value = yaml(text);
        if text.contains("# before the update") {
            old = Some(value);
        } else {
            let fact = stock.take(&value);
            assert!(
                fact.is_some(),
                "{}: no rule asks for it\n{text}",
                rule.name()
            );
        }
    }
    if known.is_none() {
        FactKind::ALL
            .into_iter()
            .for_each(|kind| stock.mark_whole(kind));
    }
    let mut facts = Facts::default();
    if known != Some("unknown") {
        stock.lend_namespaced(&mut facts);
        stock.lend_cluster(&mut facts);
    }
    let judged = |object: &Value, old: Option<&Value>| -> Judgement {
        let operation = if old.is_some() {
            Operation::Update
        } else {
            Operation::Create
        };
        let namespace = object["metadata"]["namespace"]
            .as_str()
            .unwrap_or("default");
        set.judge(
            &Subject {
                operation,
                namespace,
                object,
                old,
                dry_run: false,
            },
            &facts,
        )
    };
    let plain = judged(&object, old.as_ref());
    assert_eq!(plain.not_judged, None, "{}: {}", rule.name(), block.text);
    let found: Vec<String> = plain.findings.iter().map(told).collect();
    let expected: Vec<String> = block
        .text
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("# finding: ") || line.starts_with("# warning: "))
        .map(str::to_owned)
        .collect();
    if found != expected {
        wrong.push(format!(
            "{} under {:?}\n{}\nfound:\n{}\n",
            rule.name(),
            block.heading,
            block.text,
            found.join("\n")
        ));
    }
    // one verdict: the cluster judges the same object with its defaults filled in
    let full_old = old.as_ref().map(with_defaults);
    let full = judged(&with_defaults(&object), full_old.as_deref());
    assert_eq!(
        full,
        plain,
        "{}: API defaults change the verdict\n{}",
        rule.name(),
        block.text
    );
}

#[test]
fn documents_say_what_the_rules_find() {
    let mut wrong = Vec::new();
    for rule in rules() {
        let document = rule.document();
        assert_eq!(
            document.lines().next(),
            Some(format!("# {}", rule.name()).as_str())
        );
        let blocks = blocks(document);
        for (heading, at_least) in [("Fails", 1), ("Passes", 1)] {
            let count = blocks
                .iter()
                .filter(|block| block.heading == heading)
                .count();
            assert!(
                count >= at_least,
                "{} has {count} blocks under {heading}",
                rule.name()
            );
        }
        for heading in ["## Known false positives", "## Source"] {
            assert!(
                document.contains(heading),
                "{} lacks {heading}",
                rule.name()
            );
        }
        for block in &blocks {
            let says = block.text.contains("# finding: ") || block.text.contains("# warning: ");
            match block.heading {
                "Fails" => assert!(says, "{} under Fails says no finding", rule.name()),
                "Passes" => assert!(!says, "{} under Passes says a finding", rule.name()),
                _ => {}
            }
            run(*rule, block, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
