//! The breeds that are painted: their builds as numbers, and the coats each comes in.
//!
//! The numbers are read off breed standards and photographs by eye. The unit is the height at the
//! withers, so a Chihuahua and a Great Dane fill a picture alike and differ by proportion. Coats
//! overlap between breeds on purpose: black, fawn, red and white occur in most of them.

use super::coats::{self, Coat};

/// One painted breed.
#[derive(Debug)]
pub(super) struct Painted {
    /// Its name in [`crate::breeds`].
    pub(super) breed: &'static str,
    pub(super) build: Build,
    pub(super) coats: &'static [Coat],
}

/// How a dog is made. Lengths in heights at the withers, angles in degrees above the horizon.
#[derive(Debug, Clone, Copy)]
pub(super) struct Build {
    /// Forechest to buttock.
    pub(super) length: f32,
    /// Ground to elbow.
    pub(super) leg: f32,
    /// How far the belly rises towards the loin, as a share of the chest's depth.
    pub(super) tuck: f32,
    /// Rise of the loin above a level back.
    pub(super) arch: f32,
    /// Fall of the croup below the withers.
    pub(super) slope: f32,
    /// Radius of the leg at the wrist.
    pub(super) bone: f32,
    /// Thickness of thigh and shoulder; 1 is a retriever's.
    pub(super) muscle: f32,
    /// Shoulder to the middle of the skull.
    pub(super) neck: f32,
    /// Thickness of the neck; 1 is a retriever's.
    pub(super) neck_girth: f32,
    pub(super) carriage: f32,
    pub(super) head: Head,
    pub(super) tail: Tail,
    pub(super) fur: Fur,
}

/// Proportions of the head.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// Radius of the skull.
    pub(super) skull: f32,
    /// From the front of the skull to the tip of the nose.
    pub(super) muzzle: f32,
    /// Radius of the muzzle at the skull and at the nose.
    pub(super) depth: (f32, f32),
    /// How far the upper lip hangs.
    pub(super) lips: f32,
    pub(super) ear: Ear,
    /// Length and width of the ear.
    pub(super) ear_size: (f32, f32),
}

/// How an ear is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ear {
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
pub(super) enum Tail {
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
pub(super) struct Fur {
    /// Depth of the coat around neck and body, beyond the body's own outline.
    pub(super) depth: f32,
    /// Length of the tufts at the edges.
    pub(super) fringe: f32,
    /// Length of the hair on chest, belly and the backs of the legs.
    pub(super) feathers: f32,
    pub(super) trim: Trim,
}

/// What is left of the coat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trim {
    Natural,
    /// A poodle's: balls of curls at ankles, hips and on the head, a mane, the rest shaved.
    Pompons,
}

