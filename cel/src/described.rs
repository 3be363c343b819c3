//! Objects whose fields somebody knows: what makes a misspelt field a mistake before anything runs.

use std::{fmt, sync::Arc};

use crate::types::Type;

/// The fields of objects of one kind, as far as the caller knows them.
pub trait Fields: Send + Sync {
    /// What people call such an object, such as `PodSpec`.
    fn called(&self) -> String;

    /// The type of a field; `None` when no such object has it.
    fn field(&self, name: &str) -> Option<Type>;

    /// Every field.
    fn names(&self) -> Vec<String>;
}

/// An object with known fields. Two of the same name are the same.
#[derive(Clone)]
pub struct Described(Arc<dyn Fields>);

impl Described {
    pub(crate) fn called(&self) -> String {
        self.0.called()
    }

    pub(crate) fn field(&self, name: &str) -> Option<Type> {
        self.0.field(name)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.names()
    }
}

impl Type {
    /// An object with known fields: any other field of it is refused.
    #[must_use]
    pub fn object(fields: impl Fields + 'static) -> Self {
        Self::Object(Described(Arc::new(fields)))
    }
}

impl PartialEq for Described {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.called() == other.called()
    }
}

impl Eq for Described {}

impl fmt::Debug for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Described({})", self.called())
    }
}
