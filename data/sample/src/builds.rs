//! The build of a dog, as numbers.
//!
//! The numbers are estimates from breed standards and photographs. The unit is the height at the withers, so a
//! Chihuahua and a Great Dane have the same size in a picture and differ in proportions. Coats overlap between breeds
//! on purpose: black, fawn, red and white occur in most of them.

/// The build of a dog. Lengths in heights at the withers, angles in degrees above the horizontal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Build {
    /// Length from forechest to buttock.
    pub(crate) length: f32,
    /// Height of the elbow above the ground.
    pub(crate) leg: f32,
    /// Rise of the belly towards the loin, as a share of the chest's depth.
    pub(crate) tuck: f32,
    /// Rise of the loin above a level back.
    pub(crate) arch: f32,
    /// Fall of the croup below the withers.
    pub(crate) slope: f32,
    /// Radius of the leg at the wrist.
    pub(crate) bone: f32,
    /// Thickness of thigh and shoulder; 1 is a retriever's.
    pub(crate) muscle: f32,
    /// Distance from the shoulder to the middle of the skull.
    pub(crate) neck: f32,
    /// Thickness of the neck; 1 is a retriever's.
    pub(crate) neck_girth: f32,
    pub(crate) carriage: f32,
    pub(crate) head: Head,
    pub(crate) tail: Tail,
    pub(crate) fur: Fur,
}

/// Proportions of the head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    /// Radius of the skull.
    pub(crate) skull: f32,
    /// Length from the front of the skull to the tip of the nose.
    pub(crate) muzzle: f32,
    /// Radius of the muzzle at the skull and at the nose.
    pub(crate) depth: (f32, f32),
    /// Overhang of the upper lip.
    pub(crate) lips: f32,
    pub(crate) ear: Ear,
    /// Length and width of the ear.
    pub(crate) ear_size: (f32, f32),
}

/// The shape and carriage of an ear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ear {
    /// Pointed and upright.
    Erect,
    /// Large and upright, turned out to the sides.
    Flared,
    /// Hangs beside the cheek.
    Drop,
    /// Small, its tip folded forward.
    Button,
    /// Small, folded back along the neck.
    Rose,
}

/// The shape and carriage of a tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Hangs to the hock, its tip swept back.
    Hanging,
    /// Thin, hangs, its tip turned up.
    Whip,
    /// Level, long hair below.
    Plume,
    /// Rolled up on the croup.
    Curl,
    /// A fan of hair over the back.
    Fan,
    /// Up and slightly curved.
    Flag,
    /// Very short.
    Bob,
    /// Upright with a ball of hair.
    Ball,
}

/// The hair of the coat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fur {
    /// Depth of the coat around neck and body, beyond the body's own outline.
    pub(crate) depth: f32,
    /// Length of the tufts at the edges.
    pub(crate) fringe: f32,
    /// Length of the hair on chest, belly and the backs of the legs.
    pub(crate) feathers: f32,
    pub(crate) trim: Trim,
}

/// The trim of the coat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trim {
    Natural,
    /// A poodle's: balls of curls at ankles, hips and on the head, a mane, the rest shaved.
    Pompons,
}
