//! The common behaviour of the programs: shared arguments, logs, progress, interruption and exit codes.
//!
//! stdout gets only the result; logs and progress go to stderr.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

mod manual;

/// Maximum number of worker threads; more than the largest machines have.
const MAX_THREADS: usize = 1024;

/// Arguments that all programs share.
#[derive(Debug, Clone, clap::Args)]
pub struct CommonArgs {
    /// Seed of every random draw
    #[arg(long, global = true, default_value_t = 42, help_heading = "Common")]
    pub seed: u64,
    /// Number of worker threads; 0 means one per core. Results do not depend on it
    #[arg(long, global = true, default_value_t = 0, env = "TINDOGR_THREADS", help_heading = "Common")]
    pub threads: usize,
    /// Print errors only
    #[arg(long, short, global = true, conflicts_with = "verbose", help_heading = "Common")]
    pub quiet: bool,
    /// Print details; give it twice for more
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Common")]
    pub verbose: u8,
    /// Print the summary as one line of JSON
    #[arg(long, global = true, help_heading = "Common")]
    pub json: bool,
}

/// The reason why a program ends with a special exit code.
///
/// Codes: 0 done, 1 failed (or the answer to `--check` is no), 2 usage, 75 try again later, 130 and 143 interrupted
/// by SIGINT and SIGTERM.
#[derive(Debug, thiserror::Error)]
pub enum Exit {
    /// The arguments contradict each other or are outside their ranges.
    #[error("{0}")]
    Usage(String),
    /// A temporary failure: the directory is locked, or the server asks to wait.
    #[error("{0}")]
    TryAgain(String),
    /// The answer to `--check` is no; it was already printed.
    #[error("not up to date")]
    Stale,
    /// A signal ended the program, in an orderly way.
    #[error("interrupted; run the same command again to continue")]
    Interrupted(usize),
}

impl Exit {
    fn code(&self) -> u8 {
        match self {
            Exit::Stale => 1,
            Exit::Usage(_) => 2,
            Exit::TryAgain(_) => 75,
            Exit::Interrupted(signal) => 128u8.saturating_add(u8::try_from(*signal).unwrap_or(u8::MAX)),
        }
    }
}

/// Returns a usage error, for arguments that clap cannot check; exit code 2.
pub fn usage(message: impl fmt::Display) -> anyhow::Error {
    Exit::Usage(message.to_string()).into()
}

/// Runs a program: sets up logs, threads and signals, calls `run`, prints its error, and returns the exit code.
pub fn main<C: clap::Parser>(
    common: impl FnOnce(&C) -> &CommonArgs,
    run: impl FnOnce(&C) -> anyhow::Result<()>,
) -> ExitCode {
    if let Some(written) = manual::write_if_asked(command::<C>) {
        return exit_code(written);
    }
    let matches = command::<C>().get_matches();
    let args = C::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command::<C>()).exit());
    exit_code(set_up(common(&args)).and_then(|()| run(&args)))
}

/// Returns the program's command line, with what all programs and subcommands share: `--version`, and negative numbers
/// as values, so that the check of their range can name it.
fn command<C: clap::Parser>() -> clap::Command {
    let command = C::command().version(env!("CARGO_PKG_VERSION")).propagate_version(true);
    with_negative_numbers(command)
}

fn with_negative_numbers(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| {
            let takes_value = arg.get_long().is_some() && arg.get_action().takes_values();
            if takes_value { arg.allow_negative_numbers(true) } else { arg }
        })
        .mut_subcommands(with_negative_numbers)
}

/// Prints the error of `outcome`, if there is one, and returns the exit code.
fn exit_code(outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    if is_closed_pipe(&error) {
        // The reader of the pipe has ended, as in `stage | head -1`: not an error.
        return ExitCode::SUCCESS;
    }
    let exit = error.downcast_ref::<Exit>();
    if !matches!(exit, Some(Exit::Stale)) {
        // If stderr is closed, the exit code must be enough.
        let _ = writeln!(io::stderr(), "error: {}", printable(&format!("{error:#}")));
    }
    ExitCode::from(exit.map_or(1, Exit::code))
}

