//! The command lines of the control plane.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::pki::{self, Pki};
use super::users::User;
use crate::process::Launch;
use crate::programs::Programs;

/// One of the plane's processes, for stopping and starting it in a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    Etcd,
    ApiServer,
    ControllerManager,
    Scheduler,
}

impl Component {
    pub const ALL: [Self; 4] = [
        Self::Etcd,
        Self::ApiServer,
        Self::ControllerManager,
        Self::Scheduler,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
        }
    }
}

/// Numbers only; the claims are held by the plane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) etcd: u16,
    pub(crate) etcd_peer: u16,
    pub(crate) apiserver: u16,
    pub(crate) controller_manager: u16,
    pub(crate) scheduler: u16,
}

impl Ports {
    pub(crate) fn of(self, component: Component) -> u16 {
        match component {
            Component::Etcd => self.etcd,
            Component::ApiServer => self.apiserver,
            Component::ControllerManager => self.controller_manager,
            Component::Scheduler => self.scheduler,
        }
    }
}

/// Where the processes run.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// On the loopback interface of this machine, beside fake nodes.
    Loopback,
    /// In the network namespace of a real node, under the node's address.
    Node {
        network: PathBuf,
        address: &'static str,
    },
}

pub(crate) struct Layout<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) programs: &'a Programs,
    pub(crate) pki: &'a Pki,
    pub(crate) ports: Ports,
    pub(crate) place: &'a Place,
    pub(crate) apiserver_arguments: &'a [String],
}

