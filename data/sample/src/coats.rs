//! The coats of the painted breeds; a coat that is listed twice is twice as frequent.

use crate::colour::{BLACK, BLUE_GREY, BROWN, CREAM, FAWN, GOLD, GREY, RED, Rgb, SABLE, TAN, WHITE};

/// A colour of the whole dog and its markings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coat {
    pub(crate) base: Rgb,
    pub(crate) marks: &'static [Mark],
}

/// A marking, with its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Belly and the insides of the legs.
    Belly(Rgb),
    /// Chest and throat.
    Bib(Rgb),
    /// Stripe from the forehead to the nose.
    Blaze(Rgb),
    /// Stripes across body and thighs.
    Brindle(Rgb),
    /// Ears of another colour.
    Ears(Rgb),
    /// Head of another colour.
    Head(Rgb),
    /// Muzzle and the lower face.
    Mask(Rgb),
    /// Large irregular patches.
    Patches(Rgb),
    /// Back and flanks.
    Saddle(Rgb),
    /// Feet and the lower legs.
    Socks(Rgb),
    /// Many small irregular patches.
    Spots(Rgb),
    /// Tip of the tail.
    TailTip(Rgb),
}

use Mark::{Belly, Bib, Blaze, Brindle, Ears, Head, Mask, Patches, Saddle, Socks, Spots, TailTip};

const fn plain(base: Rgb) -> Coat {
    Coat { base, marks: &[] }
}

const BLACK_AND_TAN: Coat = Coat { base: BLACK, marks: &[Socks(TAN), Bib(TAN), Mask(TAN), Belly(TAN)] };
const FAWN_WITH_MASK: Coat = Coat { base: FAWN, marks: &[Mask(BLACK), Ears(BLACK), Belly(CREAM)] };

const TAN_WITH_SADDLE: Coat = Coat { base: TAN, marks: &[Saddle(BLACK), Mask(BLACK)] };

pub(crate) const CHIHUAHUA: &[Coat] = &[
    Coat { base: FAWN, marks: &[Belly(CREAM), Bib(CREAM)] },
    Coat { base: FAWN, marks: &[Belly(CREAM)] },
    plain(CREAM),
    BLACK_AND_TAN,
    Coat { base: RED, marks: &[Bib(WHITE), Socks(WHITE), Blaze(WHITE)] },
];
pub(crate) const POMERANIAN: &[Coat] = &[
    Coat { base: GOLD, marks: &[Belly(CREAM), Bib(CREAM)] },
    Coat { base: GOLD, marks: &[Belly(CREAM)] },
    Coat { base: RED, marks: &[Bib(CREAM)] },
    plain(CREAM),
    Coat { base: SABLE, marks: &[Saddle(BLACK), Belly(CREAM)] },
    BLACK_AND_TAN,
];
pub(crate) const PUG: &[Coat] = &[
    FAWN_WITH_MASK,
    FAWN_WITH_MASK,
    Coat { base: CREAM, marks: &[Mask(BLACK), Ears(BLACK)] },
    Coat { base: GREY, marks: &[Mask(BLACK), Ears(BLACK)] },
    Coat { base: BLACK, marks: &[Mask(BLACK)] },
];
pub(crate) const BASSET: &[Coat] = &[
    Coat { base: WHITE, marks: &[Head(RED), Saddle(BLACK), Blaze(WHITE), Ears(RED), TailTip(WHITE)] },
    Coat { base: WHITE, marks: &[Head(TAN), Patches(RED), Blaze(WHITE), Ears(RED)] },
    Coat { base: RED, marks: &[Socks(WHITE), Belly(WHITE), Blaze(WHITE), Bib(WHITE), TailTip(WHITE)] },
    Coat { base: TAN, marks: &[Saddle(BLACK), Socks(WHITE), Bib(WHITE), TailTip(WHITE)] },
];
pub(crate) const PEMBROKE: &[Coat] = &[
    Coat { base: RED, marks: &[Socks(WHITE), Belly(WHITE), Bib(WHITE), Blaze(WHITE)] },
    Coat { base: GOLD, marks: &[Socks(WHITE), Belly(WHITE), Bib(WHITE), Blaze(WHITE)] },
    Coat { base: FAWN, marks: &[Socks(WHITE), Bib(WHITE)] },
    Coat { base: SABLE, marks: &[Socks(WHITE), Bib(WHITE), Belly(CREAM)] },
    Coat { base: TAN, marks: &[Saddle(BLACK), Socks(WHITE), Bib(WHITE), Blaze(WHITE), Belly(WHITE)] },
];
pub(crate) const WHIPPET: &[Coat] = &[
    Coat { base: FAWN, marks: &[Bib(WHITE), Socks(WHITE)] },
    Coat { base: BLUE_GREY, marks: &[Bib(WHITE)] },
    Coat { base: SABLE, marks: &[Brindle(BLACK), Bib(WHITE)] },
    Coat { base: RED, marks: &[Belly(CREAM)] },
    Coat { base: WHITE, marks: &[Patches(TAN)] },
    Coat { base: BLACK, marks: &[Bib(WHITE), Socks(WHITE)] },
];
pub(crate) const POODLE: &[Coat] =
    &[plain(WHITE), plain(CREAM), plain(GREY), plain(BROWN), plain(BLACK), plain(RED)];
pub(crate) const GOLDEN: &[Coat] = &[
    plain(GOLD),
    Coat { base: GOLD, marks: &[Belly(CREAM)] },
    Coat { base: CREAM, marks: &[Belly(WHITE)] },
    Coat { base: RED, marks: &[Belly(GOLD)] },
];
pub(crate) const SHEPHERD: &[Coat] = &[
    TAN_WITH_SADDLE,
    TAN_WITH_SADDLE,
    Coat { base: FAWN, marks: &[Saddle(BLACK), Mask(BLACK), Belly(CREAM)] },
    Coat { base: SABLE, marks: &[Saddle(BLACK), Mask(BLACK)] },
    plain(BLACK),
];
pub(crate) const SAINT_BERNARD: &[Coat] = &[
    Coat { base: WHITE, marks: &[Head(RED), Patches(RED), Blaze(WHITE), Ears(BROWN)] },
    Coat { base: RED, marks: &[Bib(WHITE), Socks(WHITE), Blaze(WHITE), Mask(BLACK), TailTip(WHITE)] },
    Coat { base: WHITE, marks: &[Head(BROWN), Patches(BROWN), Blaze(WHITE)] },
    Coat { base: BROWN, marks: &[Bib(WHITE), Socks(WHITE), Blaze(WHITE), TailTip(WHITE)] },
];
pub(crate) const GREAT_DANE: &[Coat] = &[
    FAWN_WITH_MASK,
    FAWN_WITH_MASK,
    Coat { base: SABLE, marks: &[Brindle(BLACK), Mask(BLACK)] },
    plain(BLUE_GREY),
    Coat { base: WHITE, marks: &[Spots(BLACK)] },
    Coat { base: BLACK, marks: &[Bib(WHITE)] },
];
