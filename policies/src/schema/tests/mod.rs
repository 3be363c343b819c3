//! What files get wrong, told by the fields of their kinds.

mod custom;
mod fields;
mod hostile;
mod kubernetes;
mod packed;

use sluice_tree::{Value, json};

use super::{KubernetesVersion, RAW_RULES, Schemas};

fn newest() -> Schemas {
    Schemas::new(KubernetesVersion::newest())
}

fn told(schemas: &Schemas, object: &Value) -> Vec<String> {
    schemas
        .check(object)
        .unwrap()
        .into_iter()
        .map(|finding| {
            format!(
                "{} {}: {}; {}",
                finding.rule.info().name,
                finding.path,
                finding.found,
                finding.passes
            )
        })
        .collect()
}

#[test]
fn codes_and_names_of_raw_rules_are_unique_and_no_policy_can_use_them() {
    let codes: Vec<&str> = RAW_RULES.iter().map(|rule| rule.info().code).collect();
    assert!(
        codes.is_sorted()
            && codes
                .iter()
                .all(|code| code.starts_with("SLU8") && code.len() == 7)
    );
    for rule in RAW_RULES {
        let info = rule.info();
        assert_eq!(
            crate::schema::raw_rule_by_code(&info.code.to_lowercase()),
            Some(rule)
        );
        assert_eq!(crate::schema::raw_rule_by_name(info.name), Some(rule));
        assert!(
            crate::rule_by_name(info.name).is_none() && crate::rule_by_code(info.code).is_none()
        );
        let spec: sluice_api::PolicySpec =
            sluice_tree::from_value(json!({"rules": [{"use": info.name}]})).unwrap();
        let problems = crate::PolicySet::check(&spec);
        assert!(
            problems[0]
                .passes
                .contains("is in force in every check of files"),
            "{problems:?}"
        );
    }
}
