//! The security context that holds for a container: its own, else that of its pod.

use sluice_tree::Value;

use crate::view::{Anchor, Container, Read, View};

const CONTEXT: &str = "securityContext";

/// What every rule about security contexts reads.
pub(super) const READS: &[Read] = &[
    Read::pod("securityContext"),
    Read::pod("os"),
    Read::pod("containers[*].securityContext"),
    Read::pod("initContainers[*].securityContext"),
];

/// A field as it holds for a container, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Effective<'a> {
    pub(super) value: Option<&'a Value>,
    /// Whether the pod says it.
    pub(super) of_pod: bool,
}

/// The field of the container, else of the pod; an absent one counts as the container's.
pub(super) fn effective<'a>(
    view: &View<'a>,
    container: &Container<'a>,
    field: &'static str,
) -> Effective<'a> {
    if let Some(value) = container.get(&format!("{CONTEXT}.{field}")) {
        return Effective {
            value: Some(value),
            of_pod: false,
        };
    }
    let value = view
        .part(Anchor::Pod)
        .and_then(|pod| pod.get(CONTEXT))
        .and_then(|context| crate::view::lookup(context, field));
    Effective {
        value,
        of_pod: value.is_some(),
    }
}

/// Whether the pod runs on Windows, where the API server refuses what only Linux knows.
pub(super) fn on_windows(view: &View<'_>) -> bool {
    view.written(Read::pod("os.name")).and_then(Value::as_str) == Some("windows")
}
