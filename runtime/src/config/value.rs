//! Values of the configuration that a plain type would let through although they cannot work. Each refuses while it is being read, so
//! that the error has the place of the value.

use std::{fmt, net::IpAddr};

use http::Uri;
use serde::{Deserialize, Deserializer, Serialize, de};

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text as written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            /// The checked value.
            ///
            /// # Errors
            /// What was found and what would pass.
            fn from_str(text: &str) -> Result<Self, String> {
                $check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(de::Error::custom)
            }
        }
    };
}

checked_text!(
    /// An `http` or `https` address with a host.
    HttpUrl,
    http_url
);
checked_text!(
    /// An `https` address with a host, without query, fragment or user.
    HttpsUrl,
    https_url
);
checked_text!(
    /// A name as Kubernetes wants it: lower case letters, digits and `-`, at most 63.
    Name,
    name
);
checked_text!(
    /// A host name, `*.` and a suffix, an address, or a network.
    TargetPattern,
    target
);

impl Name {
    /// For names written in this crate; a test reads them all.
    pub(super) fn known(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl TargetPattern {
    /// For patterns written in this crate; a test reads them all.
    pub(super) fn known(text: &str) -> Self {
        Self(text.to_owned())
    }
}

fn http_url(text: &str) -> Result<(), String> {
    let wrong = |what: &str| {
        format!(
            "`{text}` {what}: use http:// or https://, a host, and a port if it is not the usual one, such as http://prometheus.monitoring:9090"
        )
    };
    if text.contains('#') {
        return Err(wrong("has a fragment"));
    }
    let url: Uri = text.parse().map_err(|_| wrong("is no URL"))?;
    match url.scheme_str() {
        Some("http" | "https") => {}
        Some(_) => return Err(wrong("has a scheme that is not spoken here")),
        None => return Err(wrong("has no scheme")),
    }
    if url.host().is_none_or(str::is_empty) {
        return Err(wrong("has no host"));
    }
    if url
        .authority()
        .is_some_and(|whole| whole.as_str().contains('@'))
    {
        return Err(wrong(
            "carries a user or password, which do not belong into this file",
        ));
    }
    // http::Uri reads a port that does not fit as none
    if url.authority().is_some_and(|whole| {
        let after_host = whole
            .as_str()
            .rsplit_once(']')
            .map_or(whole.as_str(), |(_, rest)| rest);
        after_host.contains(':') && whole.port_u16().is_none_or(|port| port == 0)
    }) {
        return Err(wrong("has no usable port"));
    }
    Ok(())
}

fn https_url(text: &str) -> Result<(), String> {
    http_url(text)?;
    let refused = |what: &str| {
        format!(
            "`{text}` {what}: the API server only calls https:// addresses, such as https://127.0.0.1:9443"
        )
    };
    if !text.to_ascii_lowercase().starts_with("https://") {
        return Err(refused("is not https"));
    }
    if text.contains('?') {
        return Err(refused("has a query"));
    }
    Ok(())
}

fn name(text: &str) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty()
        || text.len() > 63
        || !text.chars().all(inner)
        || text.starts_with('-')
        || text.ends_with('-')
    {
        return Err(format!(
            "`{text}` is no name: use lower case letters, digits and `-` inside, at most 63"
        ));
    }
    Ok(())
}

fn target(text: &str) -> Result<(), String> {
    let refused = || {
        format!(
            "`{text}` is no probe target: use a host name, `*.` and a suffix, an IP address or a network such as 10.0.0.0/8"
        )
    };
    if let Some((address, length)) = text.split_once('/') {
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let length: u8 = length.parse().map_err(|_| refused())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        return if length <= longest {
            Ok(())
        } else {
            Err(refused())
        };
    }
    if text.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    let host = text.strip_prefix("*.").unwrap_or(text);
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // all digits and dots is an address that did not parse, not a host
    let numeric = host.chars().all(|c| c.is_ascii_digit() || c == '.');
    if host.len() <= 253 && host.split('.').all(label) && !numeric {
        Ok(())
    } else {
        Err(refused())
    }
}

pub(super) fn concurrency<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let found = i64::deserialize(deserializer)?;
    usize::try_from(found)
        .ok()
        .filter(|count| (1..=65_536).contains(count))
        .ok_or_else(|| {
            de::Error::custom(format!(
                "`{found}` samples at once cannot be: use 1 to 65536, such as 256"
            ))
        })
}

pub(super) fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let found = i64::deserialize(deserializer)?;
    u16::try_from(found)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| de::Error::custom(format!("`{found}` is no port: use 1 to 65535")))
}

/// The line of the text with a caret below the column; empty when there is no such place.
pub(super) fn caret(text: &str, line: u64, column: u64) -> String {
    let index = |number: u64| usize::try_from(number).ok()?.checked_sub(1);
    let Some((row, offset)) = index(line).zip(index(column)) else {
        return String::new();
    };
    let Some(shown) = text.lines().nth(row) else {
        return String::new();
    };
    // tabs keep their width so that the caret stands below its place
    let lead: String = shown
        .chars()
        .take(offset)
        .map(|c| if c == '\t' { '\t' } else { ' ' })
        .collect();
    format!(
        "{line} | {shown}\n{} | {lead}^",
        " ".repeat(line.to_string().len())
    )
}
