//! A probe of a container as the kubelet reads it: what it asks, and how long it is patient.

use sluice_tree::Value;

use crate::view::{Container, Int, View, lookup};

pub(super) const LIVENESS: &str = "livenessProbe";
pub(super) const READINESS: &str = "readinessProbe";
pub(super) const STARTUP: &str = "startupProbe";

/// One probe that is there.
#[derive(Clone, Copy)]
pub(super) struct Probe<'v, 'a> {
    view: &'v View<'a>,
    container: Container<'a>,
    name: &'static str,
    value: &'a Value,
}

/// What a probe asks; equal questions get equal answers.
#[derive(PartialEq)]
enum Question<'a> {
    Http {
        host: Option<&'a str>,
        port: Option<i64>,
        path: &'a str,
        scheme: &'a str,
        headers: Option<&'a Value>,
    },
    Tcp {
        host: Option<&'a str>,
        port: Option<i64>,
    },
    Grpc {
        port: Option<i64>,
        service: &'a str,
    },
    Exec(Option<&'a Value>),
}

impl<'v, 'a> Probe<'v, 'a> {
    /// The probe of this name; `None` when the container has none.
    pub(super) fn of(
        view: &'v View<'a>,
        container: Container<'a>,
        name: &'static str,
    ) -> Option<Self> {
        let value = container.get(name).filter(|value| value.is_object())?;
        Some(Self {
            view,
            container,
            name,
            value,
        })
    }

    /// Seconds before it asks for the first time; `None` when something else than a number stands there.
    pub(super) fn initial_delay(&self) -> Option<i64> {
        self.number("initialDelaySeconds")
    }

    /// `failureThreshold` times `periodSeconds`: how long it may fail before the kubelet acts.
    pub(super) fn patience(&self) -> Option<i64> {
        let (threshold, period) = (
            self.number("failureThreshold")?,
            self.number("periodSeconds")?,
        );
        Some(threshold.saturating_mul(period))
    }

    /// `3 x 10s`.
    pub(super) fn patience_text(&self) -> String {
        let number = |name| self.number(name).unwrap_or_default();
        format!(
            "{} x {}s",
            number("failureThreshold"),
            number("periodSeconds")
        )
    }

    /// The period, at least a second.
    pub(super) fn period(&self) -> i64 {
        self.number("periodSeconds").unwrap_or_default().max(1)
    }

    /// Seconds from the start of the container until the kubelet acts when the probe never succeeds.
    pub(super) fn budget(&self) -> Option<i64> {
        Some(self.initial_delay()?.saturating_add(self.patience()?))
    }

    /// Whether both ask the same of the same port.
    pub(super) fn asks_the_same_as(&self, other: &Self) -> bool {
        match (self.question(), other.question()) {
            (Some(own), Some(other)) => own == other,
            _ => false,
        }
    }

    /// What is not there counts as 0, as it does where the API has no other default.
    fn number(&self, field: &str) -> Option<i64> {
        let path = format!("{}.{field}", self.name);
        match self.view.container_field(&self.container, &path).int() {
            Int::Is(number) => Some(number.clamp(0, i64::from(i32::MAX))),
            Int::Absent => Some(0),
            Int::Odd => None,
        }
    }

    fn question(&self) -> Option<Question<'a>> {
        let value = self.value;
        let text = |path: &str, default: &'static str| {
            lookup(value, path)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .unwrap_or(default)
        };
        let host = |path| {
            lookup(value, path)
                .and_then(Value::as_str)
                .filter(|host| !host.is_empty())
        };
        if lookup(value, "httpGet").is_some() {
            Some(Question::Http {
                host: host("httpGet.host"),
                port: self.port("httpGet.port"),
                path: text("httpGet.path", "/"),
                scheme: text("httpGet.scheme", "HTTP"),
                headers: lookup(value, "httpGet.httpHeaders"),
            })
        } else if lookup(value, "tcpSocket").is_some() {
            Some(Question::Tcp {
                host: host("tcpSocket.host"),
                port: self.port("tcpSocket.port"),
            })
        } else if lookup(value, "grpc").is_some() {
            Some(Question::Grpc {
                port: self.port("grpc.port"),
                service: text("grpc.service", ""),
            })
        } else {
            lookup(value, "exec").map(|_| Question::Exec(lookup(value, "exec.command")))
        }
    }

    /// The port, by number also where the manifest says its name.
    fn port(&self, path: &str) -> Option<i64> {
        let port = lookup(self.value, path)?;
        if let Some(number) = port.as_i64() {
            return Some(number);
        }
        let name = port.as_str()?;
        self.container
            .get("ports")
            .and_then(Value::as_array)?
            .iter()
            .find(|port| port.get("name").and_then(Value::as_str) == Some(name))?
            .get("containerPort")?
            .as_i64()
    }
}
