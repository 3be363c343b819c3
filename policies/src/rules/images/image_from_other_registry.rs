//! An image from a registry that nobody chose.

use std::borrow::Cow;

use sluice_api::Action;

use super::reference::{Reference, of_container, text};
use crate::{
    rule::{Case, Category, Parameter, Report, Rule, RuleInfo, TextForm, TextsParameter},
    view::{Kind, Read},
};

static REGISTRIES: TextsParameter = TextsParameter {
    name: "registries",
    // nothing is right for everybody, and an image must not pass because nobody said anything
    default: &[],
    least: 1,
    most: 64,
    form: TextForm {
        passes: "a host with an optional path, such as registry.example.org/team",
        holds: is_registry,
    },
    meaning: "where images may come from",
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU5003",
    name: "image-from-other-registry",
    title: "an image comes from a registry that is not on the list",
    category: Category::Images,
    severity: Action::Deny,
    kinds: &Kind::ALL,
    parameters: &[Parameter::Texts(&REGISTRIES)],
    ordered: &[],
    facts: &[],
    reads: &[
        Read::pod("containers[*].image"),
        Read::pod("initContainers[*].image"),
    ],
    document: include_str!("image_from_other_registry.md"),
};

struct ImageFromOtherRegistry;

pub(in crate::rules) const RULE: &dyn Rule = &ImageFromOtherRegistry;

impl Rule for ImageFromOtherRegistry {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let registries = case.texts(&REGISTRIES);
        for container in case.view.containers() {
            let found = match of_container(&container) {
                Ok(image) if registries.iter().any(|allowed| lies_in(image, allowed)) => continue,
                Ok(image) => text(image),
                Err(found) => found,
            };
            report.container(case.view, &container, "image", &found, passes(&registries));
        }
    }
}

fn passes(registries: &[&str]) -> String {
    const SHOWN: usize = 5;
    if registries.is_empty() {
        return "nothing until the policy sets the parameter registries".to_owned();
    }
    let mut text = format!(
        "an image of {}",
        registries
            .iter()
            .take(SHOWN)
            .copied()
            .collect::<Vec<_>>()
            .join(", ")
    );
    if registries.len() > SHOWN {
        text.push_str(&format!(" and {} more", registries.len() - SHOWN));
    }
    text
}

/// Whether the image lies below the registry, path segment by path segment.
fn lies_in(image: &str, registry: &str) -> bool {
    let full = with_host(Reference::parse(image).name);
    full.strip_prefix(registry)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// The name with its host, as container runtimes read it.
fn with_host(name: &str) -> Cow<'_, str> {
    match name.split_once('/') {
        None => Cow::Owned(format!("docker.io/library/{name}")),
        Some((host, path)) if host == "index.docker.io" || host == "docker.io" => {
            let library = if path.contains('/') { "" } else { "library/" };
            Cow::Owned(format!("docker.io/{library}{path}"))
        }
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => Cow::Borrowed(name),
        Some(_) => Cow::Owned(format!("docker.io/{name}")),
    }
}

/// A host, which has a point or a port or is `localhost`, and a path of plain segments.
fn is_registry(text: &str) -> bool {
    let mut segments = text.split('/');
    let host = segments.next().unwrap_or_default();
    let plain = |segment: &str, more: &str| {
        !segment.is_empty()
            && segment
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c))
    };
    plain(host, ".-:")
        && (host.contains(['.', ':']) || host == "localhost")
        && segments.all(|segment| plain(segment, "._-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_lies_below_whole_segments_of_a_registry() {
        for (image, registry, expected) in [
            (
                "registry.example.org/team/app:1",
                "registry.example.org",
                true,
            ),
            (
                "registry.example.org/team/app:1",
                "registry.example.org/team",
                true,
            ),
            (
                "registry.example.org/teams/app:1",
                "registry.example.org/team",
                false,
            ),
            (
                "registry.example.org.evil.example/app",
                "registry.example.org",
                false,
            ),
            (
                "registry.example.org:5000/app",
                "registry.example.org",
                false,
            ),
            (
                "registry.example.org:5000/app",
                "registry.example.org:5000",
                true,
            ),
            ("app", "docker.io", true),
            ("app", "docker.io/library", true),
            ("team/app", "docker.io/library", false),
            ("team/app", "docker.io/team", true),
            ("index.docker.io/app", "docker.io/library", true),
            ("docker.io/app", "docker.io/library", true),
            ("localhost/app", "localhost", true),
            ("registry.example.org", "registry.example.org", false),
        ] {
            assert_eq!(lies_in(image, registry), expected, "{image} in {registry}");
        }
    }

    #[test]
    fn a_registry_is_a_host_with_a_path() {
        for (text, expected) in [
            ("registry.example.org", true),
            ("registry.example.org:5000/team/a_b", true),
            ("localhost", true),
            ("docker.io/library", true),
            ("team", false),
            ("registry.example.org/", false),
            ("https://registry.example.org", false),
            ("Registry.example.org", false),
            ("registry.example.org/app:1", false),
            ("*.example.org", false),
        ] {
            assert_eq!(is_registry(text), expected, "{text}");
        }
    }
}
