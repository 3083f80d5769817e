//! Tests of the programs and the Makefile as a user runs them.
//!
//! All tests are in one binary, which links once; a comment before each module names its subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

// A temporary directory, and commands that run in it.
mod harness;

// The whole pipeline by the Makefile: outputs, and reruns after changes.
mod make;
// Stanford Dogs by the Makefile, from a server with a small copy, with kills during the run.
mod stanford_dogs;
// The same bytes for any number of threads, any order and any directory.
mod determinism;
// Kills at random moments, then the same artefacts after a rerun.
mod crash;
// Foreign, damaged and missing artefacts, refused with the command that repairs them.
mod refusals;
// README, GUIDE and the other documents name only what exists.
mod documents;
// The published classifier of a network, without training; skipped without pip.
mod pretrained;
// The corpora of the fuzz targets.
mod fuzz;
// Exit codes, stdout and stderr.
mod command_line;
// The allowed imports, and other rules of ARCHITECTURE.md that a test can check.
mod architecture;
