//! The extractor from the outside: the stage over small pictures, weights files, parity with PyTorch.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its harness too")]

mod backbones;
mod cost;
mod harness;
mod machines;
mod parity;
mod reference;
mod stage;
