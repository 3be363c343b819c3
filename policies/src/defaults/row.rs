//! What a row of the table of defaults is: where it belongs, when it applies, what it fills in.

use sluice_tree::{Map, Value};

use super::Constant;
use crate::view::Kind;

/// A part of an object that has defaults of its own, wherever it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Object,
    PodSpec,
    Container,
    Probe,
    HttpGet,
    Grpc,
    Port,
    FieldRef,
    FileKeyRef,
    Volume,
    Claim,
    ServicePort,
}

/// What a row fills in.
#[derive(Clone, Copy)]
pub(super) enum Filled {
    /// Always the same.
    Constant(Constant),
    /// The value of another field of the same part, when there is one.
    Copy(&'static str),
    /// `Always` for the tag `latest`, `IfNotPresent` otherwise; the text is the path of the image.
    PullPolicy(&'static str),
    /// The limits that have no request.
    RequestsOfLimits,
}

/// How a row reads the part it belongs to.
pub(super) type Get<'g, 'v> = dyn Fn(&str) -> Option<&'v Value> + 'g;

/// One default.
pub(super) struct Row {
    /// The kinds of objects that have it.
    pub(super) kinds: &'static [Kind],
    /// The part it belongs to.
    pub(super) part: Part,
    /// The path in that part.
    pub(super) path: &'static str,
    /// What is filled in.
    pub(super) filled: Filled,
    /// Whether it applies.
    pub(super) when: When,
}

/// When a row applies.
#[derive(Clone, Copy)]
pub(super) enum When {
    /// Whenever the field is absent.
    Always,
    /// When something else is there.
    Present(&'static str),
    /// When another field is absent or has this text.
    Unless(&'static str, &'static str),
    /// When both are absent.
    Absent(&'static str),
    /// When nothing but the name is there.
    OnlyName,
    /// A `StatefulSet` that rolls: no type at all, or the type with its parameters.
    StatefulSetRolls,
}

impl When {
    pub(super) fn holds<'v>(self, get: impl Fn(&str) -> Option<&'v Value>) -> bool {
        let get: &Get<'_, 'v> = &get;
        match self {
            Self::Always => true,
            Self::Present(path) => get(path).is_some(),
            Self::Unless(path, text) => get(path).is_none_or(|value| value.as_str() == Some(text)),
            Self::Absent(path) => get(path).is_none(),
            Self::OnlyName => get("").and_then(Value::as_object).is_some_and(|object| {
                object
                    .iter()
                    .all(|(name, value)| name == "name" || value.is_null())
            }),
            Self::StatefulSetRolls => match get("spec.updateStrategy.type") {
                None => true,
                Some(kind) => {
                    kind.as_str() == Some("RollingUpdate")
                        && get("spec.updateStrategy.rollingUpdate").is_some()
                }
            },
        }
    }
}

impl Row {
    /// What is filled in where that is a plain value; `part` is what lacks it.
    pub(super) fn constant(&self, part: Option<&Value>) -> Option<Constant> {
        match self.filled {
            Filled::Constant(constant) => Some(constant),
            Filled::PullPolicy(image) => {
                let image = part
                    .and_then(|part| crate::view::lookup(part, image))
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                Some(Constant::Text(pull_policy(image)))
            }
            Filled::Copy(_) | Filled::RequestsOfLimits => None,
        }
    }

    /// The value for a part that lacks the field; `None` when there is nothing to fill in.
    pub(super) fn value(&self, part: &Value) -> Option<Value> {
        match self.filled {
            Filled::Constant(constant) => Some(constant.value()),
            Filled::Copy(path) => crate::view::lookup(part, path).cloned(),
            Filled::PullPolicy(_) => self.constant(Some(part)).map(Constant::value),
            Filled::RequestsOfLimits => {
                let limits = crate::view::lookup(part, "resources.limits")?.as_object()?;
                let mut requests = match crate::view::lookup(part, "resources.requests") {
                    None => Map::new(),
                    Some(requests) => requests.as_object()?.clone(),
                };
                let before = requests.len();
                for (resource, limit) in limits {
                    if !requests.contains_key(resource) {
                        requests.insert(resource.clone(), limit.clone());
                    }
                }
                (requests.len() > before).then_some(Value::Object(requests))
            }
        }
    }

    /// Whether the row adds to a field that is there already.
    pub(super) const fn merges(&self) -> bool {
        matches!(self.filled, Filled::RequestsOfLimits)
    }
}

/// The pull policy of an image: by its tag, where a reference that does not parse has none.
fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = image
        .split_once('@')
        .map_or((image, false), |(name, _)| (name, true));
    let start = name.rfind('/').map_or(0, |slash| slash + 1);
    let (repository, tag) = match name[start..].split_once(':') {
        Some((_, tag)) => (&name[..name.len() - tag.len() - 1], Some(tag)),
        None => (name, None),
    };
    // the registry may be written in capitals, the repository may not
    let path = match repository.split_once('/') {
        Some((host, path))
            if host.contains(['.', ':']) || host == "localhost" || host.to_lowercase() != host =>
        {
            path
        }
        _ => repository,
    };
    let parses = !path.is_empty()
        && path
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b));
    let latest = match tag {
        Some(tag) => tag == "latest",
        None => !digest,
    };
    if parses && latest {
        "Always"
    } else {
        "IfNotPresent"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pull_policy_goes_by_the_tag() {
        for (image, policy) in [
            ("nginx", "Always"),
            ("nginx:latest", "Always"),
            ("nginx:1.29", "IfNotPresent"),
            ("registry.example.org:5000/team/app", "Always"),
            ("registry.example.org:5000/team/app:2", "IfNotPresent"),
            (
                "nginx@sha256:0000000000000000000000000000000000000000000000000000000000000000",
                "IfNotPresent",
            ),
            ("Registry.example.org/app", "Always"),
            ("app/NotLower", "IfNotPresent"),
            ("", "IfNotPresent"),
            ("two words", "IfNotPresent"),
            ("ä:é", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), policy, "{image}");
        }
    }
}
