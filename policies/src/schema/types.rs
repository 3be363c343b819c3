//! What a value must be, whether a Kubernetes version or a CustomResourceDefinition says so.

use super::{
    custom::{CustomObject, CustomType},
    table::{BuiltObject, BuiltType, Code},
};

/// The type of a value.
#[derive(Clone, Copy, Debug)]
pub enum Type<'a> {
    /// Of a built-in kind.
    Built(BuiltType<'a>),
    /// Of a custom kind.
    Custom(CustomType<'a>),
}

/// What a value must be, one step deep.
#[derive(Clone, Copy, Debug)]
pub enum Shape<'a> {
    /// Anything.
    Any,
    /// An object with any fields.
    Open,
    /// A string.
    Text,
    /// A boolean.
    Bool,
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// A number.
    Number,
    /// A whole number or a string.
    IntOrString,
    /// A quantity such as `500m`.
    Quantity,
    /// A point in time.
    Time,
    /// A span of time such as `5m`.
    Duration,
    /// Bytes in base64.
    Bytes,
    /// An object of these fields.
    Object(Object<'a>),
    /// An object of these fields, or something that is no object.
    Loose(Object<'a>),
    /// A list of these.
    List(Type<'a>),
    /// A map to these.
    Map(Type<'a>),
}

/// The fields of an object.
#[derive(Clone, Copy, Debug)]
pub enum Object<'a> {
    /// Of a built-in kind.
    Built(BuiltObject<'a>),
    /// Of a custom kind.
    Custom(CustomObject<'a>),
}

impl<'a> Type<'a> {
    /// What values of this type are.
    #[must_use]
    pub fn shape(self) -> Shape<'a> {
        let built = match self {
            Self::Built(built) => built,
            Self::Custom(custom) => return custom.shape(),
        };
        match built.code() {
            Code::Any => Shape::Any,
            Code::Open => Shape::Open,
            Code::Text => Shape::Text,
            Code::Bool => Shape::Bool,
            Code::Int32 => Shape::Int32,
            Code::Int64 => Shape::Int64,
            Code::Number => Shape::Number,
            Code::IntOrString => Shape::IntOrString,
            Code::Quantity => Shape::Quantity,
            Code::Time => Shape::Time,
            Code::Bytes => Shape::Bytes,
            Code::Ref => built
                .object()
                .map_or(Shape::Any, |object| Shape::Object(Object::Built(object))),
            Code::Loose => built
                .object()
                .map_or(Shape::Any, |object| Shape::Loose(Object::Built(object))),
            Code::List => Shape::List(Self::Built(built.inner())),
            Code::Map => Shape::Map(Self::Built(built.inner())),
        }
    }
}

impl<'a> Object<'a> {
    /// What people call it, such as `PodSpec`; nothing where a definition gives it no name.
    #[must_use]
    pub fn name(self) -> Option<&'a str> {
        match self {
            Self::Built(built) => Some(built.name()),
            Self::Custom(custom) => custom.name(),
        }
    }

    /// The field of this name.
    #[must_use]
    pub fn field(self, name: &str) -> Option<Type<'a>> {
        match self {
            Self::Built(built) => built.field(name).map(Type::Built),
            Self::Custom(custom) => custom.field(name),
        }
    }

    /// Every field with its type.
    #[must_use]
    pub fn fields(self) -> Vec<(&'a str, Type<'a>)> {
        match self {
            Self::Built(built) => built
                .fields()
                .map(|(name, typ)| (name, Type::Built(typ)))
                .collect(),
            Self::Custom(custom) => custom.fields(),
        }
    }

    /// Whether a field that is not known is kept as it is.
    #[must_use]
    pub fn keeps_unknown(self) -> bool {
        match self {
            Self::Built(_) => false,
            Self::Custom(custom) => custom.keeps_unknown(),
        }
    }

    /// Tells objects of different definitions apart, for searches that must end.
    pub(super) fn identity(self) -> (bool, usize) {
        match self {
            Self::Built(built) => (false, built.identity()),
            Self::Custom(custom) => (true, custom.identity()),
        }
    }
}
