//! When a request is made again, and when it is given up.

use std::thread;
use std::time::{Duration, Instant};

use data::stage::{Exit, check_interrupted};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// When a download waits, tries again and gives up.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// A server that sends nothing for so long is given up.
    pub stall: Duration,
    /// Before the second try; twice as long before each further one.
    pub first_pause: Duration,
    /// Tries in a row that bring fewer than [`RetryPolicy::least_bytes`].
    pub n_tries: u32,
    /// What a try must bring to count as one that brought something.
    pub least_bytes: u64,
    /// So much must come, over all connections, in each [`RetryPolicy::window`]; pauses do not count.
    pub least_bytes_per_window: u64,
    /// See there.
    pub window: Duration,
    /// A server that asks to wait for longer is left alone.
    pub longest_pause: Duration,
}

impl RetryPolicy {
    /// A client for the server at `endpoint`; one on this machine is not asked through a proxy.
    pub fn agent(&self, endpoint: &str, max_redirects: u32) -> Agent {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(max_redirects)
            .user_agent(concat!("tindogr/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .tls_config(tls)
            .timeout_connect(Some(self.stall))
            .timeout_recv_response(Some(self.stall))
            .timeout_per_read(Some(self.stall));
        let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
        if local.iter().any(|start| endpoint.starts_with(start)) {
            config = config.proxy(None);
        }
        config.build().new_agent()
    }

    /// The tries of one download, none of which has failed yet.
    pub fn tries(&self) -> Tries<'_> {
        Tries { policy: self, n_failures: 0, brought: 0, window: Window::new() }
    }
}

/// Why a request came to nothing.
pub enum Failure {
    /// It may be better the next time, after the pause that the server asks for.
    Passing(anyhow::Error, Option<Duration>),
    /// It will not.
    Final(anyhow::Error),
}

impl Failure {
    /// One after which the pause is ours to choose.
    pub fn passing(error: impl Into<anyhow::Error>) -> Self {
        Failure::Passing(error.into(), None)
    }

    /// What it means that `url` did not answer. Without a network there is no need to wait, unless
    /// `has_answered` says that there was one before.
    pub fn no_answer(error: ureq::Error, url: &str, has_answered: bool) -> Self {
        let is_final = match &error {
            ureq::Error::Http(_) | ureq::Error::BadUri(_) | ureq::Error::InvalidProxyUrl => true,
            ureq::Error::HostNotFound => !has_answered,
            _ => false,
        };
        let error = anyhow::Error::new(error).context(format!("{url} does not answer"));
        if is_final { Failure::Final(error) } else { Failure::passing(error) }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Final(error.into())
    }
}

/// Counts the tries in a row that brought next to nothing, and watches the rate of all of them together.
#[derive(Debug)]
pub struct Tries<'a> {
    policy: &'a RetryPolicy,
    n_failures: u32,
    /// Bytes that the tries in a row brought all the same.
    brought: u64,
    window: Window,
}

/// A stretch of time spent with a server, and the bytes that came in it.
#[derive(Debug)]
struct Window {
    start: Instant,
    /// Of that, spent in pauses.
    paused: Duration,
    n_bytes: u64,
}

impl Window {
    fn new() -> Self {
        Self { start: Instant::now(), paused: Duration::ZERO, n_bytes: 0 }
    }
}

impl Tries<'_> {
    /// Takes in `n` bytes that came just now.
    ///
    /// # Errors
    /// [`Exit::TryAgain`] if far too few came for far too long; or if the user interrupts.
    pub fn received(&mut self, n: usize) -> Result<(), Exit> {
        check_interrupted()?;
        let RetryPolicy { window, least_bytes_per_window, .. } = *self.policy;
        self.window.n_bytes += n as u64;
        if self.window.start.elapsed().saturating_sub(self.window.paused) < window {
            return Ok(());
        }
        let n_bytes = std::mem::replace(&mut self.window, Window::new()).n_bytes;
        if n_bytes >= least_bytes_per_window {
            return Ok(());
        }
        Err(Exit::TryAgain(format!(
            "gave up: the server sent {n_bytes} bytes in {:.0} s, expected at least {least_bytes_per_window}; run \
             the same command again to go on",
            window.as_secs_f64()
        )))
    }

    /// Pauses before the next try. `brought`: bytes of use that the failed one brought before it failed.
    ///
    /// # Errors
    /// The failure itself if it is final or it was the last try; or if the user interrupts.
    pub fn pause(&mut self, failure: Failure, brought: u64) -> anyhow::Result<()> {
        let (error, asked) = match failure {
            Failure::Final(error) => return Err(error),
            Failure::Passing(error, asked) => (error, asked),
        };
        self.received(0)?;
        if brought >= self.policy.least_bytes {
            (self.n_failures, self.brought) = (0, 0);
        }
        self.brought += brought;
        let pause = asked.unwrap_or(self.policy.first_pause * 2u32.pow(self.n_failures));
        self.n_failures += 1;
        if self.n_failures >= self.policy.n_tries {
            let gave_up = format!("gave up after {} tries in a row", self.n_failures);
            return Err(match self.brought {
                0 => error.context(gave_up),
                n => Exit::TryAgain(format!(
                    "{gave_up} that brought {n} bytes together ({error:#}); run the same command again to go on"
                ))
                .into(),
            });
        }
        tracing::warn!("{error:#}; trying again in {:.1} s", pause.as_secs_f64());
        sleep(pause)?;
        self.window.paused += pause;
        Ok(())
    }
}

/// Sleeps, but not through an interruption.
fn sleep(pause: Duration) -> Result<(), Exit> {
    let end = Instant::now() + pause;
    loop {
        check_interrupted()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(Duration::from_millis(100)));
    }
}
