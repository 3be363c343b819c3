//! The API server's audit log: who asked for what, read from the file it writes.
//!
//! API costs are counted here. The server writes each line before it answers (blocking mode), so a request whose answer
//! has been seen is in the log; long watches appear when they start (`ResponseStarted`) and when they end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

/// One finished (or, for a watch, started) request.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    pub stage: String,
    pub user: String,
    pub groups: Vec<String>,
    pub user_agent: String,
    pub verb: String,
    pub uri: String,
    /// Empty for requests that are not for a resource, such as `/readyz`.
    pub api_group: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
    /// 0 when there was no answer.
    pub code: u16,
    pub received: jiff::Timestamp,
    pub finished: jiff::Timestamp,
    pub annotations: BTreeMap<String, String>,
}

impl AuditEntry {
    /// A request is counted once: by its end, or, for a watch, by its start.
    pub fn counts(&self) -> bool {
        if self.verb == "watch" {
            self.stage == "ResponseStarted"
        } else {
            self.stage != "ResponseStarted"
        }
    }

    pub fn writes(&self) -> bool {
        matches!(
            self.verb.as_str(),
            "create" | "update" | "patch" | "delete" | "deletecollection"
        )
    }
}

/// The audit log of one plane.
#[derive(Clone, Debug)]
pub struct AuditLog {
    path: PathBuf,
}

/// A place in the log; entries written later come after it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark(u64);

impl AuditLog {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The end of the log as of now.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn mark(&self) -> anyhow::Result<Mark> {
        let length = std::fs::metadata(&self.path)
            .with_context(|| format!("no audit log {}", self.path.display()))?
            .len();
        Ok(Mark(length))
    }

    /// Every entry so far.
    ///
    /// # Errors
    /// As [`AuditLog::since`].
    pub fn entries(&self) -> anyhow::Result<Vec<AuditEntry>> {
        self.since(Mark::default())
    }

    /// The entries written after `mark`.
    ///
    /// # Errors
    /// When the log cannot be read, or holds a complete line that is not an audit event.
    pub fn since(&self, mark: Mark) -> anyhow::Result<Vec<AuditEntry>> {
        let mut file = File::open(&self.path)
            .with_context(|| format!("no audit log {}", self.path.display()))?;
        file.seek(SeekFrom::Start(mark.0))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        // the last line may still be in the writing
        let complete = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let lines = bytes[..complete].split(|byte| *byte == b'\n');
        // a mark taken in the middle of a write leaves half a line at the start
        let mut entries = Vec::new();
        for (number, line) in lines.filter(|line| !line.is_empty()).enumerate() {
            match serde_json::from_slice::<Event>(line) {
                Ok(event) => entries.push(event.into()),
                Err(_) if number == 0 && mark.0 > 0 => {}
                Err(error) => {
                    return Err(error).with_context(|| {
                        format!("not an audit event: {}", String::from_utf8_lossy(line))
                    });
                }
            }
        }
        Ok(entries)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    user: EventUser,
    #[serde(default)]
    user_agent: String,
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
    request_received_timestamp: jiff::Timestamp,
    stage_timestamp: jiff::Timestamp,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct EventUser {
    #[serde(default)]
    username: String,
    #[serde(default)]
    groups: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
    api_group: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

impl From<Event> for AuditEntry {
    fn from(event: Event) -> Self {
        Self {
            stage: event.stage,
            user: event.user.username,
            groups: event.user.groups,
            user_agent: event.user_agent,
            verb: event.verb,
            uri: event.request_uri,
            api_group: event.object_ref.api_group,
            resource: event.object_ref.resource,
            subresource: event.object_ref.subresource,
            namespace: event.object_ref.namespace,
            name: event.object_ref.name,
            code: event.response_status.code,
            received: event.request_received_timestamp,
            finished: event.stage_timestamp,
            annotations: event.annotations,
        }
    }
}
