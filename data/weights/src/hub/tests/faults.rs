//! Servers that fail, stall, drip or break off.

use std::time::Instant;

use super::*;

#[test]
fn a_broken_connection_goes_on_where_it_broke() {
    let asked = assert_gets_there(|asked| right(asked).cut_after(700));
    let n_bytes = asked[2].range.len();
    assert_eq!(asked.len(), 2 + n_bytes.div_ceil(700));
    assert!(asked[2..].windows(2).all(|two| two[1].range.start == two[0].range.start + 700), "{asked:?}");
}

#[test]
fn a_server_that_stalls_is_given_up_and_asked_again() {
    let start = Instant::now();
    let asked = assert_gets_there(|asked| match asked.number {
        2 => right(asked).stalling_after(600),
        _ => right(asked),
    });
    assert_eq!(asked[3].range.start, asked[2].range.start + 600);
    assert!(start.elapsed() >= QUICK.stall);
    assert_refused("gave up after 4 tries in a row", |asked| right(asked).stalling_after(0));
}

#[test]
fn a_server_that_fails_now_and_then_is_asked_again() {
    let asked = assert_gets_there(|asked| match asked.number % 3 {
        0 | 1 => Answer::new([500, 502, 503, 504][asked.number % 4], b"busy"),
        _ => right(asked),
    });
    assert_eq!(asked.len(), 9);
    // In the end the exit code is 75, whatever the status.
    for (status, wait, n_asked) in
        [(500, None, 4), (503, None, 4), (408, None, 4), (502, Some("3"), 1), (408, Some("3"), 1)]
    {
        let server = Server::new(move |_| {
            let answer = Answer::new(status, b"");
            match wait {
                Some(wait) => answer.with("retry-after", wait),
                None => answer,
            }
        });
        let error = User::of(&server.address).get(false).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Exit::TryAgain(_))), "{status} {wait:?}: {error:#}");
        assert!(format!("{error:#}").contains(&format!("answers {status}")), "{error:#}");
        assert_eq!(server.asked().len(), n_asked, "{status} {wait:?}");
    }
}

#[test]
fn too_many_requests_wait_as_long_as_asked() {
    let start = Instant::now();
    assert_gets_there(|asked| match asked.number {
        0 => Answer::new(429, b"").with("retry-after", "1"),
        _ => right(asked),
    });
    assert!(start.elapsed() >= Duration::from_secs(1));

    // Until a date that has passed: at once.
    let asked = assert_gets_there(|asked| match asked.number {
        0 => Answer::new(503, b"").with("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),
        _ => right(asked),
    });
    assert_eq!(asked.len(), 4);

    // Too long, and without an end: exit code 75.
    let far = "Fri, 31 Dec 9999 23:59:59 GMT";
    for (status, wait, expected, n_asked) in [
        (429, Some("3"), "again in 3 s", 1),
        (503, Some("3"), "again in 3 s", 1),
        (429, Some(far), "again in 2", 1),
        (429, None, "again later", 4),
    ] {
        let server = Server::new(move |_| {
            let answer = Answer::new(status, b"");
            wait.map_or_else(|| Answer::new(status, b""), |wait| answer.with("retry-after", wait))
        });
        let error = User::of(&server.address).get(false).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Exit::TryAgain(m)) if m.contains(expected)), "{error:#}");
        assert_eq!(server.asked().len(), n_asked);
    }
}

#[test]
fn a_machine_without_a_network_is_told_at_once() {
    let start = Instant::now();
    let message = User::of("http://no-such-host.invalid").refusal(false);
    assert!(message.contains("does not answer") && message.contains("curl"), "{message}");
    assert!(!message.contains("gave up after"), "it was asked once: {message}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_server_that_drips_is_given_up_with_code_75() {
    let start = Instant::now();
    let cases: [(&str, fn(&Asked) -> Answer); 3] = [
        ("a byte now and then", |asked| Answer { drips: Some(Duration::from_millis(50)), ..right(asked) }),
        ("a byte a connection", |asked| right(asked).cut_after(1)),
        ("a stall after a while", |asked| right(asked).stalling_after(100)),
    ];
    for (what, behaviour) in cases {
        // The header comes as it should.
        let server = Server::new(move |asked| if asked.number < 2 { right(asked) } else { behaviour(asked) });
        let error = User::of(&server.address).get(false).unwrap_err();
        assert!(
            matches!(error.downcast_ref(), Some(Exit::TryAgain(m)) if m.contains("gave up") && m.contains("run the same command again")),
            "{what}: {error:#}"
        );
    }
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}
