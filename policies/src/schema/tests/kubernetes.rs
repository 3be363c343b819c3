//! Kinds of Kubernetes.

use super::{newest, told};
use crate::documents::yaml;

/// A Deployment with something in its only container, its pod and its spec.
fn deployment(container: &str, pod: &str, spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a}}\nspec:\n  selector: {{matchLabels: {{a: b}}}}\n{spec}  template:\n    metadata: {{labels: {{a: b}}}}\n    spec:\n{pod}      containers:\n      - name: c\n        image: x\n{container}"
    )
}

fn indented(by: usize, text: &str) -> String {
    text.lines()
        .map(|line| format!("{}{line}\n", " ".repeat(by)))
        .collect()
}

#[test]
fn says_what_a_container_gets_wrong() {
    const C: &str = "spec.template.spec.containers[0]";
    for (written, expected) in [
        ("command: [a, b]", ""),
        (
            "command: a b",
            "wrong-type C.command: the string \"a b\"; a list of strings",
        ),
        (
            "comand: [a]",
            "unknown-field C.comand: no field of Container; did you mean command?",
        ),
        (
            "Image: x",
            "unknown-field C.Image: no field of Container; did you mean image?",
        ),
        (
            "args: [1]",
            "wrong-type C.args[0]: the number 1; a string, in quotes",
        ),
        (
            "args: [{a: b}]",
            "wrong-type C.args[0]: an object; a string",
        ),
        (
            "env: {A: b}",
            "wrong-type C.env: an object; a list of objects (EnvVar)",
        ),
        (
            "env: [A=b]",
            "wrong-type C.env[0]: the string \"A=b\"; an object (EnvVar)",
        ),
        (
            "env: [{name: A, value: 1.5}]",
            "wrong-type C.env[0].value: the number 1.5; a string, in quotes",
        ),
        (
            "env: [{name: A, value: no}]",
            "wrong-type C.env[0].value: the boolean false; a string, in quotes",
        ),
        ("env: [{name: A, value: null}]", ""),
        (
            "env: [{name: A, valuefrom: {fieldRef: {fieldPath: a}}}]",
            "unknown-field C.env[0].valuefrom: no field of EnvVar; did you mean valueFrom?",
        ),
        (
            "env: [{name: A, secretKeyRef: {name: a, key: b}}]",
            "misplaced-field C.env[0].secretKeyRef: nothing reads it there; it belongs at C.env[0].valueFrom.secretKeyRef",
        ),
        (
            "ports: [{containerPort: \"80\"}]",
            "wrong-type C.ports[0].containerPort: the string \"80\"; 80 without quotes",
        ),
        (
            "ports: [{containerPort: http}]",
            "wrong-type C.ports[0].containerPort: the string \"http\"; a whole number",
        ),
        (
            "ports: [{containerPort: 5000000000}]",
            "wrong-type C.ports[0].containerPort: the number 5000000000; a whole number from -2147483648 to 2147483647",
        ),
        (
            "ports: [{containerPort: 80.5}]",
            "wrong-type C.ports[0].containerPort: the number 80.5; a whole number from -2147483648 to 2147483647",
        ),
        ("ports: [{containerPort: 8e1}]", ""),
        (
            "ports: [{port: 80}]",
            "unknown-field C.ports[0].port: no field of ContainerPort; containerPort, hostIP, hostPort, name, protocol",
        ),
        (
            "port: 80",
            "unknown-field C.port: no field of Container; did you mean ports?",
        ),
        (
            "containerPort: 80",
            "misplaced-field C.containerPort: nothing reads it there; it belongs at C.ports[*].containerPort",
        ),
        (
            "tty: \"true\"",
            "wrong-type C.tty: the string \"true\"; true without quotes",
        ),
        ("tty: 1", "wrong-type C.tty: the number 1; true or false"),
        ("tty: on", ""),
        ("resources: {limits: {memory: 1Gi, cpu: 2}}", ""),
        (
            "resources: {limits: {memory: 1 Gi}}",
            "unreadable-value C.resources.limits.memory: no quantity: the string \"1 Gi\"; did you mean 1Gi?",
        ),
        (
            "resources: {limits: {memory: true}}",
            "wrong-type C.resources.limits.memory: the boolean true; a quantity such as 500m or 1Gi",
        ),
        (
            "resources: {limits: {example.org/gpu: x}}",
            "unreadable-value C.resources.limits[\"example.org/gpu\"]: no quantity: the string \"x\"; a quantity such as 500m or 1Gi",
        ),
        (
            "resources: {limit: {cpu: 1}}",
            "unknown-field C.resources.limit: no field of ResourceRequirements; did you mean limits?",
        ),
        (
            "limits: {cpu: 1}",
            "misplaced-field C.limits: nothing reads it there; it belongs at C.resources.limits",
        ),
        ("livenessProbe: {httpGet: {path: /, port: http}}", ""),
        (
            "livenessProbe: {httpGet: {path: /, port: [80]}}",
            "wrong-type C.livenessProbe.httpGet.port: a list; a whole number or a string",
        ),
        (
            "livenessProbe: {path: /, port: 80}",
            "misplaced-field C.livenessProbe.port: nothing reads it there; it belongs at C.livenessProbe.grpc.port or C.livenessProbe.httpGet.port or C.livenessProbe.tcpSocket.port",
        ),
        (
            "livenessProbe: {initialDelay: 3}",
            "unknown-field C.livenessProbe.initialDelay: no field of Probe; did you mean initialDelaySeconds?",
        ),
        ("restartPolicy: Always", ""),
        (
            "hostNetwork: true",
            "misplaced-field C.hostNetwork: nothing reads it there; it belongs at spec.template.spec.hostNetwork",
        ),
        (
            "volumes: [{name: a, emptyDir: {}}]",
            "misplaced-field C.volumes: nothing reads it there; it belongs at spec.template.spec.volumes",
        ),
        (
            "replicas: 3",
            "misplaced-field C.replicas: nothing reads it there; it belongs at spec.replicas",
        ),
        (
            "securityContext: {fsGroup: 1}",
            "misplaced-field C.securityContext.fsGroup: nothing reads it there; it belongs at spec.template.spec.securityContext.fsGroup",
        ),
        (
            "securityContext: {capabilities: {drop: ALL}}",
            "wrong-type C.securityContext.capabilities.drop: the string \"ALL\"; a list of strings",
        ),
        (
            "volumeMounts: [{name: a, path: /x}]",
            "unknown-field C.volumeMounts[0].path: no field of VolumeMount; bindMountOptions, mountPath, mountPropagation, name, readOnly, recursiveReadOnly, subPath, subPathExpr",
        ),
        (
            "nonsense: 1",
            "unknown-field C.nonsense: no field of Container; one of its 25 fields: args, command, env, envFrom, image, imagePullPolicy, lifecycle, livenessProbe, …",
        ),
    ] {
        let object = yaml(&deployment(&indented(8, written), "", ""));
        let found = told(&newest(), &object).join(" | ").replace(C, "C");
        // the path of a probe is a name that many have: it is told apart from the places of its port
        let found = found.replace(
            "unknown-field C.livenessProbe.path: no field of Probe; one of its 10 fields: exec, failureThreshold, grpc, httpGet, initialDelaySeconds, periodSeconds, successThreshold, tcpSocket, … | ",
            "",
        );
        assert_eq!(found, expected, "{written}");
    }
}

