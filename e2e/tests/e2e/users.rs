//! Who may do what.

use anyhow::ensure;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::json;
use sluice_e2e::{User, in_namespace, installed_plane};

#[tokio::test]
async fn each_user_has_the_rights_of_its_role() -> anyhow::Result<()> {
    in_namespace("rights", async |plane, namespace| {
        let cases = [
            (User::Admin, "create", "clusterroles", "-A", true),
            (User::GitOps, "create", "clusterroles", "-A", true),
            (User::GitOps, "delete", "deployments", "-A", true),
            (User::OnCall, "get", "deployments", "-A", true),
            (User::OnCall, "delete", "deployments", "-A", false),
            (User::OnCall, "patch", "deployments", namespace, true),
            (User::Developer, "get", "deployments", "-A", false),
            (User::Developer, "patch", "deployments", namespace, true),
            (User::Developer, "create", "roles", namespace, false),
        ];
        for (user, verb, resource, place, expected) in cases {
            let place = if place == "-A" {
                vec!["-A"]
            } else {
                vec!["-n", place]
            };
            let arguments = [vec!["auth", "can-i", verb, resource], place].concat();
            let output = plane.kubectl(user, arguments, None).await?;
            ensure!(
                output.succeeded() == expected,
                "{user:?} {verb} {resource}: {output:?}"
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn service_account_speaks_as_itself() -> anyhow::Result<()> {
    in_namespace("account", async |plane, namespace| {
        let kubeconfig = plane
            .service_account_kubeconfig(namespace, "default")
            .await?;
        let mut command = plane.kubectl_command(User::Admin);
        command.env("KUBECONFIG", &kubeconfig).args([
            "auth",
            "whoami",
            "-o",
            "jsonpath={.status.userInfo.username}",
        ]);
        let name = sluice_e2e::plane::run(command, None).await?.ok()?;
        ensure!(
            name == format!("system:serviceaccount:{namespace}:default"),
            "{name}"
        );

        let client = plane.service_account_client(namespace, "default").await?;
        let maps: Api<ConfigMap> = Api::namespaced(client, namespace);
        let refused = maps.list(&Default::default()).await;
        ensure!(
            matches!(&refused, Err(kube::Error::Api(status)) if status.code == 403),
            "{refused:?}"
        );
        Ok(())
    })
    .await
}

/// The garbage collector deletes what has only dead owners, in its own name: who may add an owner may delete.
#[tokio::test]
async fn nobody_deletes_a_record_by_giving_it_an_owner() -> anyhow::Result<()> {
    let plane = &installed_plane().await?.plane;
    let namespace = plane.namespace("record").await?;
    let record = json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Release",
        "metadata": {"name": "r", "namespace": namespace},
        "spec": {"workload": {"kind": "Deployment", "name": "checkout", "uid": "u"},
            "target": {"hash": "0123456789"}, "originals": {}, "plan": {"namespace": namespace, "name": "p"}},
    });
    plane
        .kubectl(
            User::Admin,
            ["create", "-f", "-"],
            Some(&record.to_string()),
        )
        .await?
        .ok()?;
    for (metadata, goes) in [
        (
            json!({"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "gone"}]}),
            false,
        ),
        (json!({"finalizers": ["example.com/stay"]}), false),
        (
            json!({"annotations": {"sluice.dev/field-owners": "[]"}}),
            false,
        ),
        (json!({"annotations": {"note": "seen"}}), true),
    ] {
        let patch = json!({"metadata": metadata}).to_string();
        let arguments = [
            "-n",
            &namespace,
            "patch",
            "release",
            "r",
            "--type=merge",
            "-p",
            &patch,
        ];
        let output = plane.kubectl(User::Developer, arguments, None).await?;
        ensure!(output.succeeded() == goes, "{patch}: {output:?}");
    }
    Ok(())
}
