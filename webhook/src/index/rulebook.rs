//! What judges manifests at this moment: the policies and the exceptions from them, compiled together and swapped as a whole, so that no review sees
//! one of them newer than the other.

use std::sync::Arc;

use sluice_api::{PolicyExceptionSpec, PolicySpec};
use sluice_policies::{
    Compiler, ExceptionBounds, ExceptionProblem, ExceptionSource, Exceptions, PolicyProblem,
    PolicySet, PolicySource,
};

use super::{bucket::Index, reduce::Stored};
use crate::folder;

/// Policies and exceptions in force together. Never changes.
#[derive(Debug, Default)]
pub struct Rulebook {
    /// The policies.
    pub policies: PolicySet,
    /// The exceptions from them.
    pub exceptions: Exceptions,
    /// What is wrong with policies that are left out.
    pub broken_policies: Vec<String>,
    /// What is wrong with exceptions that count for nothing.
    pub broken_exceptions: Vec<String>,
    /// How many policies had to be compiled for it: the others say what they said before.
    pub compiled: u64,
    /// What the policy folder holds, when there is one and it was read.
    pub files: Option<Arc<folder::Content>>,
}

/// Compiles what the cluster and the folder hold. Objects in Sluice's own namespace speak about every namespace.
pub(super) fn compile(
    compiler: &mut Compiler,
    policies: &Index<Stored<PolicySpec>>,
    exceptions: &Index<Stored<PolicyExceptionSpec>>,
    files: Option<Arc<folder::Content>>,
    system_namespace: &str,
    bounds: ExceptionBounds,
) -> Rulebook {
    let (mut policies, mut broken_policies) = readable(policies, |title, why| {
        let problem = PolicyProblem {
            policy: title,
            path: "spec".to_owned(),
            found: why,
            passes: "a policy of the definition that is installed".to_owned(),
            excerpt: None,
        };
        problem.to_string()
    });
    let (mut exceptions, mut broken_exceptions) = readable(exceptions, |title, why| {
        let problem = ExceptionProblem {
            exception: title,
            path: "spec".to_owned(),
            found: why,
            passes: "an exception of the definition that is installed".to_owned(),
        };
        problem.to_string()
    });
    if let Some(content) = &files {
        policies.extend(content.policies.iter().map(named));
        exceptions.extend(content.exceptions.iter().map(named));
    }
    let before = compiler.compiled();
    let documents = files.iter().flat_map(|content| &content.admission);
    let (policies, left_out) = compiler.compile(
        policies.iter().map(|(namespace, name, spec)| PolicySource {
            namespace,
            name,
            spec,
            cluster_wide: namespace == system_namespace,
        }),
        documents.map(AsRef::as_ref),
    );
    broken_policies.extend(left_out.iter().map(ToString::to_string));
    let (exceptions, left_out) = Exceptions::compile(
        exceptions
            .iter()
            .map(|(namespace, name, spec)| ExceptionSource {
                namespace,
                name,
                spec,
                cluster_wide: namespace == system_namespace,
            }),
        bounds,
    );
    broken_exceptions.extend(left_out.iter().map(ToString::to_string));
    Rulebook {
        policies,
        exceptions,
        broken_policies,
        broken_exceptions,
        compiled: compiler.compiled() - before,
        files,
    }
}

type Named<S> = (String, String, Arc<S>);

fn named<S>(written: &folder::Written<S>) -> Named<S> {
    let folder::Written {
        namespace,
        name,
        spec,
    } = written;
    (namespace.clone(), name.clone(), Arc::clone(spec))
}

/// The readable objects of an index, and what is said of the others.
fn readable<S: Clone>(
    index: &Index<Stored<S>>,
    say: impl Fn(String, String) -> String,
) -> (Vec<Named<S>>, Vec<String>) {
    let (mut found, mut broken) = (Vec::new(), Vec::new());
    for (namespace, bucket) in index.buckets() {
        for (name, Stored(spec)) in bucket.iter() {
            match spec {
                Ok(spec) => found.push((namespace.clone(), name.to_owned(), Arc::clone(spec))),
                Err(why) => broken.push(say(format!("{namespace}/{name}"), why.clone())),
            }
        }
    }
    (found, broken)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::fixtures::Cluster;

    #[test]
    fn an_event_compiles_the_policy_that_it_brings_and_no_other() {
        let mut cluster = Cluster::new();
        for number in 0..12 {
            let rules = json!([{
                "name": "labelled", "kinds": ["Deployment"], "cel": format!("object.metadata.name != 'n{number}'"),
            }]);
            cluster = cluster.policy("shop", &format!("p{number}"), &rules);
            let rulebook = cluster.0.indexes.rulebook();
            assert_eq!(rulebook.compiled, 1, "policy {number}");
            assert_eq!(rulebook.policies.policies(), number + 1);
        }
        // said again, and an event of another kind
        assert_eq!(cluster.0.indexes.compile().compiled, 0);
        let changed = json!([{"name": "labelled", "kinds": ["Deployment"], "cel": "true"}]);
        let cluster = cluster.policy("shop", "p3", &changed);
        let rulebook = cluster.0.indexes.rulebook();
        assert_eq!((rulebook.compiled, rulebook.policies.policies()), (1, 12));
    }
}
