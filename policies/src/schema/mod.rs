//! What the API server would make of an object's fields: which fields a kind has, where they belong, and of which type they are.
//!
//! Decides: which fields of an object the API server does not know, would read elsewhere, or cannot decode, against the kinds of a Kubernetes
//! version (a table in this crate) and of CustomResourceDefinitions that were given. Leaves to others: where objects come from, positions in files,
//! and what API validation asks beyond types (`required` and bounds of built-in kinds, CEL rules and patterns of definitions).
//!
//! Only raw files show these mistakes: in the cluster an unknown field is gone before any webhook sees the object. So the rules here ([`RawRule`])
//! are in force in files only, and no policy uses them.
//!
//! Pure, and nothing is decoded ahead: a look into the table reads a few bytes of it, so a kind that does not occur costs nothing.
//!
//! ```text
//!   Schemas ──kind──▶ Type ──shape──▶ Shape ──field──▶ Type …
//!      ├── table/    built-in kinds, packed by `sluice-schema-table`
//!      └── custom    openAPIV3Schema of CustomResourceDefinitions
//!   Schemas::check = walk (one object against its type) + place (where an unknown field would be known) + text (quantities, times, base64)
//! ```

mod custom;
mod limits;
mod path;
mod place;
mod rules;
pub mod table;
mod text;
mod types;
mod version;
mod walk;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use sluice_tree::Value;

use custom::CustomKind;
pub use path::{push_index, push_key};
pub use rules::{RAW_RULES, RawRule, RawRuleInfo, raw_rule_by_code, raw_rule_by_name};
use table::Table;
pub use types::{Object, Shape, Type};
pub use version::{KubernetesVersion, VersionError};

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFinding {
    /// The rule that it breaks.
    pub rule: RawRule,
    /// Path of the field, such as `spec.template.spec.containers[0].image`.
    pub path: String,
    /// What is there.
    pub found: String,
    /// What would pass.
    pub passes: String,
}

/// The kinds that are known: those of a Kubernetes version, and custom ones.
#[derive(Clone, Debug)]
pub struct Schemas {
    version: KubernetesVersion,
    custom: BTreeMap<(String, String), CustomKind>,
}

impl Schemas {
    /// The kinds of a Kubernetes version.
    #[must_use]
    pub const fn new(version: KubernetesVersion) -> Self {
        Self {
            version,
            custom: BTreeMap::new(),
        }
    }

    /// The version.
    #[must_use]
    pub const fn version(&self) -> KubernetesVersion {
        self.version
    }

    /// Takes in the kinds that a CustomResourceDefinition defines; of anything else, nothing. A version without a schema stays unknown.
    pub fn learn(&mut self, definition: &Value) {
        for kind in custom::kinds(definition) {
            self.custom
                .insert((kind.api_version.clone(), kind.kind.clone()), kind);
        }
    }

    /// The type of a kind's objects; `None` when neither the version nor a definition knows it.
    #[must_use]
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<Type<'_>> {
        let key = (api_version.to_owned(), kind.to_owned());
        if let Some(custom) = self.custom.get(&key) {
            return Some(Type::Custom(custom.root(self.version)));
        }
        let table = Table::shipped();
        table
            .kind(self.version.release()?, api_version, kind)
            .map(Type::Built)
    }

    /// What is wrong with an object; `None` when its kind is not known, so that nobody can tell.
    #[must_use]
    pub fn check(&self, object: &Value) -> Option<Vec<SchemaFinding>> {
        let kind = self.kind(object["apiVersion"].as_str()?, object["kind"].as_str()?)?;
        Some(walk::check(self, kind, object))
    }

    /// Whether objects of a kind have a field at `path`, such as `spec.template.spec.containers[0].image` (`[*]` for any item; keys of maps are fields like others).
    /// `None` when nobody can tell: the kind is not known, or the path leads into something whose fields are not laid down.
    #[must_use]
    pub fn field_exists(&self, api_version: &str, kind: &str, path: &str) -> Option<bool> {
        let mut at = self.kind(api_version, kind)?;
        for step in path::steps(path) {
            at = match (at.shape(), step) {
                (Shape::Any | Shape::Open, _) => return None,
                (Shape::List(item), path::Step::Item(_)) => item,
                (Shape::Map(value), path::Step::Key(_)) => value,
                (Shape::Object(object) | Shape::Loose(object), path::Step::Key(name)) => {
                    match object.field(name) {
                        Some(found) => found,
                        None if object.keeps_unknown() => return None,
                        None => return Some(false),
                    }
                }
                _ => return Some(false),
            };
        }
        Some(true)
    }
}
