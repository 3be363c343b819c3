//! How the application behaves, and how that is changed in part.

use serde::{Deserialize, Serialize};

/// Everything that can be switched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Behaviour {
    /// The share of answers that are errors, 0 to 1.
    pub errors: f64,
    /// How long an answer takes.
    pub latency_millis: u64,
    /// What `/ready` says.
    pub ready: bool,
    /// How much memory is held beside what the program needs.
    pub memory_mebibytes: usize,
    /// How long it serves on after it was told to end.
    pub stop_millis: u64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            errors: 0.0,
            latency_millis: 0,
            ready: true,
            memory_mebibytes: 0,
            stop_millis: 0,
        }
    }
}

impl Behaviour {
    /// This one with the fields of `change` in place of its own.
    ///
    /// # Errors
    /// A field nobody knows, a value of another type, a share that is none.
    pub fn changed(&self, change: &serde_json::Value) -> Result<Self, String> {
        let mut value = serde_json::to_value(self).map_err(|error| error.to_string())?;
        let (Some(fields), Some(change)) = (value.as_object_mut(), change.as_object()) else {
            return Err("a behaviour is a JSON object".to_owned());
        };
        fields.extend(change.clone());
        let changed: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
        if !(0.0..=1.0).contains(&changed.errors) {
            return Err(format!(
                "errors is a share from 0 to 1, not {}",
                changed.errors
            ));
        }
        Ok(changed)
    }

    /// Whether the answer with this number (from 0) is an error: evenly spread, and the same in every run.
    pub fn fails(&self, number: u64) -> bool {
        let failed = |answers: u64| (answers as f64 * self.errors).floor();
        failed(number + 1) > failed(number)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn errors_are_spread_evenly() {
        for (errors, expected) in [(0.0, 0), (0.25, 25), (0.5, 50), (1.0, 100)] {
            let behaviour = Behaviour {
                errors,
                ..Behaviour::default()
            };
            let failed = (0..100).filter(|number| behaviour.fails(*number)).count();
            assert_eq!(failed, expected, "{errors}");
        }
    }

    #[test]
    fn a_change_leaves_the_rest_alone() {
        let slow = Behaviour::default()
            .changed(&json!({"latencyMillis": 20}))
            .unwrap();
        let both = slow.changed(&json!({"ready": false})).unwrap();
        assert_eq!((both.latency_millis, both.ready), (20, false));
    }

    #[test]
    fn what_is_not_understood_changes_nothing() {
        for change in [
            json!({"errrors": 1}),
            json!({"errors": 2}),
            json!({"ready": "no"}),
            json!([]),
        ] {
            assert!(Behaviour::default().changed(&change).is_err(), "{change}");
        }
    }
}
