use sluice_tree::{Value, json};

use super::{
    KubernetesVersion, RAW_RULES, Schemas, Shape,
    table::{
        Table,
        pack::{Fields, PackError, Release, Written, WrittenKind, pack},
    },
};
use crate::documents::yaml;

fn newest() -> Schemas {
    Schemas::new(KubernetesVersion::newest())
}

fn told(schemas: &Schemas, object: &Value) -> Vec<String> {
    schemas
        .check(object)
        .unwrap()
        .into_iter()
        .map(|finding| {
            format!(
                "{} {}: {}; {}",
                finding.rule.info().name,
                finding.path,
                finding.found,
                finding.passes
            )
        })
        .collect()
}

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

#[test]
fn a_field_of_another_version_is_said_so() {
    let pick = |from: &str, than: &str| {
        let (old, new) = (
            Schemas::new(from.parse().unwrap()),
            Schemas::new(than.parse().unwrap()),
        );
        let (table, release) = (Table::shipped(), new.version().release().unwrap());
        // any field that only the newer version knows
        table
            .kinds(release)
            .filter(|(api_version, kind)| old.kind(api_version, kind).is_some())
            .find_map(|(api_version, kind)| {
                let Shape::Object(object) = new.kind(&api_version, kind)?.shape() else {
                    return None;
                };
                let Shape::Object(spec) = object.field("spec")?.shape() else {
                    return None;
                };
                let name = spec
                    .fields()
                    .into_iter()
                    .map(|(name, _)| name)
                    .find(|name| {
                        old.field_exists(&api_version, kind, &format!("spec.{name}")) == Some(false)
                    })?;
                Some((api_version, kind.to_owned(), name.to_owned()))
            })
    };
    let (api_version, kind, name) =
        pick("1.33", "1.37").expect("four minors add a field to some spec");
    let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, "spec": {name.as_str(): null}});
    assert_eq!(told(&newest(), &object), Vec::<String>::new());
    let found = told(&Schemas::new("1.33".parse().unwrap()), &object);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("or newer; 1.33 is asked for"),
        "{found:?}"
    );
}

#[test]
fn fields_can_be_asked_for() {
    let mut schemas = newest();
    schemas.learn(&definition());
    for (api_version, kind, path, exists) in [
        ("apps/v1", "Deployment", "spec.replicas", Some(true)),
        ("apps/v1", "Deployment", "spec.replica", Some(false)),
        (
            "apps/v1",
            "Deployment",
            "spec.template.spec.containers[0].image",
            Some(true),
        ),
        (
            "apps/v1",
            "Deployment",
            "spec.template.spec.containers[*].imag",
            Some(false),
        ),
        (
            "apps/v1",
            "Deployment",
            "spec.template.spec.containers.image",
            Some(false),
        ),
        ("apps/v1", "Deployment", "spec.replicas.x", Some(false)),
        (
            "apps/v1",
            "Deployment",
            "metadata.labels[\"a/b\"]",
            Some(true),
        ),
        ("apps/v1", "Deployment", "metadata.labels.a.b", Some(false)),
        ("apps/v1", "Deployment", "", Some(true)),
        (
            "v1",
            "Pod",
            "spec.containers[0].resources.limits.cpu",
            Some(true),
        ),
        (
            "batch/v1",
            "CronJob",
            "spec.jobTemplate.spec.template.spec.concurrencyPolicy",
            Some(false),
        ),
        ("apps/v1", "Deployments", "spec", None),
        ("apps/v7", "Deployment", "spec", None),
        ("example.org/v1", "Thing", "spec.size", Some(true)),
        ("example.org/v1", "Thing", "spec.sise", Some(false)),
        ("example.org/v1", "Thing", "spec.open.whatever", None),
        ("example.org/v1", "Thing", "metadata.name", Some(true)),
        ("example.org/v2", "Thing", "metadata.name", None),
    ] {
        assert_eq!(
            schemas.field_exists(api_version, kind, path),
            exists,
            "{kind} {path}"
        );
    }
}

