//! `sluice release abort` and `retry`: fields of the Release that the API server itself guards, so they work with every pod of Sluice dead.

use anyhow::Context;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use sluice_api::{Release, ReleasePhase, release::HumanRequest};

use super::read;
use crate::{
    cluster::explained,
    console::{self, one_line},
    outcome::Outcome,
    workload::Named,
};

/// What a human may ask of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Undo it now.
    Abort,
    /// Forget that it was rolled back, unlock the component, or go on after a pause.
    Retry,
}

impl Request {
    const fn word(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Retry => "retry",
        }
    }

    /// Why the request makes no sense for a release, if so.
    fn pointless(self, phase: ReleasePhase) -> Option<String> {
        use ReleasePhase::{
            Aborting, Failed, Paused, RollbackIneffective, RolledBack, Succeeded, Superseded,
        };
        match (self, phase) {
            (Self::Abort, Aborting) => Some("it is being undone already".to_owned()),
            (Self::Abort, phase) if phase.is_finished() => Some(format!("it has ended: {phase}")),
            (Self::Abort, _)
            | (Self::Retry, Paused | RolledBack | RollbackIneffective | Failed) => None,
            (Self::Retry, Succeeded | Superseded) => {
                Some(format!("it has ended: {phase}; nothing of it is refused"))
            }
            (Self::Retry, phase) => Some(format!("it is under way: {phase}")),
        }
    }

    const fn follows(self, phase: ReleasePhase) -> &'static str {
        match (self, phase) {
            (Self::Abort, _) => "the way back starts at once",
            (Self::Retry, ReleasePhase::Paused) => "the release goes on",
            (Self::Retry, _) => "the same version may be applied again",
        }
    }
}

/// Asks it of the release that was named, or of the current one of the workload that was named.
///
/// # Errors
/// When the release cannot be found or the API server does not answer. That it refuses is an answer.
pub async fn ask(
    client: &Client,
    namespace: &str,
    named: &Named,
    request: Request,
    reason: &str,
) -> anyhow::Result<Outcome> {
    let word = request.word();
    let found = read::find(client, namespace, named).await?;
    let Some(release) = found.current() else {
        console::print(&format!("nothing to {word}: {}\n", found.progress().now))?;
        return Ok(Outcome::No);
    };
    let name = release.name_any();
    let phase = release
        .status
        .as_ref()
        .map_or(ReleasePhase::Held, |status| status.phase);
    if let Some(why) = request.pointless(phase) {
        console::print(&format!("nothing to {word} about release {name}: {why}\n"))?;
        return Ok(Outcome::No);
    }
    let asked: HumanRequest = HumanRequest {
        reason: reason.to_owned(),
        by: own_name(client).await,
    };
    let api: Api<Release> = Api::namespaced(client.clone(), namespace);
    let patch = json!({"metadata": {"uid": release.metadata.uid}, "spec": { word: asked }});
    match api
        .patch(
            &name,
            &PatchParams {
                field_manager: Some("sluice-cli".to_owned()),
                ..PatchParams::default()
            },
            &Patch::Merge(patch),
        )
        .await
    {
        Ok(_) => {
            console::print(&format!(
                "{word} of release {name} is asked for: {}; `sluice release watch {name} -n {namespace}` follows it\n",
                request.follows(phase)
            ))?;
            Ok(Outcome::Yes)
        }
        Err(kube::Error::Api(status)) if status.code == 403 => {
            eprintln!("error: {}", one_line(&status.message));
            Ok(Outcome::No)
        }
        Err(error) => explained(Err(error), &format!("release {name} cannot be changed"))
            .context("the request was not made"),
    }
}

/// The name the API server knows the caller by; the guard lets in no other. Without an answer the record says nothing, and the audit log has it.
async fn own_name(client: &Client) -> Option<String> {
    let api: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = api
        .create(&PostParams::default(), &SelfSubjectReview::default())
        .await
        .ok()?;
    review
        .status?
        .user_info?
        .username
        .filter(|name| name.chars().count() <= 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_changes_nothing_is_not_made() {
        use ReleasePhase::{
            Aborting, Baking, Failed, Held, Paused, RollbackIneffective, RolledBack, Succeeded,
            Superseded,
        };
        for (phase, abort, retry) in [
            (Held, true, false),
            (Baking, true, false),
            (Paused, true, true),
            (Aborting, false, false),
            (Succeeded, false, false),
            (Superseded, false, false),
            (RolledBack, false, true),
            (RollbackIneffective, false, true),
            (Failed, false, true),
        ] {
            assert_eq!(
                Request::Abort.pointless(phase).is_none(),
                abort,
                "abort {phase}"
            );
            assert_eq!(
                Request::Retry.pointless(phase).is_none(),
                retry,
                "retry {phase}"
            );
        }
    }
}
