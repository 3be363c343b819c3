//! The images that Sluice ships: one per program.

use std::collections::BTreeMap;

use crate::{archive::Image, layer::Files};

/// The largest archive, in bytes: a webhook that is pulled in the middle of an outage should come soon.
pub const LARGEST: usize = 30_000_000;

/// One program of Sluice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// The image is `sluice.dev/NAME`.
    pub name: &'static str,
    /// The program's file.
    pub file: &'static str,
    /// One line about it.
    pub description: &'static str,
    /// It speaks to servers whose certificates public authorities have signed.
    pub trusts: bool,
}

/// Every program that is shipped as an image.
pub const PROGRAMS: [Program; 3] = [
    Program {
        name: "webhook",
        file: "sluice-webhook",
        description: "admission: refuses risky manifests and releases while their gate is closed",
        trusts: false,
    },
    Program {
        name: "controller",
        file: "sluice-controller",
        description: "runs probes, decides gates, steps releases and undoes them",
        trusts: true,
    },
    Program {
        name: "cli",
        file: "sluice",
        description: "the command line: check, gate, release, install",
        trusts: false,
    },
];

impl Program {
    /// The image of this program at `version`; `trust` is a bundle of certificate authorities.
    #[must_use]
    pub fn image(&self, version: &str, program: Vec<u8>, trust: &[u8]) -> Image {
        let mut files = Files::default();
        files.program(self.file, program);
        files.text("etc/nsswitch.conf", "hosts: files dns\n");
        if self.trusts {
            files.text("etc/ssl/certs/ca-certificates.crt", trust);
        }
        let labels = [
            ("title", self.file),
            ("description", self.description),
            ("version", version),
            ("licenses", "Apache-2.0"),
        ];
        Image {
            reference: format!("sluice.dev/{}:{version}", self.name),
            files,
            entrypoint: vec![format!("/{}", self.file)],
            environment: BTreeMap::new(),
            labels: labels
                .into_iter()
                .map(|(key, value)| (format!("org.opencontainers.image.{key}"), value.to_owned()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifests_name_the_images_that_are_built() {
        let manifests = include_str!("../../manifests/workloads.yaml");
        let named: Vec<&str> = manifests
            .lines()
            .filter_map(|line| line.trim().strip_prefix("image: "))
            .collect();
        let built: Vec<String> = PROGRAMS[..2]
            .iter()
            .map(|program| {
                program
                    .image(env!("CARGO_PKG_VERSION"), Vec::new(), &[])
                    .reference
            })
            .collect();
        assert_eq!(named, built);
    }
}
