//! What the checks look at: everything that was read of a cluster, once, with why something could not be read in its place. Plain data.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhook;
use serde_json::Value;
use sluice_api::Release;

use crate::{cluster::replicas::Replicas, installation::supported::KubernetesVersion};

/// What was read, or why it could not be.
pub type Known<T> = Result<T, String>;

/// Everything that was read of one cluster.
#[derive(Debug)]
pub struct Facts {
    /// Our own clock, when it was read.
    pub now: Timestamp,
    /// How long a release may stand still.
    pub stuck_after: Duration,
    /// The version of the API server.
    pub kubernetes: Known<KubernetesVersion>,
    /// How far the API server's clock is ahead of ours, to a second or so.
    pub server_ahead: Known<SignedDuration>,
    /// The objects that every installation has, and whether each is there.
    pub parts: Known<Vec<Piece>>,
    /// The version that the installation says it is of.
    pub installed_version: Known<Option<String>>,
    /// Every webhook configuration of the cluster that is Sluice's or asks Sluice.
    pub configurations: Known<Vec<Configuration>>,
    /// The ready and the other endpoints of the webhook's Service; nothing when it has no endpoints object at all.
    pub endpoints: Known<Option<Endpoints>>,
    /// How a dry-run ended that the webhook must refuse.
    pub self_test: Known<SelfTest>,
    /// The stored certificates, without their keys.
    pub certificates: Known<Option<Certificates>>,
    /// What the replicas of the webhook say.
    pub replicas: Known<Replicas>,
    /// The Lease of the leading controller.
    pub leader: Known<Option<Leader>>,
    /// Whether the probe engine beat before our eyes.
    pub heartbeat: Known<bool>,
    /// Every right that the programs need, and whether they have it.
    pub rights: Known<Vec<Right>>,
    /// Every release.
    pub releases: Known<Vec<Release>>,
    /// Every Deployment.
    pub deployments: Known<Vec<Value>>,
}

/// An object of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// `kind/name`.
    pub title: String,
    /// Whether it is there.
    pub there: bool,
}

/// A webhook configuration as it stands in the cluster. Entries of both kinds in one form: they have the same fields as far as they matter here.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its entries.
    pub entries: Vec<ValidatingWebhook>,
}

/// The endpoints of a Service, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// That take requests.
    pub ready: usize,
    /// All.
    pub all: usize,
}

/// How the dry-run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelfTest {
    /// The webhook refused it, as it must.
    Refused,
    /// It went through: the API server did not reach the webhook, or did not ask it.
    LetThrough,
    /// Something else refused it before the webhook was asked.
    Elsewhere(String),
}

/// The public part of the stored certificates, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// The certificate that is served.
    pub serving: String,
    /// The authority that signed it.
    pub authority: String,
}

/// The Lease of the leading controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// Who holds it; empty when nobody does.
    pub holder: String,
    /// Its version, when it says it.
    pub version: Option<String>,
    /// When it was renewed last, by the holder's clock.
    pub stamp: Option<Timestamp>,
    /// When a renewal came before our eyes, by our own clock.
    pub heard: Option<Timestamp>,
}

/// One right that a program needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// The ServiceAccount.
    pub account: &'static str,
    /// The role that grants it.
    pub role: &'static str,
    /// In words: `patch deployments.apps`.
    pub words: String,
    /// Whether the API server lets it.
    pub granted: bool,
}
