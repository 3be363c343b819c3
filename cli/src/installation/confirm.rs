//! Asks before something is taken away.

use std::io::{self, BufRead, IsTerminal, Write};

/// Whether the caller agrees. Without a terminal nobody can be asked, so nobody agreed.
///
/// # Errors
/// When the terminal cannot be read.
pub fn agreed(question: &str) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    let mut out = io::stderr().lock();
    write!(out, "{question} [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
