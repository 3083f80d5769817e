//! The parameters of one copy, and the matrix computed from them.
//!
//! Meaning and order are those of Keras' `ImageDataGenerator`: with a point as (row, column)
//! relative to the picture's centre, `source = R(theta) * T(tx, ty) * Shear * Zoom * output`, where
//!
//! ```text
//! R = | cos -sin |   T: + (tx, ty)   Shear = | 1 -sin(shear) |   Zoom = | zx 0  |
//!     | sin  cos |                           | 0  cos(shear) |          | 0  zy |
//! ```
//!
//! and the centre of n pixels is n/2 - 0.5. The map goes from output to source, so a zoom above 1 shows more of
//! the source, and a positive `tx` moves the content up. Note the names, which are those of Keras: `tx` and `zx`
//! act along the height, `ty` and `zy` along the width. Shear is in degrees, as in Keras since 2.1.3. The flip
//! and then the brightness are applied after the affine map.

/// The size of a picture in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// Returns the size of `width` by `height` pixels.
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }
}

/// The transformation of one copy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameters {
    /// Rotation in degrees; positive turns the content clockwise.
    pub theta: f64,
    /// Shift along the height, in output pixels; positive moves the content up.
    pub tx: f64,
    /// Shift along the width, in output pixels; positive moves the content left.
    pub ty: f64,
    /// Shear in degrees.
    pub shear: f64,
    /// Zoom along the height: the share of the source that is shown.
    pub zx: f64,
    /// Zoom along the width.
    pub zy: f64,
    /// Whether left and right are mirrored.
    pub flip: bool,
    /// Factor on every channel.
    pub brightness: f64,
}

impl Parameters {
    /// The transformation that changes nothing.
    pub const IDENTITY: Self =
        Self { theta: 0.0, tx: 0.0, ty: 0.0, shear: 0.0, zx: 1.0, zy: 1.0, flip: false, brightness: 1.0 };

    /// Returns the map from the pixels of an output of size `to` to those of a source of size `from`: the
    /// transformation that Keras applies to the source resized to `to`, combined with this resize.
    pub fn affine(&self, from: Size, to: Size) -> Affine {
        let (sin, cos) = sin_cos_degrees(self.theta);
        let (sin_shear, cos_shear) = sin_cos_degrees(self.shear);
        // R * Shear * Zoom and R * (tx, ty), rows and columns in the order (row, column).
        let mut linear = [
            [cos * self.zx, (-cos * sin_shear - sin * cos_shear) * self.zy],
            [sin * self.zx, (-sin * sin_shear + cos * cos_shear) * self.zy],
        ];
        let shift = [cos * self.tx - sin * self.ty, sin * self.tx + cos * self.ty];
        if self.flip {
            linear[0][1] = -linear[0][1];
            linear[1][1] = -linear[1][1];
        }
        let centre = |n: u32| f64::from(n) / 2.0 - 0.5;
        let axis = |i: usize, n_from: u32, n_to: u32| {
            let scale = f64::from(n_from) / f64::from(n_to);
            let (by_row, by_column) = (linear[i][0] * scale, linear[i][1] * scale);
            let start =
                centre(n_from) + shift[i] * scale - by_row * centre(to.height) - by_column * centre(to.width);
            (by_row, by_column, start)
        };
        let (yy, yx, y0) = axis(0, from.height, to.height);
        let (xy, xx, x0) = axis(1, from.width, to.width);
        Affine { xx, xy, x0, yx, yy, y0 }
    }
}

// `libm`, because the sine of the system's library differs between systems, and the copies must not.
fn sin_cos_degrees(degrees: f64) -> (f64, f64) {
    libm::sincos(degrees.to_radians())
}

/// The map from output to source: `x_source = xx*x + xy*y + x0`, `y_source = yx*x + yy*y + y0`, with x to the
/// right, y down, and pixel centres at whole numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Source columns by output column.
    pub xx: f64,
    /// Source columns by output row.
    pub xy: f64,
    /// Source column of output pixel (0, 0).
    pub x0: f64,
    /// Source rows by output column.
    pub yx: f64,
    /// Source rows by output row.
    pub yy: f64,
    /// Source row of output pixel (0, 0).
    pub y0: f64,
}

impl Affine {
    /// Returns how many source pixels an output pixel covers, horizontally and vertically.
    pub fn footprint(&self) -> (f64, f64) {
        (libm::hypot(self.xx, self.xy), libm::hypot(self.yx, self.yy))
    }

    /// Returns the same map into a source that is halved horizontally, vertically, or both.
    pub fn after_halving(&self, across: bool, down: bool) -> Self {
        let mut halved = *self;
        // Positions are halved relative to the outer edge of the first pixel, at -0.5.
        if across {
            halved.xx /= 2.0;
            halved.xy /= 2.0;
            halved.x0 = (self.x0 + 0.5) / 2.0 - 0.5;
        }
        if down {
            halved.yx /= 2.0;
            halved.yy /= 2.0;
            halved.y0 = (self.y0 + 0.5) / 2.0 - 0.5;
        }
        halved
    }
}
