//! Who gets into a plane or cluster: clients, kubeconfigs, kubectl, namespaces and the roles behind the users.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef, Subject};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::folder::Folder;
use super::keep::Evidence;
use super::pki::{self, Pki};
use super::users::User;
use super::{Output, client_from, kubeconfig_path, kubectl, wait_for};
use crate::audit::AuditLog;

/// An API server as its users meet it, and the folder of everything that was started for it.
#[derive(Debug)]
pub struct Access {
    pki: Pki,
    kubectl: PathBuf,
    server: SocketAddr,
    namespaces: AtomicU32,
    evidence: Arc<Evidence>,
    folder: Folder,
}

impl Access {
    pub(crate) fn new(
        folder: Folder,
        pki: Pki,
        kubectl: &Path,
        port: u16,
        evidence: Arc<Evidence>,
    ) -> Self {
        Self {
            pki,
            kubectl: kubectl.to_owned(),
            server: SocketAddr::from(([127, 0, 0, 1], port)),
            namespaces: AtomicU32::new(0),
            evidence,
            folder,
        }
    }

    /// The API server's address.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// The audit log of the API server.
    pub fn audit(&self) -> AuditLog {
        AuditLog::new(&self.folder().join("log/audit.json"))
    }

    /// Removed on drop, unless kept.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where a further program on it should log, so that its log is kept with the others.
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder().join("log").join(format!("{name}.log"))
    }

    /// Dumps the objects and keeps the folder, now; its path is printed.
    pub fn keep(&self) {
        self.evidence.take("as told");
    }

    /// A client as `user`, for the caller's runtime.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read.
    pub async fn client(&self, user: User) -> anyhow::Result<Client> {
        client_from(&self.kubeconfig(user)).await
    }

    /// A client as a ServiceAccount, for the caller's runtime.
    ///
    /// # Errors
    /// When the token is refused.
    pub async fn service_account_client(
        &self,
        namespace: &str,
        name: &str,
    ) -> anyhow::Result<Client> {
        client_from(&self.service_account_kubeconfig(namespace, name).await?).await
    }

    pub fn kubeconfig(&self, user: User) -> PathBuf {
        kubeconfig_path(self.folder(), user)
    }

    /// A kubeconfig that speaks as a ServiceAccount, by a token of the TokenRequest API that lasts a day.
    ///
    /// # Errors
    /// When the ServiceAccount does not exist or the token is refused.
    pub async fn service_account_kubeconfig(
        &self,
        namespace: &str,
        name: &str,
    ) -> anyhow::Result<PathBuf> {
        let server = format!("https://{}", self.server());
        self.service_account_kubeconfig_at(namespace, name, &server)
            .await
    }

    /// As [`Plane::service_account_kubeconfig`], for an API server reached at another address.
    ///
    /// # Errors
    /// When the ServiceAccount does not exist or the token is refused.
    pub async fn service_account_kubeconfig_at(
        &self,
        namespace: &str,
        name: &str,
        server: &str,
    ) -> anyhow::Result<PathBuf> {
        let accounts: Api<ServiceAccount> =
            Api::namespaced(self.client(User::Admin).await?, namespace);
        let spec = TokenRequestSpec {
            expiration_seconds: Some(24 * 3600),
            ..TokenRequestSpec::default()
        };
        let request = TokenRequest {
            spec,
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .with_context(|| format!("no token for the ServiceAccount {namespace}/{name}"))?;
        let token = answer.status.context("the API server sent no token")?.token;
        let user = format!("{namespace}-{name}");
        let path = self
            .folder()
            .join("kubeconfig")
            .join(format!("serviceaccount-{user}"));
        let config = self
            .pki
            .kubeconfig_with(&user, &json!({"token": token}), server);
        pki::write(&path, &config.to_string())?;
        Ok(path)
    }

    /// Runs the real kubectl as `user` to its end.
    ///
    /// # Errors
    /// When it cannot be started; a refusal is an [`Output`].
    pub async fn kubectl(
        &self,
        user: User,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        stdin: Option<&str>,
    ) -> anyhow::Result<Output> {
        kubectl::kubectl(
            &self.kubectl,
            self.folder(),
            &self.kubeconfig(user),
            arguments,
            stdin,
        )
        .await
    }

    /// A kubectl command as `user`, to be completed by the caller (see [`super::run`]).
    pub fn kubectl_command(&self, user: User) -> tokio::process::Command {
        kubectl::command(&self.kubectl, self.folder(), &self.kubeconfig(user))
    }

    /// Where kubectl is, for showing it to people.
    pub fn kubectl_path(&self) -> &Path {
        &self.kubectl
    }

    /// A new namespace `PREFIX-N` in which developer and on-call may `edit`.
    ///
    /// # Errors
    /// As [`Plane::namespace_with`].
    pub async fn namespace(&self, prefix: &str) -> anyhow::Result<String> {
        self.namespace_with(prefix, &[]).await
    }

    /// A new namespace with labels; returns once its default ServiceAccount exists, so pods can be created.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn namespace_with(
        &self,
        prefix: &str,
        labels: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let client = self.client(User::Admin).await?;
        let name = format!(
            "{prefix}-{}",
            self.namespaces.fetch_add(1, Ordering::Relaxed) + 1
        );
        let labels: BTreeMap<String, String> = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let metadata = ObjectMeta {
            name: Some(name.clone()),
            labels: Some(labels),
            ..ObjectMeta::default()
        };
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces
            .create(
                &PostParams::default(),
                &Namespace {
                    metadata,
                    ..Namespace::default()
                },
            )
            .await
            .with_context(|| format!("cannot make the namespace {name}"))?;
        let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), &name);
        for user in [User::Developer, User::OnCall] {
            let binding = RoleBinding {
                metadata: ObjectMeta {
                    name: Some(user.name().to_owned()),
                    ..ObjectMeta::default()
                },
                role_ref: cluster_role("edit"),
                subjects: Some(vec![subject("User", user.name())]),
            };
            bindings.create(&PostParams::default(), &binding).await?;
        }
        let accounts: Api<ServiceAccount> = Api::namespaced(client, &name);
        wait_for("the namespace's default ServiceAccount", || async {
            Ok(accounts.get_opt("default").await?)
        })
        .await?;
        Ok(name)
    }
}

