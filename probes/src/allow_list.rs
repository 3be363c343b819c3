//! Whom probes may ask: the cluster-wide bound on targets, so that whoever may write a `Probe` cannot use Sluice to reach what they cannot reach themselves. Pure.
//!
//! An entry is a host name (`status.example.com`), a suffix glob (`*.svc`: any number of labels in front), an address or a network (`10.0.0.0/8`).
//! Networks bound pod addresses: without any network every ordinary pod address is allowed. Loopback, link-local (cloud metadata lives there), multicast
//! and unspecified addresses are refused unless a network names them. A URL whose host is an address needs a network that holds it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

use ipnet::IpNet;

/// The targets that probes may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetAllowList {
    hosts: Vec<HostPattern>,
    networks: Vec<IpNet>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    /// This name.
    Exact(String),
    /// Every name that ends in this, dot included.
    Suffix(String),
}

/// Why a text is no entry of the allow-list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is no probe target: use a host name, `*.` and a suffix, an IP address or a network such as 10.0.0.0/8"
)]
pub struct AllowListError {
    /// The entry as written.
    pub found: String,
}

/// How a host came to be allowed, which bounds the addresses its name may resolve to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// The administrator named this very host: wherever it points is meant.
    Named,
    /// A glob matched: the name is someone else's choice, so special addresses are refused.
    Matched,
}

impl Default for TargetAllowList {
    /// Any ordinary pod address, and Services by their cluster names.
    fn default() -> Self {
        Self {
            hosts: vec![
                HostPattern::Suffix(".svc".to_owned()),
                HostPattern::Suffix(".svc.cluster.local".to_owned()),
            ],
            networks: Vec::new(),
        }
    }
}

impl TargetAllowList {
    /// The list with these entries and no others: an empty one allows no URL, and any ordinary pod address.
    ///
    /// # Errors
    /// The first entry that is none.
    pub fn parse<S: AsRef<str>>(
        entries: impl IntoIterator<Item = S>,
    ) -> Result<Self, AllowListError> {
        let mut list = Self {
            hosts: Vec::new(),
            networks: Vec::new(),
        };
        for entry in entries {
            let entry = entry.as_ref().trim();
            if let Some(network) = network(entry) {
                list.networks.push(network);
            } else {
                list.hosts.push(entry.parse()?);
            }
        }
        Ok(list)
    }

    /// Whether a pod at `address` may be asked.
    #[must_use]
    pub fn allows_pod(&self, address: IpAddr) -> bool {
        if self.networks.is_empty() {
            !is_special(address)
        } else {
            self.in_network(address)
        }
    }

    /// Whether a URL with this host may be asked; `host` as in a URL, so an IPv6 address may stand in brackets.
    #[must_use]
    pub fn allows_host(&self, host: &str) -> bool {
        self.admits(host).is_some()
    }

    pub(crate) fn admits(&self, host: &str) -> Option<Admitted> {
        if let Some(address) = address_of(host) {
            return self.in_network(address).then_some(Admitted::Named);
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let mut admitted = None;
        for pattern in &self.hosts {
            match pattern {
                HostPattern::Exact(name) if *name == host => return Some(Admitted::Named),
                HostPattern::Suffix(suffix)
                    if host.len() > suffix.len() && host.ends_with(suffix.as_str()) =>
                {
                    admitted = Some(Admitted::Matched);
                }
                _ => {}
            }
        }
        admitted
    }

    /// Whether a host that was admitted so may resolve to `address`.
    pub(crate) fn allows_resolved(&self, admitted: Admitted, address: IpAddr) -> bool {
        admitted == Admitted::Named || !is_special(address) || self.in_network(address)
    }

    fn in_network(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }
}

impl fmt::Display for TargetAllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.hosts.iter().map(|host| match host {
            HostPattern::Exact(name) => name.clone(),
            HostPattern::Suffix(suffix) => format!("*{suffix}"),
        });
        let entries: Vec<String> = hosts
            .chain(self.networks.iter().map(ToString::to_string))
            .collect();
        if entries.is_empty() {
            f.write_str("no host")
        } else {
            f.write_str(&entries.join(", "))
        }
    }
}

