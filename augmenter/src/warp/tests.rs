use image::Rgb;
use image::imageops;
use proptest::prelude::*;

use super::*;

const CVAL: u8 = 40;
const FILLS: [(&str, Fill); 4] = [
    ("nearest", Fill::Nearest),
    ("constant", Fill::Constant([CVAL; 3])),
    ("reflect", Fill::Reflect),
    ("wrap", Fill::Wrap),
];

fn noise(size: Size) -> RgbImage {
    let mut draws = data::draw::stream(1, "test", &format!("{size:?}"));
    RgbImage::from_fn(size.width, size.height, |_, _| Rgb([(); 3].map(|()| draws.below(256) as u8)))
}

fn warped(picture: &RgbImage, parameters: &Parameters, to: Size, fill: Fill) -> RgbImage {
    warp(&Source::from(picture.clone()), parameters, to, fill)
}

fn size_of(picture: &RgbImage) -> Size {
    Size::new(picture.width(), picture.height())
}

// ---- A literal port of Keras in f64 ----

type Matrix = [[f64; 3]; 3];

fn times(a: Matrix, b: Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// Returns the matrix of `apply_affine_transform`: (row, column) of the output to (row, column) of the source.
fn keras_matrix(p: &Parameters, size: Size) -> Matrix {
    let (theta, shear) = (p.theta.to_radians(), p.shear.to_radians());
    let rotation = [[theta.cos(), -theta.sin(), 0.], [theta.sin(), theta.cos(), 0.], [0., 0., 1.]];
    let shift = [[1., 0., p.tx], [0., 1., p.ty], [0., 0., 1.]];
    let sheared = [[1., -shear.sin(), 0.], [0., shear.cos(), 0.], [0., 0., 1.]];
    let zoom = [[p.zx, 0., 0.], [0., p.zy, 0.], [0., 0., 1.]];
    let (ox, oy) = (f64::from(size.height) / 2. - 0.5, f64::from(size.width) / 2. - 0.5);
    let offset = [[1., 0., ox], [0., 1., oy], [0., 0., 1.]];
    let reset = [[1., 0., -ox], [0., 1., -oy], [0., 0., 1.]];
    let transform = times(times(times(rotation, shift), sheared), zoom);
    times(times(offset, transform), reset)
}

/// Returns the indices of an axis' two taps and the weight of the second; `None` is outside with `constant`.
fn taps(fill: Fill, at: f64, n: u32) -> Option<(usize, usize, f64)> {
    let n_signed = i64::from(n);
    let last = f64::from(n - 1);
    let at = match fill {
        Fill::Nearest => at.clamp(0., last),
        Fill::Constant(_) if (0. ..=last).contains(&at) => at,
        Fill::Constant(_) => return None,
        Fill::Reflect => at,
        Fill::Wrap if last == 0. => 0.,
        Fill::Wrap => at - last * (at / last).floor(),
    };
    let index = |i: i64| {
        let i = if fill == Fill::Reflect {
            let i = i.rem_euclid(2 * n_signed);
            i.min(2 * n_signed - 1 - i)
        } else {
            i.min(n_signed - 1)
        };
        i as usize
    };
    let low = at.floor();
    Some((index(low as i64), index(low as i64 + 1), at - low))
}

/// Returns whether a rounding error at `at` may select a different pixel.
fn is_jump(fill: Fill, at: f64, n: u32) -> bool {
    let last = f64::from(n - 1);
    let near = |to: f64| (at - to).abs() < 1e-6;
    match fill {
        Fill::Nearest | Fill::Reflect => false,
        Fill::Constant(_) => near(0.) || near(last),
        Fill::Wrap => last > 0. && near((at / last).round() * last),
    }
}

/// Returns the channels of every pixel, or `None` if a rounding error decides the result.
fn keras(picture: &RgbImage, p: &Parameters, fill: Fill) -> Vec<Option<[f64; 3]>> {
    let size = size_of(picture);
    let m = keras_matrix(p, size);
    let pixel = |i: u32| {
        let (row, column) = (f64::from(i / size.width), i % size.width);
        let column = f64::from(if p.flip { size.width - 1 - column } else { column });
        let [y, x] = [0, 1].map(|i| m[i][0] * row + m[i][1] * column + m[i][2]);
        if is_jump(fill, y, size.height) || is_jump(fill, x, size.width) {
            return None;
        }
        let (Some(y), Some(x)) = (taps(fill, y, size.height), taps(fill, x, size.width)) else {
            return Some([f64::from(CVAL); 3]);
        };
        let at = |x: usize, y: usize, c: usize| f64::from(picture.get_pixel(x as u32, y as u32).0[c]);
        Some([0, 1, 2].map(|c| {
            let upper = at(x.0, y.0, c) * (1. - x.2) + at(x.1, y.0, c) * x.2;
            let lower = at(x.0, y.1, c) * (1. - x.2) + at(x.1, y.1, c) * x.2;
            upper * (1. - y.2) + lower * y.2
        }))
    };
    (0..size.width * size.height).map(pixel).collect()
}

#[test]
fn the_warp_gives_the_same_as_keras() {
    let mut draws = data::draw::stream(2, "test", "keras");
    for case in 0..80 {
        let size = Size::new(2 + draws.below(40) as u32, 2 + draws.below(40) as u32);
        let parameters = Parameters {
            theta: draws.uniform(-180., 180.),
            tx: draws.uniform(-1., 1.) * f64::from(size.height),
            ty: draws.uniform(-1., 1.) * f64::from(size.width),
            shear: draws.uniform(-30., 30.),
            // No axis shrinks enough to be halved, because Keras does not halve.
            zx: draws.uniform(0.5, 1.05),
            zy: draws.uniform(0.5, 1.05),
            flip: draws.chance(0.5),
            brightness: 1.0,
        };
        let affine = parameters.affine(size, size);
        let (across, down) = affine.footprint();
        assert!(across < HALVE_ABOVE && down < HALVE_ABOVE, "{parameters:?}");
        let picture = noise(size);
        for (name, fill) in FILLS {
            let got = warped(&picture, &parameters, size, fill);
            let expected = keras(&picture, &parameters, fill);
            for (i, (got, expected)) in got.pixels().zip(&expected).enumerate() {
                let Some(expected) = expected else { continue };
                for c in 0..3 {
                    let difference = (f64::from(got.0[c]) - expected[c]).abs();
                    assert!(
                        difference <= 1.0,
                        "case {case}, {name}, pixel {i} of {size:?}: {got:?}, expected {expected:?}, {parameters:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_warp_gives_the_same_as_scipy() {
    let size = Size::new(12, 9);
    let picture = RgbImage::from_fn(size.width, size.height, |x, y| {
        Rgb([0, 1, 2].map(|c| ((x * 37 + y * 91 + c * 53 + x * y * 7) % 256) as u8))
    });
    let mut n_compared = 0;
    for line in include_str!("testdata/scipy.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let numbers: Vec<f64> = words[1..7].iter().map(|w| w.parse().unwrap()).collect();
        let [theta, tx, ty, shear, zx, zy] = numbers[..] else { panic!("{line}") };
        let parameters = Parameters { theta, tx, ty, shear, zx, zy, ..Parameters::IDENTITY };
        let (_, fill) = FILLS.into_iter().find(|(name, _)| *name == words[0]).unwrap();
        let from = Padded::new(Cow::Owned(Source::from(picture.clone())));
        // Without halving, because scipy does not halve.
        let got = sample(&from, &parameters.affine(size, size), size, fill);
        for (i, got) in got.as_raw().iter().enumerate() {
            let expected = u8::from_str_radix(&words[7][2 * i..2 * i + 2], 16).unwrap();
            assert!(got.abs_diff(expected) <= 1, "byte {i}: {got}, expected {expected}: {}", &line[..60]);
            n_compared += 1;
        }
    }
    assert_eq!(n_compared, 4 * 8 * 12 * 9 * 3);
}

#[test]
fn identity_changes_nothing() {
    for size in [Size::new(1, 1), Size::new(17, 31), Size::new(1, 40), Size::new(40, 1)] {
        let picture = noise(size);
        for (name, fill) in FILLS {
            assert_eq!(warped(&picture, &Parameters::IDENTITY, size, fill), picture, "{name} {size:?}");
        }
    }
}

#[test]
fn the_pixels_of_a_halved_picture_are_means() {
    for (from, to) in [((64, 48), (32, 24)), ((63, 47), (32, 24)), ((1, 8), (1, 4)), ((8, 1), (4, 1))] {
        let picture = noise(Size::new(from.0, from.1));
        let halved = Source::from(picture.clone()).halved(from.0 > 1, from.1 > 1);
        let halved = Padded::new(Cow::Owned(halved));
        assert_eq!(halved.size, Size::new(to.0, to.1));
        for (i, got) in halved.pixels[..(to.0 * to.1) as usize * CHANNELS].iter().enumerate() {
            let (pixel, c) = (i as u32 / 3, i % 3);
            let (x, y) = (pixel % to.0, pixel / to.0);
            let at = |dx: u32, dy: u32| {
                let (x, y) = ((2 * x + dx).min(from.0 - 1), (2 * y + dy).min(from.1 - 1));
                u32::from(picture.get_pixel(x, y).0[c])
            };
            let sum: u32 = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| at(dx, dy)).iter().sum();
            assert_eq!(u32::from(*got), (sum + 2) / 4, "pixel {x}, {y} of {from:?}");
        }
    }
}

/// Compares with the antialiased resize that torchvision and Pillow call bilinear, on a smooth picture.
#[test]
fn identity_gives_the_resized_original() {
    let wave = |x: f64, y: f64, c: u32| {
        let phase = 20.0 * x + 5.0 * y * f64::from(c + 1) + f64::from(c);
        (127.5 + 127.0 * phase.sin()) as u8
    };
    for (from, to) in
        [((500, 375), (341, 256)), ((500, 375), (224, 224)), ((300, 900), (40, 111)), ((50, 40), (80, 90))]
    {
        let picture = RgbImage::from_fn(from.0, from.1, |x, y| {
            let (x, y) = (f64::from(x) / f64::from(from.0), f64::from(y) / f64::from(from.1));
            Rgb([0, 1, 2].map(|c| wave(x, y, c)))
        });
        let got = warped(&picture, &Parameters::IDENTITY, Size::new(to.0, to.1), Fill::Nearest);
        let expected = imageops::resize(&picture, to.0, to.1, imageops::FilterType::Triangle);
        let differences = got.as_raw().iter().zip(expected.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b)));
        let (sum, most) = differences.fold((0.0, 0.0f64), |(sum, most), d| (sum + d, most.max(d)));
        let mean = sum / got.as_raw().len() as f64;
        assert!(mean < 2.5 && most < 40.0, "{from:?} to {to:?}: mean {mean}, most {most}");
    }
}

#[test]
fn fine_detail_becomes_grey_without_aliasing() {
    let board = RgbImage::from_fn(300, 300, |x, y| Rgb([if (x + y) % 2 == 0 { 255 } else { 0 }; 3]));
    let parameters = Parameters { theta: 20.0, ..Parameters::IDENTITY };
    let copy = warped(&board, &parameters, Size::new(100, 100), Fill::Reflect);
    let (least, most) = copy.as_raw().iter().fold((255, 0), |(a, b), &v| (v.min(a), v.max(b)));
    assert!(least > 100 && most < 155, "{least} to {most}");
}

/// Returns where the one white pixel of a black 21x21 picture moves to; relative to the centre, right and down.
fn dot_after(parameters: Parameters, dot: (i32, i32)) -> (f64, f64) {
    let size = Size::new(21, 21);
    let mut picture = RgbImage::new(size.width, size.height);
    picture.put_pixel((10 + dot.0) as u32, (10 + dot.1) as u32, Rgb([255; 3]));
    let copy = warped(&picture, &parameters, size, Fill::Constant([0; 3]));
    let (mut x, mut y, mut sum) = (0., 0., 0.);
    for (column, row, pixel) in copy.enumerate_pixels() {
        let weight = f64::from(pixel.0[0]);
        (x, y, sum) = (x + weight * f64::from(column), y + weight * f64::from(row), sum + weight);
    }
    (x / sum - 10., y / sum - 10.)
}

#[test]
fn each_parameter_moves_a_dot_as_documented() {
    const I: Parameters = Parameters::IDENTITY;
    for (name, parameters, from, to) in [
        ("theta turns clockwise", Parameters { theta: 90., ..I }, (0, -5), (5., 0.)),
        ("tx moves up", Parameters { tx: 3., ..I }, (1, 2), (1., -1.)),
        ("ty moves left", Parameters { ty: 3., ..I }, (1, 2), (-2., 2.)),
        ("zx below 1 enlarges downwards", Parameters { zx: 0.5, ..I }, (2, 3), (2., 6.)),
        ("zy below 1 enlarges sideways", Parameters { zy: 0.5, ..I }, (2, 3), (4., 3.)),
        ("zx above 1 shrinks", Parameters { zx: 1.25, ..I }, (2, 5), (2., 4.)),
        ("flip mirrors left and right", Parameters { flip: true, ..I }, (2, 3), (-2., 3.)),
        // 30 degrees: rows += sin * columns, after columns /= cos.
        ("shear moves the right side down", Parameters { shear: 30., ..I }, (7, 0), (8.08, 4.04)),
        ("flip comes after the shift", Parameters { ty: 3., flip: true, ..I }, (1, 0), (2., 0.)),
    ] {
        let got = dot_after(parameters, from);
        let distance = (got.0 - to.0).hypot(got.1 - to.1);
        assert!(distance < 0.3, "{name}: {from:?} went to {got:?}, expected {to:?}");
    }
}

#[test]
fn brightness_multiplies_rounds_and_clips() {
    let picture = RgbImage::from_pixel(3, 3, Rgb([0, 101, 200]));
    for (brightness, expected) in
        [(1.0, [0, 101, 200]), (1.5, [0, 152, 255]), (0.0, [0; 3]), (0.1, [0, 10, 20])]
    {
        let parameters = Parameters { brightness, ..Parameters::IDENTITY };
        let copy = warped(&picture, &parameters, Size::new(3, 3), Fill::Nearest);
        assert!(copy.pixels().all(|p| p.0 == expected), "{brightness}: {:?}", copy.get_pixel(1, 1));
    }
}

#[test]
fn the_span_is_where_no_fold_is_needed() {
    let mut draws = data::draw::stream(3, "test", "span");
    for _ in 0..3000 {
        let n = 1 + draws.below(20) as u32;
        let start = draws.uniform(-30., 30.);
        let start = if draws.chance(0.3) { start.round() } else { start };
        let step = *draws.pick(&[0., 1., -1., 0.37, -2.5, 1e-9, -1e-9]);
        let (start, step) = (fixed(start), fixed(step));
        let span = span(start, step, n, 25);
        for column in 0..25 {
            let at = start + step * column as i64;
            let inside = (0..=i64::from(n - 1) * ONE).contains(&at);
            assert_eq!(span.contains(&column), inside, "column {column} of {start} + {step}, {n} pixels");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn nothing_panics_and_a_constant_picture_stays_constant(
        from in (1u32..50, 1u32..50),
        to in (1u32..50, 1u32..50),
        long in 0u32..3,
        theta in -180.0..180.0f64,
        shift in (-16384.0..16384.0f64, -60.0..60.0f64),
        shear in -89.9..89.9f64,
        zoom in (0.001..2.0f64, 0.001..2.0f64),
        flip: bool,
        colour: [u8; 3],
    ) {
        let from = match long {
            1 => (4000, 1),
            2 => (1, 4000),
            _ => from,
        };
        let (from, to) = (Size::new(from.0, from.1), Size::new(to.0, to.1));
        let parameters = Parameters {
            theta, tx: shift.0, ty: shift.1, shear, zx: zoom.0, zy: zoom.1, flip, brightness: 1.0,
        };
        let picture = RgbImage::from_pixel(from.width, from.height, Rgb(colour));
        for fill in [Fill::Nearest, Fill::Constant(colour), Fill::Reflect, Fill::Wrap] {
            let copy = warped(&picture, &parameters, to, fill);
            prop_assert_eq!(size_of(&copy), to);
            prop_assert!(copy.pixels().all(|p| p.0 == colour), "{:?}", fill);
        }
    }
}
