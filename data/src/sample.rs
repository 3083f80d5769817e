//! The sample data set.
