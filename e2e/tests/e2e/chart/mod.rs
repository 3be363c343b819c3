//! The Helm chart, by Helm itself: what it renders, what it refuses, and what becomes of a cluster through it. And the alerts, by Prometheus' own tools.

mod alerts;
mod lifecycle;
mod rendering;

use anyhow::Context;
use serde_json::Value;

/// Every object of a YAML text with several documents.
fn documents(text: &str) -> anyhow::Result<Vec<Value>> {
    let mut objects = Vec::new();
    for document in format!("\n{text}").split("\n---") {
        let document: Value =
            serde_saphyr::from_str(document).with_context(|| format!("not YAML: {document}"))?;
        if !document.is_null() {
            objects.push(document);
        }
    }
    Ok(objects)
}