#[test]
fn says_what_pods_and_their_owners_get_wrong() {
    for (pod, spec, expected) in [
        ("hostNetwork: yes", "replicas: 3", ""),
        (
            "",
            "replica: 3",
            "unknown-field spec.replica: no field of DeploymentSpec; did you mean replicas?",
        ),
        (
            "",
            "replicas: three",
            "wrong-type spec.replicas: the string \"three\"; a whole number",
        ),
        ("", "replicas: -1", ""),
        (
            "",
            "strategy: Recreate",
            "wrong-type spec.strategy: the string \"Recreate\"; an object (DeploymentStrategy)",
        ),
        (
            "",
            "strategy: {maxSurge: 1}",
            "misplaced-field spec.strategy.maxSurge: nothing reads it there; it belongs at spec.strategy.rollingUpdate.maxSurge",
        ),
        (
            "",
            "strategy: {rollingUpdate: {maxSurge: 25%, maxUnavailable: 0}}",
            "",
        ),
        (
            "",
            "strategy: {rollingUpdate: {maxSurge: 0.25}}",
            "wrong-type spec.strategy.rollingUpdate.maxSurge: the number 0.25; a whole number or a string",
        ),
        (
            "",
            "minReadySeconds: 10s",
            "wrong-type spec.minReadySeconds: the string \"10s\"; a whole number",
        ),
        (
            "",
            "imagePullSecrets: [{name: a}]",
            "misplaced-field spec.imagePullSecrets: nothing reads it there; it belongs at spec.template.spec.imagePullSecrets",
        ),
        (
            "",
            "serviceAccountName: a",
            "misplaced-field spec.serviceAccountName: nothing reads it there; it belongs at spec.template.spec.serviceAccountName",
        ),
        (
            "",
            "annotations: {a: b}",
            "misplaced-field spec.annotations: nothing reads it there; it belongs at metadata.annotations or spec.template.metadata.annotations",
        ),
        (
            "",
            "name: b",
            "unknown-field spec.name: no field of DeploymentSpec; minReadySeconds, paused,",
        ),
        (
            "",
            "spec: {replicas: 3}",
            "misplaced-field spec.spec: nothing reads it there; it belongs at spec (set already)",
        ),
        (
            "replicas: 2",
            "",
            "misplaced-field spec.template.spec.replicas: nothing reads it there; it belongs at spec.replicas",
        ),
        (
            "replicas: 2",
            "replicas: 3",
            "misplaced-field spec.template.spec.replicas: nothing reads it there; it belongs at spec.replicas (set already)",
        ),
        (
            "imagePullSecret: a",
            "",
            "unknown-field spec.template.spec.imagePullSecret: no field of PodSpec; did you mean imagePullSecrets?",
        ),
        (
            "imagePullPolicy: Always",
            "",
            "misplaced-field spec.template.spec.imagePullPolicy: nothing reads it there; it belongs at spec.template.spec.containers[0].imagePullPolicy",
        ),
        (
            "tolerations: {key: a}",
            "",
            "wrong-type spec.template.spec.tolerations: an object; a list of objects (Toleration)",
        ),
        (
            "nodeSelector: {a: true}",
            "",
            "wrong-type spec.template.spec.nodeSelector.a: the boolean true; a string, in quotes",
        ),
        (
            "securityContext: {privileged: true}",
            "",
            "misplaced-field spec.template.spec.securityContext.privileged: nothing reads it there; it belongs at spec.template.spec.containers[0].securityContext.privileged",
        ),
        (
            "terminationGracePeriodSeconds: 1m",
            "",
            "wrong-type spec.template.spec.terminationGracePeriodSeconds: the string \"1m\"; a whole number",
        ),
        (
            "volumes: [{name: a, configMap: b}]",
            "",
            "wrong-type spec.template.spec.volumes[0].configMap: the string \"b\"; an object (ConfigMapVolumeSource)",
        ),
        (
            "volumes: [{name: a, emptyDir: {sizeLimit: 1gb}}]",
            "",
            "unreadable-value spec.template.spec.volumes[0].emptyDir.sizeLimit: no quantity: the string \"1gb\"; did you mean 1G?",
        ),
        (
            "volumes: [{name: a, secret: {secretName: b, defaultMode: 0400}}]",
            "",
            "",
        ),
        (
            "priorityClass: high",
            "",
            "unknown-field spec.template.spec.priorityClass: no field of PodSpec; did you mean priorityClassName?",
        ),
    ] {
        let object = yaml(&deployment("", &indented(6, pod), &indented(2, spec)));
        let found = told(&newest(), &object).join(" | ");
        if expected.is_empty() {
            assert_eq!(found, "", "{pod}{spec}");
        } else {
            assert!(
                found.starts_with(expected),
                "{pod}{spec}\n{found}\n{expected}"
            );
            assert!(!found.contains(" | "), "{found}");
        }
    }
}

