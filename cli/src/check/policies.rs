//! The policy set that judges: the user's files, or the shipped default.

use std::path::Path;

use sluice_api::{PolicySpec, SYSTEM_NAMESPACE};
use sluice_policies::{PolicyProblem, PolicySet, PolicySource, is_admission_policy};
use sluice_probes::validate::TargetRules;

use crate::{
    manifest::{
        Position, Problem,
        document::{self, Object},
        source::{self, Source},
        spot,
    },
    own,
};

/// Policies and what is wrong with them.
#[derive(Debug)]
pub struct Loaded {
    /// The set.
    pub set: PolicySet,
    /// Why policies of it are missing.
    pub problems: Vec<Problem>,
}

/// The policies of files, folders and shipped sets; without any, the default set.
/// A Policy without a namespace counts as one of Sluice's own namespace: it judges every namespace.
pub fn load(paths: &[String]) -> Loaded {
    if paths.is_empty() {
        let texts: Vec<Source> = sluice_policies::library()
            .iter()
            .filter(|(name, _)| *name == sluice_policies::DEFAULT_SET)
            .map(source_of)
            .collect();
        return of_sources(&texts, Vec::new());
    }
    let (mut sources, mut files) = (Vec::new(), Vec::new());
    for path in paths {
        match shipped(path) {
            Some(set) => sources.push(set),
            None => files.push(path.clone()),
        }
    }
    let (read, mut problems) = source::read(&files);
    for problem in &mut problems {
        let sets = || {
            let names = sluice_policies::library().iter();
            names.filter_map(|(file, _)| file.strip_suffix(".yaml"))
        };
        if !Path::new(&problem.file).exists() && !problem.file.contains('/') {
            let names: Vec<&str> = sets().collect();
            let names = names.join(", ");
            problem.message = format!("{}; sets that are shipped: {names}", problem.message);
        }
    }
    sources.extend(read);
    of_sources(&sources, problems)
}

/// A set that ships with Sluice, by its name; a file or folder of that name goes before it.
fn shipped(name: &str) -> Option<Source> {
    if Path::new(name).exists() {
        return None;
    }
    let set = sluice_policies::library()
        .iter()
        .find(|(file, _)| file.strip_suffix(".yaml") == Some(name))?;
    Some(source_of(set))
}

fn source_of((name, text): &(&str, &str)) -> Source {
    Source {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    }
}

/// Whether a file is one that ships, to the letter: the tests of this crate have found nothing wrong with it.
fn ships(sources: &[Source], file: &str) -> bool {
    let text = sources.iter().find(|source| source.name == file);
    text.is_some_and(|source| sluice_policies::library().contains(&(file, source.text.as_str())))
}

/// The policies of texts; `problems` are those with reading them.
pub fn of_sources(sources: &[Source], mut problems: Vec<Problem>) -> Loaded {
    let read = document::strict_objects(sources);
    problems.extend(read.problems);
    let policies: Vec<&Object> = read
        .objects
        .iter()
        .filter(|object| own::is_own(object) && object.kind() == "Policy")
        .collect();
    let (admission, others): (Vec<&Object>, Vec<&Object>) = read
        .objects
        .iter()
        .filter(|object| !own::is_own(object))
        .partition(|object| is_admission_policy(&object.value));
    if policies.is_empty() && admission.is_empty() && problems.is_empty() {
        let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
        problems.push(Problem::of_file(
            &names.join(", "),
            "no Policy of sluice.dev/v1alpha1 in it, and no ValidatingAdmissionPolicy",
        ));
    }
    let mut specs: Vec<(&Object, String, PolicySpec)> = Vec::new();
    for policy in policies {
        let found = if ships(sources, &policy.file) {
            Vec::new()
        } else {
            own::problems(policy, &TargetRules::default())
        };
        match sluice_tree::from_value(&policy.value["spec"]) {
            Ok(spec) if found.is_empty() => {
                specs.push((
                    policy,
                    policy.namespace().unwrap_or(SYSTEM_NAMESPACE).to_owned(),
                    spec,
                ));
            }
            Ok(spec) => problems.extend(sharpened(policy, &spec, found, sources)),
            Err(_) if !found.is_empty() => problems.extend(found),
            Err(error) => problems.push(policy.problem("spec", format!("spec: {error}"))),
        }
    }
    let mut documents: Vec<&Object> = others;
    for object in admission {
        let found = PolicySet::check_document(&object.value);
        if found.is_empty() {
            documents.push(object);
        }
        let told = found.iter().map(|problem| {
            let place = place(object, problem, sources);
            Problem::at(&object.file, place, problem.to_string())
        });
        problems.extend(told);
    }
    let compiled = specs.iter().map(|(policy, namespace, spec)| PolicySource {
        namespace,
        name: policy.value["metadata"]["name"]
            .as_str()
            .unwrap_or_default(),
        spec,
        cluster_wide: namespace == SYSTEM_NAMESPACE,
    });
    let (set, left_out) =
        PolicySet::compile_with(compiled, documents.iter().map(|object| &object.value));
    for problem in left_out {
        let of_specs = specs.iter().find(|(policy, namespace, _)| {
            format!("{namespace}/{}", policy.name()) == problem.policy
        });
        // the last of those that have one name is the one too many
        let of_documents = documents
            .iter()
            .rfind(|object| format!("{}/{}", object.kind(), object.name()) == problem.policy);
        let place = of_specs
            .map(|(policy, _, _)| *policy)
            .or(of_documents.copied());
        problems.push(match place {
            Some(policy) => policy.problem(&problem.path, problem.to_string()),
            None => Problem::of_file("policies", problem.to_string()),
        });
    }
    Loaded { set, problems }
}

/// The same problems of a Policy, those in an expression at their spot.
fn sharpened(
    policy: &Object,
    spec: &PolicySpec,
    found: Vec<Problem>,
    sources: &[Source],
) -> Vec<Problem> {
    let typed = PolicySet::check(spec);
    let sharpen = |told: Problem| {
        let same = typed.iter().find(|one| one.to_string() == told.message);
        match same {
            Some(one) => Problem::at(&told.file, place(policy, one, sources), told.message),
            None => told,
        }
    };
    found.into_iter().map(sharpen).collect()
}

/// Where a problem is: in an expression at its spot, where the file has the expression as it is, else at the field.
fn place(object: &Object, problem: &PolicyProblem, sources: &[Source]) -> Position {
    let field = object.locate(&problem.path);
    let exact = || {
        let source = sources.iter().find(|source| source.name == object.file)?;
        spot::of_excerpt(&source.text, field, problem.excerpt.as_deref()?)
    };
    exact().unwrap_or(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_wrong_with_what_ships() {
        for set in sluice_policies::library() {
            let source = source_of(set);
            assert!(ships(std::slice::from_ref(&source), set.0));
            let read = document::strict_objects(std::slice::from_ref(&source));
            assert_eq!(read.problems, []);
            for policy in &read.objects {
                assert_eq!(own::problems(policy, &TargetRules::default()), []);
            }
            let sound = of_sources(std::slice::from_ref(&source), Vec::new());
            assert_eq!(sound.problems, []);
            // another text under that name is looked at like any other
            let other = Source {
                text: source.text.replace("  rules:", "  rulez:"),
                ..source
            };
            assert!(!ships(std::slice::from_ref(&other), set.0));
            assert_ne!(of_sources(&[other], Vec::new()).problems, []);
        }
    }
}
