//! The bare server, running beside a plane.

use std::{net::SocketAddr, path::Path};

use anyhow::Context;
use jiff::Timestamp;
use sluice_certs::{ServingNames, Terms, issue};

use super::load::Target;
use crate::{
    Plane,
    plane::wait_for,
    process::{Launch, Process},
};

const NAME: &str = "bare-server";

/// The server; ends on drop.
#[derive(Debug)]
pub struct Bare {
    process: Process,
    address: SocketAddr,
    ca: Vec<u8>,
}

impl Bare {
    /// Starts it with a certificate as the webhook has one. Its program lies where `programs` says.
    ///
    /// # Errors
    /// When it does not listen, with the end of its log.
    pub async fn start(plane: &Plane, programs: &Path) -> anyhow::Result<Self> {
        let names = ServingNames::of_service(NAME, "bench").and_host("127.0.0.1");
        let issued = issue(Timestamp::now(), &names, &Terms::default())?;
        let file = |name: &str| plane.folder().join(name);
        std::fs::write(file("bare.crt"), &issued.leaf.cert_pem)?;
        std::fs::write(file("bare.key"), &issued.leaf.key_pem)?;
        let log = plane.log(NAME);
        let launch = Launch::new(NAME, &programs.join(NAME), &log)
            .arg("--cert-file")
            .arg(file("bare.crt"))
            .arg("--key-file")
            .arg(file("bare.key"));
        let process = Process::start(&launch)?;
        let address = wait_for("the bare server's address", || async {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            Ok(said.lines().next().and_then(|line| line.parse().ok()))
        })
        .await
        .with_context(|| process.log_tail(8))?;
        Ok(Self {
            process,
            address,
            ca: issued.ca.cert_pem.into_bytes(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            address: self.address,
            path: "/".to_owned(),
            ca: self.ca.clone(),
            name: "127.0.0.1".to_owned(),
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}
