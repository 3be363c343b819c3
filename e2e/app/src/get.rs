//! A client: one line per answer, `CODE BODY` or `ERR why`; fails when any answer was none.

use std::{
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use anyhow::{Context, bail};

const LIMIT: Duration = Duration::from_secs(3);

pub fn run(url: &str, times: u32, pause: Duration) -> anyhow::Result<()> {
    let rest = url
        .strip_prefix("http://")
        .with_context(|| format!("{url} does not begin with http://"))?;
    let (host, path) = match rest.split_once('/') {
        Some((host, path)) => (host, format!("/{path}")),
        None => (rest, "/".to_owned()),
    };
    let mut lost = 0;
    for _ in 0..times {
        match ask(host, &path) {
            Ok(answer) => println!("{}", answer.trim_end()),
            Err(error) => {
                lost += 1;
                println!("ERR {error:#}");
            }
        }
        std::thread::sleep(pause);
    }
    if lost > 0 {
        bail!("{lost} of {times} requests were lost");
    }
    Ok(())
}

fn ask(host: &str, path: &str) -> anyhow::Result<String> {
    let place = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let address = place
        .to_socket_addrs()
        .with_context(|| format!("no address of {place}"))?
        .next()
        .with_context(|| format!("no address of {place}"))?;
    let mut stream = TcpStream::connect_timeout(&address, LIMIT).context("no connection")?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).context("no answer")?;
    line(&answer).context("the answer was cut off")
}

/// `CODE BODY` of a whole answer.
fn line(answer: &str) -> Option<String> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let code = head.split(' ').nth(1)?;
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())?;
    (body.len() == length).then(|| format!("{code} {body}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_answer_counts() {
        let whole = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n";
        assert_eq!(line(whole).as_deref(), Some("200 ok\n"));
        for cut in ["", "HTTP/1.1 200 OK\r\n", &whole[..whole.len() - 1]] {
            assert_eq!(line(cut), None, "{cut:?}");
        }
    }
}
