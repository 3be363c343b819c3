//! The status of a pod as a kubelet would write it, from its containers' state machines. Pure.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::behaviour::Behaviour;
use super::container::{Container, Exit, Stage};

/// Everything the status depends on at one moment.
pub(super) struct Picture<'a> {
    pub(super) pod: &'a Pod,
    pub(super) address: String,
    pub(super) started: Timestamp,
    pub(super) now: Timestamp,
    pub(super) containers: &'a [(Container, Behaviour)],
    /// Set when the pod was failed from outside: the reason.
    pub(super) failed: Option<&'a str>,
}

impl Picture<'_> {
    pub(super) fn phase(&self) -> &'static str {
        if self.failed.is_some() {
            return "Failed";
        }
        let stages = || {
            self.containers
                .iter()
                .map(|(container, _)| &container.stage)
        };
        if stages().any(|stage| matches!(stage, Stage::Creating { .. } | Stage::PullFailed { .. }))
        {
            return "Pending";
        }
        let mut failed = false;
        for stage in stages() {
            match stage {
                Stage::Exited {
                    exit,
                    restart: None,
                } => failed |= exit.code != 0,
                _ => return "Running",
            }
        }
        if failed { "Failed" } else { "Succeeded" }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.containers_ready() && self.gates_pass()
    }

    fn containers_ready(&self) -> bool {
        self.failed.is_none()
            && self
                .containers
                .iter()
                .all(|(container, behaviour)| container.is_ready(self.now, behaviour))
    }

    // a readiness gate passes when somebody has set its condition to True
    fn gates_pass(&self) -> bool {
        let gates = self
            .pod
            .spec
            .as_ref()
            .and_then(|spec| spec.readiness_gates.as_ref());
        gates.is_none_or(|gates| {
            gates.iter().all(|gate| {
                self.condition(&gate.condition_type)
                    .is_some_and(|c| c.status == "True")
            })
        })
    }

    fn condition(&self, kind: &str) -> Option<&PodCondition> {
        let conditions = self
            .pod
            .status
            .as_ref()
            .and_then(|status| status.conditions.as_ref())?;
        conditions.iter().find(|condition| condition.type_ == kind)
    }

    /// `before` is the status written last: its transition times stay where nothing changed.
    pub(super) fn status(&self, before: Option<&PodStatus>) -> PodStatus {
        let phase = self.phase();
        let ended = matches!(phase, "Failed" | "Succeeded");
        let unready = match phase {
            "Succeeded" => "PodCompleted",
            "Failed" => "PodFailed",
            _ => "ContainersNotReady",
        };
        let started = self
            .containers
            .iter()
            .all(|(container, _)| !matches!(container.stage, Stage::Creating { .. }));
        let conditions = [
            (
                "PodReadyToStartContainers",
                !ended && (started || phase == "Running"),
                None,
            ),
            ("Initialized", true, ended.then_some("PodCompleted")),
            ("ContainersReady", self.containers_ready(), Some(unready)),
            (
                "Ready",
                self.is_ready(),
                Some(if self.containers_ready() {
                    "ReadinessGatesNotReady"
                } else {
                    unready
                }),
            ),
        ];
        let conditions = conditions.map(|(kind, holds, why)| {
            let status = if holds { "True" } else { "False" };
            let earlier = before
                .and_then(|before| before.conditions.as_ref())
                .into_iter()
                .flatten();
            let same = earlier
                .filter(|c| c.type_ == kind && c.status == status)
                .find_map(|c| c.last_transition_time.clone());
            PodCondition {
                type_: kind.to_owned(),
                status: status.to_owned(),
                reason: why
                    .filter(|_| !holds || kind == "Initialized")
                    .map(str::to_owned),
                last_transition_time: Some(same.unwrap_or_else(|| time(self.now))),
                ..PodCondition::default()
            }
        });
        PodStatus {
            phase: Some(phase.to_owned()),
            reason: self.failed.map(str::to_owned),
            conditions: Some(conditions.to_vec()),
            host_ip: Some(super::fleet::NODE_ADDRESS.to_owned()),
            host_ips: Some(vec![HostIP {
                ip: super::fleet::NODE_ADDRESS.to_owned(),
            }]),
            pod_ip: Some(self.address.clone()),
            pod_ips: Some(vec![PodIP {
                ip: self.address.clone(),
            }]),
            start_time: Some(time(self.started)),
            init_container_statuses: self.init_statuses(started),
            container_statuses: Some(
                self.containers
                    .iter()
                    .map(|(c, behaviour)| self.container_status(c, behaviour))
                    .collect(),
            ),
            ..PodStatus::default()
        }
    }

    fn container_status(&self, container: &Container, behaviour: &Behaviour) -> ContainerStatus {
        let id = |restarts: i32| {
            let uid = self.pod.metadata.uid.as_deref().unwrap_or_default();
            format!("fake://{uid}-{}-{restarts}", container.name)
        };
        let mut state = ContainerState::default();
        let mut last_state = container
            .last
            .as_ref()
            .map(|exit| terminated(exit, &id(container.restarts - 1)));
        match &container.stage {
            Stage::Creating { .. } => state.waiting = Some(waiting("ContainerCreating", None)),
            Stage::PullFailed { since, message } => {
                let image = &container.image;
                state.waiting = Some(if Container::pull_backs_off(*since, self.now) {
                    waiting(
                        "ImagePullBackOff",
                        Some(format!("Back-off pulling image \"{image}\": {message}")),
                    )
                } else {
                    waiting(
                        "ErrImagePull",
                        Some(format!("failed to pull image \"{image}\": {message}")),
                    )
                });
            }
            Stage::Running { since } => {
                state.running = Some(ContainerStateRunning {
                    started_at: Some(time(*since)),
                })
            }
            Stage::Exited {
                exit,
                restart: Some(restart),
            } if self.now >= restart.waiting_from => {
                let name = &container.name;
                state.waiting = Some(waiting(
                    "CrashLoopBackOff",
                    Some(format!("back-off restarting failed container={name}")),
                ));
                last_state = Some(terminated(exit, &id(container.restarts)));
            }
            Stage::Exited { exit, .. } => state = terminated(exit, &id(container.restarts)),
        }
        let never_started = matches!(
            container.stage,
            Stage::Creating { .. } | Stage::PullFailed { .. }
        );
        ContainerStatus {
            name: container.name.clone(),
            image: container.image.clone(),
            image_id: if never_started {
                String::new()
            } else {
                container.image.clone()
            },
            container_id: (!never_started).then(|| id(container.restarts)),
            ready: self.failed.is_none() && container.is_ready(self.now, behaviour),
            started: Some(container.running_since().is_some()),
            restart_count: container.restarts,
            state: Some(state),
            last_state,
            ..ContainerStatus::default()
        }
    }

    // init containers do their work in no time; a sidecar (restartPolicy Always) runs as long as the pod
    fn init_statuses(&self, started: bool) -> Option<Vec<ContainerStatus>> {
        let spec = self.pod.spec.as_ref()?;
        let statuses = spec.init_containers.as_ref()?.iter().map(|container| {
            let image = container.image.clone().unwrap_or_default();
            let sidecar = container.restart_policy.as_deref() == Some("Always");
            let mut state = ContainerState::default();
            if !started {
                state.waiting = Some(waiting("PodInitializing", None));
            } else if sidecar && !matches!(self.phase(), "Failed" | "Succeeded") {
                state.running = Some(ContainerStateRunning {
                    started_at: Some(time(self.started)),
                });
            } else {
                let exit = Exit {
                    code: 0,
                    oom: false,
                    started: self.started,
                    finished: self.started,
                };
                state = terminated(&exit, "fake://init");
            }
            ContainerStatus {
                name: container.name.clone(),
                image_id: image.clone(),
                image,
                ready: started,
                started: Some(started && sidecar),
                state: Some(state),
                ..ContainerStatus::default()
            }
        });
        Some(statuses.collect())
    }
}

fn waiting(reason: &str, message: Option<String>) -> ContainerStateWaiting {
    ContainerStateWaiting {
        reason: Some(reason.to_owned()),
        message,
    }
}

fn terminated(exit: &Exit, id: &str) -> ContainerState {
    let reason = match exit {
        Exit { oom: true, .. } => "OOMKilled",
        Exit { code: 0, .. } => "Completed",
        _ => "Error",
    };
    let terminated = ContainerStateTerminated {
        exit_code: exit.code,
        reason: Some(reason.to_owned()),
        started_at: Some(time(exit.started)),
        finished_at: Some(time(exit.finished)),
        container_id: Some(id.to_owned()),
        ..ContainerStateTerminated::default()
    };
    ContainerState {
        terminated: Some(terminated),
        ..ContainerState::default()
    }
}

// the API keeps whole seconds
pub(super) fn time(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}
