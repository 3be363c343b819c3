//! A minimal HTTP GET over one fresh connection, for tests: through a forward proxy, or straight to a loopback port.

use std::net::SocketAddr;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What came back, whatever the code.
#[derive(Clone, Debug)]
pub struct Answer {
    pub code: u16,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks the proxy at `proxy` for the absolute `url`.
///
/// # Errors
/// When the URL does not parse, or when the connection ends without an answer (nobody listens behind the proxy).
pub async fn through_proxy(proxy: SocketAddr, url: &str) -> anyhow::Result<Answer> {
    let uri: http::Uri = url.parse().with_context(|| format!("{url} is not a URL"))?;
    let host = uri
        .authority()
        .with_context(|| format!("{url} has no host"))?
        .to_string();
    ask(proxy, uri, &host)
        .await
        .with_context(|| format!("GET {url}"))
}

/// GET `path` (with query) from a server at `address`.
///
/// # Errors
/// When the path does not parse or the connection fails.
pub async fn direct(address: SocketAddr, path: &str) -> anyhow::Result<Answer> {
    let uri: http::Uri = path
        .parse()
        .with_context(|| format!("{path} is not a path"))?;
    ask(address, uri, &address.to_string())
        .await
        .with_context(|| format!("GET {path} from {address}"))
}

async fn ask(address: SocketAddr, uri: http::Uri, host: &str) -> anyhow::Result<Answer> {
    let stream = TcpStream::connect(address)
        .await
        .context("cannot connect")?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .context("no HTTP there")?;
    let request = http::Request::get(uri)
        .header(http::header::HOST, host)
        .header(http::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .context("cannot build the request")?;
    let exchange = async {
        let response = sender.send_request(request).await.context("no answer")?;
        let code = response.status().as_u16();
        let body = response
            .into_body()
            .collect()
            .await
            .context("the answer was cut off")?
            .to_bytes();
        Ok(Answer { code, body })
    };
    tokio::pin!(connection);
    tokio::pin!(exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        ended = &mut connection => {
            // the connection may end in the same moment as the answer is complete
            if let Err(error) = ended { return Err(anyhow::Error::new(error).context("no answer")); }
            exchange.await
        }
    }
}

/// Percent-encodes everything but unreserved characters, for a query value.
pub fn encode(value: &str) -> String {
    let mut out = String::with_capacity(value.len() * 2);
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte))
            }
            _ => {
                out.push('%');
                for nibble in [byte >> 4, byte & 15] {
                    out.push(
                        char::from_digit(u32::from(nibble), 16)
                            .map_or('0', |c| c.to_ascii_uppercase()),
                    );
                }
            }
        }
    }
    out
}
