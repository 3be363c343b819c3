//! The claims for storage that come with every pod.

use sluice_tree::Value;

use super::{Quantity, Unreadable};
use crate::view::{Anchor, Kind, Read, View, join, lookup};

/// One claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim<'a> {
    /// The storage class; `None` for the one that the cluster gives by default.
    pub(crate) class: Option<&'a str>,
    /// How much it asks for.
    pub(crate) storage: Quantity,
    /// Where it asks for it.
    pub(crate) path: String,
}

/// The claims of one pod: those of the templates of a StatefulSet, and ephemeral volumes.
///
/// # Errors
/// The first amount that holds no quantity.
pub(super) fn claims<'a>(view: &View<'a>) -> Result<Vec<Claim<'a>>, Unreadable> {
    let mut claims = Vec::new();
    if view.kind() == Kind::StatefulSet {
        let templates = Read::object("spec.volumeClaimTemplates");
        for (index, template) in list(view.written(templates)).iter().enumerate() {
            let path = format!("{}[{index}]", view.path(templates));
            claims.push(claim(template, &path)?);
        }
    }
    let volumes = Read::pod("volumes");
    for (index, volume) in list(view.written(volumes)).iter().enumerate() {
        const TEMPLATE: &str = "ephemeral.volumeClaimTemplate";
        if let Some(template) = lookup(volume, TEMPLATE) {
            let path = join(
                view.prefix(Anchor::Pod).unwrap_or_default(),
                &format!("volumes[{index}].{TEMPLATE}"),
            );
            claims.push(claim(template, &path)?);
        }
    }
    Ok(claims)
}

fn claim<'a>(template: &'a Value, path: &str) -> Result<Claim<'a>, Unreadable> {
    const AMOUNT: &str = "spec.resources.requests.storage";
    let path = join(path, AMOUNT);
    let storage = match lookup(template, AMOUNT).map(Quantity::of) {
        None => Quantity::ZERO,
        Some(Ok(amount)) => amount.rounded_to_units(),
        Some(Err(error)) => {
            let problem = error.to_string();
            return Err(Unreadable { path, problem });
        }
    };
    let annotated = lookup(template, "metadata.annotations")
        .and_then(|all| all.get("volume.beta.kubernetes.io/storage-class"));
    let class = annotated
        .or_else(|| lookup(template, "spec.storageClassName"))
        .and_then(Value::as_str);
    Ok(Claim {
        class,
        storage,
        path,
    })
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).unwrap_or_default()
}
