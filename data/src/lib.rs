//! What the files between the stages are.
//!
//! Every file that one stage writes and another reads has one module here, with its reader and its
//! writer side by side; no other crate opens such a file. Beside the files: the one decoder of
//! pictures ([`photo`]), the one way to write a file ([`commit`]), the one source of randomness
//! ([`draw`]) and how a stage behaves as a program ([`stage`]).
//!
//! This crate knows no tensors library and no network.

pub mod backbone;
pub mod breeds;
pub mod commit;
pub mod current;
pub mod disk;
pub mod draw;
pub mod envelope;
pub mod features;
pub mod forecast;
pub mod head;
pub mod manifest;
pub mod metrics;
pub mod photo;
pub mod profiles;
pub mod provenance;
pub mod recipe;
pub mod regular;
pub mod rejects;
pub mod stage;
pub mod table;
pub mod weights;