#[test]
fn says_what_other_kinds_get_wrong() {
    for (object, expected) in [
        (
            "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80, targetPort: http}]}}",
            "",
        ),
        (
            "{apiVersion: v1, kind: Service, metadata: {name: a}, ports: [{port: 80}], spec: {}}",
            "misplaced-field ports: nothing reads it there; it belongs at spec.ports",
        ),
        (
            "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {selectors: {a: b}}}",
            "unknown-field spec.selectors: no field of ServiceSpec; did you mean selector?",
        ),
        (
            "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {selector: {matchLabels: {a: b}}}}",
            "wrong-type spec.selector.matchLabels: an object; a string",
        ),
        (
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {port: 80}}",
            "wrong-type data.port: the number 80; a string, in quotes",
        ),
        (
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a.b: {c: d}}}",
            "wrong-type data[\"a.b\"]: an object; a string",
        ),
        (
            "{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {password: 12345}}",
            "wrong-type stringData.password: a number; a string, in quotes",
        ),
        (
            "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {password: hunter2}}",
            "unreadable-value data.password: no base64; the value in base64, or the value as it is under stringData",
        ),
        (
            "{apiVersion: v1, kind: Secret, metadata: {name: a}, password: x}",
            "unknown-field password: no field of Secret; apiVersion, data, immutable, kind, metadata, stringData, type",
        ),
        (
            "{apiVersion: v1, kind: Namespace, metadata: {name: a, label: {b: c}}}",
            "unknown-field metadata.label: no field of ObjectMeta; did you mean labels?",
        ),
        (
            "{apiVersion: v1, kind: Namespace, metadata: {name: a, creationTimestamp: null}}",
            "",
        ),
        (
            "{apiVersion: v1, kind: Namespace, metadata: {name: a, creationTimestamp: 2024-13-01}}",
            "unreadable-value metadata.creationTimestamp: no time: the string \"2024-13-01\"; a time such as 2026-01-31T12:00:00Z",
        ),
        (
            "{apiVersion: v1, kind: Namespace, metadata: none}",
            "wrong-type metadata: the string \"none\"; an object (ObjectMeta)",
        ),
        (
            "{apiVersion: v1, kind: Namespace, metadata: {name: a}, labels: {a: b}}",
            "misplaced-field labels: nothing reads it there; it belongs at metadata.labels",
        ),
        (
            "{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {schedule: x, jobTemplate: {spec: {template: {spec: {containers: []}}}, suspend: true}}}",
            "misplaced-field spec.jobTemplate.suspend: nothing reads it there; it belongs at spec.suspend",
        ),
        (
            "{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {schedule: x, template: {spec: {containers: []}}}}",
            "misplaced-field spec.template: nothing reads it there; it belongs at spec.jobTemplate.spec.template",
        ),
        (
            "{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {schedule: x, backoffLimit: 3, jobTemplate: {}}}",
            "misplaced-field spec.backoffLimit: nothing reads it there; it belongs at spec.jobTemplate.spec.backoffLimit",
        ),
        (
            "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {template: {spec: {containers: [], backoffLimit: 3, activeDeadline: 5}}}}",
            "unknown-field spec.template.spec.activeDeadline: no field of PodSpec; did you mean activeDeadlineSeconds? | misplaced-field spec.template.spec.backoffLimit: nothing reads it there; it belongs at spec.backoffLimit",
        ),
        (
            "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}, spec: {rules: [{host: a, paths: [{path: /}]}]}}",
            "misplaced-field spec.rules[0].paths: nothing reads it there; it belongs at spec.rules[0].http.paths",
        ),
        (
            "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}, spec: {rules: [{hosts: a}]}}",
            "unknown-field spec.rules[0].hosts: no field of IngressRule; did you mean host?",
        ),
        (
            "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}, spec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {serviceName: a, servicePort: 80}}]}}]}}",
            "unknown-field spec.rules[0].http.paths[0].backend.serviceName: no field of IngressBackend; resource, service | unknown-field spec.rules[0].http.paths[0].backend.servicePort: no field of IngressBackend; resource, service",
        ),
        (
            "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: a}, spec: {maxReplicas: 3, scaleTargetRef: {kind: Deployment, name: a}, targetCPUUtilizationPercentage: 80}}",
            "unknown-field spec.targetCPUUtilizationPercentage: no field of HorizontalPodAutoscalerSpec; behavior, maxReplicas, metrics, minReplicas, scaleTargetRef",
        ),
        (
            "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: a}, spec: {minAvailable: 50%, selector: {app: a}}}",
            "unknown-field spec.selector.app: no field of LabelSelector; matchExpressions, matchLabels",
        ),
        (
            "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: a}, rules: [{apiGroups: '', resources: [pods], verbs: [get]}]}",
            "wrong-type rules[0].apiGroups: the string \"\"; a list of strings",
        ),
        (
            "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: a}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10GB}}}}",
            "unreadable-value spec.resources.requests.storage: no quantity: the string \"10GB\"; did you mean 10G?",
        ),
        (
            "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a}, spec: {volumeClaimTemplates: [{metadata: {name: a}, spec: {storageClass: b}}]}}",
            "unknown-field spec.volumeClaimTemplates[0].spec.storageClass: no field of PersistentVolumeClaimSpec; did you mean storageClassName?",
        ),
        (
            "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: a}, spec: {group: a.b, versions: [{name: v1, schema: {openAPIV3Schema: {type: object, additionalProperties: {typ: string}}}}]}}",
            "unknown-field spec.versions[0].schema.openAPIV3Schema.additionalProperties.typ: no field of JSONSchemaProps; did you mean type?",
        ),
        (
            "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: a}, spec: {group: a.b, versions: [{name: v1, schema: {openAPIV3Schema: {properties: {a: {default: [1, {b: c}], enum: [1, a, null], additionalProperties: true}}}}}]}}",
            "",
        ),
    ] {
        let found = told(&newest(), &yaml(object)).join(" | ");
        assert_eq!(found, expected, "{object}");
    }
}
