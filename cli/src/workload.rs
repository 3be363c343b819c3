//! Workloads and other objects as people name them on the command line: `deployment/checkout`, `deploy/checkout`, `checkout`.

use sluice_api::WorkloadKind;

/// What an argument names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A workload.
    Workload {
        /// Its kind.
        kind: WorkloadKind,
        /// Its name.
        name: String,
    },
    /// An object of the kind that the command is about.
    Object(String),
}

/// A kind that the command does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` names nothing here: use {passes}")]
pub struct NameError {
    found: String,
    passes: String,
}

/// Reads an argument. `own` are the spellings of the command's own kind, the first of them the usual one.
///
/// # Errors
/// When the part before the slash is no kind that the command knows, or a name is missing.
pub fn parse(text: &str, own: &[&str]) -> Result<Named, NameError> {
    let error = || NameError {
        found: text.to_owned(),
        passes: format!(
            "a name, {}/NAME or deployment/NAME",
            own.first().unwrap_or(&"object")
        ),
    };
    let (kind, name) = match text.split_once('/') {
        None => (None, text),
        Some((kind, name)) => (Some(kind.to_lowercase()), name),
    };
    if name.is_empty() || name.contains('/') {
        return Err(error());
    }
    let name = name.to_owned();
    let Some(kind) = kind else {
        return Ok(Named::Object(name));
    };
    // `deployments.apps` is `deployments`
    let short = kind.split('.').next().unwrap_or_default();
    let workload = match short {
        "deployment" | "deployments" | "deploy" => Some(WorkloadKind::Deployment),
        "statefulset" | "statefulsets" | "sts" => Some(WorkloadKind::StatefulSet),
        "daemonset" | "daemonsets" | "ds" => Some(WorkloadKind::DaemonSet),
        _ => None,
    };
    match workload {
        Some(kind) => Ok(Named::Workload { kind, name }),
        None if own.contains(&short) => Ok(Named::Object(name)),
        None => Err(error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_kubectl_reads() {
        let gate = |text| parse(text, &["gate", "gates", "slgate"]);
        let deployment = || Named::Workload {
            kind: WorkloadKind::Deployment,
            name: "a".into(),
        };
        for (text, named) in [
            ("a", Some(Named::Object("a".into()))),
            ("gate/a", Some(Named::Object("a".into()))),
            ("gates.sluice.dev/a", Some(Named::Object("a".into()))),
            ("deployment/a", Some(deployment())),
            ("deploy/a", Some(deployment())),
            ("Deployments.apps/a", Some(deployment())),
            ("pod/a", None),
            ("deployment/", None),
            ("a/b/c", None),
            ("", None),
        ] {
            assert_eq!(gate(text).ok(), named, "{text}");
        }
    }
}
