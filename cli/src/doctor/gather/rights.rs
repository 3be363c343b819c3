//! Asks the API server of every right in the table whether the program has it.

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::{Api, Client, api::PostParams};
use sluice_api::{
    SYSTEM_NAMESPACE,
    access::{Holder, ROLES},
};

use crate::{
    cluster::explained,
    doctor::facts::{Known, Right},
};

/// How many are asked at once.
const AT_ONCE: usize = 16;

/// Asks for all of them.
pub async fn ask(client: &Client) -> Known<Vec<Right>> {
    let api: Api<SubjectAccessReview> = Api::all(client.clone());
    let asked = wanted().into_iter().map(|(mut right, attributes)| {
        let api = api.clone();
        async move {
            let review = SubjectAccessReview {
                spec: SubjectAccessReviewSpec {
                    user: Some(format!(
                        "system:serviceaccount:{SYSTEM_NAMESPACE}:{}",
                        right.account
                    )),
                    groups: Some(vec![
                        "system:serviceaccounts".to_owned(),
                        format!("system:serviceaccounts:{SYSTEM_NAMESPACE}"),
                        "system:authenticated".to_owned(),
                    ]),
                    resource_attributes: Some(attributes),
                    ..SubjectAccessReviewSpec::default()
                },
                ..SubjectAccessReview::default()
            };
            let answer = explained(
                api.create(&PostParams::default(), &review).await,
                "the rights of the programs cannot be asked for",
            )?;
            right.granted = answer.status.is_some_and(|status| status.allowed);
            anyhow::Ok(right)
        }
    });
    super::said(stream::iter(asked).buffered(AT_ONCE).try_collect()).await
}

/// Every right of the programs, one verb on one resource each.
fn wanted() -> Vec<(Right, ResourceAttributes)> {
    let mut all = Vec::new();
    for role in ROLES {
        let (account, namespace) = match role.holder {
            Holder::Everywhere(account) => (account, None),
            Holder::OwnNamespace(account) => (account, Some(SYSTEM_NAMESPACE)),
            Holder::BuiltIn(_) | Holder::SignedIn | Holder::People => continue,
        };
        for grant in role.grants {
            // every name when the grant has none
            let names: Vec<Option<&str>> = match grant.names {
                [] => vec![None],
                names => names.iter().copied().map(Some).collect(),
            };
            for resource in grant.resources {
                let (resource, sub) = resource
                    .split_once('/')
                    .map_or((*resource, None), |(resource, sub)| (resource, Some(sub)));
                for verb in grant.verbs {
                    for name in &names {
                        let mut words = format!("{verb} {resource}");
                        if let Some(sub) = sub {
                            words.push_str(&format!("/{sub}"));
                        }
                        if !grant.group.is_empty() {
                            words.push_str(&format!(".{}", grant.group));
                        }
                        if let Some(name) = name {
                            words.push_str(&format!(" {name}"));
                        }
                        if let Some(namespace) = namespace {
                            words.push_str(&format!(" in {namespace}"));
                        }
                        let right = Right {
                            account,
                            role: role.name,
                            words,
                            granted: false,
                        };
                        let attributes = ResourceAttributes {
                            group: Some(grant.group.to_owned()),
                            resource: Some(resource.to_owned()),
                            subresource: sub.map(str::to_owned),
                            verb: Some((*verb).to_owned()),
                            name: name.map(str::to_owned),
                            namespace: namespace.map(str::to_owned),
                            ..ResourceAttributes::default()
                        };
                        all.push((right, attributes));
                    }
                }
            }
        }
    }
    all
}
