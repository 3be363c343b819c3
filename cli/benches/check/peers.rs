//! Other programs that check manifests, each on the same ones and with what it checks by default, or with the rules of `peers/`.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::{
    RUNS_OF_PEERS,
    cost::{self, Cost, measure},
};

/// What a program was measured at.
pub struct Measured {
    /// What it is called.
    pub name: &'static str,
    /// The version that was built.
    pub version: String,
    /// What it checks.
    pub checks: &'static str,
    /// What it found in all manifests, counted in its own way.
    pub found: String,
    /// On all manifests.
    pub all: Cost,
    /// On one.
    pub one: Cost,
}

/// How a program is asked.
struct Peer {
    name: &'static str,
    program: &'static str,
    checks: &'static str,
    /// Before the files.
    arguments: &'static [&'static str],
    /// Before each file, when it wants that.
    flag: Option<&'static str>,
    /// Whether it reads folders; else it gets every file by its name.
    folders: bool,
    /// A file of policies and the flag before it.
    policies: Option<(Option<&'static str>, &'static str)>,
    found: fn(&Output) -> String,
}

const PEERS: [Peer; 4] = [
    Peer {
        name: "kube-linter",
        program: "kube-linter",
        checks: "its default checks",
        arguments: &["lint", "--format", "json"],
        flag: None,
        folders: true,
        policies: None,
        found: |output| format!("{} reports", occurrences(output, "\"Diagnostic\":")),
    },
    Peer {
        name: "kube-score",
        program: "kube-score",
        checks: "its default checks",
        arguments: &["score", "--output-format", "ci"],
        flag: None,
        folders: false,
        policies: None,
        found: |output| {
            let of = |word: &str| occurrences(output, word);
            format!(
                "{} critical, {} warnings",
                of("[CRITICAL]"),
                of("[WARNING]")
            )
        },
    },
    Peer {
        name: "gator test",
        program: "gator",
        checks: "6 expressions in CEL",
        arguments: &["test", "--output", "json"],
        flag: Some("--filename"),
        folders: true,
        policies: Some((Some("--filename"), include_str!("peers/gator.yaml"))),
        found: |output| format!("{} violations", occurrences(output, "\"msg\":")),
    },
    Peer {
        name: "kyverno apply",
        program: "kyverno",
        checks: "6 expressions in CEL",
        arguments: &["apply"],
        flag: Some("--resource"),
        folders: true,
        policies: Some((None, include_str!("peers/kyverno.yaml"))),
        found: |output| {
            let text = String::from_utf8_lossy(&output.stdout);
            let summary = text.lines().rev().find(|line| line.starts_with("pass:"));
            summary.unwrap_or("no summary").to_owned()
        },
    },
];

/// Measures the programs that lie in these folders.
pub fn measure_all(folders: &[PathBuf], scratch: &Path, all: &Path, one: &Path) -> Vec<Measured> {
    PEERS
        .iter()
        .filter_map(|peer| {
            let folder = folders
                .iter()
                .find(|folder| folder.join(peer.program).exists())?;
            Some(peer.measured(folder, scratch, all, one))
        })
        .collect()
}

/// What `sluice check` found, of its answer in JSON.
pub fn of_sluice(output: &Output) -> String {
    let verdict: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("the answer is JSON");
    let summary = &verdict["summary"];
    format!(
        "{} deny, {} warn, {} unknown without facts",
        summary["deny"], summary["warn"], summary["unknown"]
    )
}

/// What own rules found, likewise.
pub fn of_own_rules(output: &Output) -> String {
    let verdict: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("the answer is JSON");
    let objects = verdict["objects"].as_array().expect("objects");
    let findings = objects
        .iter()
        .flat_map(|object| object["findings"].as_array().expect("findings"));
    let own = findings.filter(|finding| finding["code"] == "OWN").count();
    format!("{own} violations")
}

impl Peer {
    fn measured(&self, folder: &Path, scratch: &Path, all: &Path, one: &Path) -> Measured {
        let policies = self.policies.map(|(flag, text)| {
            let file = scratch.join(format!("{}.yaml", self.program));
            fs::write(&file, text).expect("the policies are written");
            (flag, file)
        });
        let command = |path: &Path| {
            let mut command = Command::new(folder.join(self.program));
            command.args(self.arguments);
            if let Some((flag, file)) = &policies {
                command.args(*flag).arg(file);
            }
            for path in self.paths(path) {
                command.args(self.flag).arg(path);
            }
            command.env("KUBECONFIG", "/nonexistent");
            command
        };
        // that something was found is no failure of the program
        let accepted = [0, 1];
        eprintln!("{} ...", self.name);
        let found = (self.found)(&cost::output(&mut command(all), &accepted));
        let version = fs::read_to_string(folder.join("version")).expect("the version is there");
        Measured {
            name: self.name,
            version: version.trim().to_owned(),
            checks: self.checks,
            found,
            all: measure(&mut command(all), RUNS_OF_PEERS.0, &accepted),
            one: measure(&mut command(one), RUNS_OF_PEERS.1, &accepted),
        }
    }

    fn paths(&self, path: &Path) -> Vec<OsString> {
        if self.folders || path.is_file() {
            return vec![path.into()];
        }
        let entries = fs::read_dir(path).expect("a folder");
        let mut files: Vec<OsString> = entries
            .map(|entry| entry.expect("a file").path().into())
            .collect();
        files.sort();
        files
    }
}

fn occurrences(output: &Output, word: &str) -> usize {
    String::from_utf8_lossy(&output.stdout)
        .matches(word)
        .count()
}
