//! The watches that fill [`super::Beside`]: each runs only while a rule in use asks for its kind.
//!
//! Of kinds of which only names are read the server sends metadata only: the content of a Secret comes here from namespaces in which a policy asks for keys, a
//! few at a time, and what stands behind the keys is dropped while it is read.
//! A watch that breaks lists again, with growing pauses; until that list is whole nothing of the kind is known.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures::{FutureExt, Stream, StreamExt, future::BoxFuture};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Client, Resource,
    core::{ApiResource, DynamicObject, DynamicResourceScope, GroupVersionKind, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use serde_json::json;
use sluice_policies::{
    FactKind,
    facts::{Autoscaler, DisruptionBudget, Keyed, Node, ObjectKeys, PodTemplate, Service},
};
use sluice_runtime::{drain::Tasks, keyed::KeyedObject};
use sluice_tree::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Kept;
use crate::{
    index::{bucket::Key, reduce},
    judge::Knowledge,
    metrics::AdmissionMetrics,
};

/// Objects per page of a list: a page is in memory whole before it is reduced.
const PAGE: u32 = 50;
/// The same where an object may be a megabyte of which next to nothing is kept.
const PAGE_OF_LARGE: u32 = 10;
/// Pause before a broken watch lists again; it doubles with each error in a row. The longest one is for rights that are not there.
const LIST_AGAIN: Duration = Duration::from_millis(500);
const LIST_AGAIN_AT_MOST: Duration = Duration::from_secs(30);

/// The one place where objects of a kind are kept.
type KeptOf<T> = Box<dyn Fn(&Knowledge) -> &Kept<T> + Send>;

/// Starts a task for each kind, until `until`. None of them is a condition of readiness.
pub fn start(
    tasks: &mut Tasks,
    until: &CancellationToken,
    client: &Client,
    knowledge: &Arc<Knowledge>,
    metrics: &AdmissionMetrics,
) {
    let mut start = Start {
        tasks,
        until,
        client,
        knowledge,
        metrics,
    };
    for kind in FactKind::ALL {
        match kind {
            // admission waits for these, so they are watched elsewhere
            FactKind::Quotas | FactKind::LimitRanges => {}
            // no API server has it: see `peaks`
            FactKind::ObservedPeaks => {}
            FactKind::Names(named) => {
                start.names(
                    kind,
                    Box::new(move |know| &beside(know).names[named.index()]),
                );
            }
            // read only in some namespaces: see below
            FactKind::Keys(_) => {}
            FactKind::Services => start.objects(
                kind,
                |object| Some(Service::of(object)),
                Box::new(|know| &beside(know).services),
            ),
            FactKind::PodTemplates(of) => start.objects(
                kind,
                PodTemplate::with_scalable,
                Box::new(move |know| &beside(know).pod_templates[of as usize]),
            ),
            FactKind::DisruptionBudgets => start.objects(
                kind,
                |object| Some(DisruptionBudget::of(object)),
                Box::new(|know| &beside(know).disruption_budgets),
            ),
            FactKind::Autoscalers => start.objects(
                kind,
                |object| Some(Autoscaler::of(object)),
                Box::new(|know| &beside(know).autoscalers),
            ),
            FactKind::Nodes => start.objects(
                kind,
                |object| Some(Node::of(object)),
                Box::new(|know| &beside(know).nodes),
            ),
        }
    }
    Keyed::ALL.into_iter().for_each(|keyed| start.keys(keyed));
}

const fn beside(knowledge: &Knowledge) -> &super::Beside {
    &knowledge.indexes.beside
}

struct Start<'s> {
    tasks: &'s mut Tasks,
    until: &'s CancellationToken,
    client: &'s Client,
    knowledge: &'s Arc<Knowledge>,
    metrics: &'s AdmissionMetrics,
}

