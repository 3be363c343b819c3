//! Objects that nobody would write.

use sluice_tree::{Value, json};

use super::newest;
use crate::schema::table::Table;

/// Numbers from a seed, so that a failure can be had again.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

/// A value of any shape, with names that kinds know and names that they do not.
fn any_value(dice: &mut Dice, depth: usize) -> Value {
    const WORDS: [&str; 24] = [
        "spec",
        "template",
        "containers",
        "name",
        "image",
        "replicas",
        "metadata",
        "labels",
        "concurrencyPolicy",
        "resources",
        "limits",
        "cpu",
        "imagepullpolicy",
        "Ports",
        "port",
        "",
        "a.b/c",
        "é\"]",
        "1Gi",
        "512MB",
        "true",
        "-",
        "jobTemplate",
        "\u{0}",
    ];
    let word = |dice: &mut Dice| WORDS[dice.roll(WORDS.len())].to_owned();
    match dice.roll(if depth == 0 { 5 } else { 9 }) {
        0 => Value::Null,
        1 => Value::Bool(dice.roll(2) == 0),
        2 => json!(i64::MIN + i64::try_from(dice.roll(1 << 40)).unwrap()),
        3 => json!(1e300 / (1.0 + dice.roll(9) as f64)),
        4 => Value::from(word(dice)),
        5 => (0..dice.roll(4))
            .map(|_| any_value(dice, depth - 1))
            .collect(),
        _ => (0..dice.roll(6))
            .map(|_| (word(dice), any_value(dice, depth - 1)))
            .collect::<sluice_tree::Map>()
            .into(),
    }
}

#[test]
fn no_object_makes_the_check_panic() {
    let mut schemas = newest();
    let mut dice = Dice(0x5eed_0002);
    let kinds: Vec<(String, &str)> = Table::shipped().kinds(0).collect();
    let mut found = 0;
    for _ in 0..4_000 {
        let mut object = any_value(&mut dice, 7);
        let (api_version, kind) = &kinds[dice.roll(kinds.len())];
        if let Value::Object(fields) = &mut object {
            fields.insert("apiVersion", json!(api_version));
            fields.insert("kind", json!(kind));
        }
        found += schemas.check(&object).map_or(0, |findings| findings.len());
        // definitions come from users too
        schemas.learn(&json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "spec": {"group": "a.b", "names": {"kind": "K"}, "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {
                "type": "object", "required": any_value(&mut dice, 2), "properties": any_value(&mut dice, 3), "enum": any_value(&mut dice, 1)}}}]}}));
        if let Value::Object(fields) = &mut object {
            fields.insert("apiVersion", json!("a.b/v1"));
            fields.insert("kind", json!("K"));
        }
        found += schemas.check(&object).map_or(0, |findings| findings.len());
    }
    assert!(
        found > 2_000,
        "{found}: the objects are too dull to test anything"
    );
}

#[test]
fn hostile_objects_are_judged_in_bounded_time_with_a_bounded_list() {
    // fields with names that are known somewhere cost a search each
    let fields: sluice_tree::Map = (0..20_000)
        .map(|index| (format!("f{index}"), json!({"concurrencyPolicy": "Forbid"})))
        .collect();
    let mut containers = Vec::new();
    for _ in 0..5_000 {
        containers.push(json!({"name": "a", "concurrencyPolicy": "Forbid", "hostNetwork": true, "limits": {"cpu": 1}, "x": {}}));
    }
    let wide = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": fields.clone(),
        "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": containers}}}}}});
    let began = std::time::Instant::now();
    let findings = newest().check(&wide).unwrap();
    assert_eq!(findings.len(), 1001);
    assert!(
        findings[1000].found.contains("more than 1000 findings"),
        "{:?}",
        findings[1000]
    );
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());

    // a schema that refers to itself can be followed for ever
    let mut schema = json!({"typ": "object"});
    // not written as JSON: what is as deep is read and copied by recursion
    let holding = |name: &str, value: Value| Value::Object([(name, value)].into_iter().collect());
    for _ in 0..1_000 {
        schema = holding("properties", holding("a", schema));
    }
    let mut deep = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "spec": {"versions": [{"schema": {}}]}});
    deep["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema;
    let findings = newest().check(&deep).unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].found, "nested too deep");
    // a value of this depth is dropped by recursion
    std::mem::forget(deep);
}
