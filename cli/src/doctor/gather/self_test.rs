//! A dry-run that the webhook must refuse: the one way to have the API server itself ask the webhook, from wherever this program runs.
//!
//! It is a Policy with a rule that nobody knows. Its schema takes it, so that only the webhook can refuse; it goes to `objects.sluice.dev`, which sees every
//! namespace and is passed over when it does not answer, so that "it went through" tells that it was not asked. The other entries have the same address
//! and the same authority, or the check says so.

use kube::{
    Api, Client,
    api::{DynamicObject, PostParams},
    core::ApiResource,
};
use serde_json::json;
use sluice_api::{Policy, SYSTEM_NAMESPACE};

use crate::doctor::facts::{Known, SelfTest};

/// No built-in rule has this name.
const NOBODY_KNOWS: &str = "sluice-doctor-asks-whether-you-are-there";
/// The words of the API server about a refusal by this entry.
const REFUSED: &str = "admission webhook \"objects.sluice.dev\" denied the request";

/// Sends it.
pub async fn ask(client: &Client) -> Known<SelfTest> {
    let resource = ApiResource::erase::<Policy>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), SYSTEM_NAMESPACE, &resource);
    let mut policy = DynamicObject::new("sluice-doctor", &resource).within(SYSTEM_NAMESPACE);
    policy.data = json!({"spec": {"rules": [{"use": NOBODY_KNOWS, "action": "Audit"}]}});
    let dry_run = PostParams {
        dry_run: true,
        field_manager: Some("sluice-doctor".to_owned()),
    };
    match api.create(&dry_run, &policy).await {
        Ok(_) => Ok(SelfTest::LetThrough),
        Err(kube::Error::Api(status)) if status.message.contains(REFUSED) => Ok(SelfTest::Refused),
        Err(kube::Error::Api(status)) => Ok(SelfTest::Elsewhere(status.message.clone())),
        Err(error) => Err(error.to_string()),
    }
}
