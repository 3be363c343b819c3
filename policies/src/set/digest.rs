//! The name of a policy set: a hash over what it means.

use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sluice_api::{PolicySpec, policy::OnUnknown};

use super::Entry;
use crate::own::OwnRule;

/// The meaning of one policy, every parameter spelled out. Objects of `serde_json` keep their keys sorted, so equal meaning is equal text.
pub(super) fn meaning(
    namespace: Option<&str>,
    name: &str,
    spec: &PolicySpec,
    entries: &[Entry],
    own: &[Arc<OwnRule>],
) -> String {
    let matches = &spec.matches;
    let mut rules: Vec<String> = entries
        .iter()
        .map(|entry| {
            let info = entry.rule.info();
            let parameters: Vec<String> = info
                .parameters
                .iter()
                .map(|parameter| {
                    let value = entry
                        .set
                        .iter()
                        .find(|(name, _)| *name == parameter.name())
                        .map_or_else(|| parameter.default(), |(_, value)| value.clone());
                    format!("{}={value}", parameter.name())
                })
                .collect();
            format!(
                "{} {} {}",
                info.code,
                entry.action.as_str(),
                parameters.join(" ")
            )
        })
        .collect();
    rules.extend(own.iter().map(|rule| rule.meaning.clone()));
    rules.sort();
    let labels = matches.namespaces.as_ref().map(|selector| {
        let mut expressions: Vec<String> = selector
            .match_expressions
            .iter()
            .map(|e| {
                let mut values = e.values.clone();
                values.sort();
                json!([e.key, e.operator, values]).to_string()
            })
            .collect();
        expressions.sort();
        json!({"labels": selector.match_labels, "expressions": expressions})
    });
    let mut meaning = json!({"namespace": namespace.unwrap_or("*"), "name": name, "match": labels.unwrap_or(Value::Null), "rules": rules});
    if spec.on_unknown == OnUnknown::Deny {
        meaning["onUnknown"] = "Deny".into();
    }
    meaning.to_string()
}

/// The digest of a set from the meanings of its policies.
pub(super) fn of(mut meanings: Vec<String>) -> String {
    meanings.sort();
    // the same policy from two places, such as a file and the object made of it, means no more than once
    meanings.dedup();
    let mut hash = Sha256::new();
    hash.update(concat!("sluice-policies ", env!("CARGO_PKG_VERSION"), "\n"));
    for meaning in &meanings {
        hash.update(meaning.as_bytes());
        hash.update(b"\n");
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
