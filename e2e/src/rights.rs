//! What Sluice's programs did by the audit logs of many runs, held against what they are granted.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, ensure};
use sluice_api::{
    SYSTEM_NAMESPACE,
    access::{Grant, Holder, RARE, ROLES},
};

use crate::audit::{AuditEntry, AuditLog};

/// Names the folder in which audit logs outlive their planes.
pub const FOLDER: &str = "SLUICE_AUDIT_LOGS";

/// Keeps the audit log of a plane in the folder that the environment names; without one it goes with the plane.
///
/// # Errors
/// When it cannot be linked there.
pub(crate) fn keep_log(log: &Path) -> anyhow::Result<()> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return Ok(());
    };
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let link = folder.join(format!("{}-{number}.json", std::process::id()));
    std::fs::hard_link(log, &link)
        .with_context(|| format!("{} cannot be linked to {}", log.display(), link.display()))
}

/// What the API server forbade an account of Sluice's own, as far as this log goes.
///
/// # Errors
/// When the log cannot be read.
pub fn forbidden(log: &AuditLog) -> anyhow::Result<Vec<String>> {
    let own = format!("system:serviceaccount:{SYSTEM_NAMESPACE}:");
    let entries = log.entries()?.into_iter();
    let forbidden = entries.filter(|entry| entry.code == 403 && entry.user.starts_with(&own));
    Ok(forbidden
        .map(|entry| format!("{} {} {}", entry.user, entry.verb, entry.uri))
        .collect())
}

/// One right of a program: whose, where, and which verb on what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    account: &'static str,
    everywhere: bool,
    group: &'static str,
    resource: &'static str,
    names: &'static [&'static str],
    verb: &'static str,
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            account,
            group,
            resource,
            verb,
            ..
        } = self;
        let dot = if group.is_empty() { "" } else { "." };
        write!(f, "{account}: {verb} {resource}{dot}{group}")?;
        if !self.names.is_empty() {
            write!(f, " named {}", self.names.join(", "))?;
        }
        f.write_str(if self.everywhere {
            ""
        } else {
            " in its own namespace"
        })
    }
}

impl Right {
    fn allows(&self, account: &str, entry: &AuditEntry) -> bool {
        let resource = match entry.subresource.as_str() {
            "" => entry.resource.clone(),
            sub => format!("{}/{sub}", entry.resource),
        };
        self.account == account
            && (self.everywhere || entry.namespace == SYSTEM_NAMESPACE)
            && self.group == entry.api_group
            && self.resource == resource
            && self.verb == entry.verb
            && (self.names.is_empty() || self.names.contains(&entry.name.as_str()))
    }

    /// Why it may go unused.
    fn rare(&self) -> Option<&'static str> {
        RARE.iter()
            .find(|rare| {
                rare.account == self.account
                    && rare.resource == self.resource
                    && rare.verb == self.verb
            })
            .map(|rare| rare.reason)
    }
}

/// Every right of Sluice's own accounts.
fn granted() -> Vec<Right> {
    let mut rights = Vec::new();
    for role in ROLES {
        let (account, everywhere) = match role.holder {
            Holder::Everywhere(account) => (account, true),
            Holder::OwnNamespace(account) => (account, false),
            _ => continue,
        };
        for Grant {
            group,
            resources,
            names,
            verbs,
            ..
        } in role.grants
        {
            for resource in *resources {
                for verb in *verbs {
                    rights.push(Right {
                        account,
                        everywhere,
                        group,
                        resource,
                        names,
                        verb,
                    });
                }
            }
        }
    }
    rights
}

/// What came out of reading the logs.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Requests of Sluice's programs that were read.
    pub requests: usize,
    /// How often each right was used.
    pub used: BTreeMap<Right, usize>,
    /// Requests that no right allows, each once, with an example.
    pub beyond: BTreeMap<String, String>,
    /// Rights that nobody used, and no reason is written for.
    pub idle: Vec<Right>,
}

/// Reads every log in `folder`.
///
/// # Errors
/// When a log cannot be read, or there is none.
pub fn compare(folder: &Path) -> anyhow::Result<Comparison> {
    let rights = granted();
    let mut found = Comparison::default();
    let mut logs = 0;
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let path = entry?.path();
        logs += 1;
        for entry in AuditLog::new(&path).entries()? {
            found.take(&rights, &entry);
        }
    }
    ensure!(logs > 0, "no audit log in {}", folder.display());
    found.idle = rights
        .into_iter()
        .filter(|right| !found.used.contains_key(right) && right.rare().is_none())
        .collect();
    Ok(found)
}

impl Comparison {
    fn take(&mut self, rights: &[Right], entry: &AuditEntry) {
        let own = format!("system:serviceaccount:{SYSTEM_NAMESPACE}:");
        let Some(account) = entry.user.strip_prefix(&own) else {
            return;
        };
        if !rights.iter().any(|right| right.account == account) || entry.resource.is_empty() {
            return;
        }
        self.requests += 1;
        let mut allowed = false;
        // more than one role may allow it: each is needed where the other is taken away
        for right in rights.iter().filter(|right| right.allows(account, entry)) {
            *self.used.entry(right.clone()).or_default() += 1;
            allowed = true;
        }
        // a test that takes a right away is answered 403 where the table allows it
        if !allowed {
            let what = format!(
                "{account}: {} {}.{}/{}",
                entry.verb, entry.resource, entry.api_group, entry.subresource
            );
            self.beyond
                .entry(what)
                .or_insert_with(|| format!("{} ({})", entry.uri, entry.code));
        }
    }
}
