//! Follows the folder: looks a few times a second whether it changed, and takes a new state in as a whole.

use std::{convert::Infallible, path::PathBuf, sync::Arc, time::Duration};

use sluice_runtime::{admin::ReadyCondition, policy_folder::Watched};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Content;
use crate::{
    index::feed,
    judge::Knowledge,
    metrics::{AdmissionMetrics, Reload},
};

/// How often the folder is looked at. A look reads names, sizes and times; files are read only when one of these changed.
pub const POLL: Duration = Duration::from_millis(250);

/// What became of the folder, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Whether somebody should look.
    pub warning: bool,
    /// One word.
    pub reason: &'static str,
    /// One sentence.
    pub text: String,
}

/// Follows one folder.
pub struct Follower {
    /// The folder.
    pub folder: PathBuf,
    /// Where its content judges.
    pub knowledge: Arc<Knowledge>,
    /// What is counted.
    pub metrics: AdmissionMetrics,
    /// Who is told; what finds no room is dropped.
    pub news: mpsc::Sender<News>,
    /// Met once the folder was read.
    pub condition: ReadyCondition,
}

impl Follower {
    /// Reads the folder, and again whenever it changes, until `until`.
    ///
    /// # Errors
    /// None: what cannot be read leaves in force what is in force.
    pub async fn run(self, until: CancellationToken) -> Result<(), Infallible> {
        let mut watched = Watched::new(self.folder.clone());
        let mut failing: Option<String> = None;
        loop {
            let indexes = &self.knowledge.indexes;
            let look = watched.look(indexes.files(), &indexes.system_namespace);
            match look.await {
                Ok(None) => {}
                Ok(Some(content)) => {
                    self.take(content);
                    self.condition.set();
                    failing = None;
                }
                Err(why) => {
                    self.metrics.reload(Reload::Unreadable);
                    if failing.as_ref() != Some(&why) {
                        tracing::warn!(folder = %self.folder.display(), why, "policy folder cannot be read; what was in force stays");
                        self.tell(News {
                            warning: true,
                            reason: "PolicyFolderUnreadable",
                            text: format!("{}: {why}", self.folder.display()),
                        });
                        failing = Some(why);
                    }
                }
            }
            tokio::select! {
                () = until.cancelled() => return Ok(()),
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    fn take(&self, content: Content) {
        let indexes = &self.knowledge.indexes;
        let before = indexes.files();
        let first = before.is_none();
        let was_quarantined: Vec<String> = before
            .iter()
            .flat_map(|before| &before.quarantined)
            .map(|one| one.file.clone())
            .collect();
        let content = Arc::new(content);
        indexes.set_files(Arc::clone(&content));
        let rulebook = indexes.compile();
        feed::tell(&rulebook, "policy folder", &self.metrics);
        self.metrics.files(&content);
        for broken in &content.quarantined {
            for problem in &broken.problems {
                tracing::warn!(file = broken.file, problem, "policy file quarantined");
            }
        }
        if content.quarantined.is_empty() {
            self.metrics.reload(Reload::Taken);
            tracing::info!(
                revision = content.revision,
                files = content.files.len(),
                digest = rulebook.policies.digest(),
                "policy folder taken in"
            );
            if !was_quarantined.is_empty() {
                self.tell(News {
                    warning: false,
                    reason: "PolicyFolderTaken",
                    text: format!(
                        "{} is whole again, its state {} judges",
                        content.path.display(),
                        content.revision
                    ),
                });
            }
            return;
        }
        self.metrics.reload(Reload::Quarantined);
        let broken: Vec<String> = content
            .quarantined
            .iter()
            .take(3)
            .map(|one| {
                format!(
                    "{}: {}",
                    one.file,
                    one.problems.first().map_or("", String::as_str)
                )
            })
            .collect();
        let judges = if first {
            "the other files judge".to_owned()
        } else {
            format!("the state {} goes on judging", content.revision)
        };
        self.tell(News {
            warning: true,
            reason: "PolicyFileQuarantined",
            text: format!("{judges}; {}", broken.join("; ")),
        });
    }

    fn tell(&self, news: News) {
        if self.news.try_send(news).is_err() {
            tracing::debug!("news of the policy folder dropped");
        }
    }
}
