//! Whether the programs may do what they must.

use std::collections::BTreeMap;

use sluice_api::access::SECRET_NAMES_ROLE;

use super::{Check, Facts, Findings, known, some};
use crate::doctor::facts::Right;

/// See the module.
pub struct Rights;

impl Check for Rights {
    fn name(&self) -> &'static str {
        "rights"
    }

    fn asks(&self) -> &'static str {
        "may the webhook and the controller do everything that docs/access.md lists?"
    }

    fn examine(&self, facts: &Facts, findings: &mut Findings) {
        let repair = "run it as somebody who may create subjectaccessreviews.authorization.k8s.io";
        let Some(rights) = known(&facts.rights, findings, repair) else {
            return;
        };
        // the one role that may be left out: all of it, or nothing of it
        let names: Vec<&Right> = rights
            .iter()
            .filter(|right| right.role == SECRET_NAMES_ROLE)
            .collect();
        let left_out = !names.is_empty() && names.iter().all(|right| !right.granted);
        if left_out {
            findings.fine(
                "the webhook may not list the names of Secrets: rules about them answer Unknown",
            );
        }
        let mut missing: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
        for right in rights {
            let on_purpose = left_out && right.role == SECRET_NAMES_ROLE;
            if !right.granted && !on_purpose {
                missing
                    .entry((right.account, right.role))
                    .or_default()
                    .push(right.words.clone());
            }
        }
        for ((account, role), words) in &missing {
            findings.broken(
                format!("{account} may not {}", some(words)),
                format!("sluice install (with Helm: helm upgrade) puts the role {role} and its binding right"),
            );
        }
        if missing.is_empty() {
            let granted = rights.iter().filter(|right| right.granted).count();
            findings.fine(format!("{granted} rights asked for, and granted"));
        }
    }
}
