//! Carries out what was decided: the status first, then the action. Nothing is decided here.
//!
//! Every write names its precondition (the resourceVersion it was computed from) and is sent only while this process holds the lease. The answer to a
//! write goes into the tables at once, so the next pass sees it without waiting for the watch.

mod error;

use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_api::{Release, ReleaseSpec, ReleaseStatus};
use sluice_planner::release::{
    decision::{Action, Decision, Write},
    observation::Rehearsal,
};
use sluice_runtime::lease::Leadership;
use tokio::sync::watch;

use crate::{
    cache::{
        Caches,
        arrival::Arrival,
        table::{Key, Row, Table},
    },
    found::Found,
    metrics::Metrics,
    ownership,
};

pub use error::ExecuteError;
use error::failed;

/// What came of a decision.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// Something was written or learnt: look again.
    Moved(Option<Rehearsal>),
    /// Nothing to do until something happens.
    Still,
}

/// Whether this process may write.
pub trait Mandate: Send + Sync {
    /// Whether it may now.
    fn held(&self) -> bool;
    /// Which of its terms this is.
    fn term(&self) -> u64;
}

impl Mandate for watch::Receiver<Leadership> {
    fn held(&self) -> bool {
        self.borrow().held()
    }

    fn term(&self) -> u64 {
        self.borrow().term()
    }
}

/// Writes to the API server.
pub struct Executor {
    client: Client,
    mandate: Box<dyn Mandate>,
    metrics: Metrics,
}

impl Executor {
    /// An executor that writes while `mandate` is held.
    #[must_use]
    pub fn new(client: Client, mandate: impl Mandate + 'static, metrics: Metrics) -> Self {
        Self {
            client,
            mandate: Box::new(mandate),
            metrics,
        }
    }

