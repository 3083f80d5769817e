//! Writes man pages and shell completions of a program, for `make install`.

use std::path::Path;

use anyhow::Context;
use clap::Command;
use clap_complete::Shell;

use crate::commit;

/// Hidden argument: `--write-manual DIR` alone writes them below DIR, for example `/usr/local/share`.
const FLAG: &str = "--write-manual";
/// Prefix of the names of installed programs: a name such as `sample` may already be used.
const PREFIX: &str = "tindogr-";

/// Writes the manual of `command` if the program's arguments ask for it; otherwise returns `None`.
pub(super) fn write_if_asked(command: impl FnOnce() -> Command) -> Option<anyhow::Result<()>> {
    let mut arguments = std::env::args_os().skip(1);
    let asked = arguments.next()? == FLAG;
    let dir = arguments.next().filter(|_| asked)?;
    arguments.next().is_none().then(|| write(command(), Path::new(&dir)))
}

/// Writes the man pages of `command` and its subcommands, and the completions for bash, zsh and fish, below `dir`.
fn write(command: Command, dir: &Path) -> anyhow::Result<()> {
    // Leaked: the names must be `'static`.
    let name: &'static str = format!("{PREFIX}{}", command.get_name()).leak();
    let mut command = command.name(name).bin_name(name);
    command.build();
    write_pages(&command, name, &dir.join("man/man1"))?;
    for (shell, path) in [
        (Shell::Bash, format!("bash-completion/completions/{name}")),
        (Shell::Zsh, format!("zsh/site-functions/_{name}")),
        (Shell::Fish, format!("fish/vendor_completions.d/{name}.fish")),
    ] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command, name, &mut script);
        commit::write_bytes(&dir.join(path), &script)?;
    }
    Ok(())
}

/// Writes `NAME.1` for `command`, and one page for each of its subcommands.
fn write_pages(command: &Command, name: &str, dir: &Path) -> anyhow::Result<()> {
    let mut page = Vec::new();
    let named = command.clone().display_name(name);
    clap_mangen::Man::new(named).title(name).render(&mut page).context("cannot write a man page")?;
    commit::write_bytes(&dir.join(format!("{name}.1")), &page)?;
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        let name = format!("{name}-{}", subcommand.get_name());
        write_pages(subcommand, &name, dir)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_subcommands_have_pages_and_completions() {
        let fit = Command::new("fit").about("Train a head").arg(clap::Arg::new("epochs").long("epochs"));
        let command = Command::new("trainer").about("Train").subcommand(fit);
        let dir = tempfile::tempdir().unwrap();
        write(command, dir.path()).unwrap();
        let read = |path: &str| std::fs::read_to_string(dir.path().join(path)).unwrap();
        assert!(read("man/man1/tindogr-trainer.1").contains("tindogr\\-trainer"));
        let fit = read("man/man1/tindogr-trainer-fit.1");
        assert!(fit.contains("tindogr\\-trainer\\-fit") && fit.contains("\\-\\-epochs"), "{fit}");
        for script in
            ["bash-completion/completions/tindogr-trainer", "fish/vendor_completions.d/tindogr-trainer.fish"]
        {
            assert!(read(script).contains("epochs"), "{script}");
        }
        assert!(read("zsh/site-functions/_tindogr-trainer").starts_with("#compdef tindogr-trainer"));
    }
}
