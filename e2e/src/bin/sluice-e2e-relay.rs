//! Carries a loopback port of this machine into a network namespace that has no interface to it: the listening socket was opened outside and is handed
//! in as standard input, the connections to where they are meant to go are made inside.

use std::{net::SocketAddr, os::fd::AsFd};

use anyhow::Context;
use clap::Parser;
use tokio::net::{TcpListener, TcpStream};

#[derive(Parser)]
struct Arguments {
    /// Where each connection goes.
    to: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { to } = Arguments::parse();
    let socket = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .context("standard input is not a socket")?;
    let listener = std::net::TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (mut outside, _) = listener.accept().await?;
        tokio::spawn(async move {
            // refused inside: refused outside, by closing it
            let Ok(mut inside) = TcpStream::connect(to).await else {
                return;
            };
            // either side may break off
            let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
        });
    }
}
