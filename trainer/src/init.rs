//! Initial weights of a head: drawn from a seed, or those of the classifier that the network was published with.

pub(crate) mod pretrained;
pub(crate) mod random;
