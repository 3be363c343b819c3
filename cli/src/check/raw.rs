//! What only a file shows: fields that the API server would drop or could not decode, and keys that occur twice.
//!
//! These findings deny in the check and nowhere else: in the cluster the mistake is gone, or the object is, before any webhook is asked.

use sluice_api::{Action, Certainty, Finding};
use sluice_policies::schema::{RawRule, SchemaFinding, Schemas, raw_rule_by_code};
use sluice_tree::Value;

use crate::manifest::document::Object;

/// What one file says about one object.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Whether nobody knows the fields of the kind.
    pub unheard_of: bool,
}

/// What is wrong with an object as it stands in its file; what its `old` self had already only warns.
/// The fields of Sluice's `own` kinds are judged with the rest of what they must hold.
#[must_use]
pub fn findings(object: &Object, old: Option<&Value>, schemas: &Schemas, own: bool) -> Raw {
    let of_fields = if own {
        Some(Vec::new())
    } else {
        schemas.check(&object.value)
    };
    let unheard_of = of_fields.is_none();
    let twice = object.duplicates().into_iter().map(|twice| SchemaFinding {
        rule: RawRule::DuplicateKey,
        found: if twice.first.line == twice.last.line {
            "twice, and only the last counts".to_owned()
        } else {
            format!(
                "twice, at lines {} and {}, and only the last counts",
                twice.first.line, twice.last.line
            )
        },
        path: twice.path,
        passes: "each key once".to_owned(),
    });
    let mut findings: Vec<Finding> = of_fields
        .into_iter()
        .flatten()
        .chain(twice)
        .map(finding)
        .collect();
    // as the file is read, from top to bottom
    findings.sort_by_cached_key(|finding| object.locate(&finding.path));
    if !findings.is_empty() {
        let had: Vec<Finding> = old
            .and_then(|old| schemas.check(old))
            .into_iter()
            .flatten()
            .map(finding)
            .collect();
        for finding in findings.iter_mut().filter(|finding| had.contains(finding)) {
            finding.action = Action::Warn;
        }
    }
    Raw {
        findings,
        unheard_of,
    }
}

/// Whether a finding is one that only a file shows.
#[must_use]
pub fn is_raw(finding: &Finding) -> bool {
    raw_rule_by_code(&finding.code).is_some()
}

fn finding(raw: SchemaFinding) -> Finding {
    let info = raw.rule.info();
    Finding {
        code: info.code.to_owned(),
        rule: info.name.to_owned(),
        action: Action::Deny,
        certainty: Certainty::Sure,
        path: raw.path,
        found: raw.found,
        passes: raw.passes,
        way_out: None,
        excepted: None,
        policy: None,
    }
}

/// The findings of both kinds. Where a rule that the cluster has too finds the same place unreadable, its words stand.
#[must_use]
pub fn joined(raw: Vec<Finding>, judged: Vec<Finding>) -> Vec<Finding> {
    let said = |finding: &Finding| {
        judged.iter().any(|other| {
            other.path == finding.path
                && other.rule == "malformed-workload"
                && finding.rule == RawRule::WrongType.info().name
        })
    };
    let mut all: Vec<Finding> = raw.into_iter().filter(|finding| !said(finding)).collect();
    all.extend(judged);
    all
}

#[cfg(test)]
mod documents;
