//! `SLU5…`: which images run, and whether they stay the same.

pub(super) mod image_from_other_registry;
pub(super) mod image_pull_policy_unfit;
pub(super) mod image_tag_moves;
pub(super) mod image_without_digest;
mod reference;
