//! What is judged, and what comes out.

use std::fmt;

use sluice_api::Finding;
use sluice_tree::Value;

/// What is being done with the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It did not exist.
    Create,
    /// It replaces [`Subject::old`].
    Update,
}

/// One object to judge.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What is being done.
    pub operation: Operation,
    /// The namespace the object lies in, also when its metadata does not say so.
    pub namespace: &'a str,
    /// The object, with or without API defaults.
    pub object: &'a Value,
    /// The object it replaces; without it an update is judged like a creation.
    pub old: Option<&'a Value>,
    /// Whether nothing will be stored: rules that need other objects never deny then.
    pub dry_run: bool,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// The findings, ordered by code, path and text.
    pub findings: Vec<Finding>,
    /// Why the object as a whole was not judged.
    pub not_judged: Option<NotJudged>,
}

/// Why an object is not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotJudged {
    /// A controller makes it; whoever wrote the owner is judged there.
    OwnedByController {
        /// Kind of the owner.
        kind: String,
        /// Name of the owner.
        name: String,
    },
    /// It is on its way out.
    BeingDeleted,
    /// No rule knows the kind.
    UnknownKind {
        /// `apiVersion` as found, `-` when there is none.
        api_version: String,
        /// `kind` as found, `-` when there is none.
        kind: String,
    },
}

impl fmt::Display for NotJudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnedByController { kind, name } => {
                write!(f, "not judged: made by its controller {kind}/{name}")
            }
            Self::BeingDeleted => f.write_str("not judged: being deleted"),
            Self::UnknownKind { api_version, kind } => {
                write!(f, "not judged: no rule knows {kind} of {api_version}")
            }
        }
    }
}
