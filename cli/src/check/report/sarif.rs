//! SARIF 2.1.0, as code scanning reads it. A test holds it against the schema.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sluice_policies::{rule_by_code, schema::raw_rule_by_code};

use super::{Entry, Level, NOT_ACCEPTED, UNREADABLE, entries, uri};
use crate::check::verdict::Verdict;

/// The log of one run.
pub(super) fn log(verdict: &Verdict) -> Value {
    let entries = entries(verdict);
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for entry in &entries {
        names.entry(entry.id).or_insert(entry.name);
    }
    let index: BTreeMap<&str, usize> = names.keys().copied().zip(0..).collect();
    let rules: Vec<Value> = names.iter().map(|(id, name)| rule(id, name)).collect();
    let results: Vec<Value> = entries
        .iter()
        .map(|entry| result(entry, index.get(entry.id).copied()))
        .collect();
    let readable = verdict.problems.is_empty();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "sluice",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
                "properties": {"policySet": verdict.policy_set},
            }},
            "invocations": [{"executionSuccessful": readable}],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(id: &str, name: &str) -> Value {
    let raw = raw_rule_by_code(id).map(|rule| (rule.info().title, rule.info().document));
    let shipped = rule_by_code(id).map(|rule| (rule.title(), rule.document()));
    let (text, document) = match shipped.or(raw) {
        Some(told) => told,
        None if id == UNREADABLE => ("the text cannot be read", ""),
        None if id == NOT_ACCEPTED => ("the object would not be accepted", ""),
        None => (name, ""),
    };
    let mut rule = json!({
        "id": id,
        "name": name,
        "shortDescription": {"text": text},
    });
    if !document.is_empty() {
        rule["help"] = json!({
            "text": format!("`sluice explain {id}` prints this.\n\n{document}"),
            "markdown": document,
        });
    }
    rule
}

fn result(entry: &Entry<'_>, index: Option<usize>) -> Value {
    let mut physical = json!({"artifactLocation": {"uri": uri(entry.relative_file())}});
    if let Some(line) = entry.line {
        physical["region"] = match entry.column {
            Some(column) => json!({"startLine": line, "startColumn": column}),
            None => json!({"startLine": line}),
        };
    }
    let mut location = json!({"physicalLocation": physical});
    if let Some(object) = &entry.object {
        let mut logical = json!({"fullyQualifiedName": object, "kind": "resource"});
        if !entry.path.is_empty() {
            logical["decoratedName"] = json!(entry.path);
        }
        location["logicalLocations"] = json!([logical]);
    }
    let (kind, level) = match entry.level {
        Level::Unreadable | Level::Deny => ("fail", "error"),
        Level::Warn => ("fail", "warning"),
        Level::Audit => ("fail", "note"),
        // the standard wants no level beside the kinds that are no failure
        Level::Unknown => ("open", "none"),
    };
    let mut result = json!({
        "ruleId": entry.id,
        "kind": kind,
        "level": level,
        "message": {"text": entry.message()},
        "locations": [location],
        "partialFingerprints": {"sluice/v1": entry.fingerprint},
    });
    if let Some(index) = index {
        result["ruleIndex"] = json!(index);
    }
    let mut suppressions = Vec::new();
    if entry.baselined {
        suppressions.push(json!({"kind": "external", "justification": "in the baseline"}));
    }
    if let Some(excepted) = entry.excepted {
        let justification = format!(
            "{} (PolicyException {}, for which {} answers, until {})",
            excepted.reason, excepted.by, excepted.owner, excepted.until
        );
        suppressions.push(
            json!({"kind": "external", "status": "accepted", "justification": justification}),
        );
    }
    if !suppressions.is_empty() {
        result["suppressions"] = json!(suppressions);
    }
    result
}
