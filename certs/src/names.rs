//! The names the serving certificate is issued for.

use std::net::IpAddr;

/// Who the certificate speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServingNames {
    dns: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl ServingNames {
    /// The names of a Service; the API server asks for `SERVICE.NAMESPACE.svc`.
    #[must_use]
    pub fn of_service(service: &str, namespace: &str) -> Self {
        Self {
            dns: vec![
                format!("{service}.{namespace}.svc"),
                format!("{service}.{namespace}.svc.cluster.local"),
                format!("{service}.{namespace}"),
            ],
            addresses: Vec::new(),
        }
    }

    /// Adds what a URL needs: its host (a name, an address, or an IPv6 address in brackets), and this machine.
    #[must_use]
    pub fn and_host(mut self, host: &str) -> Self {
        for host in [host, "localhost", "127.0.0.1"] {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            match bare.parse::<IpAddr>() {
                Ok(address) if !self.addresses.contains(&address) => self.addresses.push(address),
                Ok(_) => {}
                Err(_) => {
                    let name = bare.trim_end_matches('.').to_ascii_lowercase();
                    if !name.is_empty() && !self.dns.contains(&name) {
                        self.dns.push(name);
                    }
                }
            }
        }
        self
    }

    /// The DNS names, the first of which is the certificate's subject.
    #[must_use]
    pub fn dns(&self) -> &[String] {
        &self.dns
    }

    /// The addresses.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_adds_its_host_and_this_machine_once() {
        let names = ServingNames::of_service("sluice-webhook", "sluice-system")
            .and_host("[::1]")
            .and_host("Hooks.Example.com.")
            .and_host("127.0.0.1");
        assert_eq!(
            names.dns(),
            [
                "sluice-webhook.sluice-system.svc",
                "sluice-webhook.sluice-system.svc.cluster.local",
                "sluice-webhook.sluice-system",
                "localhost",
                "hooks.example.com",
            ]
        );
        assert_eq!(
            names.addresses(),
            ["::1", "127.0.0.1"].map(|address| address.parse::<IpAddr>().unwrap())
        );
    }
}
