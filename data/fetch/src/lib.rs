//! An HTTP client for downloads with timeouts, retries after pauses, and a minimum rate; the user can interrupt it
//! at any time.
//!
//! The callers decide which answers they accept, and what they do with the bytes.

mod answer;
mod headers;
mod retry;

pub use answer::Answer;
pub use headers::parse_content_range;
pub use retry::{Failure, RetryPolicy, Tries};
pub use ureq::{Agent, http};
