//! How a dog is built, as numbers.
//!
//! The numbers are read off breed standards and photographs by eye. The unit is the height at the
//! withers, so a Chihuahua and a Great Dane fill a picture alike and differ by proportion. Coats
//! overlap between breeds on purpose: black, fawn, red and white occur in most of them.

/// How a dog is made. Lengths in heights at the withers, angles in degrees above the horizon.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Build {
    /// Forechest to buttock.
    pub(crate) length: f32,
    /// Ground to elbow.
    pub(crate) leg: f32,
    /// How far the belly rises towards the loin, as a share of the chest's depth.
    pub(crate) tuck: f32,
    /// Rise of the loin above a level back.
    pub(crate) arch: f32,
    /// Fall of the croup below the withers.
    pub(crate) slope: f32,
    /// Radius of the leg at the wrist.
    pub(crate) bone: f32,
    /// Thickness of thigh and shoulder; 1 is a retriever's.
    pub(crate) muscle: f32,
    /// Shoulder to the middle of the skull.
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
    /// From the front of the skull to the tip of the nose.
    pub(crate) muzzle: f32,
    /// Radius of the muzzle at the skull and at the nose.
    pub(crate) depth: (f32, f32),
    /// How far the upper lip hangs.
    pub(crate) lips: f32,
    pub(crate) ear: Ear,
    /// Length and width of the ear.
    pub(crate) ear_size: (f32, f32),
}

/// How an ear is carried.
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

/// How a tail is made and carried.
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
    /// Next to none.
    Bob,
    /// Upright with a ball of hair.
    Ball,
}

/// How the hair stands.
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

/// What is left of the coat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trim {
    Natural,
    /// A poodle's: balls of curls at ankles, hips and on the head, a mane, the rest shaved.
    Pompons,
}