/// What gives nodes their rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nodes {
    /// The Node authorizer.
    ByAuthorizer,
    /// Without it nothing is bound to their role: a binding does it.
    ByRole,
}

/// The bindings that the users need beyond what the API server makes by itself.
pub(crate) async fn bootstrap(admin: &Client, nodes: Nodes) -> anyhow::Result<()> {
    let bindings: Api<ClusterRoleBinding> = Api::all(admin.clone());
    let mut wanted = vec![
        (
            "plane-gitops",
            "cluster-admin",
            subject("User", User::GitOps.name()),
        ),
        ("plane-oncall", "view", subject("User", User::OnCall.name())),
    ];
    if nodes == Nodes::ByRole {
        let everybody = subject("Group", "system:nodes");
        wanted.push(("plane-nodes", "system:node", everybody));
    }
    for (name, role, who) in wanted {
        let binding = ClusterRoleBinding {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            role_ref: cluster_role(role),
            subjects: Some(vec![who]),
        };
        bindings
            .create(&PostParams::default(), &binding)
            .await
            .with_context(|| format!("cannot bind {role}"))?;
    }
    Ok(())
}

fn cluster_role(name: &str) -> RoleRef {
    RoleRef {
        api_group: "rbac.authorization.k8s.io".to_owned(),
        kind: "ClusterRole".to_owned(),
        name: name.to_owned(),
    }
}

fn subject(kind: &str, name: &str) -> Subject {
    Subject {
        api_group: Some("rbac.authorization.k8s.io".to_owned()),
        kind: kind.to_owned(),
        name: name.to_owned(),
        namespace: None,
    }
}
