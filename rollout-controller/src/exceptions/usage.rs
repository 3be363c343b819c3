//! Whether an object that exists needs an exception: read from the API server now and then, and only what exceptions that count speak of. An exact name
//! is one read, a pattern one list of its namespace.
//!
//! Not watched and not reported by admissions: a watch of every kind that may be excepted would hold the cluster in memory for a handful of exceptions,
//! and an admission says nothing about what was stored before it. What cannot be read leaves it open whether the exception is needed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};
use serde_json::json;
use sluice_api::{Certainty, PolicyException};
use sluice_policies::{
    Compiler, ExceptionBounds, ExceptionSource, Exceptions, Facts, Operation, PolicySet, Subject,
    rule_by_code, rule_by_name,
};
use sluice_tree::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::policies::{self, Folder};
use crate::{
    cache::{Caches, table::Key},
    execute::Executor,
    probing::judging::Judge,
};

/// How often it is looked without an event.
const LOOK: Duration = Duration::from_secs(120);
/// How often the policy folder is looked at.
const FOLDER: Duration = Duration::from_secs(1);
/// How long after an event; many events make one look.
const GATHER: Duration = Duration::from_secs(1);
/// Objects per page of a list.
const PAGE: u32 = 200;

/// The kinds that are read, with their names in API paths; the access table grants these and no more.
const READ: [(&str, &str, &str); 7] = [
    ("Pod", "v1", "pods"),
    ("Deployment", "apps/v1", "deployments"),
    ("StatefulSet", "apps/v1", "statefulsets"),
    ("DaemonSet", "apps/v1", "daemonsets"),
    ("ReplicaSet", "apps/v1", "replicasets"),
    ("Job", "batch/v1", "jobs"),
    ("CronJob", "batch/v1", "cronjobs"),
];

/// Whether an exception is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// An object that exists is let pass by it.
    Needed {
        /// What people call the object.
        by: String,
    },
    /// None is.
    NotNeeded,
    /// What it speaks of could not be read or judged.
    CannotTell {
        /// Why not.
        why: String,
    },
    /// Nobody has looked yet.
    NotLooked,
}

/// What the last look found.
#[derive(Default)]
pub struct Usage {
    found: Mutex<BTreeMap<Key, Need>>,
    changed: Notify,
}

impl Usage {
    /// Whether the exception is needed.
    #[must_use]
    pub fn of(&self, key: &Key) -> Need {
        self.found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
            .unwrap_or(Need::NotLooked)
    }

    /// Exceptions or policies changed.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    fn set(&self, found: BTreeMap<Key, Need>) -> bool {
        let mut known = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *known != found;
        *known = found;
        changed
    }
}

/// Looks until the drain.
pub struct Looker {
    /// Where the answer is kept.
    pub usage: Arc<Usage>,
    /// Reads.
    pub client: Client,
    /// Exceptions, policies and namespaces.
    pub caches: Arc<Caches>,
    /// Only the leader looks.
    pub executor: Arc<Executor>,
    /// Writes the statuses.
    pub judge: Arc<Judge>,
    /// Sluice's own namespace.
    pub system: String,
    /// How long exceptions may last.
    pub bounds: ExceptionBounds,
    /// The policy folder, as configured.
    pub folder: Option<PathBuf>,
}

