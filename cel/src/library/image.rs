//! References to container images, as the container tools read them.

use super::{Overload, Takes, global, member};
use crate::{
    eval::{Raised, Scope},
    value::Value,
};

type Answer<'a> = Result<Value<'a>, Raised>;

/// A reference, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    pub(crate) text: &'a str,
    registry: &'a str,
    repository: &'a str,
    /// Whether the repository is one of the library of the default registry.
    official: bool,
    tag: &'a str,
    digest: &'a str,
}

const DEFAULT_REGISTRY: &str = "index.docker.io";

pub(super) const TABLE: &[Overload] = &[
    global("image", &[Takes::String], Takes::Image, 33, image),
    global("isImage", &[Takes::String], Takes::Bool, 33, is_image),
    member("registry", &[Takes::Image], Takes::String, 33, |_, args| {
        part(args, |image| image.registry)
    }),
    member("repository", &[Takes::Image], Takes::String, 33, repository),
    member("tag", &[Takes::Image], Takes::String, 33, |_, args| {
        part(args, |image| image.tag)
    }),
    member("digest", &[Takes::Image], Takes::String, 33, |_, args| {
        part(args, |image| image.digest)
    }),
    member(
        "identifier",
        &[Takes::Image],
        Takes::String,
        33,
        |_, args| {
            part(args, |image| {
                if image.digest.is_empty() {
                    image.tag
                } else {
                    image.digest
                }
            })
        },
    ),
    member(
        "containsDigest",
        &[Takes::Image],
        Takes::Bool,
        33,
        |_, args| match args {
            [Value::Image(image)] => Ok(Value::Bool(!image.digest.is_empty())),
            _ => Err(Raised::failed("no such overload")),
        },
    ),
];

impl<'a> Image<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, digest),
            Some(_) => return None,
            None => (text, ""),
        };
        // a colon after the last slash begins the tag; one before it is the port of the registry
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return None;
        }
        let (registry, repository) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
                (first, rest)
            }
            _ => (DEFAULT_REGISTRY, name),
        };
        let repository_is_right = (2..=255).contains(&repository.len())
            && repository.split('/').all(|part| {
                !part.is_empty()
                    && part.bytes().all(|b| {
                        b.is_ascii_lowercase()
                            || b.is_ascii_digit()
                            || matches!(b, b'_' | b'-' | b'.')
                    })
            });
        if !repository_is_right || !is_registry(registry) {
            return None;
        }
        Some(Self {
            text,
            registry: if registry == "docker.io" {
                DEFAULT_REGISTRY
            } else {
                registry
            },
            repository,
            official: matches!(registry, DEFAULT_REGISTRY | "docker.io")
                && !repository.contains('/'),
            // with a digest the tag counts for nothing
            tag: match (digest.is_empty(), tag) {
                (true, Some(tag)) => tag,
                (true, None) => "latest",
                (false, _) => "",
            },
            digest,
        })
    }
}

fn is_tag(tag: &str) -> bool {
    (1..=127).contains(&tag.len())
        && tag
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn is_digest(digest: &str) -> bool {
    digest.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64
            && hex
                .bytes()
                .all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
    })
}

fn is_registry(registry: &str) -> bool {
    let (host, port) = match registry.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (registry, None),
    };
    !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

fn image<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let [Value::Str(text)] = args else {
        return Err(Raised::overload("image", args));
    };
    scope.charge_bytes(text.len())?;
    let image = Image::parse(text).ok_or_else(|| {
        let text: String = text.chars().take(60).collect();
        Raised::Failed(format!("{text:?} is no image reference"))
    })?;
    scope.one(image).map(Value::Image)
}

fn is_image<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let [Value::Str(text)] = args else {
        return Err(Raised::overload("isImage", args));
    };
    scope.charge_bytes(text.len())?;
    Ok(Value::Bool(Image::parse(text).is_some()))
}

fn part<'a>(args: &[Value<'a>], of: impl Fn(&Image<'a>) -> &'a str) -> Answer<'a> {
    match args {
        [Value::Image(image)] => Ok(Value::Str(of(image))),
        _ => Err(Raised::failed("no such overload")),
    }
}

fn repository<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [Value::Image(image)] if image.official => {
            scope.text(&format!("library/{}", image.repository))
        }
        _ => part(args, |image| image.repository),
    }
}
