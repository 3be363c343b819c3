//! Starts a control plane with fake nodes, prints how to reach it and waits for Ctrl-C.

use anyhow::Context;
use clap::Parser;
use sluice_e2e::{Plane, PlaneOptions, User};
use tokio::signal::unix::{SignalKind, signal};

/// A real Kubernetes control plane with fake nodes, for trying things by hand.
#[derive(Parser)]
struct Arguments {
    /// How many fake nodes to register.
    #[arg(long, default_value_t = 12)]
    nodes: usize,
    /// Start Prometheus too.
    #[arg(long)]
    prometheus: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "off".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    let Arguments { nodes, prometheus } = Arguments::parse();
    let plane = Plane::start(PlaneOptions {
        nodes,
        ..PlaneOptions::default()
    })
    .await?;
    println!(
        "export KUBECONFIG={}",
        plane.kubeconfig(User::Admin).display()
    );
    println!(
        "export PATH={}:$PATH",
        plane
            .kubectl_path()
            .parent()
            .context("kubectl lies in a folder")?
            .display()
    );
    for user in [User::Developer, User::OnCall, User::GitOps] {
        println!(
            "# as {}: KUBECONFIG={}",
            user.name(),
            plane.kubeconfig(user).display()
        );
    }
    println!(
        "# pods and Services: curl --proxy {} http://NAME.NAMESPACE.svc/",
        plane.proxy_url()
    );
    println!("# audit log: {}", plane.audit().path().display());
    if prometheus {
        println!("# prometheus: {}", plane.prometheus().await?.url());
    }
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
