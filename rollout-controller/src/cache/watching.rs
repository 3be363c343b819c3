//! Feeds one table from one watch.

use futures::{StreamExt, pin_mut};
use kube::{
    Api, Client,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event},
    },
};
use tokio_util::sync::CancellationToken;

use super::{
    arrival::Arrival,
    table::{Change, Row, Table},
};

/// Objects per page of a list. Small pages keep the peak low while a large cluster is read: what comes in is reduced page by page.
const PAGE: u32 = 200;

/// Watches every object of one kind until `drain`; `changed` is called after the table was changed. Errors are retried without end, with backoff:
/// meanwhile the table keeps what it knew.
pub async fn watch<R: Row>(
    client: Client,
    table: &Table<R>,
    changed: impl Fn(Change<R>),
    drain: CancellationToken,
) {
    let resource = R::resource();
    let api: Api<Arrival> = Api::all_with(client, &resource);
    let events =
        watcher::watcher(api, watcher::Config::default().page_size(PAGE)).default_backoff();
    pin_mut!(events);
    let kind = resource.plural.as_str();
    let mut failing = false;
    loop {
        let event = tokio::select! {
            () = drain.cancelled() => return,
            event = events.next() => event,
        };
        match event {
            None => return,
            Some(Err(error)) => {
                if !failing {
                    tracing::warn!(
                        kind,
                        error = &error as &dyn std::error::Error,
                        "watch failed; retrying"
                    );
                }
                failing = true;
            }
            Some(Ok(event)) => {
                if failing {
                    tracing::info!(kind, "watch works again");
                }
                failing = false;
                match event {
                    Event::Init => table.list_begins(),
                    Event::InitApply(arrival) => table.listed(arrival.object),
                    Event::InitDone => {
                        let changes = table.list_ends();
                        tracing::debug!(kind, objects = table.len(), "listed");
                        for (key, why) in table.unreadable() {
                            tracing::warn!(kind, object = %key, why, "object cannot be read");
                        }
                        changes.into_iter().for_each(&changed);
                    }
                    Event::Apply(arrival) => {
                        if let Some(change) = table.apply(arrival.object) {
                            if change.new.is_none() {
                                tracing::warn!(kind, object = %change.key, "object cannot be read");
                            }
                            changed(change);
                        }
                    }
                    Event::Delete(arrival) => changed(table.remove(&arrival.object)),
                }
            }
        }
    }
}
