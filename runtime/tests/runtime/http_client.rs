//! A raw HTTP/1.1 client over any stream: it sees when a connection is closed, which a pooled client hides.

use std::{io, net::SocketAddr, sync::Arc};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub struct Connection<S> {
    stream: BufReader<S>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub closes: bool,
    pub body: Vec<u8>,
}

pub async fn plain(address: SocketAddr) -> io::Result<Connection<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(Connection::over(stream))
}

pub async fn tls(
    address: SocketAddr,
    config: Arc<rustls::ClientConfig>,
    name: &str,
) -> io::Result<Connection<TlsStream<TcpStream>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    Ok(Connection::over(
        TlsConnector::from(config).connect(name, stream).await?,
    ))
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn over(stream: S) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub fn stream(&self) -> &S {
        self.stream.get_ref()
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    pub async fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: sluice\r\n\r\n").as_bytes())
            .await?;
        self.answer().await
    }

    /// The next answer; `UnexpectedEof` when the connection was closed without one.
    pub async fn answer(&mut self) -> io::Result<Answer> {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            head.push(line);
        }
        let status = head[0].split(' ').nth(1).unwrap().parse().unwrap();
        let header = |name: &str| {
            head.iter()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let length = header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(Answer {
            status,
            closes: header("connection") == Some("close"),
            body,
        })
    }

    /// Waits until the server closes; whatever it still sends is returned.
    pub async fn closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // a reset is a close as well
        let _ = self.stream.read_to_end(&mut rest).await;
        rest
    }
}