/// Small to giant.
pub(super) const BREEDS: [Painted; 11] = [
    Painted {
        breed: "Chihuahua",
        build: Build {
            length: 1.02,
            leg: 0.54,
            tuck: 0.34,
            arch: 0.01,
            slope: 0.02,
            bone: 0.036,
            muscle: 0.72,
            neck: 0.44,
            neck_girth: 0.72,
            carriage: 64.0,
            head: Head {
                skull: 0.225,
                muzzle: 0.13,
                depth: (0.105, 0.06),
                lips: 0.0,
                ear: Ear::Flared,
                ear_size: (0.36, 0.25),
            },
            tail: Tail::Flag,
            fur: Fur { depth: 0.0, fringe: 0.0, feathers: 0.0, trim: Trim::Natural },
        },
        coats: coats::CHIHUAHUA,
    },
    Painted {
        breed: "Pomeranian",
        build: Build {
            length: 1.0,
            leg: 0.42,
            tuck: 0.1,
            arch: 0.0,
            slope: 0.0,
            bone: 0.042,
            muscle: 0.8,
            neck: 0.36,
            neck_girth: 1.2,
            carriage: 58.0,
            head: Head {
                skull: 0.18,
                muzzle: 0.12,
                depth: (0.09, 0.045),
                lips: 0.0,
                ear: Ear::Erect,
                ear_size: (0.13, 0.12),
            },
            tail: Tail::Fan,
            fur: Fur { depth: 0.12, fringe: 0.095, feathers: 0.09, trim: Trim::Natural },
        },
        coats: coats::POMERANIAN,
    },
    Painted {
        breed: "pug",
        build: Build {
            length: 1.06,
            leg: 0.42,
            tuck: 0.08,
            arch: 0.0,
            slope: 0.0,
            bone: 0.066,
            muscle: 1.05,
            neck: 0.32,
            neck_girth: 1.3,
            carriage: 52.0,
            head: Head {
                skull: 0.25,
                muzzle: 0.02,
                depth: (0.14, 0.11),
                lips: 0.05,
                ear: Ear::Button,
                ear_size: (0.17, 0.15),
            },
            tail: Tail::Curl,
            fur: Fur { depth: 0.0, fringe: 0.0, feathers: 0.0, trim: Trim::Natural },
        },
        coats: coats::PUG,
    },
    Painted {
        breed: "basset",
        build: Build {
            length: 1.95,
            leg: 0.3,
            tuck: 0.1,
            arch: 0.0,
            slope: 0.02,
            bone: 0.095,
            muscle: 0.95,
            neck: 0.46,
            neck_girth: 0.85,
            carriage: 44.0,
            head: Head {
                skull: 0.22,
                muzzle: 0.31,
                depth: (0.14, 0.105),
                lips: 0.1,
                ear: Ear::Drop,
                ear_size: (0.6, 0.22),
            },
            tail: Tail::Flag,
            fur: Fur { depth: 0.0, fringe: 0.0, feathers: 0.0, trim: Trim::Natural },
        },
        coats: coats::BASSET,
    },
    Painted {
        breed: "Pembroke",
        build: Build {
            length: 1.72,
            leg: 0.34,
            tuck: 0.12,
            arch: 0.0,
            slope: 0.03,
            bone: 0.066,
            muscle: 0.9,
            neck: 0.46,
            neck_girth: 1.0,
            carriage: 56.0,
            head: Head {
                skull: 0.215,
                muzzle: 0.23,
                depth: (0.115, 0.055),
                lips: 0.0,
                ear: Ear::Erect,
                ear_size: (0.3, 0.2),
            },
            tail: Tail::Bob,
            fur: Fur { depth: 0.02, fringe: 0.045, feathers: 0.05, trim: Trim::Natural },
        },
        coats: coats::PEMBROKE,
    },
    Painted {
        breed: "whippet",
        build: Build {
            length: 1.08,
            leg: 0.55,
            tuck: 0.66,
            arch: 0.07,
            slope: 0.05,
            bone: 0.032,
            muscle: 0.85,
            neck: 0.56,
            neck_girth: 0.5,
            carriage: 50.0,
            head: Head {
                skull: 0.115,
                muzzle: 0.25,
                depth: (0.075, 0.036),
                lips: 0.0,
                ear: Ear::Rose,
                ear_size: (0.15, 0.07),
            },
            tail: Tail::Whip,
            fur: Fur { depth: 0.0, fringe: 0.0, feathers: 0.0, trim: Trim::Natural },
        },
        coats: coats::WHIPPET,
    },
    Painted {
        breed: "standard_poodle",
        build: Build {
            length: 1.0,
            leg: 0.54,
            tuck: 0.4,
            arch: 0.0,
            slope: 0.0,
            bone: 0.036,
            muscle: 0.72,
            neck: 0.56,
            neck_girth: 0.8,
            carriage: 68.0,
            head: Head {
                skull: 0.135,
                muzzle: 0.26,
                depth: (0.075, 0.045),
                lips: 0.0,
                ear: Ear::Drop,
                ear_size: (0.33, 0.19),
            },
            tail: Tail::Ball,
            fur: Fur { depth: 0.05, fringe: 0.05, feathers: 0.0, trim: Trim::Pompons },
        },
        coats: coats::POODLE,
    },
    Painted {
        breed: "golden_retriever",
        build: Build {
            length: 1.14,
            leg: 0.48,
            tuck: 0.16,
            arch: 0.0,
            slope: 0.02,
            bone: 0.056,
            muscle: 1.0,
            neck: 0.46,
            neck_girth: 1.05,
            carriage: 46.0,
            head: Head {
                skull: 0.175,
                muzzle: 0.2,
                depth: (0.115, 0.08),
                lips: 0.03,
                ear: Ear::Drop,
                ear_size: (0.23, 0.16),
            },
            tail: Tail::Plume,
            fur: Fur { depth: 0.02, fringe: 0.05, feathers: 0.12, trim: Trim::Natural },
        },
        coats: coats::GOLDEN,
    },
    Painted {
        breed: "German_shepherd",
        build: Build {
            length: 1.2,
            leg: 0.5,
            tuck: 0.3,
            arch: 0.0,
            slope: 0.17,
            bone: 0.05,
            muscle: 1.0,
            neck: 0.48,
            neck_girth: 0.95,
            carriage: 48.0,
            head: Head {
                skull: 0.155,
                muzzle: 0.25,
                depth: (0.105, 0.06),
                lips: 0.0,
                ear: Ear::Erect,
                ear_size: (0.25, 0.14),
            },
            tail: Tail::Hanging,
            fur: Fur { depth: 0.01, fringe: 0.035, feathers: 0.04, trim: Trim::Natural },
        },
        coats: coats::SHEPHERD,
    },
    Painted {
        breed: "Saint_Bernard",
        build: Build {
            length: 1.2,
            leg: 0.44,
            tuck: 0.04,
            arch: 0.0,
            slope: 0.03,
            bone: 0.095,
            muscle: 1.35,
            neck: 0.42,
            neck_girth: 1.45,
            carriage: 36.0,
            head: Head {
                skull: 0.225,
                muzzle: 0.17,
                depth: (0.165, 0.14),
                lips: 0.1,
                ear: Ear::Drop,
                ear_size: (0.22, 0.18),
            },
            tail: Tail::Hanging,
            fur: Fur { depth: 0.025, fringe: 0.05, feathers: 0.05, trim: Trim::Natural },
        },
        coats: coats::SAINT_BERNARD,
    },
    Painted {
        breed: "Great_Dane",
        build: Build {
            length: 0.98,
            leg: 0.57,
            tuck: 0.2,
            arch: 0.0,
            slope: 0.04,
            bone: 0.06,
            muscle: 1.1,
            neck: 0.54,
            neck_girth: 1.05,
            carriage: 62.0,
            head: Head {
                skull: 0.15,
                muzzle: 0.27,
                depth: (0.125, 0.11),
                lips: 0.06,
                ear: Ear::Button,
                ear_size: (0.19, 0.14),
            },
            tail: Tail::Whip,
            fur: Fur { depth: 0.0, fringe: 0.0, feathers: 0.0, trim: Trim::Natural },
        },
        coats: coats::GREAT_DANE,
    },
];