fn set_up(common: &CommonArgs) -> anyhow::Result<()> {
    if common.threads > MAX_THREADS {
        return Err(usage(format!(
            "--threads {} is out of range, expected at most {MAX_THREADS}",
            common.threads
        )));
    }
    let level = match (common.quiet, common.verbose) {
        (true, _) => tracing::Level::ERROR,
        (_, 0) => tracing::Level::INFO,
        (_, 1) => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    // In a test several programs may run in one process; they share the logs of the first.
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_target(false)
        .without_time()
        .with_ansi(colour)
        // A log that cannot be written must not end the program.
        .log_internal_errors(false)
        .try_init();
    start_threads(common.threads)?;
    watch_signals().context("cannot watch for signals")
}

/// Starts the worker threads of the program.
fn start_threads(n: usize) -> anyhow::Result<()> {
    match rayon::ThreadPoolBuilder::new().num_threads(n).build_global() {
        // Without a source: the threads run already. In a test several programs may run in one process.
        Err(error) if std::error::Error::source(&error).is_some() => {
            Err(error).with_context(|| format!("cannot start {n} threads; choose fewer with --threads"))
        }
        _ => Ok(()),
    }
}

static SIGNAL: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

fn watch_signals() -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
    if SIGNAL.get().is_some() {
        return Ok(());
    }
    let received = SIGNAL.get_or_init(|| Arc::new(AtomicUsize::new(0)));
    for signal in [SIGINT, SIGTERM] {
        // A second signal ends the program at once. This handler is registered first, so it sees the flag of the first.
        let again = Arc::new(std::sync::atomic::AtomicBool::new(false));
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))?;
        signal_hook::flag::register(signal, again)?;
        signal_hook::flag::register_usize(signal, Arc::clone(received), signal as usize)?;
    }
    // Without a handler a file-size limit kills the process; with one the write fails with EFBIG.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    Ok(())
}

/// Returns an error after SIGINT or SIGTERM; to be called between units of work.
///
/// # Errors
/// [`Exit::Interrupted`].
pub fn check_interrupted() -> Result<(), Exit> {
    match SIGNAL.get().map_or(0, |s| s.load(Ordering::Relaxed)) {
        0 => Ok(()),
        signal => Err(Exit::Interrupted(signal)),
    }
}

/// Returns a progress bar over `n` of `unit` on stderr, with rate and remaining time; hidden if stderr is not a
/// terminal or `--quiet` is given.
pub fn progress(common: &CommonArgs, n: u64, unit: &str) -> ProgressBar {
    let target = if common.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(n), target);
    let template = format!("{{wide_bar}} {{pos}}/{{len}} {unit}  {{per_sec}}  {{eta}} left  {{msg}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

/// Returns a progress bar as [`progress`] over `n` bytes of a download.
pub fn progress_of_bytes(common: &CommonArgs, n: u64) -> ProgressBar {
    let bar = progress(common, n, "bytes");
    let template = "{wide_bar} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left  {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Prints a stage's summary on stdout: its `Display`, or one line of JSON with `--json`.
///
/// # Errors
/// If stdout cannot be written.
pub fn print_summary<S: Serialize + fmt::Display>(common: &CommonArgs, summary: &S) -> anyhow::Result<()> {
    let text = if common.json { serde_json::to_string(summary)? } else { summary.to_string() };
    if common.quiet && !common.json {
        return Ok(());
    }
    print_line(&text)
}

/// Prints one line of a result on stdout.
///
/// # Errors
/// If stdout cannot be written.
pub fn print_line(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", printable(text.trim_end()))
        .and_then(|()| stdout.flush())
        .context("cannot write to stdout")
}

/// Returns `text` for a terminal: control characters are written as `\u001b`, as in JSON. Names of files and classes
/// may contain characters that clear the screen or change the direction of writing.
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_command = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    let escaped =
        text.chars().map(|c| if is_command(c) { format!("\\u{:04x}", u32::from(c)) } else { c.into() });
    Cow::Owned(escaped.collect())
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|e| e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Program {
        #[command(subcommand)]
        command: Subcommand,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Subcommand {
        Fit {
            #[arg(long)]
            rate: f64,
        },
    }

    #[test]
    fn every_subcommand_has_a_version_and_takes_negative_numbers() {
        let parse = |args: &[&str]| command::<Program>().try_get_matches_from(args);
        for args in [&["program", "--version"][..], &["program", "-V"], &["program", "fit", "-V"]] {
            assert_eq!(parse(args).unwrap_err().kind(), clap::error::ErrorKind::DisplayVersion, "{args:?}");
        }
        let matches = parse(&["program", "fit", "--rate", "-0.5"]).unwrap();
        let fit = matches.subcommand_matches("fit").unwrap();
        assert_eq!(fit.get_one::<f64>("rate"), Some(&-0.5));
    }

    #[test]
    fn more_threads_than_a_machine_can_have_are_a_usage_error() {
        let common = |threads| CommonArgs { seed: 1, threads, quiet: true, verbose: 0, json: false };
        let refused = set_up(&common(MAX_THREADS + 1)).unwrap_err();
        assert!(
            matches!(refused.downcast_ref(), Some(Exit::Usage(m)) if m.contains("--threads 1025")),
            "{refused}"
        );
        // Twice, as in a test.
        set_up(&common(1)).unwrap();
        set_up(&common(1)).unwrap();
    }

    #[test]
    fn control_characters_are_escaped() {
        assert!(matches!(printable("a\tb\nc \u{e9} \u{1f436}"), Cow::Borrowed(_)));
        assert_eq!(
            printable("a\u{1b}[2Jb\r\u{7f}\u{9b}1m\u{202e}"),
            "a\\u001b[2Jb\\u000d\\u007f\\u009b1m\\u202e"
        );
    }
}
