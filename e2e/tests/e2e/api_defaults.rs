//! The table of API defaults says what the real API server fills in.

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_e2e::{User, installed_plane};
use sluice_policies::{defaults_samples, with_defaults};

#[tokio::test]
async fn every_default_of_the_table_is_what_the_api_server_fills_in() -> anyhow::Result<()> {
    let installed = installed_plane().await?;
    let plane = &installed.plane;
    let namespace = plane
        .namespace_with("defaults", &[("sluice.dev/mode", "off")])
        .await?;
    let samples = defaults_samples();
    ensure!(samples.len() >= 10, "only {} samples", samples.len());
    let list = json!({"apiVersion": "v1", "kind": "List", "items": &samples});
    let arguments = [
        "-n",
        &namespace,
        "create",
        "--dry-run=server",
        "-o",
        "json",
        "-f",
        "-",
    ];
    let answer = plane
        .kubectl(User::Admin, arguments, Some(&list.to_string()))
        .await?
        .ok()?;
    // kubectl prints one object after the other
    let stored: Vec<Value> = serde_json::Deserializer::from_str(&answer)
        .into_iter()
        .collect::<Result<_, _>>()?;
    ensure!(stored.len() == samples.len(), "{} answers", stored.len());
    let mut filled_in = 0;
    for (sample, stored) in samples.iter().zip(&stored) {
        let expected = Value::from(&*with_defaults(sample));
        filled_in += fields(&expected) - fields(&sample.into());
        let mut missing = Vec::new();
        differences(&expected, stored, "", &mut missing);
        ensure!(
            missing.is_empty(),
            "{}: the table says otherwise than the API server:\n{}",
            sample["kind"],
            missing.join("\n")
        );
    }
    ensure!(filled_in > 100, "only {filled_in} fields were filled in");
    Ok(())
}

/// What `expected` says and `stored` does not.
fn differences(expected: &Value, stored: &Value, path: &str, found: &mut Vec<String>) {
    match (expected, stored) {
        (Value::Object(expected), Value::Object(stored)) => {
            for (key, value) in expected {
                let inner = stored.get(key).unwrap_or(&Value::Null);
                differences(value, inner, &format!("{path}.{key}"), found);
            }
        }
        // admission adds to the end of lists: the token volume of a Pod
        (Value::Array(expected), Value::Array(stored)) if expected.len() <= stored.len() => {
            for (place, (value, inner)) in expected.iter().zip(stored).enumerate() {
                differences(value, inner, &format!("{path}[{place}]"), found);
            }
        }
        _ if expected == stored => {}
        _ => found.push(format!("{path}: {expected}, the API server: {stored}")),
    }
}

fn fields(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.values().map(fields).sum::<usize>() + map.len(),
        Value::Array(items) => items.iter().map(fields).sum(),
        _ => 0,
    }
}
