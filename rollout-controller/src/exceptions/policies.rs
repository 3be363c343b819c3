//! The policies that judge: those of the cluster, and those of the policy folder where the configuration names one. The same for the controller as for the
//! webhook, so that an exception which only a policy of the folder needs is not called unneeded.

use std::{path::PathBuf, sync::Arc};

use sluice_policies::{Compiler, PolicySet, PolicySource};
use sluice_runtime::policy_folder::{Content, Watched};

use crate::cache::Caches;

/// What judges at one moment.
pub struct InForce {
    /// The set.
    pub set: PolicySet,
    /// Why more may judge than is known here; then "nothing needs it" cannot be told.
    pub doubt: Option<String>,
}

/// The policy folder as the controller knows it.
pub struct Folder {
    watched: Watched,
    content: Option<Arc<Content>>,
    failing: Option<String>,
}

impl Folder {
    /// A folder that was not read yet.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self {
            watched: Watched::new(folder),
            content: None,
            failing: None,
        }
    }

    /// Looks at it; whether it means something else than before.
    pub async fn look(&mut self, system: &str) -> bool {
        match self.watched.look(self.content.clone(), system).await {
            Ok(None) => self.failing.take().is_some(),
            Ok(Some(content)) => {
                self.content = Some(Arc::new(content));
                self.failing = None;
                true
            }
            Err(why) => {
                let new = self.failing.as_ref() != Some(&why);
                if new {
                    tracing::warn!(folder = %self.watched.folder.display(), why, "policy folder cannot be read");
                }
                self.failing = Some(why);
                new
            }
        }
    }

    /// What keeps this reading of the folder from being the whole truth.
    fn doubt(&self) -> Option<String> {
        let folder = self.watched.folder.display();
        if let Some(why) = &self.failing {
            return Some(format!(
                "the policy folder {folder} cannot be read here: {why}"
            ));
        }
        let Some(content) = &self.content else {
            return Some(format!("the policy folder {folder} was not read yet"));
        };
        let broken = content.quarantined.first()?;
        Some(format!(
            "a file of the policy folder cannot be used, {}: which of its policies judge differs by what each process knew before",
            broken.file
        ))
    }
}

/// What judges now. What `compiler` compiled before and is still there is not compiled again.
#[must_use]
pub fn in_force(
    compiler: &mut Compiler,
    caches: &Caches,
    folder: Option<&Folder>,
    system: &str,
) -> InForce {
    let cluster = caches.policies.all();
    let content = folder.and_then(|folder| folder.content.clone());
    let files = content.iter().flat_map(|content| &content.policies);
    let sources = cluster
        .iter()
        .map(|(key, policy)| (key.namespace.as_str(), key.name.as_str(), &policy.spec))
        .chain(files.map(|file| (file.namespace.as_str(), file.name.as_str(), &*file.spec)))
        .map(|(namespace, name, spec)| PolicySource {
            namespace,
            name,
            spec,
            cluster_wide: namespace == system,
        });
    let documents = content.iter().flat_map(|content| &content.admission);
    let (set, _) = compiler.compile(sources, documents.map(AsRef::as_ref));
    InForce {
        set,
        doubt: folder.and_then(Folder::doubt),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const POLICY: &str = "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {name: folder}\nspec: {rules: [{use: cronjob-without-deadline}]}\n";

    /// How many policies judge, and what is doubtful.
    fn told(folder: &Folder) -> (usize, Option<String>) {
        let mut compiler = Compiler::default();
        let in_force = in_force(
            &mut compiler,
            &Caches::default(),
            Some(folder),
            "sluice-system",
        );
        (in_force.set.policies(), in_force.doubt)
    }

    #[tokio::test]
    async fn policies_of_the_folder_judge_and_what_is_not_whole_is_doubtful() {
        let path = std::env::temp_dir().join(format!("sluice-in-force-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let mut folder = Folder::new(path.clone());
        assert!(told(&folder).1.unwrap().contains("not read yet"));
        fs::write(path.join("a.yaml"), POLICY).unwrap();
        assert!(folder.look("sluice-system").await);
        assert_eq!(told(&folder), (1, None));
        assert!(!folder.look("sluice-system").await, "nothing changed");
        // broken: the last whole state is known, and what others know is not
        fs::write(path.join("b.yaml"), "kind: [").unwrap();
        assert!(folder.look("sluice-system").await);
        let (policies, doubt) = told(&folder);
        assert_eq!(policies, 1);
        assert!(doubt.unwrap().contains("b.yaml"));
        fs::remove_dir_all(&path).unwrap();
        assert!(folder.look("sluice-system").await);
        assert!(!folder.look("sluice-system").await, "said once");
        let (policies, doubt) = told(&folder);
        assert_eq!(policies, 1);
        assert!(doubt.unwrap().contains("cannot be read"));
        assert_eq!(
            in_force(
                &mut Compiler::default(),
                &Caches::default(),
                None,
                "sluice-system"
            )
            .doubt,
            None
        );
    }
}
