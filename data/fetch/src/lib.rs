//! What every download needs of an HTTP client: it gives up a server that is silent or far too slow, asks
//! again after a pause, and lets the user interrupt it at any moment.
//!
//! Which answers are good ones, and what becomes of their bytes, is for those who download to say.

mod answer;
mod headers;
mod retry;

pub use answer::Answer;
pub use headers::parse_content_range;
pub use retry::{Failure, RetryPolicy, Tries};
pub use ureq::{Agent, http};
