//! Retries and timeouts of requests.

use std::thread;
use std::time::{Duration, Instant};

use data::stage::{Exit, check_interrupted};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// The timeouts, retries and minimum rate of a download.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Timeout for a server that sends nothing.
    pub stall: Duration,
    /// Pause before the second attempt; doubled before each further one.
    pub first_pause: Duration,
    /// Maximum number of attempts in a row that receive fewer than [`RetryPolicy::least_bytes`].
    pub n_tries: u32,
    /// Bytes that an attempt must receive, so that the count of attempts starts again.
    pub least_bytes: u64,
    /// Minimum bytes over all connections in each [`RetryPolicy::window`]; pauses do not count.
    pub least_bytes_per_window: u64,
    /// Duration over which the minimum rate is measured.
    pub window: Duration,
    /// Maximum pause; if a server asks for a longer one, the download is given up.
    pub longest_pause: Duration,
}

impl RetryPolicy {
    /// Returns a client for the server at `endpoint`; for one on this machine no proxy is used.
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

    /// Returns the state of the attempts of a new download.
    pub fn tries(&self) -> Tries<'_> {
        Tries { policy: self, n_failures: 0, n_received: 0, window: Window::new() }
    }
}

/// The failure of a request.
pub enum Failure {
    /// A temporary failure: retry after the pause, if the server asks for one.
    Passing(anyhow::Error, Option<Duration>),
    /// A permanent failure: do not retry.
    Final(anyhow::Error),
}

impl Failure {
    /// Returns a temporary failure without a pause from the server.
    pub fn passing(error: impl Into<anyhow::Error>) -> Self {
        Failure::Passing(error.into(), None)
    }

    /// Converts the error of a request to which `url` did not answer. If the host is not found, the failure is
    /// permanent, unless `has_answered` says that the server has answered before.
    pub fn no_answer(error: ureq::Error, url: &str, has_answered: bool) -> Self {
        let is_final = match &error {
            ureq::Error::Http(_) | ureq::Error::BadUri(_) | ureq::Error::InvalidProxyUrl => true,
            ureq::Error::HostNotFound => !has_answered,
            // ureq passes on the error of the standard library, which has no kind of its own.
            ureq::Error::Io(error) => !has_answered && error.to_string().contains("failed to lookup address"),
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

/// Counts the attempts in a row that received too few bytes, and measures the rate of all attempts together.
#[derive(Debug)]
pub struct Tries<'a> {
    policy: &'a RetryPolicy,
    n_failures: u32,
    /// Bytes that the failed attempts in a row have received.
    n_received: u64,
    window: Window,
}

/// A period of a download, and the bytes received in it.
#[derive(Debug)]
struct Window {
    start: Instant,
    /// Time of the period spent in pauses.
    paused: Duration,
    n_bytes: u64,
}

impl Window {
    fn new() -> Self {
        Self { start: Instant::now(), paused: Duration::ZERO, n_bytes: 0 }
    }
}

impl Tries<'_> {
    /// Counts `n` bytes that were received, and checks the rate.
    ///
    /// # Errors
    /// [`Exit::TryAgain`] if the rate is below the minimum; or if the user interrupts.
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
             the same command again to continue",
            window.as_secs_f64()
        )))
    }

    /// Pauses before the next attempt. `n_received` is the number of useful bytes that the failed one has received.
    ///
    /// # Errors
    /// The failure itself if it is permanent or this was the last attempt; or if the user interrupts.
    pub fn pause(&mut self, failure: Failure, n_received: u64) -> anyhow::Result<()> {
        let (error, asked) = match failure {
            Failure::Final(error) => return Err(error),
            Failure::Passing(error, asked) => (error, asked),
        };
        self.received(0)?;
        if n_received >= self.policy.least_bytes {
            (self.n_failures, self.n_received) = (0, 0);
        }
        self.n_received += n_received;
        let pause = asked.unwrap_or(self.policy.first_pause * 2u32.pow(self.n_failures));
        self.n_failures += 1;
        if self.n_failures >= self.policy.n_tries {
            let gave_up = format!("gave up after {} tries in a row", self.n_failures);
            return Err(match self.n_received {
                0 => error.context(gave_up),
                n => Exit::TryAgain(format!(
                    "{gave_up} with {n} bytes in total ({error:#}); run the same command again to continue"
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

/// Sleeps, and ends early if the user interrupts.
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
