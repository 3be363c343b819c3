//! Whether everything that an installation consists of is there.

use sluice_api::SYSTEM_NAMESPACE;

use super::{Check, Facts, Findings, READ, known, some};

/// See the module.
pub struct Installed;

impl Check for Installed {
    fn name(&self) -> &'static str {
        "installed"
    }

    fn asks(&self) -> &'static str {
        "are the namespace, the definitions, the roles and the guards there?"
    }

    fn without_installation(&self) -> bool {
        true
    }

    fn examine(&self, facts: &Facts, findings: &mut Findings) {
        let Some(parts) = known(&facts.parts, findings, READ) else {
            return;
        };
        let missing: Vec<String> = parts
            .iter()
            .filter(|part| !part.there)
            .map(|part| part.title.clone())
            .collect();
        if missing.is_empty() {
            findings.fine(format!(
                "{} objects in {SYSTEM_NAMESPACE} and beside it",
                parts.len()
            ));
        } else if missing.len() == parts.len() {
            findings.broken("Sluice is not installed here", "sluice install");
        } else {
            findings.broken(
                format!("missing: {}", some(&missing)),
                "sluice install (with Helm: helm upgrade), which makes what is missing and leaves the rest",
            );
        }
    }
}
