//! The manifests that are checked: the same at every run, as repositories hold them, a file each.

use std::{fs, path::Path};

/// Writes so many manifests into a folder and says how many bytes they have. Of ten, six are without a fault; the others have the faults that people make.
pub fn write(folder: &Path, count: usize) -> usize {
    fs::create_dir_all(folder).expect("a folder");
    let mut bytes = 0;
    for number in 0..count {
        let text = manifest(number);
        bytes += text.len();
        fs::write(folder.join(format!("{number:04}.yaml")), text).expect("a file");
    }
    bytes
}

fn manifest(number: usize) -> String {
    let of = |back: usize| format!("app-{}", number - number % 10 + back);
    match number % 10 {
        0 => deployment(number, &container(number, &[LIMITED, READY])),
        // the defaults of a first draft: no bounds, no probe
        1 => deployment(number, &container(number, &[])),
        2 => cronjob(number, BOUNDED, &container(number, &[LIMITED])),
        3 => cronjob(
            number,
            "  schedule: \"*/5 * * * *\"\n",
            &container(number, &[]),
        ),
        4 => service(number, &of(0), ""),
        5 => config_map(number),
        6 => stateful_set(number, &of(7), &container(number, &[LIMITED, READY])),
        7 => service(number, &of(6), "  clusterIP: None\n"),
        8 => job(number, &container(number, &[LIMITED])),
        // a field two levels too deep, and limits below the requests
        _ => deployment(
            number,
            &format!(
                "{}      progressDeadlineSeconds: 300\n",
                container(number, &["limits: {memory: 64Mi}", READY])
            ),
        ),
    }
}

const LIMITED: &str = "limits: {memory: 256Mi}";
const READY: &str = "readinessProbe";
const BOUNDED: &str = "  schedule: \"17 3 * * *\"\n  startingDeadlineSeconds: 600\n  concurrencyPolicy: Forbid\n  successfulJobsHistoryLimit: 1\n  failedJobsHistoryLimit: 1\n";

fn head(number: usize, api_version: &str, kind: &str) -> String {
    let team = format!("team-{}", number / 10 % 20);
    format!(
        "apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: app-{number}\n  namespace: {team}\n  labels:\n    app.kubernetes.io/name: app-{number}\n    app.kubernetes.io/part-of: shop\n  annotations:\n    {team}.example.org/contact: \"#{team}\"\n"
    )
}

/// The `containers` of a pod, six columns in.
fn container(number: usize, has: &[&str]) -> String {
    let mut text = format!(
        "      containers:\n      - name: app\n        image: registry.example.org/shop/app-{number}:1.{number}.0\n        env:\n        - name: LOG_LEVEL\n          value: info\n        - {{name: LISTEN, value: \":8080\"}}\n        ports:\n        - {{name: http, containerPort: 8080}}\n        resources:\n          requests: {{cpu: 100m, memory: 128Mi}}\n"
    );
    for part in has {
        if *part == READY {
            text.push_str("        readinessProbe:\n          httpGet: {path: /ready, port: http}\n          periodSeconds: 5\n");
        } else {
            text.push_str(&format!("          {part}\n"));
        }
    }
    text
}

/// A pod template, two columns in.
fn template(number: usize, containers: &str) -> String {
    format!(
        "  template:\n    metadata:\n      labels:\n        app.kubernetes.io/name: app-{number}\n    spec:\n{containers}"
    )
}

fn selector(number: usize) -> String {
    format!("  selector:\n    matchLabels:\n      app.kubernetes.io/name: app-{number}\n")
}

fn deployment(number: usize, containers: &str) -> String {
    format!(
        "{}spec:\n  replicas: 3\n{}{}",
        head(number, "apps/v1", "Deployment"),
        selector(number),
        template(number, containers)
    )
}

fn stateful_set(number: usize, service: &str, containers: &str) -> String {
    format!(
        "{}spec:\n  replicas: 2\n  serviceName: {service}\n{}{}",
        head(number, "apps/v1", "StatefulSet"),
        selector(number),
        template(number, containers)
    )
}

fn job(number: usize, containers: &str) -> String {
    format!(
        "{}spec:\n  activeDeadlineSeconds: 600\n  backoffLimit: 2\n{}      restartPolicy: Never\n",
        head(number, "batch/v1", "Job"),
        template(number, containers)
    )
}

fn cronjob(number: usize, spec: &str, containers: &str) -> String {
    let job = format!(
        "  activeDeadlineSeconds: 600\n  backoffLimit: 1\n{}      restartPolicy: Never\n",
        template(number, containers)
    );
    let job: String = job.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "{}spec:\n{spec}  jobTemplate:\n    spec:\n{job}",
        head(number, "batch/v1", "CronJob")
    )
}

fn service(number: usize, app: &str, more: &str) -> String {
    format!(
        "{}spec:\n{more}  selector:\n    app.kubernetes.io/name: {app}\n  ports:\n  - {{name: http, port: 80, targetPort: http}}\n",
        head(number, "v1", "Service")
    )
}

fn config_map(number: usize) -> String {
    let lines: String = (0..12)
        .map(|line| format!("    setting.{line}.of.app = value {line} of installation {number}\n"))
        .collect();
    format!(
        "{}data:\n  settings.properties: |\n{lines}",
        head(number, "v1", "ConfigMap")
    )
}
