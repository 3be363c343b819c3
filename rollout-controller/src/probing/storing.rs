//! Statuses that have to be stored, and what was stored last.

use std::{collections::HashMap, sync::Arc};

use sluice_api::{Gate, Policy, PolicyException, Probe, RolloutPlan};

use crate::{
    cache::{Caches, table::Key},
    execute::{ExecuteError, Executor},
};

/// What this process wrote last, where the stored status alone does not say whether it is current.
#[derive(Default)]
pub(super) struct Written {
    pub gates: HashMap<Key, Vec<String>>,
}

/// One status that has to be stored.
pub(super) enum Due {
    Gate {
        key: Key,
        object: Arc<Gate>,
        status: sluice_api::GateStatus,
        words: Vec<String>,
        closes: bool,
    },
    Probe {
        object: Arc<Probe>,
        status: sluice_api::ProbeStatus,
    },
    Plan {
        object: Arc<RolloutPlan>,
        status: sluice_api::RolloutPlanStatus,
    },
    Policy {
        object: Arc<Policy>,
        status: sluice_api::PolicyStatus,
    },
    Exception {
        object: Arc<PolicyException>,
        status: sluice_api::PolicyExceptionStatus,
    },
}

impl Due {
    pub const fn closes(&self) -> bool {
        matches!(self, Self::Gate { closes: true, .. })
    }

    pub fn name(&self) -> &str {
        let metadata = match self {
            Self::Gate { object, .. } => &object.metadata,
            Self::Probe { object, .. } => &object.metadata,
            Self::Plan { object, .. } => &object.metadata,
            Self::Policy { object, .. } => &object.metadata,
            Self::Exception { object, .. } => &object.metadata,
        };
        metadata.name.as_deref().unwrap_or_default()
    }

    pub fn exists(&self, caches: &Caches) -> bool {
        match self {
            Self::Gate { key, .. } => caches.gates.get(key).is_some(),
            _ => true,
        }
    }

    pub async fn store(&self, executor: &Executor, caches: &Caches) -> Result<(), ExecuteError> {
        match self {
            Self::Gate { object, status, .. } => {
                executor
                    .status(&caches.gates, &object.metadata, status)
                    .await
            }
            Self::Probe { object, status } => {
                executor
                    .status(&caches.probes, &object.metadata, status)
                    .await
            }
            Self::Plan { object, status } => {
                executor
                    .status(&caches.plans, &object.metadata, status)
                    .await
            }
            Self::Policy { object, status } => {
                executor
                    .status(&caches.policies, &object.metadata, status)
                    .await
            }
            Self::Exception { object, status } => {
                executor
                    .status(&caches.exceptions, &object.metadata, status)
                    .await
            }
        }
    }
}
