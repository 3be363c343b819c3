//! Whether an exception covers a finding about an object.

use std::borrow::Cow;

use sluice_api::Finding;
use sluice_tree::Value;

use super::{Entry, glob};
use crate::{
    Facts, Subject,
    view::{Anchor, View, lookup},
};

/// How many characters the API server adds to a `generateName`.
const GENERATED: usize = 5;

/// The object that findings are about.
pub(super) struct About<'a> {
    subject: &'a Subject<'a>,
    facts: &'a Facts<'a>,
    kind: Option<&'a str>,
    view: Option<View<'a>>,
    name: Cow<'a, str>,
}

impl<'a> About<'a> {
    pub fn new(subject: &'a Subject<'a>, facts: &'a Facts<'a>) -> Self {
        let text = |path| {
            lookup(subject.object, path)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        let name = match (text("metadata.name"), text("metadata.generateName")) {
            (Some(name), _) => Cow::Borrowed(name),
            // characters that no name has: only a pattern that covers every name to come covers this one
            (None, Some(prefix)) => Cow::Owned(format!("{prefix}{}", "\0".repeat(GENERATED))),
            (None, None) => Cow::Borrowed(""),
        };
        Self {
            subject,
            facts,
            kind: text("kind"),
            view: View::lift(subject.object),
            name,
        }
    }

    /// Whether the exception is about this object and this finding. The rule and the time are the caller's business.
    pub fn covers(&self, entry: &Entry, finding: &Finding) -> bool {
        let own = |namespace: &String| namespace == self.subject.namespace;
        self.kind == Some(entry.kind.as_str())
            && entry.namespace.as_ref().is_none_or(own)
            // of a namespace whose labels are not known nobody can tell: then it does not apply
            && entry.selector.as_ref().is_none_or(|selector| {
                self.facts
                    .namespace_labels
                    .is_some_and(|labels| selector.matches(labels))
            })
            && glob::fits(&entry.name, &self.name)
            && entry.container.as_ref().is_none_or(|pattern| {
                let named = self.view.as_ref().and_then(|view| container_of(view, &finding.path));
                named.is_some_and(|name| glob::fits(pattern, name))
            })
            && entry
                .path
                .as_ref()
                .is_none_or(|path| is_at_or_below(path, &finding.path))
    }
}

/// The name of the container that a path leads into.
fn container_of<'a>(view: &View<'a>, path: &str) -> Option<&'a str> {
    let prefix = view.prefix(Anchor::Pod)?;
    let rest = path.strip_prefix(prefix)?.strip_prefix('.')?;
    let (list, rest) = rest.split_once('[')?;
    if !matches!(
        list,
        "containers" | "initContainers" | "ephemeralContainers"
    ) {
        return None;
    }
    let index: usize = rest.split_once(']')?.0.parse().ok()?;
    lookup(view.part(Anchor::Pod)?, list)?
        .get(index)?
        .get("name")?
        .as_str()
}

/// Whether `found` is the field at `path`, or one below it; `[*]` in `path` is every item of a list.
fn is_at_or_below(path: &str, found: &str) -> bool {
    let (mut path, mut found) = (path, found);
    loop {
        let Some((before, after)) = path.split_once("[*]") else {
            return match found.strip_prefix(path) {
                Some(rest) => rest.is_empty() || rest.starts_with(['.', '[']),
                None => false,
            };
        };
        let Some((index, rest)) = found
            .strip_prefix(before)
            .and_then(|rest| rest.strip_prefix('['))
            .and_then(|rest| rest.split_once(']'))
        else {
            return false;
        };
        if index.is_empty() || !index.bytes().all(|byte| byte.is_ascii_digit()) {
            return false;
        }
        if after.is_empty() {
            return rest.is_empty() || rest.starts_with(['.', '[']);
        }
        (path, found) = (after, rest);
    }
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;
    use crate::view::Kind;

    #[test]
    fn a_path_covers_itself_and_what_is_below() {
        for (path, found, expected) in [
            ("spec.replicas", "spec.replicas", true),
            ("spec", "spec.replicas", true),
            ("spec.rep", "spec.replicas", false),
            ("spec.replicas", "spec", false),
            ("spec.a[*].b", "spec.a[3].b", true),
            ("spec.a[*].b", "spec.a[3].b.c[1]", true),
            ("spec.a[*].b", "spec.a[3].bc", false),
            ("spec.a[*]", "spec.a[12]", true),
            ("spec.a[*]", "spec.a[12].x", true),
            ("spec.a[*]", "spec.a", false),
            ("spec.a", "spec.a[1].x", true),
            ("spec.a[1]", "spec.a[1].x", true),
            ("spec.a[1]", "spec.a[10].x", false),
            ("spec.a[*].b[*].c", "spec.a[0].b[9].c", true),
            ("spec.a[*].b[*].c", "spec.a[0].b.c", false),
            ("spec.a", "-", false),
        ] {
            assert_eq!(is_at_or_below(path, found), expected, "{path} {found}");
        }
    }

    #[test]
    fn a_path_leads_into_its_container_in_every_kind() {
        for kind in Kind::ALL {
            let mut object = json!({"apiVersion": kind.api_version(), "kind": kind.as_str()});
            let Some(prefix) = kind.prefix(Anchor::Pod) else {
                continue;
            };
            let mut at = &mut object;
            for name in prefix.split('.') {
                at[name] = json!({});
                at = &mut at[name];
            }
            *at = json!({"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}]});
            let view = View::lift(&object).unwrap();
            for (path, name) in [
                ("containers[1].image", Some("b")),
                ("containers[0]", Some("a")),
                ("initContainers[0].image", Some("i")),
                ("containers[7].image", None),
                ("containers", None),
                ("volumes[0].name", None),
                ("hostNetwork", None),
            ] {
                assert_eq!(
                    container_of(&view, &format!("{prefix}.{path}")),
                    name,
                    "{kind} {path}"
                );
            }
            assert_eq!(container_of(&view, "-"), None);
        }
    }
}
