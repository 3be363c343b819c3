//! Tests on a real control plane, in one binary so that they share one plane. They start in the order of their names, so a long one is best named to come early.

mod abort_latency;
mod admission_policies;
mod answers;
mod api_defaults;
mod at_rest;
mod batches_within_plans;
mod certificate_rotation;
mod chart;
mod crash_points;
mod death_of_sluice;
mod dice;
mod doctor;
mod exceptions;
mod gate_fresh_proof;
mod gated_sets;
mod guide;
mod human_hands;
mod install_refused;
mod model_traces;
mod network;
mod objects;
mod observed_peaks;
mod one_verdict;
mod own_rules;
mod pipelines;
mod place;
mod plane;
mod pods;
mod policy_folder;
mod recreate;
mod references;
mod refusals;
mod refused_attempts;
mod rights;
mod rollback;
mod scaling;
mod server_digest;
mod slipped_in;
mod uninstall;
mod users;
mod who_may;

/// A Deployment as a developer would write it, with one container `main` listening on 8080.
fn deployment(name: &str, replicas: u32, image: &str) -> String {
    serde_json::json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": image, "ports": [{"containerPort": 8080}]}]},
            },
        },
    })
    .to_string()
}

/// A Service of the same name in front of it, port 80.
fn service(name: &str) -> String {
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    })
    .to_string()
}
