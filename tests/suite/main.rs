//! The stages and the Makefile from the outside.
//!
//! One binary, so that it links once; each module says what belongs into it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

// A fresh directory, and commands that point at it.
mod harness;

// The whole pipeline through the Makefile: what it makes, what it makes again and what not.
mod make;
// Stanford Dogs through the Makefile, from a server that holds a miniature of it; killed on the way.
mod stanford_dogs;
// The same bytes for any number of threads, any order and any place.
mod determinism;
// Killed anywhere, run again: the same artefacts.
mod crash;
// Foreign, damaged and missing artefacts are refused with the command that mends it.
mod refusals;
// README, GUIDE and the other documents name only what exists.
mod documents;
// The corpora of the fuzz targets.
mod fuzz;
// Exit codes, stdout and stderr.
mod command_line;
// Who may import whom, and other rules of ARCHITECTURE.md that a tool can check.
mod architecture;
