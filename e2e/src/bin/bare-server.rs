//! What the webhook is measured against: axum on the webhook's own TLS, accept loop and allocator, which reads a review, parses it and lets it in.
//!
//! Prints its address when it listens.

use std::{io::Write, path::PathBuf, sync::Arc};

use anyhow::Context;
use arc_swap::ArcSwapOption;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use clap::Parser;
use http::{StatusCode, header};
use serde_json::{Value, json};
use sluice_certs::{issue::Keyed, serving};
use sluice_runtime::{
    crypto,
    serve::{ServeOptions, Transport, serve},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const BODY_LIMIT: usize = 8 * 1024 * 1024;

/// A server that parses a review and lets it in, for comparison.
#[derive(Parser)]
struct Arguments {
    /// The serving certificate, PEM.
    #[arg(long)]
    cert_file: PathBuf,
    /// Its key, PEM.
    #[arg(long)]
    key_file: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments {
        cert_file,
        key_file,
    } = Arguments::parse();
    crypto::install();
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let config = serving::server_config(&Keyed {
        cert_pem: read(&cert_file)?,
        key_pem: read(&key_file)?,
    })?;
    let transport = Transport::Tls(Arc::new(ArcSwapOption::from_pointee(config)));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let app = Router::new()
        .route("/", post(answer))
        .layer(DefaultBodyLimit::max(BODY_LIMIT));
    serve(
        listener,
        transport,
        app,
        ServeOptions::default(),
        CancellationToken::new(),
    )
    .await;
    Ok(())
}

async fn answer(body: Bytes) -> Response {
    let review: Value = match serde_json::from_slice(&body) {
        Ok(review) => review,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let uid = &review["request"]["uid"];
    let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": uid, "allowed": true}});
    (
        [(header::CONTENT_TYPE, "application/json")],
        answer.to_string(),
    )
        .into_response()
}
