//! The Prometheus check: an instant query, and a condition that every sample of its result must satisfy.
//!
//! One sample that violates the condition fails, whatever the others say. No data, a NaN or an infinity, a result that is no vector or scalar, and every
//! trouble with Prometheus itself are `Unknown`: they say nothing about the target.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    fmt::Write as _,
    sync::Arc,
    time::Duration,
};

use prometheus_http_query::{
    Client,
    response::{Data, PromqlResult},
};
use reqwest::{StatusCode, header::AUTHORIZATION};
use serde::Deserialize;
use sluice_api::PrometheusCheck;

use super::{Plan, bearer::Bearer};
use crate::{
    condition::Condition,
    engine::{EngineError, PrometheusSource},
    outcome::{Blindness, Outcome, chain, plain},
    query::{self, QueryError},
};

/// The longest answer that is read: far above what a check should select, far below what hurts.
const ANSWER: usize = 4 * 1024 * 1024;

/// One Prometheus server, for whoever wants a vector and no verdict.
pub struct PrometheusServer(Source);

/// One series of a vector: its labels and its value.
pub type Series = (HashMap<String, String>, f64);

impl PrometheusServer {
    /// A server; `name` is what messages call it.
    ///
    /// # Errors
    /// A source that cannot be asked as it is described.
    pub fn new(name: &str, source: PrometheusSource) -> Result<Self, EngineError> {
        Source::new(name, source).map(Self)
    }

    /// Every series of an instant query, of an answer of at most `longest` bytes.
    ///
    /// # Errors
    /// Why there is no vector, in one sentence.
    pub async fn vector(&self, query: &str, longest: usize) -> Result<Vec<Series>, String> {
        let timeout = self.0.timeout;
        let asked = tokio::time::timeout(timeout, self.0.ask(query, timeout, longest)).await;
        let answer = match asked {
            Ok(answer) => answer.map_err(|saw| plain(&saw))?,
            Err(_) => return Err(format!("no answer within {} ms", timeout.as_millis())),
        };
        let (data, _) = answer.into_inner();
        match data {
            Data::Vector(vector) => Ok(vector
                .into_iter()
                .map(|series| {
                    let value = series.sample().value();
                    (series.into_inner().0, value)
                })
                .collect()),
            Data::Matrix(_) | Data::Scalar(_) => {
                Err("it answered with something else than a vector".to_owned())
            }
        }
    }
}

/// The Prometheus servers by name.
pub(super) struct Sources(BTreeMap<String, Source>);

#[derive(Clone)]
struct Source {
    client: Client,
    timeout: Duration,
    bearer: Option<Arc<Bearer>>,
}

/// One query.
pub(crate) struct QueryPlan {
    pub(super) name: String,
    source: Source,
    query: String,
    condition: Condition,
}

/// The answer of the query API.
#[derive(Deserialize)]
struct Reply {
    status: String,
    data: Option<PromqlResult>,
    #[serde(rename = "errorType")]
    error_type: Option<String>,
    error: Option<String>,
}