fn definition() -> Value {
    yaml(
        "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec:
  group: example.org
  names: {kind: Thing, plural: things}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [size, mode]
            properties:
              size: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}
              mode: {type: string, enum: [a, b], default: a}
              count: {type: integer, format: int32, minimum: 1, maximum: 10, exclusiveMaximum: true}
              ratio: {type: number}
              every: {type: string, format: duration}
              since: {type: string, format: date-time}
              blob: {type: string, format: byte}
              short: {type: string, minLength: 2, maxLength: 4}
              tags: {type: array, maxItems: 2, items: {type: string}}
              labels: {type: object, additionalProperties: {type: string}}
              free: {type: object, additionalProperties: true}
              open: {type: object, x-kubernetes-preserve-unknown-fields: true}
              half: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {known: {type: boolean}}}
              empty: {type: object}
              any: {x-kubernetes-preserve-unknown-fields: true}
              template: {type: object, x-kubernetes-embedded-resource: true, properties: {spec: {type: object}}}
          status: {type: object, properties: {size: {type: integer}}}
  - {name: v2}
",
    )
}

#[test]
fn custom_objects_are_judged_by_their_definition() {
    let mut schemas = newest();
    schemas.learn(&definition());
    for (spec, expected) in [
        ("{size: 5}", ""),
        ("{size: 5Gi}", ""),
        (
            "{size: 5.5}",
            "wrong-type spec.size: the number 5.5; a whole number or a string",
        ),
        (
            "{}",
            "refused-by-definition spec.size: absent; a value: it is required",
        ),
        (
            "{size: null}",
            "refused-by-definition spec.size: absent; a value: it is required",
        ),
        (
            "{size: 1, mode: c}",
            "refused-by-definition spec.mode: the string \"c\"; one of a, b",
        ),
        (
            "{size: 1, count: 0}",
            "refused-by-definition spec.count: the number 0; at least 1",
        ),
        (
            "{size: 1, count: 10}",
            "refused-by-definition spec.count: the number 10; less than 10",
        ),
        (
            "{size: 1, count: many}",
            "wrong-type spec.count: the string \"many\"; a whole number",
        ),
        ("{size: 1, ratio: 0.5}", ""),
        (
            "{size: 1, ratio: half}",
            "wrong-type spec.ratio: the string \"half\"; a number",
        ),
        ("{size: 1, every: 5m}", ""),
        (
            "{size: 1, every: 5}",
            "wrong-type spec.every: the number 5; a span of time such as 1h30m, in quotes",
        ),
        (
            "{size: 1, every: soon}",
            "unreadable-value spec.every: no span of time: the string \"soon\"; a span of time such as 1h30m",
        ),
        (
            "{size: 1, since: yesterday}",
            "unreadable-value spec.since: no time: the string \"yesterday\"; a time such as 2026-01-31T12:00:00Z",
        ),
        (
            "{size: 1, blob: '!'}",
            "unreadable-value spec.blob: no base64; base64",
        ),
        (
            "{size: 1, short: abcde}",
            "refused-by-definition spec.short: 5 characters; at most 4 characters",
        ),
        (
            "{size: 1, short: ''}",
            "refused-by-definition spec.short: 0 characters; at least 2 characters",
        ),
        (
            "{size: 1, tags: [a, b, c]}",
            "refused-by-definition spec.tags: 3 items; at most 2 items",
        ),
        (
            "{size: 1, tags: [a, 1]}",
            "wrong-type spec.tags[1]: the number 1; a string, in quotes",
        ),
        (
            "{size: 1, labels: {a: b, c: 1}}",
            "wrong-type spec.labels.c: the number 1; a string, in quotes",
        ),
        ("{size: 1, free: {a: [1, {b: c}]}}", ""),
        ("{size: 1, open: {a: [1, {b: c}]}}", ""),
        (
            "{size: 1, open: []}",
            "wrong-type spec.open: a list; an object",
        ),
        ("{size: 1, half: {known: true, other: 1}}", ""),
        (
            "{size: 1, half: {known: 1}}",
            "wrong-type spec.half.known: the number 1; true or false",
        ),
        (
            "{size: 1, empty: {a: 1}}",
            "unknown-field spec.empty.a: no field there; no field at all",
        ),
        ("{size: 1, any: [1, a, {b: c}]}", ""),
        (
            "{size: 1, template: {apiVersion: v1, kind: A, metadata: {name: a}, spec: {}}}",
            "",
        ),
        (
            "{size: 1, template: {metadata: {nam: a}}}",
            "unknown-field spec.template.metadata.nam: no field of ObjectMeta; did you mean name?",
        ),
        (
            "{size: 1, tag: [a]}",
            "unknown-field spec.tag: no field there; did you mean tags?",
        ),
        (
            "{size: 1, empty: {ratio: 1}}",
            "misplaced-field spec.empty.ratio: nothing reads it there; it belongs at spec.ratio",
        ),
    ] {
        let object = json!({"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": yaml(spec)});
        assert_eq!(told(&schemas, &object).join(" | "), expected, "{spec}");
    }
    let none = json!({"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "a"}});
    assert_eq!(
        told(&schemas, &none),
        ["refused-by-definition spec: absent; a value: it is required"]
    );
    let unknown =
        json!({"apiVersion": "example.org/v2", "kind": "Thing", "metadata": {"name": "a"}});
    assert_eq!(
        schemas.check(&unknown),
        None,
        "a version without a schema is not judged"
    );
}

#[test]
fn every_shipped_version_knows_the_kinds_that_people_use() {
    for version in KubernetesVersion::shipped() {
        let schemas = Schemas::new(version);
        let release = version.release().unwrap();
        assert!(Table::shipped().kinds(release).count() > 60, "{version}");
        for (api_version, kind) in [
            ("v1", "Pod"),
            ("v1", "Service"),
            ("v1", "ConfigMap"),
            ("v1", "Secret"),
            ("v1", "Namespace"),
            ("v1", "PersistentVolumeClaim"),
            ("v1", "ServiceAccount"),
            ("v1", "ReplicationController"),
            ("v1", "PodTemplate"),
            ("apps/v1", "Deployment"),
            ("apps/v1", "StatefulSet"),
            ("apps/v1", "DaemonSet"),
            ("apps/v1", "ReplicaSet"),
            ("batch/v1", "Job"),
            ("batch/v1", "CronJob"),
            ("autoscaling/v2", "HorizontalPodAutoscaler"),
            ("policy/v1", "PodDisruptionBudget"),
            ("networking.k8s.io/v1", "Ingress"),
            ("networking.k8s.io/v1", "NetworkPolicy"),
            ("rbac.authorization.k8s.io/v1", "ClusterRole"),
            (
                "admissionregistration.k8s.io/v1",
                "ValidatingWebhookConfiguration",
            ),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
            ("apiregistration.k8s.io/v1", "APIService"),
            ("storage.k8s.io/v1", "StorageClass"),
        ] {
            let empty = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}});
            assert_eq!(
                schemas.check(&empty),
                Some(Vec::new()),
                "{kind} in {version}"
            );
            assert_eq!(
                schemas.field_exists(api_version, kind, "metadata.labels.a"),
                Some(true)
            );
        }
    }
}

