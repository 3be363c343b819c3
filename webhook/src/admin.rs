//! What the admin server of the webhook tells beside metrics: what judges here (`GET /policies`) and what was found lately (`GET /findings`). JSON; read
//! only, from memory.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::get,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    folder::{InForce, Quarantined},
    judge::Knowledge,
    rings::{Entry, Rings},
};

/// What judges in this replica. The JSON form is stable: fields may be added, never renamed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judging {
    /// The digest of the policies in force: `sluice policy digest` prints the same of the same policies.
    pub digest: String,
    /// How many policies are in force.
    pub policies: usize,
    /// The digest of the exceptions.
    pub exceptions_digest: String,
    /// The exceptions, with their standing at this moment.
    pub exceptions: Vec<Exception>,
    /// Where policies and exceptions come from.
    pub sources: Sources,
    /// Files that cannot be used as they are now; an earlier state of the folder is in force.
    pub quarantined: Vec<Quarantined>,
    /// What is wrong with objects of the cluster that are therefore left out.
    pub left_out: Vec<String>,
}

/// One exception.
#[derive(Clone, Debug, Serialize)]
pub struct Exception {
    /// As `namespace/name`.
    pub name: String,
    /// The rule that may be broken.
    pub rule: String,
    /// Who answers for it.
    pub owner: String,
    /// Until when.
    pub expires: Timestamp,
    /// `InForce`, `ExpiresSoon`, `Expired`, `TooFar`.
    pub standing: &'static str,
}

/// Where policies and exceptions come from.
#[derive(Clone, Debug, Serialize)]
pub struct Sources {
    /// Objects of the cluster as `namespace/name`.
    pub cluster: FromCluster,
    /// The folder, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<FromFolder>,
}

/// Objects of the cluster.
#[derive(Clone, Debug, Serialize)]
pub struct FromCluster {
    /// Policies.
    pub policies: Vec<String>,
    /// Exceptions.
    pub exceptions: Vec<String>,
}

/// The folder.
#[derive(Clone, Debug, Serialize)]
pub struct FromFolder {
    /// As configured.
    pub path: String,
    /// The state of it that is in force.
    pub revision: String,
    /// Its files.
    pub files: Vec<InForce>,
}

#[derive(Clone)]
struct Shown {
    knowledge: Arc<Knowledge>,
    rings: Arc<Rings>,
}

/// The routes.
pub fn routes(knowledge: Arc<Knowledge>, rings: Arc<Rings>) -> Router {
    Router::new()
        .route("/policies", get(policies))
        .route("/findings", get(findings))
        .with_state(Shown { knowledge, rings })
}

async fn policies(State(shown): State<Shown>) -> Json<Judging> {
    Json(judging(&shown.knowledge, Timestamp::now()))
}

#[derive(Debug, Deserialize)]
struct Which {
    namespace: Option<String>,
}

async fn findings(
    State(shown): State<Shown>,
    Query(which): Query<Which>,
) -> Json<BTreeMap<String, Vec<Entry>>> {
    Json(shown.rings.show(which.namespace.as_deref()))
}

/// What judges at this moment.
#[must_use]
pub fn judging(knowledge: &Knowledge, now: Timestamp) -> Judging {
    let indexes = &knowledge.indexes;
    let rulebook = indexes.rulebook();
    let files = rulebook.files.as_deref();
    Judging {
        digest: rulebook.policies.digest().to_owned(),
        policies: rulebook.policies.policies(),
        exceptions_digest: rulebook.exceptions.digest().to_owned(),
        exceptions: rulebook
            .exceptions
            .standings(now)
            .map(|one| Exception {
                name: one.title.to_owned(),
                rule: one.rule.to_owned(),
                owner: one.owner.to_owned(),
                expires: one.expires,
                standing: one.standing.as_str(),
            })
            .collect(),
        sources: Sources {
            cluster: FromCluster {
                policies: indexes.policies.titles(),
                exceptions: indexes.exceptions.titles(),
            },
            folder: files.map(|content| FromFolder {
                path: content.path.display().to_string(),
                revision: content.revision.clone(),
                files: content.files.clone(),
            }),
        },
        quarantined: files
            .map(|content| content.quarantined.clone())
            .unwrap_or_default(),
        left_out: [
            rulebook.broken_policies.as_slice(),
            &rulebook.broken_exceptions,
        ]
        .concat(),
    }
}