impl FromStr for HostPattern {
    type Err = AllowListError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let is_label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        // digits and dots only would be a mistyped address
        let is_name = name.len() <= 253
            && name.split('.').all(is_label)
            && name.bytes().any(|b| b.is_ascii_alphabetic());
        if !is_name {
            return Err(AllowListError {
                found: crate::outcome::plain(text),
            });
        }
        let name = name.to_ascii_lowercase();
        Ok(if text.starts_with("*.") {
            Self::Suffix(format!(".{name}"))
        } else {
            Self::Exact(name)
        })
    }
}

fn network(entry: &str) -> Option<IpNet> {
    entry
        .parse()
        .ok()
        .or_else(|| entry.parse::<IpAddr>().ok().map(IpNet::from))
}

/// The address that `host` is, if it is one.
pub(crate) fn address_of(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
        .parse()
        .ok()
}

/// Addresses at which no ordinary pod answers, and something else may.
fn is_special(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || match address {
            IpAddr::V4(v4) => v4.is_link_local() || v4 == Ipv4Addr::BROADCAST,
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_asks_pods_and_services_only() {
        let list = TargetAllowList::default();
        for (host, allowed) in [
            ("checkout.shop.svc", true),
            ("Checkout.shop.SVC", true),
            ("checkout.shop.svc.cluster.local", true),
            ("checkout.shop.svc.cluster.local.", true),
            ("checkout.shop", false),
            ("svc", false),
            (".svc", false),
            ("evil-svc", false),
            ("checkout.shop.svc.evil.com", false),
            ("169.254.169.254", false),
            ("10.0.0.1", false),
            ("[::1]", false),
            ("localhost", false),
            ("kubernetes.default", false),
        ] {
            assert_eq!(list.allows_host(host), allowed, "{host}");
        }
        for (address, allowed) in [
            ("10.244.3.7", true),
            ("fd00::7", true),
            ("127.0.0.1", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("169.254.169.254", false),
            ("fe80::1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
        ] {
            assert_eq!(
                list.allows_pod(address.parse().unwrap()),
                allowed,
                "{address}"
            );
        }
    }

    #[test]
    fn entries_replace_the_default() {
        let list =
            TargetAllowList::parse(["status.example.com", "*.corp", "10.0.0.0/8", "::1"]).unwrap();
        for (host, allowed) in [
            ("status.example.com", true),
            ("a.status.example.com", false),
            ("a.b.corp", true),
            ("10.9.9.9", true),
            ("11.0.0.1", false),
            ("[::1]", true),
            ("checkout.shop.svc", false),
        ] {
            assert_eq!(list.allows_host(host), allowed, "{host}");
        }
        assert!(list.allows_pod("10.1.1.1".parse().unwrap()));
        assert!(!list.allows_pod("192.168.0.1".parse().unwrap()));
    }

    #[test]
    fn a_matched_name_may_not_point_at_special_addresses() {
        let list = TargetAllowList::parse(["*.svc", "localhost"]).unwrap();
        let metadata = "169.254.169.254".parse().unwrap();
        let loopback = "127.0.0.1".parse().unwrap();
        let matched = list.admits("a.b.svc").unwrap();
        let named = list.admits("localhost").unwrap();
        assert!(!list.allows_resolved(matched, metadata));
        assert!(!list.allows_resolved(matched, loopback));
        assert!(list.allows_resolved(matched, "10.0.0.1".parse().unwrap()));
        assert!(list.allows_resolved(named, loopback));
    }

    #[test]
    fn refuses_entries_that_are_none() {
        for entry in [
            "",
            "*",
            "*.",
            "a..b",
            "http://a",
            "10.0.0.0/33",
            "a b",
            "1.2.3",
            "*.*.svc",
        ] {
            assert!(TargetAllowList::parse([entry]).is_err(), "{entry}");
        }
    }
}