/// Every type that a kind leads to says something: a table that is cut or shifted would not.
#[test]
fn every_definition_of_the_table_can_be_walked() {
    fn walk(
        typ: super::Type<'_>,
        seen: &mut std::collections::BTreeSet<(bool, usize)>,
        fields: &mut usize,
    ) {
        match typ.shape() {
            Shape::List(inner) | Shape::Map(inner) => walk(inner, seen, fields),
            Shape::Object(object) | Shape::Loose(object) => {
                if !seen.insert(object.identity()) {
                    return;
                }
                let name = object.name().unwrap();
                assert!(
                    name.starts_with(|one: char| one.is_ascii_uppercase()),
                    "{name}"
                );
                for (field, typ) in object.fields() {
                    assert!(!field.is_empty(), "{name}");
                    assert!(
                        object.field(field).is_some(),
                        "{name}.{field} is not found by its name"
                    );
                    *fields += 1;
                    walk(typ, seen, fields);
                }
            }
            _ => {}
        }
    }
    for version in KubernetesVersion::shipped() {
        let (mut seen, mut fields) = (Default::default(), 0);
        for (api_version, kind) in Table::shipped().kinds(version.release().unwrap()) {
            let schemas = Schemas::new(version);
            walk(
                schemas.kind(&api_version, kind).unwrap(),
                &mut seen,
                &mut fields,
            );
        }
        assert!(
            seen.len() > 450 && fields > 2400,
            "{version}: {} definitions, {fields} fields",
            seen.len()
        );
    }
}

