//! Parses headers of an answer.

use std::time::{Duration, SystemTime};

/// Parses `Retry-After`, in seconds or as a date, to the time to wait.
pub(crate) fn parse_retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    // A date in the past means no wait.
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Parses the first byte and the size of the file from a `Content-Range` such as `bytes 5-9/100`.
pub fn parse_content_range(text: &str) -> Option<(u64, u64)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.parse().ok()?, size.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_asks_to_wait_in_seconds_or_until_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let parsed = |text| parse_retry_after(text, now).map(|pause| pause.as_secs());
        assert_eq!(parsed("120"), Some(120));
        assert_eq!(parsed("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(parsed("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "a date in the past");
        assert_eq!([parsed("soon"), parsed("-1"), parsed("")], [None; 3]);
    }
}
