//! What the fields of an object are, told to the checker of expressions: a rule that names a field which no object has is refused.
//!
//! A field counts as there when the kind has it in the oldest or in the newest version of Kubernetes that is shipped, and of several kinds when one of them has it:
//! what is there in some of them is for the rule to ask with `has`.

use sluice_cel::{Fields, Type as Cel};

use crate::{
    schema::{KubernetesVersion, Object, Shape, Type, table::Table},
    view::Kind,
};

/// The objects of these kinds.
pub(super) fn of_objects(kinds: &[Kind]) -> Cel {
    let mut types = Vec::new();
    for kind in kinds {
        types.extend(of_kind(kind.api_version(), kind.as_str()));
        if *kind == Kind::HorizontalPodAutoscaler {
            types.extend(of_kind("autoscaling/v1", kind.as_str()));
        }
    }
    of_types(&types)
}

/// Objects of one kind.
pub(super) fn of_named(api_version: &str, kind: &str) -> Cel {
    of_types(&of_kind(api_version, kind))
}

/// A pod template, wherever it lies; a Pod is its own.
pub(super) fn of_template() -> Cel {
    of_types(&below(&of_kind("v1", "PodTemplate"), &["template"]))
}

/// A container of a pod: of whichever list.
pub(super) fn of_container() -> Cel {
    let pods = of_kind("v1", "Pod");
    let mut types = Vec::new();
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        let lists = below(&pods, &["spec", list]);
        types.extend(lists.iter().filter_map(|list| match list.shape() {
            Shape::List(item) => Some(item),
            _ => None,
        }));
    }
    of_types(&types)
}

/// A kind in the oldest and in the newest version.
fn of_kind(api_version: &str, kind: &str) -> Vec<Type<'static>> {
    let versions = [
        KubernetesVersion::shipped().next(),
        KubernetesVersion::shipped().next_back(),
    ];
    versions
        .into_iter()
        .flatten()
        .filter_map(|version| Table::shipped().kind(version.release()?, api_version, kind))
        .map(Type::Built)
        .collect()
}

fn below(types: &[Type<'static>], path: &[&str]) -> Vec<Type<'static>> {
    path.iter().fold(types.to_vec(), |types, name| {
        let objects = types.iter().filter_map(|of| object(*of));
        objects.filter_map(|object| object.field(name)).collect()
    })
}

fn object(of: Type<'static>) -> Option<Object<'static>> {
    match of.shape() {
        Shape::Object(object) | Shape::Loose(object) => Some(object),
        _ => None,
    }
}

/// The one type of what may be any of these; not known where they differ.
fn of_types(types: &[Type<'static>]) -> Cel {
    let objects: Vec<Object<'static>> = types.iter().filter_map(|of| object(*of)).collect();
    if !objects.is_empty() && objects.len() == types.len() {
        return Cel::object(KnownFields(objects));
    }
    let inner = |which: fn(Shape<'static>) -> Option<Type<'static>>| -> Option<Vec<Type<'static>>> {
        types.iter().map(|of| which(of.shape())).collect()
    };
    let lists = inner(|shape| match shape {
        Shape::List(item) => Some(item),
        _ => None,
    });
    let maps = inner(|shape| match shape {
        Shape::Map(value) => Some(value),
        _ => None,
    });
    match (lists, maps) {
        _ if types.is_empty() => Cel::Dyn,
        (Some(items), _) => Cel::list(of_types(&items)),
        (_, Some(values)) => Cel::map(Cel::String, of_types(&values)),
        _ => {
            let mut plain = types.iter().map(|of| plain(of.shape()));
            let first = plain.next().unwrap_or(Cel::Dyn);
            plain.fold(first, |of, next| of.join(&next))
        }
    }
}

/// The type of a value that holds nothing. Quantities are numbers or texts, as they were written.
fn plain(shape: Shape<'_>) -> Cel {
    match shape {
        Shape::Text | Shape::Time | Shape::Bytes | Shape::Duration => Cel::String,
        Shape::Bool => Cel::Bool,
        Shape::Int32 | Shape::Int64 => Cel::Int,
        Shape::Any
        | Shape::Open
        | Shape::Number
        | Shape::IntOrString
        | Shape::Quantity
        | Shape::Object(_)
        | Shape::Loose(_)
        | Shape::List(_)
        | Shape::Map(_) => Cel::Dyn,
    }
}

/// Objects of which each has some of the fields.
struct KnownFields(Vec<Object<'static>>);

impl Fields for KnownFields {
    fn called(&self) -> String {
        let mut names: Vec<&str> = self.0.iter().filter_map(|object| object.name()).collect();
        names.sort_unstable();
        names.dedup();
        names.join(" or ")
    }

    fn field(&self, name: &str) -> Option<Cel> {
        let types: Vec<Type<'static>> = self
            .0
            .iter()
            .filter_map(|object| object.field(name))
            .collect();
        (!types.is_empty()).then(|| of_types(&types))
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for object in &self.0 {
            for (name, _) in object.fields() {
                if !names.iter().any(|own| own == name) {
                    names.push(name.to_owned());
                }
            }
        }
        names
    }
}
