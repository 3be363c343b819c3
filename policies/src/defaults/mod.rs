//! What the API server fills in before it stores an object.
//!
//! The cluster always judges objects with defaults, a file has none; both must give the same findings. So rules read fields through
//! [`crate::view::View::field`], which looks the default up here, and [`with_defaults`] writes the same defaults out for whoever needs the
//! whole object. Data, not code: [`table`] holds one row per default, from `pkg/apis/{core,apps,batch}/v1/defaults.go` and the defaults
//! declared on the API types of Kubernetes 1.36; [`defaults_samples`] has an object for each row to be compared with a real API server.

mod apply;
mod row;
mod samples;
mod table;

use std::fmt;

use sluice_tree::{Map, Value};

pub use apply::with_defaults;
use row::Part;
pub use samples::defaults_samples;
use table::{PLACES, ROWS};

use crate::view::{Anchor, Kind, Read, View, lookup};

/// A default value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constant {
    /// A whole number.
    Int(i64),
    /// A text.
    Text(&'static str),
    /// Yes or no.
    Bool(bool),
    /// `{}`.
    EmptyObject,
}

impl Constant {
    /// The default as it stands in an object.
    #[must_use]
    pub fn value(self) -> Value {
        match self {
            Self::Int(value) => Value::from(value),
            Self::Text(text) => Value::from(text),
            Self::Bool(value) => Value::from(value),
            Self::EmptyObject => Value::Object(Map::new()),
        }
    }

    /// Whether `value` is this default.
    #[must_use]
    pub fn equals(self, value: &Value) -> bool {
        match self {
            Self::Int(own) => value.as_i64() == Some(own),
            Self::Text(own) => value.as_str() == Some(own),
            Self::Bool(own) => value.as_bool() == Some(own),
            Self::EmptyObject => value.as_object().is_some_and(Map::is_empty),
        }
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
            Self::Bool(value) => write!(f, "{value}"),
            Self::EmptyObject => f.write_str("{}"),
        }
    }
}

/// The default that a field of a view has.
///
/// The `JobSpec` inside a CronJob gets the defaults of a Job: not in the CronJob, where the API server leaves it as written, but in every Job
/// that is made of it, which is what a rule wants to know.
pub(crate) fn of_field(view: &View<'_>, read: Read) -> Option<Constant> {
    let (part, kind) = match read.anchor {
        Anchor::Object => (Part::Object, view.kind()),
        Anchor::Job => (Part::Object, Kind::Job),
        Anchor::Pod => (Part::PodSpec, view.kind()),
    };
    let root = view.part(read.anchor);
    ROWS.iter()
        .filter(|row| {
            row.part == part
                && row.kinds.contains(&kind)
                && below(read.anchor, row.path) == read.path
        })
        .find(|row| row.when.holds(|at| lookup(root?, below(read.anchor, at))))
        .and_then(|row| row.constant(root))
}

/// The default that a field of a container has, in the container itself or in a part of it that is there, such as a probe.
pub(crate) fn of_container(kind: Kind, container: &Value, path: &str) -> Option<Constant> {
    of_part(Part::Container, kind, container, path)
}

fn of_part(part: Part, kind: Kind, value: &Value, path: &str) -> Option<Constant> {
    let row = ROWS
        .iter()
        .filter(|row| row.part == part && row.path == path && row.kinds.contains(&kind))
        .find(|row| row.when.holds(|at| lookup(value, at)));
    if let Some(row) = row {
        return row.constant(Some(value));
    }
    PLACES
        .iter()
        .filter(|(parent, _, _)| *parent == part)
        .find_map(|(_, child, place)| {
            let rest = path.strip_prefix(place)?.strip_prefix('.')?;
            let below = lookup(value, place).filter(|below| below.is_object())?;
            of_part(*child, kind, below, rest)
        })
}

/// The path of a row below an anchor: rows of a Job are written from the object, where its `JobSpec` is `spec`.
fn below(anchor: Anchor, path: &str) -> &str {
    match anchor {
        Anchor::Job => path.strip_prefix("spec.").unwrap_or(path),
        Anchor::Object | Anchor::Pod => path,
    }
}
