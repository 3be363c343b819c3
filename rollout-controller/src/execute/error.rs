//! Why something was not carried out, and what an answer of the API server means.

/// Why something was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// Another process leads, or nobody does.
    #[error("this process does not hold the lease")]
    NotLeader,
    /// The object is not as it was when the write was computed; the table has the new one.
    #[error("{what} has changed meanwhile")]
    Stale {
        /// The object.
        what: String,
    },
    /// The API server will not take the write.
    #[error("{what} was refused: {why}")]
    Refused {
        /// The write.
        what: String,
        /// What the API server said.
        why: String,
    },
    /// A Release of this name exists and is another one.
    #[error("release {name} exists and belongs to another workload or template")]
    NameTaken {
        /// Its name.
        name: String,
    },
    /// The API server could not be asked.
    #[error("{what} failed")]
    Api {
        /// The request.
        what: String,
        /// What went wrong.
        #[source]
        source: Box<kube::Error>,
    },
}

/// A refusal is what the API server said about the request itself; everything else may go better next time.
pub(super) fn failed(what: &str, error: kube::Error) -> ExecuteError {
    match &error {
        kube::Error::Api(status) if matches!(status.code, 400 | 403 | 405 | 413 | 415 | 422) => {
            ExecuteError::Refused {
                what: what.to_owned(),
                why: status.message.clone(),
            }
        }
        _ => ExecuteError::Api {
            what: what.to_owned(),
            source: Box::new(error),
        },
    }
}
