//! Policies and exceptions from a folder: a mounted ConfigMap, or what git-sync keeps up to date. They judge beside those of the cluster.
//!
//! Decides: what the files of a folder mean together ([`Content::next`]), for the webhook and for the controller. Leaves to others: when it is looked at, and
//! compiling what the files say. I/O is in [`read`] and [`Watched::look`].
//!
//! Invariants: the folder counts as a whole. While a file in it is broken, that file is quarantined and the last whole state stays in force, so that
//! no half of a change ever judges. Only a process that has just started and knows no earlier state takes the files that are good: it must not stay
//! away because of one of them.

mod parse;
pub mod read;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use serde::Serialize;
use sluice_api::{PolicyExceptionSpec, PolicySpec};
use sluice_policies::parameter_kind;
use sluice_tree::Value;

use parse::Document;
use read::{Signature, Snapshot};
use tokio::task::spawn_blocking;

/// How many problems of one file are kept; the rest is counted.
const KEPT: usize = 10;

/// One object of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Written<S> {
    /// Its namespace; Sluice's own where the file names none.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it says.
    pub spec: Arc<S>,
}

/// A file that is in force, and what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InForce {
    /// Its path below the folder.
    pub file: String,
    /// Its policies as `namespace/name`.
    pub policies: Vec<String>,
    /// Its exceptions as `namespace/name`.
    pub exceptions: Vec<String>,
    /// Its ValidatingAdmissionPolicies and their bindings, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub admission: Vec<String>,
    /// Objects of other kinds, which are none of the webhook's business here.
    pub passed_over: usize,
}

/// A file that cannot be used as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Its path below the folder.
    pub file: String,
    /// What is wrong with it.
    pub problems: Vec<String>,
}

/// What the folder means, and what of it cannot be used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// The folder as configured.
    pub path: PathBuf,
    /// Which state of the folder is in force: the name of the folder that it really is, as ConfigMaps and git-sync name them.
    pub revision: String,
    /// The policies in force.
    pub policies: Vec<Written<PolicySpec>>,
    /// The exceptions in force.
    pub exceptions: Vec<Written<PolicyExceptionSpec>>,
    /// ValidatingAdmissionPolicies, their bindings, and what they may take parameters from.
    pub admission: Vec<Arc<Value>>,
    /// The files they come from.
    pub files: Vec<InForce>,
    /// The files of the newest state that cannot be used; while there is one, an earlier state is in force.
    pub quarantined: Vec<Quarantined>,
}

