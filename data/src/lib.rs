//! The formats of the files between the stages.
//!
//! Every file that one stage writes and another reads has one module here, with its reader and its writer; no
//! other crate opens these files. This crate also has the only decoder of pictures ([`photo`]), the only writer of
//! files ([`commit`]), the only source of random numbers ([`draw`]) and the common behaviour of the programs
//! ([`stage`]).
//!
//! This crate depends on no tensor library and does not use the network.

pub mod backbone;
pub mod breeds;
pub mod commit;
pub mod current;
pub mod device;
pub mod disk;
pub mod draw;
pub mod envelope;
pub mod features;
pub mod forecast;
pub mod head;
pub mod imagenet;
pub mod manifest;
pub mod metrics;
pub mod overlap;
pub mod photo;
pub mod profiles;
pub mod provenance;
pub mod recipe;
pub mod regular;
pub mod rejects;
pub mod stage;
pub mod table;
pub mod weights;
