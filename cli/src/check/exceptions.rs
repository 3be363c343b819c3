//! The exceptions that count while files are checked, and what there is to tell about each of them: unused, ending soon, ended.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sluice_api::{PolicyExceptionSpec, SYSTEM_NAMESPACE};
use sluice_policies::{ExceptionBounds, ExceptionSource, Exceptions, Standing};
use sluice_probes::validate::TargetRules;
use sluice_runtime::config::Config;

use crate::{
    manifest::{
        Position, Problem,
        document::{self, Object},
        source,
    },
    own,
};

/// Exceptions, and what is wrong with them.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Those that can work.
    pub exceptions: Exceptions,
    /// Why others count for nothing.
    pub problems: Vec<Problem>,
    /// Where each stands, by `namespace/name`.
    places: BTreeMap<String, (String, Position)>,
}

/// What is told of one exception. The JSON form is stable: fields may be added, never renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// As `namespace/name`.
    pub name: String,
    /// Its file; empty for an object of the cluster.
    pub file: String,
    /// Where it starts.
    pub line: u64,
    /// Where it starts.
    pub column: u64,
    /// The rule that may be broken.
    pub rule: String,
    /// Who answers for it.
    pub owner: String,
    /// Until when.
    pub expires: Timestamp,
    /// `InForce`, `ExpiresSoon`, `Expired` or `TooFar`.
    pub standing: &'static str,
    /// How many findings it let pass.
    pub used: usize,
    /// What somebody should do about it, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// How long exceptions may last, as the configuration says.
#[must_use]
pub fn bounds(config: Option<&Config>) -> ExceptionBounds {
    config.map_or_else(ExceptionBounds::default, |config| ExceptionBounds {
        longest: config.exceptions.longest.get(),
        warn_before: config.exceptions.warn_before.get(),
    })
}

/// The exceptions of files and folders; none without any.
#[must_use]
pub fn load(paths: &[String], bounds: ExceptionBounds) -> Loaded {
    load_with(paths, Vec::new(), bounds)
}

/// The same, and those among `more`.
#[must_use]
pub fn load_with(paths: &[String], more: Vec<Object>, bounds: ExceptionBounds) -> Loaded {
    let (sources, mut problems) = source::read(paths);
    let read = document::strict_objects(&sources);
    problems.extend(read.problems);
    let has_one = |object: &Object| own::is_own(object) && object.kind() == "PolicyException";
    if !paths.is_empty() && problems.is_empty() && !read.objects.iter().any(has_one) {
        problems.push(Problem::of_file(
            &paths.join(", "),
            "no PolicyException of sluice.dev/v1alpha1 in it",
        ));
    }
    let objects: Vec<Object> = read.objects.into_iter().chain(more).collect();
    of_objects(&objects, problems, bounds)
}

fn of_objects(objects: &[Object], mut problems: Vec<Problem>, bounds: ExceptionBounds) -> Loaded {
    let mut specs: Vec<(String, String, PolicyExceptionSpec)> = Vec::new();
    let mut places = BTreeMap::new();
    for object in objects {
        if !own::is_own(object) || object.kind() != "PolicyException" {
            continue;
        }
        let found = own::problems(object, &TargetRules::default());
        // how far away its end may be is said by its standing, with the bounds of the configuration
        let found: Vec<Problem> = found
            .into_iter()
            .filter(|problem| !problem.message.contains(", too far ahead"))
            .collect();
        if !found.is_empty() {
            problems.extend(found);
            continue;
        }
        let Some(namespace) = object.namespace() else {
            problems.push(no_namespace(object));
            continue;
        };
        match sluice_tree::from_value(&object.value["spec"]) {
            Ok(spec) => {
                let title = format!("{namespace}/{}", object.name());
                places.insert(title, (object.file.clone(), object.position()));
                specs.push((namespace.to_owned(), object.name(), spec));
            }
            Err(error) => problems.push(object.problem("spec", format!("spec: {error}"))),
        }
    }
    let (exceptions, left_out) = compile(&specs, bounds);
    problems.extend(
        left_out
            .iter()
            .map(|said| Problem::of_file("exceptions", said)),
    );
    Loaded {
        exceptions,
        problems,
        places,
    }
}

/// Compiles exceptions; what is wrong with those that are left out.
pub(crate) fn compile(
    specs: &[(String, String, PolicyExceptionSpec)],
    bounds: ExceptionBounds,
) -> (Exceptions, Vec<String>) {
    let sources = specs.iter().map(|(namespace, name, spec)| ExceptionSource {
        namespace,
        name,
        spec,
        cluster_wide: namespace == SYSTEM_NAMESPACE,
    });
    let (exceptions, left_out) = Exceptions::compile(sources, bounds);
    (
        exceptions,
        left_out.iter().map(ToString::to_string).collect(),
    )
}

fn no_namespace(object: &Object) -> Problem {
    object.problem(
        "metadata.namespace",
        format!("metadata.namespace: absent; passes: the namespace that the exception covers, {SYSTEM_NAMESPACE} for every one"),
    )
}

impl Loaded {
    /// What there is to tell, after `used` was counted by `namespace/name`.
    #[must_use]
    pub fn told(&self, used: &BTreeMap<String, usize>, now: Timestamp) -> Vec<Told> {
        self.exceptions
            .standings(now)
            .map(|one| {
                let used = used.get(one.title).copied().unwrap_or_default();
                let (file, place) = self.places.get(one.title).cloned().unwrap_or_else(|| {
                    (String::new(), Position { line: 0, column: 0 })
                });
                let expires = one.expires;
                let advice = match one.standing {
                    Standing::TooFar => Some(format!("counts for nothing yet: it expires at {expires}, further ahead than an exception may")),
                    Standing::Expired => Some(format!("counts for nothing since it expired at {expires}: it can go")),
                    _ if used == 0 => Some("unused: nothing that was checked needs it".to_owned()),
                    Standing::ExpiresSoon => Some(format!("expires soon, at {expires}; {} answers for it", one.owner)),
                    Standing::InForce => None,
                };
                Told {
                    name: one.title.to_owned(),
                    file,
                    line: place.line,
                    column: place.column,
                    rule: one.rule.to_owned(),
                    owner: one.owner.to_owned(),
                    expires,
                    standing: one.standing.as_str(),
                    used,
                    advice,
                }
            })
            .collect()
    }
}
