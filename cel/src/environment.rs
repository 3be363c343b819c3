//! Which variables an expression may name, and by which version of Kubernetes it is measured.

use crate::types::Type;

/// What an expression may use.
///
/// A variable may have a dotted name (`variables.limit`): its parts together are one name, and a name below the same root that was not declared is refused.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: Vec<(String, Type)>,
    shapes: Vec<(String, Vec<String>)>,
    minor: Option<u32>,
}

impl Environment {
    /// Nothing but the libraries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more variable.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, of: Type) -> Self {
        self.declare(name, of);
        self
    }

    /// Adds a variable; one declared twice keeps its place and takes the new type.
    pub fn declare(&mut self, name: impl Into<String>, of: Type) {
        let name = name.into();
        match self.variables.iter_mut().find(|(own, _)| *own == name) {
            Some((_, own)) => *own = of,
            None => self.variables.push((name, of)),
        }
    }

    /// Says all the fields that a variable has at its top: any other field of it is refused.
    #[must_use]
    pub fn fields(mut self, variable: impl Into<String>, fields: &[&str]) -> Self {
        self.shapes.push((
            variable.into(),
            fields.iter().map(|name| (*name).to_owned()).collect(),
        ));
        self
    }

    /// Refuses what Kubernetes 1.`minor` does not have, so that the expression means the same in a `ValidatingAdmissionPolicy` there.
    #[must_use]
    pub const fn portable_to(mut self, minor: u32) -> Self {
        self.minor = Some(minor);
        self
    }

    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.variables.iter().position(|(own, _)| own == name)
    }

    pub(crate) fn type_at(&self, place: usize) -> Type {
        self.variables
            .get(place)
            .map_or(Type::Dyn, |(_, of)| of.clone())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|(name, _)| name.as_str())
    }

    pub(crate) fn name_at(&self, place: usize) -> &str {
        self.variables
            .get(place)
            .map_or("", |(name, _)| name.as_str())
    }

    /// Whether some variable is declared below this name.
    pub(crate) fn is_root(&self, name: &str) -> bool {
        self.below(name).next().is_some()
    }

    /// The names declared below a root, without the root.
    pub(crate) fn below<'a>(&'a self, root: &'a str) -> impl Iterator<Item = &'a str> {
        self.names()
            .filter_map(move |name| name.strip_prefix(root)?.strip_prefix('.'))
    }

    pub(crate) fn fields_of(&self, variable: &str) -> Option<&[String]> {
        self.shapes
            .iter()
            .find(|(name, _)| name == variable)
            .map(|(_, fields)| fields.as_slice())
    }

    pub(crate) const fn minor(&self) -> Option<u32> {
        self.minor
    }

    pub(crate) fn len(&self) -> usize {
        self.variables.len()
    }
}