fn small() -> Release {
    let of = |name: &str| format!("io.example.{name}");
    Release {
        minor: 1,
        definitions: [
            (
                of("Root"),
                Fields::from([
                    ("spec".to_owned(), Written::Ref(of("Spec"))),
                    ("a".to_owned(), Written::Text),
                ]),
            ),
            (
                of("Spec"),
                Fields::from([
                    (
                        "items".to_owned(),
                        Written::List(Box::new(Written::Ref(of("Spec")))),
                    ),
                    ("n".to_owned(), Written::Int32),
                ]),
            ),
            (
                of("Unreached"),
                Fields::from([("secret".to_owned(), Written::Text)]),
            ),
        ]
        .into(),
        kinds: vec![WrittenKind {
            group: String::new(),
            version: "v1".into(),
            kind: "Root".into(),
            definition: of("Root"),
            namespaced: true,
        }],
    }
}

#[test]
fn a_table_is_read_as_it_was_packed_and_shares_what_versions_have_in_common() {
    let mut newer = small();
    newer.minor = 2;
    let one = pack(&[small()]).unwrap();
    let both = pack(&[newer.clone(), small()]).unwrap();
    // the second version costs its number and one place per definition
    assert_eq!(both.len(), one.len() + 2 + 2 * 4);
    newer
        .definitions
        .get_mut("io.example.Spec")
        .unwrap()
        .remove("n");
    let bytes = pack(&[small(), newer]).unwrap();
    let table = Table::of(&bytes).unwrap();
    assert_eq!(table.minors().collect::<Vec<_>>(), [1, 2]);
    let fields = |release: usize| {
        let root = table.kind(release, "v1", "Root").unwrap().object().unwrap();
        let spec = root.field("spec").unwrap().object().unwrap();
        let items = spec.field("items").unwrap().inner().object().unwrap();
        assert_eq!(items.name(), "Spec");
        items.fields().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(fields(0), ["items", "n"]);
    assert_eq!(fields(1), ["items"]);
    assert!(table.kind(0, "v2", "Root").is_none() && table.kind(0, "v1", "Rot").is_none());
    assert!(
        !String::from_utf8_lossy(&bytes).contains("secret"),
        "what no kind reaches is left out"
    );
}

#[test]
fn what_cannot_be_packed_is_refused() {
    let mut release = small();
    release.definitions.remove("io.example.Spec");
    assert_eq!(
        pack(&[release]),
        Err(PackError::Undefined("io.example.Spec".into()))
    );
    assert_eq!(
        pack(&vec![small(); 17]),
        Err(PackError::TooMany("versions"))
    );
}

/// Numbers from a seed, so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

#[test]
fn a_broken_table_is_read_without_a_panic() {
    let bytes = pack(&[small()]).unwrap();
    let mut dice = Dice(0x5eed_0001);
    for _ in 0..20_000 {
        let mut broken = bytes.clone();
        for _ in 0..=dice.roll(4) {
            let at = 4 + dice.roll(broken.len() - 4);
            broken[at] = u8::try_from(dice.roll(256)).unwrap();
        }
        broken.truncate(4 + dice.roll(broken.len() - 3));
        let table = Table::of(&broken).unwrap();
        assert!(table.minors().count() <= usize::from(u16::MAX));
        if let Some(object) = table.kind(0, "v1", "Root").and_then(|typ| typ.object()) {
            let _ = (
                object.name(),
                object.field("spec"),
                object.fields().take(100).count(),
            );
        }
    }
    assert!(Table::of(b"nonsense").is_none() && Table::of(b"").is_none());
}

/// A value of any shape, with names that kinds know and names that they do not.
fn any_value(dice: &mut Dice, depth: usize) -> Value {
    const WORDS: [&str; 24] = [
        "spec",
        "template",
        "containers",
        "name",
        "image",
        "replicas",
        "metadata",
        "labels",
        "concurrencyPolicy",
        "resources",
        "limits",
        "cpu",
        "imagepullpolicy",
        "Ports",
        "port",
        "",
        "a.b/c",
        "é\"]",
        "1Gi",
        "512MB",
        "true",
        "-",
        "jobTemplate",
        "\u{0}",
    ];
    let word = |dice: &mut Dice| WORDS[dice.roll(WORDS.len())].to_owned();
    match dice.roll(if depth == 0 { 5 } else { 9 }) {
        0 => Value::Null,
        1 => Value::Bool(dice.roll(2) == 0),
        2 => json!(i64::MIN + i64::try_from(dice.roll(1 << 40)).unwrap()),
        3 => json!(1e300 / (1.0 + dice.roll(9) as f64)),
        4 => Value::from(word(dice)),
        5 => (0..dice.roll(4))
            .map(|_| any_value(dice, depth - 1))
            .collect(),
        _ => (0..dice.roll(6))
            .map(|_| (word(dice), any_value(dice, depth - 1)))
            .collect::<sluice_tree::Map>()
            .into(),
    }
}

#[test]
fn no_object_makes_the_check_panic() {
    let mut schemas = newest();
    let mut dice = Dice(0x5eed_0002);
    let kinds: Vec<(String, &str)> = Table::shipped().kinds(0).collect();
    let mut found = 0;
    for _ in 0..4_000 {
        let mut object = any_value(&mut dice, 7);
        let (api_version, kind) = &kinds[dice.roll(kinds.len())];
        if let Value::Object(fields) = &mut object {
            fields.insert("apiVersion", json!(api_version));
            fields.insert("kind", json!(kind));
        }
        found += schemas.check(&object).map_or(0, |findings| findings.len());
        // definitions come from users too
        schemas.learn(&json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "spec": {"group": "a.b", "names": {"kind": "K"}, "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {
                "type": "object", "required": any_value(&mut dice, 2), "properties": any_value(&mut dice, 3), "enum": any_value(&mut dice, 1)}}}]}}));
        if let Value::Object(fields) = &mut object {
            fields.insert("apiVersion", json!("a.b/v1"));
            fields.insert("kind", json!("K"));
        }
        found += schemas.check(&object).map_or(0, |findings| findings.len());
    }
    assert!(
        found > 2_000,
        "{found}: the objects are too dull to test anything"
    );
}