impl Sources {
    pub(super) fn new(sources: BTreeMap<String, PrometheusSource>) -> Result<Self, EngineError> {
        sources
            .into_iter()
            .map(|(name, source)| {
                let source = Source::new(&name, source)?;
                Ok((name, source))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(super) fn plan(
        &self,
        check: &PrometheusCheck,
        canary_hash: Option<&str>,
        stable_hash: Option<&str>,
    ) -> Plan {
        let name = format!("prometheus {}", check.source);
        let Some(source) = self.0.get(&check.source) else {
            let saw = format!("the configuration names no prometheus `{}`", check.source);
            return Plan::blind(name, Blindness::Misconfigured, plain(&saw));
        };
        let condition = match check.condition.parse() {
            Ok(condition) => condition,
            Err(error) => return Plan::blind(name, Blindness::Misconfigured, chain(&error)),
        };
        let query = match query::fill(&check.query, canary_hash, stable_hash) {
            Ok(query) => query,
            Err(error @ QueryError::NoHash(_)) => {
                return Plan::blind(name, Blindness::NoHash, chain(&error));
            }
            Err(error) => return Plan::blind(name, Blindness::Misconfigured, chain(&error)),
        };
        Plan::Query(Box::new(QueryPlan {
            name,
            source: source.clone(),
            query,
            condition,
        }))
    }
}

impl Source {
    fn new(name: &str, source: PrometheusSource) -> Result<Self, EngineError> {
        let problem = |problem: &str| EngineError::Source {
            name: name.to_owned(),
            problem: problem.to_owned(),
        };
        let url = reqwest::Url::parse(&source.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some())
            .ok_or_else(|| problem("its url must be absolute, http or https, such as http://prometheus.monitoring.svc:9090"))?;
        if source.timeout.is_zero() {
            return Err(problem("its timeout must be above 0"));
        }
        let bearer = source.bearer_token.as_ref().map(Bearer::new).transpose();
        let bearer = bearer.map_err(|error| problem(&chain(&error)))?;
        let builder = || {
            reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(concat!("sluice-probe/", env!("CARGO_PKG_VERSION")))
        };
        let client = if url.scheme() == "https" {
            builder().build()
        } else {
            // no trust anchors needed, so a machine without any still works
            builder().tls_certs_only([]).build()
        }
        .map_err(EngineError::Client)?;
        Ok(Self {
            client: Client::from(client, &source.url).map_err(|error| problem(&chain(&error)))?,
            timeout: source.timeout,
            bearer: bearer.map(Arc::new),
        })
    }
}

impl QueryPlan {
    /// Asks once and judges the result.
    pub(super) async fn sample(&self, timeout: Duration) -> Outcome {
        let timeout = timeout.min(self.source.timeout);
        let asked = self.source.ask(&self.query, timeout, ANSWER);
        match tokio::time::timeout(timeout, asked).await {
            Ok(Ok(result)) => judge(result.data(), &self.condition),
            Ok(Err(saw)) => Outcome::blind(Blindness::Source, plain(&saw)),
            Err(_) => Outcome::blind(
                Blindness::Source,
                format!("no answer within {} ms", timeout.as_millis()),
            ),
        }
    }
}

impl Source {
    async fn ask(
        &self,
        query: &str,
        timeout: Duration,
        longest: usize,
    ) -> Result<PromqlResult, String> {
        let mut query = self
            .client
            .query(query)
            .timeout(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX));
        let bearer = self.bearer.as_deref();
        if let Some(bearer) = bearer {
            let token = bearer.value().await.map_err(|error| chain(&error))?;
            query = query.header(AUTHORIZATION, token);
        }
        let mut response = query.post_raw().await.map_err(|error| cannot_ask(&error))?;
        let status = response.status();
        if let Some(bearer) =
            bearer.filter(|_| matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN))
        {
            bearer.refused();
        }
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| format!("its answer broke off: {}", chain(&error.without_url())))?
        {
            if body.len() + chunk.len() > longest {
                return Err(format!(
                    "its answer is longer than {} MiB: the query selects too much",
                    longest / 1024 / 1024
                ));
            }
            body.extend_from_slice(&chunk);
        }
        read(status.as_u16(), &body)
    }
}

/// The text of a transport error without its URL, whose query would fill the message.
fn cannot_ask(error: &prometheus_http_query::Error) -> String {
    let mut cause: &(dyn Error + 'static) = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    format!("cannot ask it: {}", chain(cause))
}

fn read(status: u16, body: &[u8]) -> Result<PromqlResult, String> {
    let reply: Reply = serde_json::from_slice(body).map_err(|error| {
        let text: String = String::from_utf8_lossy(body).chars().take(80).collect();
        format!(
            "it answered {status} with something else than a vector or a scalar ({error}): {text:?}"
        )
    })?;
    match (reply.status.as_str(), reply.data) {
        ("success", Some(data)) => Ok(data),
        ("success", None) => Err(format!("it answered {status} without data")),
        _ => Err(format!(
            "it answered {status}: {}: {}",
            reply.error_type.as_deref().unwrap_or("error"),
            reply.error.as_deref().unwrap_or("no reason given")
        )),
    }
}

/// How many labels a message shows.
const LABELS: usize = 6;

fn judge(data: &Data, condition: &Condition) -> Outcome {
    let values: Vec<(f64, Option<&HashMap<String, String>>)> = match data {
        Data::Scalar(sample) => vec![(sample.value(), None)],
        Data::Vector(vector) => vector
            .iter()
            .map(|series| (series.sample().value(), Some(series.metric())))
            .collect(),
        Data::Matrix(_) => {
            return Outcome::blind(
                Blindness::Source,
                "the query gives ranges of samples: wrap it in a function such as rate()",
            );
        }
    };
    let Some((first, _)) = values.first() else {
        return Outcome::blind(Blindness::NoData, "no data");
    };
    let at_fault = |wanted: Option<bool>| {
        values
            .iter()
            .filter(move |(value, _)| condition.holds(*value) == wanted)
    };
    let describe = |(value, labels): &(f64, Option<&HashMap<String, String>>)| {
        let mut text = value.to_string();
        if let Some(labels) = labels.filter(|labels| !labels.is_empty()) {
            let mut sorted: Vec<String> = labels
                .iter()
                .map(|(name, value)| format!("{name}={value:?}"))
                .collect();
            sorted.sort();
            sorted.truncate(LABELS);
            let _ = write!(text, " of {{{}}}", sorted.join(","));
        }
        text
    };
    let all = values.len();
    if let Some(worst) = at_fault(Some(false)).next() {
        let mut saw = format!("{}, expected {condition}", describe(worst));
        if all > 1 {
            let _ = write!(saw, " ({} of {all} series)", at_fault(Some(false)).count());
        }
        return Outcome::bad(plain(&saw));
    }
    if let Some(none) = at_fault(None).next() {
        return Outcome::blind(
            Blindness::NotANumber,
            plain(&format!("{}: not a finite number", describe(none))),
        );
    }
    Outcome::good(if all == 1 {
        format!("{first}, as expected {condition}")
    } else {
        format!("{all} series, all {condition}")
    })
}
