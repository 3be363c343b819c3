//! The server.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::behaviour::Behaviour;

/// What all answers share.
struct App {
    behaviour: Mutex<Behaviour>,
    memory: Mutex<Vec<u8>>,
    answers: AtomicU64,
    errors: AtomicU64,
    who: String,
}

impl App {
    fn new(behaviour: Behaviour, who: String) -> Self {
        let app = Self {
            behaviour: Mutex::default(),
            memory: Mutex::default(),
            answers: AtomicU64::default(),
            errors: AtomicU64::default(),
            who,
        };
        app.behave(behaviour);
        app
    }

    fn behave(&self, behaviour: Behaviour) {
        // written to, so that it is really taken
        *lock(&self.memory) = vec![1; behaviour.memory_mebibytes << 20];
        *lock(&self.behaviour) = behaviour;
    }

    fn behaviour(&self) -> Behaviour {
        lock(&self.behaviour).clone()
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves until SIGTERM, and then as long as the behaviour says.
pub async fn run() -> anyhow::Result<()> {
    let mut behaviour = Behaviour::default();
    if let Ok(text) = std::env::var("BEHAVIOUR") {
        let change: Value = serde_json::from_str(&text).context("BEHAVIOUR is not JSON")?;
        behaviour = behaviour.changed(&change).map_err(anyhow::Error::msg)?;
    }
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| "?".to_owned());
    let who = format!("{} {}", variable("VERSION"), variable("HOSTNAME"));
    let app = Arc::new(App::new(behaviour, who));
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind("0.0.0.0:8080").await?;
    println!("serving as {}", app.who);
    let ending = app.clone();
    axum::serve(listener, router(app))
        .with_graceful_shutdown(async move {
            terminate.recv().await;
            let stop = Duration::from_millis(ending.behaviour().stop_millis);
            println!("told to end, in {stop:?}");
            tokio::time::sleep(stop).await;
        })
        .await?;
    println!("ended");
    Ok(())
}

fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(answer))
        .route("/ready", get(ready))
        .route("/live", get(|| async { "alive\n" }))
        .route("/behaviour", get(behaviour).put(behave))
        .route("/crash", post(crash))
        .route("/metrics", get(metrics))
        .with_state(app)
}

async fn answer(State(app): State<Arc<App>>) -> (StatusCode, String) {
    let behaviour = app.behaviour();
    tokio::time::sleep(Duration::from_millis(behaviour.latency_millis)).await;
    let number = app.answers.fetch_add(1, Ordering::Relaxed);
    let code = if behaviour.fails(number) {
        app.errors.fetch_add(1, Ordering::Relaxed);
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    };
    (code, format!("{}\n", app.who))
}

async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    if app.behaviour().ready {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

async fn behaviour(State(app): State<Arc<App>>) -> Json<Behaviour> {
    Json(app.behaviour())
}

// whatever type it is sent as: kubectl and curl each have their own idea
async fn behave(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<Json<Behaviour>, (StatusCode, String)> {
    let refused = |why: String| (StatusCode::BAD_REQUEST, why);
    let change: Value =
        serde_json::from_slice(&body).map_err(|error| refused(error.to_string()))?;
    let changed = app.behaviour().changed(&change).map_err(refused)?;
    println!("behaves as {changed:?}");
    app.behave(changed.clone());
    Ok(Json(changed))
}

/// Both codes from the start on, so that a share of errors is 0 and not "no data".
async fn metrics(State(app): State<Arc<App>>) -> String {
    let errors = app.errors.load(Ordering::Relaxed);
    let good = app.answers.load(Ordering::Relaxed).saturating_sub(errors);
    format!(
        "# TYPE http_requests_total counter\nhttp_requests_total{{code=\"200\"}} {good}\nhttp_requests_total{{code=\"500\"}} {errors}\n"
    )
}

async fn crash() -> &'static str {
    println!("crashing, as told");
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn ask(app: &Arc<App>, request: Request<Body>) -> (u16, String) {
        let answer = router(app.clone()).oneshot(request).await.unwrap();
        let code = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (code, String::from_utf8_lossy(&body).into_owned())
    }

    async fn get(app: &Arc<App>, path: &str) -> (u16, String) {
        ask(app, Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn put(app: &Arc<App>, change: &'static str) -> (u16, String) {
        let request = Request::put("/behaviour").body(Body::from(change));
        ask(app, request.unwrap()).await
    }

    #[tokio::test]
    async fn behaviour_is_switched_while_it_runs() {
        let app = Arc::new(App::new(Behaviour::default(), "v1 pod".to_owned()));
        assert_eq!(get(&app, "/").await, (200, "v1 pod\n".to_owned()));
        assert_eq!(get(&app, "/ready").await.0, 200);
        assert_eq!(put(&app, r#"{"errors": 1, "ready": false}"#).await.0, 200);
        assert_eq!(get(&app, "/").await.0, 500);
        assert_eq!(get(&app, "/ready").await.0, 503);
        let (code, why) = put(&app, r#"{"errrors": 0}"#).await;
        assert!(code == 400 && why.contains("errrors"), "{code} {why}");
        assert_eq!(get(&app, "/").await.0, 500);
        let (_, page) = get(&app, "/metrics").await;
        for line in ["{code=\"200\"} 1\n", "{code=\"500\"} 2\n"] {
            assert!(page.contains(line), "{page}");
        }
    }

    #[tokio::test]
    async fn memory_is_really_held() {
        let app = Arc::new(App::new(Behaviour::default(), String::new()));
        put(&app, r#"{"memoryMebibytes": 3}"#).await;
        assert_eq!(lock(&app.memory).len(), 3 << 20);
    }
}
