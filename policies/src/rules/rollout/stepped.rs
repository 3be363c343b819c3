//! A Deployment whose release is under way.

use sluice_api::annotation;
use sluice_tree::Value;

use crate::view::{Read, View};

/// What tells a Deployment under way from others. A rule that asks [`stepped`] does not read it: the release begins and ends with writes that are not judged.
const ANNOTATIONS: Read = Read::object("metadata.annotations");

/// Whether Sluice steps the Deployment now: then its strategy, `minReadySeconds` and `progressDeadlineSeconds` are the engine's, not the author's,
/// and whoever scales it must not be refused for them. In a cluster nobody but Sluice may write the annotation.
pub(super) fn stepped(view: &View<'_>) -> bool {
    view.written(ANNOTATIONS)
        .and_then(|annotations| annotations.get(annotation::ORIGINALS))
        .and_then(Value::as_str)
        .is_some_and(|originals| !originals.is_empty())
}
