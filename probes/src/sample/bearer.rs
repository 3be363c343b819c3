//! The bearer token of a Prometheus server: given, or read from a file that may be written anew at any time, as mounted service account tokens are.
//!
//! A file is read again at most once a second, and at once after the server has refused what it said. While it cannot be read nothing is sent: a token
//! from before may be one that was taken back.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::header::HeaderValue;
use tokio::time::Instant;

use crate::engine::BearerToken;

/// How long what the file said is used before it is read again.
const KEPT: Duration = Duration::from_secs(1);

/// What is wrong with a token; never the token itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum BearerError {
    #[error("its bearer token must be one line of visible characters")]
    Text,
    #[error("its bearer token file {} must hold one line of visible characters", path.display())]
    FileText { path: PathBuf },
    #[error("its bearer token file {} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// The token as it is sent.
pub(super) enum Bearer {
    Given(HeaderValue),
    File {
        path: PathBuf,
        known: Mutex<Option<(Instant, HeaderValue)>>,
    },
}

impl Bearer {
    /// A token that can be sent now.
    pub fn new(token: &BearerToken) -> Result<Self, BearerError> {
        match token {
            BearerToken::Given(text) => header(text).map(Self::Given).ok_or(BearerError::Text),
            BearerToken::File(path) => {
                let value = read(path, std::fs::read_to_string(path))?;
                Ok(Self::File {
                    path: path.clone(),
                    known: Mutex::new(Some((Instant::now(), value))),
                })
            }
        }
    }

    /// What to send now.
    pub async fn value(&self) -> Result<HeaderValue, BearerError> {
        match self {
            Self::Given(value) => Ok(value.clone()),
            Self::File { path, known } => {
                // samples that come together may read the file twice, which costs less than waiting for each other
                let fresh = lock(known)
                    .as_ref()
                    .filter(|(at, _)| at.elapsed() < KEPT)
                    .map(|(_, value)| value.clone());
                if let Some(value) = fresh {
                    return Ok(value);
                }
                let value = read(path, tokio::fs::read_to_string(path).await)?;
                *lock(known) = Some((Instant::now(), value.clone()));
                Ok(value)
            }
        }
    }

    /// The server did not take it: what the file says now is asked for next time.
    pub fn refused(&self) {
        if let Self::File { known, .. } = self {
            *lock(known) = None;
        }
    }
}

fn read(path: &std::path::Path, text: std::io::Result<String>) -> Result<HeaderValue, BearerError> {
    let text = text.map_err(|source| BearerError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    header(&text).ok_or_else(|| BearerError::FileText {
        path: path.to_owned(),
    })
}

fn header(token: &str) -> Option<HeaderValue> {
    let token = token.trim();
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .ok()
        .filter(|_| !token.is_empty())?;
    value.set_sensitive(true);
    Some(value)
}

// a value that is replaced whole is good after a panic elsewhere
fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
