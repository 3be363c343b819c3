//! Services as the API has them, resolved to one ready pod at a time.

use std::net::Ipv4Addr;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};

use super::chance::Chance;

#[derive(Debug)]
pub(super) struct Services {
    services: Store<Service>,
    slices: Store<EndpointSlice>,
}

impl Services {
    /// Watches both kinds; returns when both have been listed once.
    pub(super) async fn watch(client: Client) -> anyhow::Result<Self> {
        let services = follow(Api::all(client.clone()));
        let slices = follow(Api::all(client));
        services.wait_until_ready().await?;
        slices.wait_until_ready().await?;
        Ok(Self { services, slices })
    }

    /// One ready endpoint of `NAME.NAMESPACE` at the Service's `port`; None when there is none.
    pub(super) fn by_name(
        &self,
        namespace: &str,
        name: &str,
        port: u16,
        chance: &Chance,
    ) -> Option<(Ipv4Addr, u16)> {
        let service = self.services.get(&ObjectRef::new(name).within(namespace))?;
        self.endpoint(&service, port, chance)
    }

    /// The same by cluster address.
    pub(super) fn by_address(
        &self,
        address: Ipv4Addr,
        port: u16,
        chance: &Chance,
    ) -> Option<(Ipv4Addr, u16)> {
        let wanted = address.to_string();
        let has = |service: &Service| {
            service
                .spec
                .as_ref()
                .and_then(|spec| spec.cluster_ip.as_ref())
                == Some(&wanted)
        };
        let service = self.services.find(has)?;
        self.endpoint(&service, port, chance)
    }

    fn endpoint(&self, service: &Service, port: u16, chance: &Chance) -> Option<(Ipv4Addr, u16)> {
        let ports = service.spec.as_ref()?.ports.as_ref()?;
        // the slice's ports are target ports, already resolved, tied to the Service's by name
        let port_name = ports
            .iter()
            .find(|p| p.port == i32::from(port))?
            .name
            .clone()
            .unwrap_or_default();
        let metadata = &service.metadata;
        let mut ready = Vec::new();
        for slice in self.slices.state() {
            let owner = slice
                .metadata
                .labels
                .as_ref()
                .and_then(|labels| labels.get("kubernetes.io/service-name"));
            if slice.metadata.namespace != metadata.namespace || owner != metadata.name.as_ref() {
                continue;
            }
            let target = slice
                .ports
                .iter()
                .flatten()
                .find(|p| p.name.as_deref().unwrap_or_default() == port_name);
            let Some(target) = target
                .and_then(|p| p.port)
                .and_then(|port| u16::try_from(port).ok())
            else {
                continue;
            };
            let endpoints = slice.endpoints.iter();
            // absent means ready, says the API
            let endpoints = endpoints.filter(|e| {
                e.conditions
                    .as_ref()
                    .is_none_or(|c| c.ready.unwrap_or(true))
            });
            let addresses = endpoints
                .filter_map(|endpoint| endpoint.addresses.first()?.parse::<Ipv4Addr>().ok());
            ready.extend(addresses.map(|address| (address, target)));
        }
        ready.get(chance.index(ready.len())).copied()
    }
}

fn follow<K>(api: Api<K>) -> Store<K>
where
    K: kube::Resource<DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let (store, writer) = reflector::store();
    let mut events = watcher(api, watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .boxed();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let Err(error) = event {
                // expected while the API server is down: what was known last holds, as with kube-proxy
                tracing::debug!(%error, "watch broke");
            }
        }
    });
    store
}
