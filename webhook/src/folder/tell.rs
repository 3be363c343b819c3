//! Tells people of the policy folder with an Event on the webhook's Deployment. Few: only when the folder breaks or is whole again.

use std::convert::Infallible;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::follow::News;

/// The Deployment of the webhook in the manifests, to which the events are attached.
const DEPLOYMENT: &str = "sluice-webhook";
/// The API server takes notes up to 1 KiB.
const LONGEST: usize = 900;

/// Sends what it is told until `until`.
///
/// # Errors
/// None: an Event that cannot be sent is logged.
pub async fn tell(
    client: Client,
    namespace: String,
    mut news: mpsc::Receiver<News>,
    until: CancellationToken,
) -> Result<(), Infallible> {
    let recorder = Recorder::new(
        client,
        Reporter {
            controller: "sluice-webhook".to_owned(),
            instance: std::env::var("POD_NAME").ok(),
        },
    );
    let about = ObjectReference {
        api_version: Some("apps/v1".to_owned()),
        kind: Some("Deployment".to_owned()),
        namespace: Some(namespace),
        name: Some(DEPLOYMENT.to_owned()),
        ..ObjectReference::default()
    };
    loop {
        let one = tokio::select! {
            () = until.cancelled() => return Ok(()),
            one = news.recv() => one,
        };
        let Some(one) = one else {
            until.cancelled().await;
            return Ok(());
        };
        let event = Event {
            type_: if one.warning {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason: one.reason.to_owned(),
            note: Some(one.text.chars().take(LONGEST).collect()),
            action: "ReadPolicies".to_owned(),
            secondary: None,
        };
        if let Err(error) = recorder.publish(&event, &about).await {
            tracing::warn!(
                reason = one.reason,
                error = &error as &dyn std::error::Error,
                "event not sent"
            );
        }
    }
}