impl Layout<'_> {
    pub(crate) fn launch(&self, component: Component) -> Launch {
        let launch = match component {
            Component::Etcd => self.etcd(),
            Component::ApiServer => self.apiserver(),
            Component::ControllerManager => self.controller_manager(),
            Component::Scheduler => self.scheduler(),
        };
        // memory for processor time, which is what tests wait for: a test on a busy machine took 69 s instead of 82 s
        let launch = match std::env::var_os("GOGC") {
            Some(_) => launch,
            None => launch.env("GOGC", "400"),
        };
        match self.place {
            Place::Loopback => launch,
            Place::Node { network, .. } => launch.under(
                "nsenter",
                [format!("--net={}", network.display()), "--".to_owned()],
            ),
        }
    }

    fn log(&self, component: Component) -> std::path::PathBuf {
        self.folder
            .join("log")
            .join(format!("{}.log", component.name()))
    }

    fn etcd(&self) -> Launch {
        let client = format!("http://127.0.0.1:{}", self.ports.etcd);
        let peer = format!("http://127.0.0.1:{}", self.ports.etcd_peer);
        Launch::new("etcd", &self.programs.etcd, &self.log(Component::Etcd)).args([
            format!("--data-dir={}", self.folder.join("etcd").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ])
    }

    fn apiserver(&self) -> Launch {
        let pki = |file: &str| self.pki.path(file).display().to_string();
        let mut arguments = vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.ports.etcd),
            format!("--secure-port={}", self.ports.apiserver),
            format!("--tls-cert-file={}", pki("apiserver.crt")),
            format!("--tls-private-key-file={}", pki("apiserver.key")),
            format!("--client-ca-file={}", pki("ca.crt")),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", pki("service-accounts.pub")),
            format!(
                "--service-account-signing-key-file={}",
                pki("service-accounts.key")
            ),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
            format!("--kubelet-certificate-authority={}", pki("ca.crt")),
            format!(
                "--kubelet-client-certificate={}",
                pki("apiserver-kubelet-client.crt")
            ),
            format!(
                "--kubelet-client-key={}",
                pki("apiserver-kubelet-client.key")
            ),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            "--allow-privileged=true".to_owned(),
            format!(
                "--audit-policy-file={}",
                self.folder.join("audit-policy.yaml").display()
            ),
            format!(
                "--audit-log-path={}",
                self.folder.join("log/audit.json").display()
            ),
            "--audit-log-format=json".to_owned(),
            // rotation would lose counts
            "--audit-log-maxsize=100000".to_owned(),
            format!("--cert-dir={}", self.folder.join("certs").display()),
        ];
        match self.place {
            Place::Loopback => arguments.extend(
                [
                    "--bind-address=127.0.0.1",
                    "--advertise-address=127.0.0.1",
                    "--endpoint-reconciler-type=none",
                    "--authorization-mode=RBAC",
                    // new nodes would wait for the node lifecycle controller, which does not run here, to lift their taint
                    "--disable-admission-plugins=TaintNodesByCondition",
                ]
                .map(str::to_owned),
            ),
            Place::Node { address, .. } => arguments.extend([
                format!("--advertise-address={address}"),
                "--authorization-mode=Node,RBAC".to_owned(),
                "--enable-admission-plugins=NodeRestriction".to_owned(),
            ]),
        }
        arguments.extend_from_slice(self.apiserver_arguments);
        Launch::new(
            "kube-apiserver",
            &self.programs.apiserver,
            &self.log(Component::ApiServer),
        )
        .args(arguments)
    }

    fn controller_manager(&self) -> Launch {
        // everything that workloads, quotas, roles and clean-up need; not node-lifecycle (nodes are only as alive as
        // their fake kubelet says) and not the autoscaler (no metrics API)
        const CONTROLLERS: &[&str] = &[
            "clusterrole-aggregation-controller",
            "cronjob-controller",
            "daemonset-controller",
            "deployment-controller",
            "disruption-controller",
            "endpointslice-controller",
            "garbage-collector-controller",
            "job-controller",
            "namespace-controller",
            "pod-garbage-collector-controller",
            "replicaset-controller",
            "resourcequota-controller",
            "root-ca-certificate-publisher-controller",
            "serviceaccount-controller",
            "serviceaccount-token-controller",
            "statefulset-controller",
            "ttl-after-finished-controller",
            "validatingadmissionpolicy-status-controller",
        ];
        self.client_component(
            Component::ControllerManager,
            &self.programs.controller_manager,
            User::ControllerManager,
        )
        .args(match self.place {
            Place::Loopback => Some(format!("--controllers={}", CONTROLLERS.join(","))),
            // all that run by default
            Place::Node { .. } => None,
        })
        .args([
            "--use-service-account-credentials=true".to_owned(),
            format!(
                "--service-account-private-key-file={}",
                self.pki.path("service-accounts.key").display()
            ),
            format!("--root-ca-file={}", self.pki.path("ca.crt").display()),
            "--kube-api-qps=1000".to_owned(),
            "--kube-api-burst=2000".to_owned(),
            "--resource-quota-sync-period=5s".to_owned(),
            "--namespace-sync-period=30s".to_owned(),
            "--concurrent-deployment-syncs=10".to_owned(),
            "--concurrent-replicaset-syncs=10".to_owned(),
            "--concurrent-namespace-syncs=20".to_owned(),
        ])
    }

    fn scheduler(&self) -> Launch {
        self.client_component(
            Component::Scheduler,
            &self.programs.scheduler,
            User::Scheduler,
        )
        .args(["--kube-api-qps=1000", "--kube-api-burst=2000"])
    }

    fn client_component(&self, component: Component, program: &Path, user: User) -> Launch {
        let kubeconfig = self.folder.join("kubeconfig").join(user.file());
        let kubeconfig = kubeconfig.display();
        Launch::new(component.name(), program, &self.log(component)).args([
            format!("--kubeconfig={kubeconfig}"),
            format!("--authentication-kubeconfig={kubeconfig}"),
            format!("--authorization-kubeconfig={kubeconfig}"),
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", self.ports.of(component)),
            format!("--cert-dir={}", self.folder.join("certs").display()),
        ])
    }
}

/// Metadata of every request: enough to count, small enough to keep on.
pub(crate) fn write_audit_policy(folder: &Path, first: &[serde_json::Value]) -> anyhow::Result<()> {
    let mut rules = first.to_vec();
    rules.push(json!({"level": "Metadata"}));
    let policy = json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": rules,
    });
    pki::write(&folder.join("audit-policy.yaml"), &policy.to_string())
}