    /// Whether this process may write now.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.mandate.held()
    }

    /// Which term of leadership this is.
    #[must_use]
    pub fn term(&self) -> u64 {
        self.mandate.term()
    }

    fn may_write(&self) -> Result<(), ExecuteError> {
        if self.leads() {
            Ok(())
        } else {
            Err(ExecuteError::NotLeader)
        }
    }

    fn api<R: Row>(&self, namespace: &str) -> Api<Arrival> {
        let resource = R::resource();
        if namespace.is_empty() {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, &resource)
        }
    }

    /// Carries out a decision about the workload that `found` describes.
    ///
    /// # Errors
    /// The first thing that was not carried out; everything before it was, and is not repeated by the next pass.
    pub async fn carry_out(
        &self,
        caches: &Caches,
        found: &Found,
        decision: &Decision,
    ) -> Result<Outcome, ExecuteError> {
        let key = &found.key;
        let mut moved = false;
        // the Release as it stands after our own writes of this pass: what others wrote since it was read is not in it
        let mut record = found.observation.release.clone();
        for (name, status) in &decision.close {
            let known = found
                .observation
                .others
                .iter()
                .chain(&found.observation.release)
                .find(|release| release.metadata.name.as_deref() == Some(name));
            if let Some(release) = known
                && release.status.as_ref() != Some(status)
            {
                let stored = self.release_status(caches, release, status).await?;
                if let Some(record) = record
                    .as_mut()
                    .filter(|record| record.metadata.name == release.metadata.name)
                {
                    record.metadata.resource_version = stored;
                }
                moved = true;
            }
        }
        if let (Some(release), Some(status)) = (&found.observation.release, &decision.status)
            && release.status.as_ref() != Some(status)
        {
            let stored = self.release_status(caches, release, status).await?;
            if let Some(record) = &mut record {
                record.metadata.resource_version = stored;
            }
            moved = true;
        }
        match &decision.action {
            Action::None => {}
            Action::CreateRelease { name, spec } => {
                self.create_release(caches, found, name, spec).await?;
                moved = true;
            }
            Action::Rehearse { patch, target } => {
                let result = self.rehearse(caches, key, patch).await?;
                return Ok(Outcome::Moved(Some(Rehearsal {
                    target: target.clone(),
                    result,
                })));
            }
            Action::Patch { write, patch } => {
                self.patch_deployment(caches, found, record.as_ref(), *write, patch)
                    .await?;
                moved = true;
            }
        }
        Ok(if moved {
            Outcome::Moved(None)
        } else {
            Outcome::Still
        })
    }

    /// Stores the status of a Release, if the Release is as it was read. Returns the resourceVersion it has then.
    ///
    /// # Errors
    /// [`ExecuteError::Stale`] when it is not, and whatever the API server says.
    pub async fn release_status(
        &self,
        caches: &Caches,
        release: &Release,
        status: &ReleaseStatus,
    ) -> Result<Option<String>, ExecuteError> {
        let stored = self
            .store(&caches.releases, &release.metadata, status)
            .await?;
        self.metrics.wrote("ReleaseStatus");
        Ok(stored)
    }

    /// Stores the status of any object of ours, if the object is as it was read.
    ///
    /// # Errors
    /// [`ExecuteError::Stale`] when it is not, and whatever the API server says.
    pub async fn status<R: Row>(
        &self,
        table: &Table<R>,
        metadata: &kube::api::ObjectMeta,
        status: &(impl serde::Serialize + Sync),
    ) -> Result<(), ExecuteError> {
        self.store(table, metadata, status).await.map(|_| ())
    }

    /// The same; returns the resourceVersion it has then.
    async fn store<R: Row>(
        &self,
        table: &Table<R>,
        metadata: &kube::api::ObjectMeta,
        status: &(impl serde::Serialize + Sync),
    ) -> Result<Option<String>, ExecuteError> {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let key = Key::new(text(&metadata.namespace), text(&metadata.name));
        let patch = [
            json!({"op": "test", "path": "/metadata/resourceVersion", "value": metadata.resource_version}),
            json!({"op": "add", "path": "/status", "value": status}),
        ];
        let stored = self.patch(table, &key, Some("status"), &patch).await?;
        Ok(stored["metadata"]["resourceVersion"]
            .as_str()
            .map(str::to_owned))
    }

    async fn create_release(
        &self,
        caches: &Caches,
        found: &Found,
        name: &str,
        spec: &ReleaseSpec,
    ) -> Result<(), ExecuteError> {
        self.may_write()?;
        let key = Key::new(found.key.namespace.clone(), name);
        let what = format!("create release {key}");
        let owners =
            ownership::remember(&found.observation.deployment["metadata"]["managedFields"]);
        let object = json!({
            "apiVersion": "sluice.dev/v1alpha1",
            "kind": "Release",
            "metadata": {
                "name": name,
                "namespace": key.namespace,
                "annotations": owners.map(|owners| json!({ ownership::REMEMBERED: owners })),
                // the record goes with the workload; not a controlling owner: nobody may take it for a workload's part
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "Deployment",
                    "name": found.key.name, "uid": spec.workload.uid,
                }],
            },
            "spec": spec,
        });
        let api = self.api::<Release>(&key.namespace);
        let created = match api
            .create(&PostParams::default(), &Arrival::new(object))
            .await
        {
            Ok(created) => created,
            Err(kube::Error::Api(status)) if status.code == 409 => {
                api.get(name).await.map_err(|error| failed(&what, error))?
            }
            Err(error) => return Err(failed(&what, error)),
        };
        let workload = &created.object["spec"]["workload"];
        let same = workload["uid"] == *spec.workload.uid
            && created.object["spec"]["target"]["hash"] == *spec.target.hash;
        // left over where a workload of this name was deleted without its dependents
        let predecessor = workload["uid"] != *spec.workload.uid
            && workload["name"] == *spec.workload.name
            && workload["kind"] == spec.workload.kind.as_str();
        let left_over = predecessor
            .then(|| Release::deserialize(&created.object).ok())
            .flatten();
        caches.releases.apply(created.object);
        if let Some(left_over) = left_over {
            // of two workloads of one kind and name only one lives; that it is ours is asked of the API server, or the record would be that of our successor
            let live = self.read(&caches.deployments, &found.key).await?;
            if live.is_some_and(|live| live["metadata"]["uid"] == *spec.workload.uid) {
                self.delete_release(caches, &left_over).await?;
            }
            return Err(ExecuteError::Stale { what });
        }
        if !same {
            return Err(ExecuteError::NameTaken {
                name: name.to_owned(),
            });
        }
        self.metrics.wrote("CreateRelease");
        Ok(())
    }

    /// Asks the API server what it would say to a patch. Only its own refusal is an answer; that it could not be asked is an error.
    async fn rehearse(
        &self,
        caches: &Caches,
        key: &Key,
        patch: &[Value],
    ) -> Result<Result<(), String>, ExecuteError> {
        self.may_write()?;
        let what = format!("rehearse the way back of deployment {key}");
        let params = PatchParams {
            dry_run: true,
            field_manager: Some(ownership::MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let api = self.api::<crate::cache::rows::DeploymentRow>(&key.namespace);
        self.metrics.wrote("Rehearse");
        match api
            .patch(&key.name, &params, &json_patch(&what, patch)?)
            .await
        {
            Ok(_) => Ok(Ok(())),
            Err(error) => match self
                .judge_failure(&caches.deployments, key, patch, &what, error)
                .await
            {
                ExecuteError::Refused { why, .. } => Ok(Err(why)),
                other => Err(other),
            },
        }
    }

    async fn patch_deployment(
        &self,
        caches: &Caches,
        found: &Found,
        release: Option<&Release>,
        write: Write,
        patch: &[Value],
    ) -> Result<(), ExecuteError> {
        let live = &found.observation.deployment["metadata"]["managedFields"];
        // where an earlier write of ours was not put right yet, what stood before that one counts
        let record = release
            .and_then(|release| release.metadata.annotations.as_ref())
            .and_then(|annotations| annotations.get(ownership::REMEMBERED));
        let mended = ownership::give_back(live, &ownership::recall(record.map(String::as_str)));
        let before = mended.as_ref().unwrap_or(live);
        if let Some(release) = release {
            self.remember_owners(caches, release, before).await?;
        }
        let after = self
            .patch(&caches.deployments, &found.key, None, patch)
            .await?;
        self.metrics.wrote(word(write));
        // a failure here is no failure of the step: the next pass finds our entry and gives it back
        if let Err(error) = self.give_back(caches, &found.key, &after, before).await {
            tracing::debug!(deployment = %found.key, error = &error as &dyn std::error::Error, "ownership is given back by the next pass");
        }
        Ok(())
    }

    /// Keeps the record of who owns what on the Release, when it is not there already. A Release that has changed since it was read may hold a younger
    /// record, of a leader that took over: it is never written over.
    async fn remember_owners(
        &self,
        caches: &Caches,
        release: &Release,
        managed_fields: &Value,
    ) -> Result<(), ExecuteError> {
        let Some(owners) = ownership::remember(managed_fields) else {
            return Ok(());
        };
        let annotations = release.metadata.annotations.as_ref();
        let known = annotations.and_then(|annotations| annotations.get(ownership::REMEMBERED));
        if known.is_some_and(|known| ownership::same(known, &owners)) {
            return Ok(());
        }
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let key = Key::new(
            text(&release.metadata.namespace),
            text(&release.metadata.name),
        );
        let patch = ownership::record(
            release
                .metadata
                .resource_version
                .as_deref()
                .unwrap_or_default(),
            annotations.is_some(),
            owners,
        );
        self.patch(&caches.releases, &key, None, &patch).await?;
        self.metrics.wrote("RememberOwners");
        Ok(())
    }

    /// Removes our entry from the ownership list of `live` and returns what we took over to the owners in `before`.
    ///
    /// # Errors
    /// When the write was not done; the list is then still to be put right.
    pub async fn give_back(
        &self,
        caches: &Caches,
        key: &Key,
        live: &Value,
        before: &Value,
    ) -> Result<(), ExecuteError> {
        let Some(list) = ownership::give_back(&live["metadata"]["managedFields"], before) else {
            return Ok(());
        };
        let version = live["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default();
        self.patch(
            &caches.deployments,
            key,
            None,
            &ownership::patch(version, &list),
        )
        .await?;
        self.metrics.wrote("GiveBack");
        Ok(())
    }

    /// Deletes a Release that is history, if it is still the one that was read.
    ///
    /// # Errors
    /// Whatever the API server says, except that it is gone already.
    pub async fn delete_release(
        &self,
        caches: &Caches,
        release: &Release,
    ) -> Result<(), ExecuteError> {
        self.may_write()?;
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let key = Key::new(
            text(&release.metadata.namespace),
            text(&release.metadata.name),
        );
        let preconditions = kube::api::Preconditions {
            resource_version: release.metadata.resource_version.clone(),
            uid: release.metadata.uid.clone(),
        };
        let params = kube::api::DeleteParams::default().preconditions(preconditions);
        match self
            .api::<Release>(&key.namespace)
            .delete(&key.name, &params)
            .await
        {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(failed(&format!("delete release {key}"), error)),
        }
        caches
            .releases
            .remove(&json!({"metadata": {"namespace": key.namespace, "name": key.name}}));
        self.metrics.wrote("DeleteRelease");
        Ok(())
    }

    /// Reads an object anew into its table. `None` when the API server says that there is none.
    ///
    /// # Errors
    /// When the API server could not be asked: that is never absence.
    pub async fn read<R: Row>(
        &self,
        table: &Table<R>,
        key: &Key,
    ) -> Result<Option<Value>, ExecuteError> {
        let what = format!("get {} {key}", R::resource().kind);
        match self.api::<R>(&key.namespace).get(&key.name).await {
            Ok(arrival) => {
                table.apply(arrival.object.clone());
                Ok(Some(arrival.object))
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {
                // the API server itself says so: the watch will say the same in a moment
                table.remove(&json!({"metadata": {"namespace": key.namespace, "name": key.name}}));
                Ok(None)
            }
            Err(error) => Err(failed(&what, error)),
        }
    }

    /// A guarded JSON Patch. The answer goes into the table.
    async fn patch<R: Row>(
        &self,
        table: &Table<R>,
        key: &Key,
        subresource: Option<&str>,
        patch: &[Value],
    ) -> Result<Value, ExecuteError> {
        self.may_write()?;
        let kind = R::resource().kind;
        let what = match subresource {
            Some(part) => format!("patch {part} of {kind} {key}"),
            None => format!("patch {kind} {key}"),
        };
        let body = json_patch(&what, patch)?;
        let api = self.api::<R>(&key.namespace);
        let answer = match subresource {
            Some(part) => {
                api.patch_subresource(part, &key.name, &params(), &body)
                    .await
            }
            None => api.patch(&key.name, &params(), &body).await,
        };
        match answer {
            Ok(arrival) => {
                table.apply(arrival.object.clone());
                Ok(arrival.object)
            }
            Err(error) => Err(self.judge_failure(table, key, patch, &what, error).await),
        }
    }

    /// Tells a lost race from a refusal: the API server answers 422 to both, so the object is read again, and its version decides.
    async fn judge_failure<R: Row>(
        &self,
        table: &Table<R>,
        key: &Key,
        patch: &[Value],
        what: &str,
        error: kube::Error,
    ) -> ExecuteError {
        let kube::Error::Api(status) = &error else {
            return failed(what, error);
        };
        let stale = || ExecuteError::Stale {
            what: format!("{} {key}", R::resource().kind),
        };
        match status.code {
            404 | 409 => match self.read(table, key).await {
                Ok(_) => stale(),
                Err(unread) => unread,
            },
            422 => match self.read(table, key).await {
                Ok(Some(live)) if live["metadata"]["resourceVersion"] == patch[0]["value"] => {
                    failed(what, error)
                }
                Ok(_) => stale(),
                Err(unread) => unread,
            },
            _ => failed(what, error),
        }
    }
}

fn params() -> PatchParams {
    PatchParams {
        field_manager: Some(ownership::MANAGER.to_owned()),
        ..PatchParams::default()
    }
}

fn json_patch(what: &str, operations: &[Value]) -> Result<Patch<()>, ExecuteError> {
    serde_json::from_value(Value::Array(operations.to_vec()))
        .map(Patch::Json)
        .map_err(|error| ExecuteError::Refused {
            what: what.to_owned(),
            why: format!("the patch is no JSON Patch: {error}"),
        })
}

/// The metric label of a write.
fn word(write: Write) -> &'static str {
    match write {
        Write::Start => "Start",
        Write::Surge => "Surge",
        Write::Retire => "Retire",
        Write::Correct => "Correct",
        Write::Finish => "Finish",
        Write::Rollback => "Rollback",
        Write::CleanUp => "CleanUp",
        Write::Forgive => "Forgive",
        Write::Remember => "Remember",
    }
}
