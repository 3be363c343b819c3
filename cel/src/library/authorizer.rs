//! The API server's authorizer: what a `ValidatingAdmissionPolicy` may ask it.
//!
//! Only the types live here. Nobody outside the API server has an authorizer, so its variable has no value and an expression that asks it has no answer.

use super::{Overload, Takes, member};
use crate::{
    eval::{Raised, Scope},
    value::Value,
};

pub(super) const TABLE: &[Overload] = &[
    member(
        "path",
        &[Takes::Authorizer, Takes::String],
        Takes::PathCheck,
        27,
        ask,
    ),
    member(
        "group",
        &[Takes::Authorizer, Takes::String],
        Takes::GroupCheck,
        27,
        ask,
    ),
    member(
        "serviceAccount",
        &[Takes::Authorizer, Takes::String, Takes::String],
        Takes::Authorizer,
        27,
        ask,
    ),
    member(
        "resource",
        &[Takes::GroupCheck, Takes::String],
        Takes::ResourceCheck,
        27,
        ask,
    ),
    member(
        "subresource",
        &[Takes::ResourceCheck, Takes::String],
        Takes::ResourceCheck,
        27,
        ask,
    ),
    member(
        "namespace",
        &[Takes::ResourceCheck, Takes::String],
        Takes::ResourceCheck,
        27,
        ask,
    ),
    member(
        "name",
        &[Takes::ResourceCheck, Takes::String],
        Takes::ResourceCheck,
        27,
        ask,
    ),
    member(
        "fieldSelector",
        &[Takes::ResourceCheck, Takes::String],
        Takes::ResourceCheck,
        31,
        ask,
    ),
    member(
        "labelSelector",
        &[Takes::ResourceCheck, Takes::String],
        Takes::ResourceCheck,
        31,
        ask,
    ),
    member(
        "check",
        &[Takes::ResourceCheck, Takes::String],
        Takes::Decision,
        27,
        ask,
    ),
    member(
        "check",
        &[Takes::PathCheck, Takes::String],
        Takes::Decision,
        27,
        ask,
    ),
    member("allowed", &[Takes::Decision], Takes::Bool, 27, ask),
    member("reason", &[Takes::Decision], Takes::String, 27, ask),
    member("errored", &[Takes::Decision], Takes::Bool, 27, ask),
    member("error", &[Takes::Decision], Takes::String, 27, ask),
];

/// Never reached with an authorizer, since there is no value of it.
fn ask<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Raised> {
    Err(Raised::overload("authorizer", args))
}
