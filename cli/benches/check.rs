//! How long `sluice check` takes, start included, and how much memory: 1,000 manifests (some 700 kB) and a single one.
//!
//! `cargo bench -p sluice-cli --bench check` measures a release build and prints each number beside its bar. The machine should do nothing else.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What one run cost.
struct Cost {
    wall: Duration,
    /// In MiB, the most that was resident.
    memory: f64,
}

fn main() {
    let folder = std::env::temp_dir().join(format!("sluice-bench-check-{}", std::process::id()));
    let bytes = write_manifests(&folder, 1_000);
    let one = folder.join("0000.yaml");
    println!("{} manifests, {} kB", 1_000, bytes / 1_000);
    println!(
        "{:<40} {:>10} {:>10} {:>10} {:>8}",
        "", "median", "best", "memory", "bar"
    );
    let all = [folder.as_os_str().to_owned()];
    let single = [one.into_os_string()];
    let sluice = Path::new(env!("CARGO_BIN_EXE_sluice"));
    for (what, paths, form, runs, bar) in [
        (
            "1,000 manifests, every finding",
            &all,
            "text",
            15,
            "100 ms, 40 MiB",
        ),
        ("1,000 manifests, SARIF", &all, "sarif", 9, "-"),
        ("one manifest", &single, "text", 60, "8 ms"),
    ] {
        let mut costs: Vec<Cost> = (0..runs)
            .map(|_| {
                let mut command = Command::new(sluice);
                command
                    .arg("check")
                    .args(paths)
                    .args(["-o", form, "--fail-on", "never"]);
                run(command)
            })
            .collect();
        costs.sort_by_key(|cost| cost.wall);
        let median = costs[costs.len() / 2].wall.as_secs_f64() * 1e3;
        let best = costs[0].wall.as_secs_f64() * 1e3;
        let memory = costs.iter().map(|cost| cost.memory).fold(0.0, f64::max);
        println!("{what:<40} {median:>7.1} ms {best:>7.1} ms {memory:>6.1} MiB   {bar}");
    }
    if let Err(error) = fs::remove_dir_all(&folder) {
        eprintln!("{} is left over: {error}", folder.display());
    }
}

fn run(mut command: Command) -> Cost {
    let began = Instant::now();
    let mut child = command
        .env("KUBECONFIG", "/nonexistent")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    // looking costs the program nothing: it has the other core; the mark only ever rises
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut memory = 0.0;
    loop {
        if let Ok(text) = fs::read_to_string(&status) {
            memory = high_water(&text).unwrap_or(memory);
        }
        if let Some(ended) = child.try_wait().expect("the program can be waited for") {
            assert!(ended.success(), "{ended}");
            return Cost {
                wall: began.elapsed(),
                memory,
            };
        }
        thread::sleep(Duration::from_micros(200));
    }
}

fn high_water(status: &str) -> Option<f64> {
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

/// Manifests as repositories hold them: half without a fault, the others with two or three.
fn write_manifests(folder: &Path, count: usize) -> usize {
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
    let name = format!("service-{number}");
    let namespace = format!("team-{}", number % 20);
    let good = number.is_multiple_of(2);
    let head = |api: &str, kind: &str| {
        format!(
            "apiVersion: {api}\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  labels:\n    app.kubernetes.io/name: {name}\n    app.kubernetes.io/part-of: shop\n  annotations:\n    team.example.org/contact: \"#{namespace}\"\n"
        )
    };
    let memory = if good {
        "\n            limits:\n              memory: 256Mi"
    } else {
        ""
    };
    let container = format!(
        "          - name: app\n            image: registry.example.org/{namespace}/{name}:1.{number}.0\n            env:\n            - {{name: LOG_LEVEL, value: info}}\n            - {{name: LISTEN, value: \":8080\"}}\n            resources:\n              requests: {{cpu: 100m, memory: 128Mi}}{}\n",
        memory.replace("            ", "              ")
    );
    match number % 4 {
        0 | 1 => {
            let probe = if good {
                "            readinessProbe:\n              httpGet: {path: /ready, port: 8080}\n"
            } else {
                ""
            };
            format!(
                "{}spec:\n  replicas: 3\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: {name}\n  template:\n    metadata:\n      labels:\n        app.kubernetes.io/name: {name}\n    spec:\n      containers:\n{container}            ports:\n            - {{name: http, containerPort: 8080}}\n{probe}",
                head("apps/v1", "Deployment")
            )
        }
        2 => format!(
            "{}spec:\n  schedule: \"{} 3 * * *\"\n  startingDeadlineSeconds: 600\n  concurrencyPolicy: Forbid\n  successfulJobsHistoryLimit: 1\n  failedJobsHistoryLimit: 1\n  jobTemplate:\n    spec:\n      activeDeadlineSeconds: 600\n      backoffLimit: 1\n      template:\n        spec:\n          restartPolicy: Never\n          containers:\n{container}",
            head("batch/v1", "CronJob"),
            number % 60
        ),
        _ => format!(
            "{}spec:\n  schedule: \"*/5 * * * *\"\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          restartPolicy: OnFailure\n          containers:\n{container}",
            head("batch/v1", "CronJob")
        ),
    }
}