impl Content {
    /// What judges once the folder looks like this. `before` is what judged until then, if anything did.
    #[must_use]
    pub fn next(before: Option<&Self>, snapshot: &Snapshot, system_namespace: &str) -> Self {
        let mut content = Self {
            path: snapshot.path.clone(),
            revision: snapshot.revision.clone(),
            ..Self::default()
        };
        // where each name was seen first
        let mut seen: BTreeMap<(&'static str, String), String> = BTreeMap::new();
        let parsed: Vec<(&String, Parsed)> = snapshot
            .files
            .iter()
            .map(|(file, read)| {
                let parsed = match read {
                    Ok(text) => parse::documents(text, system_namespace),
                    Err(why) => Err(vec![why.clone()]),
                };
                (file, parsed)
            })
            .collect();
        let wanted = parameter_kinds(&parsed);
        for (file, parsed) in parsed {
            let problems = match parsed {
                Ok(documents) => match twice(&documents, file, &mut seen) {
                    problems if problems.is_empty() => {
                        content.take(file, documents, &wanted);
                        continue;
                    }
                    problems => problems,
                },
                Err(problems) => problems,
            };
            content.quarantined.push(Quarantined {
                file: file.clone(),
                problems: bounded(problems),
            });
        }
        match before {
            Some(before) if !content.quarantined.is_empty() => Self {
                quarantined: content.quarantined,
                ..before.clone()
            },
            _ => content,
        }
    }

    fn take(&mut self, file: &str, documents: Vec<Document>, wanted: &BTreeSet<(String, String)>) {
        let mut in_force = InForce {
            file: file.to_owned(),
            ..InForce::default()
        };
        for document in documents {
            let title = document.title();
            match document {
                Document::Policy(policy) => {
                    in_force.policies.push(title);
                    self.policies.push(policy);
                }
                Document::Exception(exception) => {
                    in_force.exceptions.push(title);
                    self.exceptions.push(exception);
                }
                Document::Admission(object) => {
                    in_force.admission.push(title);
                    self.admission.push(Arc::new(object));
                }
                Document::Other(object) if wanted.contains(&kind_of(&object)) => {
                    self.admission.push(Arc::new(object));
                }
                Document::Other(_) => in_force.passed_over += 1,
            }
        }
        self.files.push(in_force);
    }
}

/// A folder that is looked at again and again.
#[derive(Debug)]
pub struct Watched {
    /// As configured.
    pub folder: PathBuf,
    known: Option<Signature>,
}

impl Watched {
    /// A folder that was not looked at yet.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            known: None,
        }
    }

    /// The folder's new content, when it looks different from the last time. A look reads names, sizes and times; files only when one of these changed.
    ///
    /// # Errors
    /// Why it cannot be read; what was known of it stays true.
    pub async fn look(
        &mut self,
        before: Option<Arc<Content>>,
        system_namespace: &str,
    ) -> Result<Option<Content>, String> {
        let folder = self.folder.clone();
        let known = self.known.clone();
        let system = system_namespace.to_owned();
        let work = spawn_blocking(move || {
            if let Some(known) = known
                && read::signature(&folder)? == known
            {
                return Ok(None);
            }
            let (signature, snapshot) = read::snapshot(&folder)?;
            let content = Content::next(before.as_deref(), &snapshot, &system);
            Ok::<_, std::io::Error>(Some((signature, content)))
        });
        match work.await {
            Ok(Ok(Some((signature, content)))) => {
                self.known = Some(signature);
                Ok(Some(content))
            }
            Ok(Ok(None)) => Ok(None),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(format!("reading it failed: {error}")),
        }
    }
}

/// What a file holds, or everything that is wrong with it.
type Parsed = Result<Vec<Document>, Vec<String>>;

/// The kinds from which the policies of the API server take their parameters, and the definitions that say what resources are called.
fn parameter_kinds(parsed: &[(&String, Parsed)]) -> BTreeSet<(String, String)> {
    let documents = parsed
        .iter()
        .filter_map(|(_, documents)| documents.as_ref().ok())
        .flatten();
    let mut kinds: BTreeSet<(String, String)> = documents
        .filter_map(|document| match document {
            Document::Admission(object) => parameter_kind(object),
            _ => None,
        })
        .map(|(api_version, kind)| (api_version.to_owned(), kind.to_owned()))
        .collect();
    kinds.insert((
        "apiextensions.k8s.io/v1".to_owned(),
        "CustomResourceDefinition".to_owned(),
    ));
    kinds
}

fn kind_of(object: &Value) -> (String, String) {
    let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
    (text("apiVersion"), text("kind"))
}

/// Names that another document of the folder has already.
fn twice(
    documents: &[Document],
    file: &str,
    seen: &mut BTreeMap<(&'static str, String), String>,
) -> Vec<String> {
    let mut problems = Vec::new();
    for document in documents {
        let kind = match document {
            Document::Policy(_) => "policy",
            Document::Exception(_) => "exception",
            Document::Admission(object) if object["kind"] == "ValidatingAdmissionPolicy" => {
                "ValidatingAdmissionPolicy"
            }
            Document::Admission(_) => "ValidatingAdmissionPolicyBinding",
            Document::Other(_) => continue,
        };
        let title = document.title();
        if let Some(first) = seen.insert((kind, title.clone()), file.to_owned()) {
            problems.push(format!(
                "{kind} {title}: metadata.name: there already in {first}; passes: each name once in the folder"
            ));
        }
    }
    problems
}

fn bounded(mut problems: Vec<String>) -> Vec<String> {
    let more = problems.len().saturating_sub(KEPT);
    if more > 0 {
        problems.truncate(KEPT);
        problems.push(format!(
            "… and {more} more: `sluice check` prints all of them."
        ));
    }
    problems
}

#[cfg(test)]
mod tests;
