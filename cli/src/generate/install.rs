//! The manifests of an installation, in the order in which they are applied. `sluice install` applies exactly these, and `manifests/install.yaml` holds them.

use serde::Serialize;
use sluice_api::access;

use super::{GenerateError, document};

/// One file below `manifests/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its path below `manifests/`.
    pub path: String,
    /// Its documents.
    pub text: String,
    /// Whether it is made from code; the others are written by hand.
    pub generated: bool,
    /// What it is part of.
    pub part: Part,
}

/// What a manifest is for, in the order of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The namespace.
    Namespace,
    /// The definitions.
    Definitions,
    /// Access rights.
    Access,
    /// Guards inside the API server, and the share of its attention.
    Guards,
    /// The configuration file.
    Configuration,
    /// The shipped policies.
    Policies,
    /// The programs.
    Workloads,
}

fn written(path: &str, part: Part, text: &str) -> Manifest {
    Manifest {
        path: path.to_owned(),
        text: text.to_owned(),
        generated: false,
        part,
    }
}

fn generated<T: Serialize>(
    path: &str,
    part: Part,
    objects: &[T],
) -> Result<Manifest, GenerateError> {
    let documents: Vec<String> = objects
        .iter()
        .map(|object| document(path, object))
        .collect::<Result<_, _>>()?;
    let text = format!("{}{}", super::HEADER, documents.join("---\n"));
    Ok(Manifest {
        path: path.to_owned(),
        text,
        generated: true,
        part,
    })
}

/// Every manifest, in the order in which they are applied.
///
/// # Errors
/// When an object cannot be written as YAML.
pub fn manifests() -> Result<Vec<Manifest>, GenerateError> {
    let mut all = vec![written(
        "namespace.yaml",
        Part::Namespace,
        include_str!("../../../manifests/namespace.yaml"),
    )];
    for crd in sluice_api::crd::all() {
        let name = crd.metadata.name.clone().unwrap_or_default();
        all.push(generated(
            &format!("crds/{name}.yaml"),
            Part::Definitions,
            &[crd],
        )?);
    }
    all.push(generated("rbac.yaml", Part::Access, &access::objects())?);
    all.push(written(
        "guards.yaml",
        Part::Guards,
        include_str!("../../../manifests/guards.yaml"),
    ));
    all.push(written(
        "flowschema.yaml",
        Part::Guards,
        include_str!("../../../manifests/flowschema.yaml"),
    ));
    Ok(all)
}

/// One file that installs everything: `kubectl apply --server-side -f manifests/install.yaml`.
#[must_use]
pub fn combined(manifests: &[Manifest]) -> String {
    let mut text = format!(
        "{}# kubectl apply --server-side -f manifests/install.yaml\n",
        super::HEADER
    );
    for manifest in manifests {
        let body = manifest
            .text
            .strip_prefix(super::HEADER)
            .unwrap_or(&manifest.text);
        text.push_str("---\n");
        text.push_str(body);
    }
    text
}
