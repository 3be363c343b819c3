//! What a rule found, before anybody decided what it leads to.

use sluice_api::{Action, Certainty};

use crate::view::{Anchor, Container, Field, Read, View, join};

/// One finding of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFinding {
    /// The path in the object as the user wrote it.
    pub path: String,
    /// What makes it the same finding in another version of the object: containers by name, not by place.
    pub identity: String,
    /// How bad it is, where that can be compared: a greater one is a new finding even where the old object had one.
    pub measure: Option<i128>,
    /// Whether it is so, or nobody can tell.
    pub certainty: Certainty,
    /// The strongest action it may lead to.
    pub ceiling: Action,
    /// What was found.
    pub found: String,
    /// What would pass.
    pub passes: String,
    /// What else the reader may do.
    pub way_out: Option<String>,
}

impl RawFinding {
    /// A sure finding at a path that also says what it is.
    #[must_use]
    pub fn at(path: String, found: impl Into<String>, passes: impl Into<String>) -> Self {
        Self {
            identity: path.clone(),
            path,
            measure: None,
            certainty: Certainty::Sure,
            ceiling: Action::Deny,
            found: found.into(),
            passes: passes.into(),
            way_out: None,
        }
    }

    /// A sure finding about a field of a container; names the container.
    #[must_use]
    pub fn of_container(
        view: &View<'_>,
        container: &Container<'_>,
        path: &str,
        found: &str,
        passes: impl Into<String>,
    ) -> Self {
        let prefix = view.prefix(Anchor::Pod).unwrap_or_default();
        let (list, index, name) = (container.list(), container.index, container.name());
        let mut finding = Self::at(
            join(prefix, &join(&format!("{list}[{index}]"), path)),
            match name {
                "" => found.to_owned(),
                name => format!("{found} (container {name})"),
            },
            passes,
        );
        if !name.is_empty() {
            finding.identity = join(prefix, &join(&format!("{list}[{name}]"), path));
        }
        finding
    }

    /// The same, known by another path where this one says a place in a list: `place` is the end of the path, `stable` what stands for it.
    #[must_use]
    pub fn known_as(mut self, place: &str, stable: &str) -> Self {
        if let Some(start) = self.identity.strip_suffix(place) {
            self.identity = format!("{start}{stable}");
        }
        self
    }

    /// The same, at most a warning.
    #[must_use]
    pub const fn at_most_a_warning(mut self) -> Self {
        self.ceiling = Action::Warn;
        self
    }

    /// The same with something else the reader may do.
    #[must_use]
    pub fn or(mut self, way_out: impl Into<String>) -> Self {
        self.way_out = Some(way_out.into());
        self
    }
}

/// Where a rule reports.
#[derive(Debug, Default)]
pub struct Report {
    pub(crate) findings: Vec<RawFinding>,
}

impl Report {
    /// Whether nothing was found so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Adds a finding.
    pub fn add(&mut self, finding: RawFinding) {
        self.findings.push(finding);
    }

    /// A sure finding about a field.
    pub fn field(
        &mut self,
        view: &View<'_>,
        read: Read,
        field: &Field<'_>,
        passes: impl Into<String>,
    ) {
        self.add(RawFinding::at(view.path(read), field.found(), passes));
    }

    /// A sure finding about a field of a container; names the container.
    pub fn container(
        &mut self,
        view: &View<'_>,
        container: &Container<'_>,
        path: &str,
        found: &str,
        passes: impl Into<String>,
    ) {
        self.add(RawFinding::of_container(
            view, container, path, found, passes,
        ));
    }

    /// The finding that was added last.
    pub fn last(&mut self) -> Option<&mut RawFinding> {
        self.findings.last_mut()
    }

    /// Nobody can tell: `missing` is what is not known, `needs` where it could come from.
    pub fn unknown(&mut self, missing: impl Into<String>, needs: impl Into<String>) {
        self.add(RawFinding {
            certainty: Certainty::Unknown,
            ..RawFinding::at("-".to_owned(), missing, needs)
        });
    }
}