impl Start<'_> {
    fn names(&mut self, kind: FactKind, kept: KeptOf<()>) {
        self.watch(
            kind,
            |wire: PartialObjectMeta<DynamicObject>| Some((key_of(wire.metadata), ())),
            kept,
        );
    }

    /// Several watches of one kind, as the policies ask for them.
    fn keys(&mut self, keyed: Keyed) {
        let kind = FactKind::Keys(keyed);
        let client = self.client.clone();
        let knowledge = Arc::clone(self.knowledge);
        let metrics = self.metrics.clone();
        let until = self.until.clone();
        let name = cache_name(kind);
        self.tasks.spawn(name, async move {
            let beside = beside(&knowledge);
            let (kept, client, metrics) = (&beside.keys[keyed.index()], &client, &metrics);
            let fill = move |list: Option<String>,
                             of: Arc<Kept<ObjectKeys>>|
                  -> BoxFuture<'_, ()> {
                let resource = resource_of(kind);
                let api: Api<KeyedObject> = match &list {
                    Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
                    None => Api::all_with(client.clone(), &resource),
                };
                async move {
                    let begin = || {
                        let config = watcher::Config::default().page_size(PAGE_OF_LARGE);
                        Box::pin(watcher(api.clone(), config).default_backoff())
                    };
                    let reduce =
                        |wire: KeyedObject| Some((key_of(wire.metadata.clone()), wire.into_keys()));
                    let size = || kept.len();
                    let follower = Follower {
                        kind,
                        kept: &of,
                        size: &size,
                        metrics,
                    };
                    follower.watch(&begin, &reduce).await;
                }
                .boxed()
            };
            let forgotten = || metrics.cache(name, kept.len());
            tokio::select! {
                () = until.cancelled() => {}
                () = kept.follow(keyed, beside.key_scopes.subscribe(), fill, forgotten) => {}
            }
            Ok::<(), Infallible>(())
        });
    }

    fn objects<T>(&mut self, kind: FactKind, keep: fn(&Value) -> Option<T>, kept: KeptOf<T>)
    where
        T: Clone + Send + Sync + 'static,
    {
        let reduce = move |wire: DynamicObject| {
            let mut object = wire.data;
            // items of a list do not say what they are
            object["apiVersion"] = json!(kind.api_version());
            object["kind"] = json!(kind.kind());
            let metadata = &wire.metadata;
            object["metadata"] =
                json!({"name": metadata.name, "ownerReferences": metadata.owner_references});
            Some((key_of(wire.metadata), keep(&object.into())?))
        };
        self.watch(kind, reduce, kept);
    }

    fn watch<K, T>(
        &mut self,
        kind: FactKind,
        reduce: impl Fn(K) -> Option<(Key, T)> + Send + Sync + 'static,
        kept: KeptOf<T>,
    ) where
        K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>
            + Clone
            + serde::de::DeserializeOwned
            + std::fmt::Debug
            + Send
            + 'static,
        T: Clone + Send + Sync + 'static,
    {
        let api: Api<K> = Api::all_with(self.client.clone(), &resource_of(kind));
        let begin = move || {
            let config = watcher::Config::default().page_size(PAGE);
            Box::pin(watcher(api.clone(), config).default_backoff())
        };
        let knowledge = Arc::clone(self.knowledge);
        let metrics = self.metrics.clone();
        let needed = beside(&knowledge).needed();
        let until = self.until.clone();
        let name = cache_name(kind);
        self.tasks.spawn(name, async move {
            let kept = kept(&knowledge);
            let size = || kept.len();
            let follower = Follower {
                kind,
                kept,
                size: &size,
                metrics: &metrics,
            };
            tokio::select! {
                () = until.cancelled() => {}
                () = follower.follow(begin, reduce, needed) => {}
            }
            Ok::<(), Infallible>(())
        });
    }
}

fn key_of(metadata: ObjectMeta) -> Key {
    Key {
        bucket: metadata.namespace.unwrap_or_default(),
        name: metadata.name.unwrap_or_default(),
    }
}

fn resource_of(kind: FactKind) -> ApiResource {
    let kind = kind.of_objects();
    let version = kind.api_version();
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let gvk = GroupVersionKind::gvk(group, version, kind.kind());
    ApiResource::from_gvk_with_plural(&gvk, &kind.plural().to_lowercase())
}

/// The name of the cache in logs and metrics; Deployments are kept twice, for other purposes.
const fn cache_name(kind: FactKind) -> &'static str {
    use sluice_api::WorkloadKind;
    match kind {
        FactKind::PodTemplates(WorkloadKind::Deployment) => "templates of Deployments",
        FactKind::PodTemplates(WorkloadKind::StatefulSet) => "templates of StatefulSets",
        FactKind::PodTemplates(WorkloadKind::DaemonSet) => "templates of DaemonSets",
        kind => kind.plural(),
    }
}

/// Follows one kind.
pub(super) struct Follower<'f, T> {
    pub(super) kind: FactKind,
    pub(super) kept: &'f Kept<T>,
    /// How many objects of the kind there are in all.
    pub(super) size: &'f (dyn Fn() -> usize + Sync),
    pub(super) metrics: &'f AdmissionMetrics,
}

impl<T: Clone> Follower<'_, T> {
    /// Watches while the kind is needed, forgets it when it no longer is; returns when nobody is left who could need it.
    pub(super) async fn follow<K, S>(
        &self,
        begin: impl Fn() -> S,
        reduce: impl Fn(K) -> Option<(Key, T)>,
        mut needed: watch::Receiver<std::collections::BTreeSet<FactKind>>,
    ) where
        S: Stream<Item = watcher::Result<Event<K>>> + Unpin,
    {
        loop {
            if needed
                .wait_for(|kinds| kinds.contains(&self.kind))
                .await
                .is_err()
            {
                return;
            }
            tokio::select! {
                () = self.watch(&begin, &reduce) => {}
                _ = needed.wait_for(|kinds| !kinds.contains(&self.kind)) => {}
            }
            self.kept.forget();
            self.metrics.cache(cache_name(self.kind), 0);
        }
    }

    async fn watch<K, S>(&self, begin: &impl Fn() -> S, reduce: &impl Fn(K) -> Option<(Key, T)>)
    where
        S: Stream<Item = watcher::Result<Event<K>>> + Unpin,
    {
        let cache = cache_name(self.kind);
        let (mut stream, mut pause, mut broken) = (begin(), LIST_AGAIN, false);
        while let Some(next) = stream.next().await {
            match next {
                Ok(event) => {
                    let whole = matches!(event, Event::InitDone);
                    if let Some(change) = reduce::change_by(event, reduce) {
                        self.kept.change(change);
                    }
                    if whole {
                        tracing::info!(cache, objects = self.kept.len(), "facts known");
                        (pause, broken) = (LIST_AGAIN, false);
                    }
                    self.metrics.cache(cache, (self.size)());
                }
                Err(error) => {
                    self.kept.broken();
                    self.metrics.watch_error(cache);
                    {
                        let error = &error as &dyn std::error::Error;
                        // one line when it breaks, the rest for whoever looks closer
                        if broken {
                            tracing::debug!(cache, error, "facts still not known");
                        } else {
                            broken = true;
                            tracing::warn!(
                                cache,
                                error,
                                "facts not known: rules that ask for them cannot tell"
                            );
                        }
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LIST_AGAIN_AT_MOST);
                    stream = begin();
                }
            }
        }
    }
}
