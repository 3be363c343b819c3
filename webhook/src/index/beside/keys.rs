//! Keys of ConfigMaps and Secrets, read only in the namespaces in which a policy asks for them: each of these by a watch of its own, or all by one where a
//! policy of Sluice's own namespace asks. Nowhere else is the content of such an object sent here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock},
};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use sluice_policies::facts::{KeyScope, Keyed, ObjectKeys};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Kept, Taken};

/// What one list holds: that of a namespace, or with `None` that of all.
type Lists = BTreeMap<Option<String>, Arc<Kept<ObjectKeys>>>;

/// The keys of the objects of one kind, as far as they are read.
#[derive(Debug, Default)]
pub struct KeptKeys(RwLock<Lists>);

impl KeptKeys {
    /// What one list shall fill.
    fn open(&self, list: Option<String>) -> Arc<Kept<ObjectKeys>> {
        let mut lists = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lists.entry(list).or_default())
    }

    /// Forgets what no list fills any more.
    fn keep(&self, wanted: &BTreeSet<Option<String>>) {
        let mut lists = self.0.write().unwrap_or_else(PoisonError::into_inner);
        lists.retain(|list, _| wanted.contains(list));
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().values().map(|kept| kept.len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn taken(&self, namespace: &str) -> Taken<ObjectKeys> {
        let lists = self.read();
        let of_namespace = lists.get(&Some(namespace.to_owned()));
        match of_namespace.or_else(|| lists.get(&None)) {
            Some(kept) => kept.taken(namespace),
            None => Taken::Unknown,
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Lists> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `fill` for each list that the policies ask for, and ends it when they no longer do; returns when nobody is left who could ask.
    pub(super) async fn follow<'f>(
        &'f self,
        keyed: Keyed,
        mut scopes: watch::Receiver<[KeyScope; Keyed::ALL.len()]>,
        fill: impl Fn(Option<String>, Arc<Kept<ObjectKeys>>) -> BoxFuture<'f, ()>,
        forgotten: impl Fn(),
    ) {
        let mut open = BTreeMap::<Option<String>, CancellationToken>::new();
        let mut running = FuturesUnordered::new();
        loop {
            let wanted = scopes.borrow_and_update()[keyed.index()].lists();
            let before = open.len();
            open.retain(|list, end| {
                let stays = wanted.contains(list);
                if !stays {
                    end.cancel();
                }
                stays
            });
            self.keep(&wanted);
            if open.len() < before {
                forgotten();
            }
            for list in wanted {
                open.entry(list).or_insert_with_key(|list| {
                    let end = CancellationToken::new();
                    let filling = fill(list.clone(), self.open(list.clone()));
                    running.push(end.clone().run_until_cancelled_owned(filling));
                    end
                });
            }
            let changed = async {
                loop {
                    tokio::select! {
                        changed = scopes.changed() => return changed,
                        Some(_) = running.next() => {}
                    }
                }
            };
            if changed.await.is_err() {
                return;
            }
        }
    }
}