impl Looker {
    /// Looks when something changed and now and then.
    pub async fn run(&self, drain: CancellationToken) {
        let mut folder = self.folder.clone().map(Folder::new);
        let mut compiler = Compiler::default();
        loop {
            if let Some(folder) = &mut folder {
                folder.look(&self.system).await;
            }
            if self.executor.leads() && self.caches.unsynced().is_empty() {
                let found = tokio::select! {
                    () = drain.cancelled() => return,
                    found = self.look(&mut compiler, folder.as_ref(), Timestamp::now()) => found,
                };
                if self.usage.set(found) {
                    self.judge.wake();
                }
            }
            tokio::select! {
                () = drain.cancelled() => return,
                () = self.usage.changed.notified() => tokio::time::sleep(GATHER).await,
                () = changed(folder.as_mut(), &self.system) => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn look(
        &self,
        compiler: &mut Compiler,
        folder: Option<&Folder>,
        now: Timestamp,
    ) -> BTreeMap<Key, Need> {
        let exceptions = self.caches.exceptions.all();
        if exceptions.is_empty() {
            return BTreeMap::new();
        }
        let policies = policies::in_force(compiler, &self.caches, folder, &self.system);
        let mut facts = KnownFacts::default();
        let mut found = BTreeMap::new();
        for (key, exception) in exceptions {
            let need = self
                .need(&key, &exception, &policies.set, &mut facts, now)
                .await;
            let need = match (need, &policies.doubt) {
                (Need::NotNeeded, Some(why)) => Need::CannotTell { why: why.clone() },
                (need, _) => need,
            };
            found.insert(key, need);
        }
        found
    }

    /// One exception by itself: that another covers the same does not make it unneeded.
    async fn need(
        &self,
        key: &Key,
        exception: &PolicyException,
        set: &PolicySet,
        facts: &mut KnownFacts,
        now: Timestamp,
    ) -> Need {
        let source = ExceptionSource {
            namespace: &key.namespace,
            name: &key.name,
            spec: &exception.spec,
            cluster_wide: key.namespace == self.system,
        };
        let (alone, problems) = Exceptions::compile([source], self.bounds);
        let counts = alone.standings(now).any(|one| one.standing.counts());
        if !problems.is_empty() || !counts {
            return Need::NotLooked;
        }
        let subject = &exception.spec.subject;
        let Some(resource) = resource(&subject.kind) else {
            return Need::CannotTell {
                why: format!("the controller reads no {}", subject.kind),
            };
        };
        let reach = (key.namespace != self.system).then_some(key.namespace.as_str());
        let with_facts = rule_by_name(&exception.spec.rule)
            .or_else(|| rule_by_code(&exception.spec.rule))
            // of an own rule that is not said here, so it is asked for
            .is_none_or(|rule| !rule.facts().is_empty());
        let mut pages = Pages::new(&self.client, &resource, reach, &subject.name);
        let mut doubt = None;
        loop {
            let objects = match pages.next().await {
                Ok(Some(objects)) => objects,
                Ok(None) => break,
                Err(error) => {
                    return Need::CannotTell {
                        why: format!("{} cannot be read: {error}", resource.plural),
                    };
                }
            };
            for object in objects {
                let namespace = object["metadata"]["namespace"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                if with_facts && let Err(error) = facts.learn(&self.client, &namespace).await {
                    return Need::CannotTell {
                        why: format!("facts of namespace {namespace} cannot be read: {error}"),
                    };
                }
                let labels = self
                    .caches
                    .namespaces
                    .get(&Key::cluster(namespace.as_str()));
                let judgement = set.judge_excepting(
                    &Subject {
                        operation: Operation::Create,
                        namespace: &namespace,
                        object: &object,
                        old: None,
                        dry_run: false,
                    },
                    &facts.of(&namespace, labels.as_ref().map(|row| &row.labels)),
                    &alone,
                    now,
                );
                let mut covered = judgement
                    .findings
                    .iter()
                    .filter(|finding| finding.excepted.is_some());
                let title = format!(
                    "{}/{} in namespace {namespace}",
                    subject.kind.to_lowercase(),
                    object["metadata"]["name"].as_str().unwrap_or_default(),
                );
                match covered.clone().find(|one| one.certainty == Certainty::Sure) {
                    Some(_) => return Need::Needed { by: title },
                    None if covered.next().is_some() => {
                        doubt.get_or_insert(format!(
                            "whether {title} needs it depends on what the controller does not know"
                        ));
                    }
                    None => {}
                }
            }
        }
        match doubt {
            Some(why) => Need::CannotTell { why },
            None => Need::NotNeeded,
        }
    }
}

/// Ends when the folder means something else; without a folder, never.
async fn changed(folder: Option<&mut Folder>, system: &str) {
    let Some(folder) = folder else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(FOLDER).await;
        if folder.look(system).await {
            return;
        }
    }
}

fn resource(kind: &str) -> Option<ApiResource> {
    let (kind, api_version, plural) = READ.into_iter().find(|(known, ..)| *known == kind)?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kind = GroupVersionKind::gvk(group, version, kind);
    Some(ApiResource::from_gvk_with_plural(&kind, plural))
}

/// The objects that a name or a pattern may mean, page by page.
struct Pages<'a> {
    api: Api<DynamicObject>,
    resource: &'a ApiResource,
    next: Option<Page>,
}

enum Page {
    /// One object in one namespace.
    Named(String),
    List(ListParams),
}

impl<'a> Pages<'a> {
    fn new(
        client: &Client,
        resource: &'a ApiResource,
        namespace: Option<&str>,
        name: &str,
    ) -> Self {
        let exact = !name.contains(['*', '?']);
        let api = match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
            None => Api::all_with(client.clone(), resource),
        };
        let next = match (exact, namespace) {
            (true, Some(_)) => Page::Named(name.to_owned()),
            // in every namespace: the server picks by name
            (true, None) => Page::List(
                ListParams::default()
                    .fields(&format!("metadata.name={name}"))
                    .limit(PAGE),
            ),
            (false, _) => Page::List(ListParams::default().limit(PAGE)),
        };
        Self {
            api,
            resource,
            next: Some(next),
        }
    }

    async fn next(&mut self) -> Result<Option<Vec<Value>>, String> {
        let told = |error: kube::Error| match error {
            kube::Error::Api(status) => format!("{} {}", status.code, status.reason),
            other => other.to_string(),
        };
        let objects = match self.next.take() {
            None => return Ok(None),
            Some(Page::Named(name)) => Vec::from_iter(self.api.get_opt(&name).await.map_err(told)?),
            Some(Page::List(parameters)) => {
                let page = self.api.list(&parameters).await.map_err(told)?;
                if let Some(token) = page.metadata.continue_.filter(|token| !token.is_empty()) {
                    self.next = Some(Page::List(parameters.continue_token(&token)));
                }
                page.items
            }
        };
        let (api_version, kind) = (&self.resource.api_version, &self.resource.kind);
        let typed = objects.into_iter().map(|mut object| {
            object.metadata.managed_fields = None;
            let mut value = serde_json::to_value(object).map_err(|error| error.to_string())?;
            // items of a list lack both
            value["apiVersion"] = json!(api_version);
            value["kind"] = json!(kind);
            Ok(Value::from(value))
        });
        typed.collect::<Result<Vec<_>, String>>().map(Some)
    }
}

/// Quotas and limit ranges by namespace, read once in a look.
#[derive(Default)]
struct KnownFacts {
    quotas: HashMap<String, Vec<Value>>,
    limit_ranges: HashMap<String, Vec<Value>>,
    read: BTreeSet<String>,
}

impl KnownFacts {
    async fn learn(&mut self, client: &Client, namespace: &str) -> Result<(), String> {
        if self.read.contains(namespace) {
            return Ok(());
        }
        for (kind, plural, into) in [
            ("ResourceQuota", "resourcequotas", &mut self.quotas),
            ("LimitRange", "limitranges", &mut self.limit_ranges),
        ] {
            let gvk = GroupVersionKind::gvk("", "v1", kind);
            let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
            let mut pages = Pages::new(client, &resource, Some(namespace), "*");
            let mut all = Vec::new();
            while let Some(page) = pages.next().await? {
                all.extend(page);
            }
            into.insert(namespace.to_owned(), all);
        }
        self.read.insert(namespace.to_owned());
        Ok(())
    }

    fn of<'f>(
        &'f self,
        namespace: &str,
        labels: Option<&'f BTreeMap<String, String>>,
    ) -> Facts<'f> {
        Facts {
            namespace_labels: labels,
            quotas: self.quotas.get(namespace).map(Vec::as_slice),
            limit_ranges: self.limit_ranges.get(namespace).map(Vec::as_slice),
            ..Facts::default()
        }
    }
}
