//! What stays of a plane or cluster when something went wrong: its folder with all logs, and a dump of the objects.
//!
//! A panic anywhere in the process counts as something wrong with every plane that lives at that moment: its hook takes
//! the dump while everything still runs. The dump is made by kubectl as a plain child process, so that it works from a
//! panic hook and from drop.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, Weak};

use super::folder::Folder;
use super::users::User;
use super::{kubeconfig_path, kubectl};

/// Enough of a plane to keep its evidence.
#[derive(Debug)]
pub(crate) struct Evidence {
    folder: PathBuf,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    taken: AtomicBool,
}

impl Evidence {
    pub(crate) fn new(folder: &Path, kubectl: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            kubectl: kubectl.to_owned(),
            kubeconfig: kubeconfig_path(folder, User::Admin),
            taken: AtomicBool::new(false),
        }
    }

    /// Keeps the folder and dumps the objects into it; once per plane, later calls do nothing.
    pub(crate) fn take(&self, why: &str) {
        if self.taken.swap(true, Ordering::SeqCst) {
            return;
        }
        Folder::keep(&self.folder);
        let dump = self.folder.join("dump");
        if std::fs::create_dir_all(&dump).is_ok() {
            const BUILT_IN: &str = "namespaces,nodes,deployments,replicasets,statefulsets,daemonsets,jobs,cronjobs,pods,\
                services,endpointslices,resourcequotas,limitranges,leases,configmaps,serviceaccounts";
            const ADMISSION: &str = "validatingwebhookconfigurations,mutatingwebhookconfigurations,\
                validatingadmissionpolicies,validatingadmissionpolicybindings,customresourcedefinitions";
            self.dump(
                "objects.yaml",
                &["get", BUILT_IN, "-A", "-o", "yaml", "--show-managed-fields"],
            );
            self.dump("admission.yaml", &["get", ADMISSION, "-o", "yaml"]);
            self.dump("sluice.yaml", &["get", "sluice", "-A", "-o", "yaml"]);
            self.dump(
                "events.txt",
                &[
                    "get",
                    "events",
                    "-A",
                    "-o",
                    "wide",
                    "--sort-by=.lastTimestamp",
                ],
            );
        }
        eprintln!("kept ({why}): {}", self.folder.display());
    }

    fn dump(&self, file: &str, arguments: &[&str]) {
        let Ok(out) = File::create(self.folder.join("dump").join(file)) else {
            return;
        };
        let Ok(errors) = out.try_clone() else { return };
        // its own error text lands in the file, which is where a reader looks for it
        let _ = Command::new(&self.kubectl)
            .env_clear()
            .envs(kubectl::environment(&self.folder, &self.kubeconfig))
            .arg("--request-timeout=5s")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            .status();
    }
}

static LIVE: Mutex<Vec<Weak<Evidence>>> = Mutex::new(Vec::new());

/// From now on a panic keeps this plane's evidence.
pub(crate) fn watch(evidence: Weak<Evidence>) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            before(info);
            // try_lock: the panic may come from a thread that holds it
            let live: Vec<_> = LIVE
                .try_lock()
                .map(|live| live.iter().filter_map(Weak::upgrade).collect())
                .unwrap_or_default();
            for evidence in live {
                evidence.take("a panic");
            }
        }));
    });
    if let Ok(mut live) = LIVE.lock() {
        live.retain(|evidence| evidence.strong_count() > 0);
        live.push(evidence);
    }
}
