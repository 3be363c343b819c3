//! `sluice completion`: what the shell completes, made from the commands themselves.

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::aot::{self, Generator};

use crate::{arguments::Arguments, console, outcome::Outcome};

/// Print a completion script for a shell.
#[derive(Args, Debug)]
#[command(after_help = "\
bash:        source <(sluice completion bash)
zsh:         sluice completion zsh > \"${fpath[1]}/_sluice\"
fish:        sluice completion fish > ~/.config/fish/completions/sluice.fish
powershell:  sluice completion powershell | Out-String | Invoke-Expression")]
pub struct Completion {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// The shells that a script can be made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shell {
    /// bash 4 and later.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
    /// PowerShell.
    Powershell,
}

/// Prints the script.
///
/// # Errors
/// When the output cannot be written.
pub fn run(completion: &Completion) -> anyhow::Result<Outcome> {
    console::print(&script(completion.shell)?)?;
    Ok(Outcome::Yes)
}

fn script(shell: Shell) -> anyhow::Result<String> {
    let shell: &dyn Generator = match shell {
        Shell::Bash => &aot::Bash,
        Shell::Zsh => &aot::Zsh,
        Shell::Fish => &aot::Fish,
        Shell::Powershell => &aot::PowerShell,
    };
    let mut command = Arguments::command();
    command.set_bin_name("sluice");
    command.build();
    let mut script = Vec::new();
    shell.try_generate(&command, &mut script)?;
    Ok(String::from_utf8(script)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_knows_the_commands_and_flags() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Powershell] {
            let script = script(shell).unwrap();
            for word in [
                "release",
                "wait",
                "fail-on",
                "write-baseline",
                "kubeconfig",
                "sarif",
            ] {
                assert!(script.contains(word), "{shell:?} does not know {word}");
            }
        }
    }
}