#[test]
fn hostile_objects_are_judged_in_bounded_time_with_a_bounded_list() {
    // fields with names that are known somewhere cost a search each
    let fields: sluice_tree::Map = (0..20_000)
        .map(|index| (format!("f{index}"), json!({"concurrencyPolicy": "Forbid"})))
        .collect();
    let mut containers = Vec::new();
    for _ in 0..5_000 {
        containers.push(json!({"name": "a", "concurrencyPolicy": "Forbid", "hostNetwork": true, "limits": {"cpu": 1}, "x": {}}));
    }
    let wide = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": fields.clone(),
        "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": containers}}}}}});
    let began = std::time::Instant::now();
    let findings = newest().check(&wide).unwrap();
    assert_eq!(findings.len(), 1001);
    assert!(
        findings[1000].found.contains("more than 1000 findings"),
        "{:?}",
        findings[1000]
    );
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());

    // a schema that refers to itself can be followed for ever
    let mut schema = json!({"typ": "object"});
    // not written as JSON: what is as deep is read and copied by recursion
    let holding = |name: &str, value: Value| Value::Object([(name, value)].into_iter().collect());
    for _ in 0..1_000 {
        schema = holding("properties", holding("a", schema));
    }
    let mut deep = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "spec": {"versions": [{"schema": {}}]}});
    deep["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema;
    let findings = newest().check(&deep).unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].found, "nested too deep");
    // a value of this depth is dropped by recursion
    std::mem::forget(deep);
}

#[test]
fn codes_and_names_of_raw_rules_are_unique_and_no_policy_can_use_them() {
    let codes: Vec<&str> = RAW_RULES.iter().map(|rule| rule.info().code).collect();
    assert!(
        codes.is_sorted()
            && codes
                .iter()
                .all(|code| code.starts_with("SLU8") && code.len() == 7)
    );
    for rule in RAW_RULES {
        let info = rule.info();
        assert_eq!(
            super::raw_rule_by_code(&info.code.to_lowercase()),
            Some(rule)
        );
        assert_eq!(super::raw_rule_by_name(info.name), Some(rule));
        assert!(
            crate::rule_by_name(info.name).is_none() && crate::rule_by_code(info.code).is_none()
        );
        let spec: sluice_api::PolicySpec =
            sluice_tree::from_value(json!({"rules": [{"use": info.name}]})).unwrap();
        let problems = crate::PolicySet::check(&spec);
        assert!(
            problems[0]
                .passes
                .contains("is in force in every check of files"),
            "{problems:?}"
        );
    }
}
