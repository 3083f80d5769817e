//! The validated configuration.

use std::path::PathBuf;

use data::current::RerunArgs;
use data::photo::Limits;
use data::rejects::MaxBad;
use data::stage::{CommonArgs, usage};
use serde_json::{Value, json};

use crate::args::{Args, FillMode, Format, Replaced};
use crate::draw::Ranges;
use crate::encode::Encoding;
use crate::transform::Size;
use crate::warp::Fill;

/// Maximum number of copies of one picture; a larger value is probably a typing error.
const MAX_COPIES: u32 = 10_000;

/// The validated configuration of the stage.
#[derive(Debug, Clone)]
pub struct Config {
    /// The splitter's manifest.
    pub manifest: PathBuf,
    /// Output directory.
    pub out: PathBuf,
    /// Number of copies.
    pub amount: Amount,
    /// The originals that the copies replace, if any.
    pub replaced: Option<Replaced>,
    /// Ranges from which a copy's parameters are drawn.
    pub ranges: Ranges,
    /// Filling of the area outside the picture.
    pub fill: Fill,
    /// Size of the copies.
    pub output_size: OutputSize,
    /// File format of the copies.
    pub encoding: Encoding,
    /// Whether to write `contact-sheet.jpg`.
    pub contact_sheet: bool,
    /// Maximum number of rejected pictures.
    pub max_bad: MaxBad,
    /// What to do about existing copies.
    pub rerun: RerunArgs,
    /// Arguments that all programs share.
    pub common: CommonArgs,
}

/// The number of copies that are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// Copies of every train picture.
    Copies(u32),
    /// Copies until a class has this many train pictures, originals included.
    PerClass(u32),
}

/// The size of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputSize {
    /// The source's aspect ratio with a short side of at most that many pixels; never enlarged.
    ShortSide(u32),
    /// This size for every source: Keras' `target_size`.
    Exact(Size),
}

impl OutputSize {
    /// Returns the size of a copy of a picture of size `from`.
    pub fn of(self, from: Size) -> Size {
        match self {
            OutputSize::Exact(size) => size,
            OutputSize::ShortSide(most) => {
                let short = from.width.min(from.height);
                if short <= most {
                    return from;
                }
                let scaled = |n: u32| {
                    let exact = u64::from(n) * u64::from(most);
                    ((exact + u64::from(short) / 2) / u64::from(short)) as u32
                };
                Size::new(scaled(from.width), scaled(from.height))
            }
        }
    }
}

impl Config {
    /// Validates the arguments.
    ///
    /// # Errors
    /// [`data::stage::Exit::Usage`] for a value outside its range, before anything is read.
    pub fn new(args: &Args) -> anyhow::Result<Self> {
        let amount = match args.per_class {
            Some(n) => Amount::PerClass(n),
            None => Amount::Copies(args.copies.unwrap_or(1)),
        };
        match amount {
            Amount::Copies(n) if n > MAX_COPIES => {
                return Err(usage(format!("--copies is {n}, expected at most {MAX_COPIES}")));
            }
            Amount::PerClass(0) => return Err(usage("--per-class is 0, expected at least 1")),
            _ => {}
        }
        if args.replace_originals.is_some() && amount != Amount::Copies(1) {
            return Err(usage("--replace-originals replaces a picture by one copy: use --copies 1"));
        }
        if !(1..=100).contains(&args.quality) {
            return Err(usage(format!("--quality is {}, expected 1 to 100", args.quality)));
        }
        Ok(Self {
            manifest: args.manifest.clone(),
            out: args.out.clone(),
            amount,
            replaced: args.replace_originals,
            ranges: ranges(args)?,
            fill: fill(args)?,
            output_size: output_size(&args.output_size)?,
            encoding: match args.format {
                Format::Jpg => Encoding::Jpg { quality: args.quality },
                Format::Png => Encoding::Png,
            },
            contact_sheet: args.contact_sheet,
            max_bad: args.max_bad,
            rerun: args.rerun,
            common: args.common.clone(),
        })
    }

    /// Returns the parameters that the copies depend on, by flag name.
    pub fn parameters(&self) -> Value {
        let ranges = &self.ranges;
        let (amount, n) = match self.amount {
            Amount::Copies(n) => ("copies", n),
            Amount::PerClass(n) => ("per-class", n),
        };
        let (fill_mode, cval) = match self.fill {
            Fill::Nearest => ("nearest", None),
            Fill::Constant(colour) => ("constant", Some(colour)),
            Fill::Reflect => ("reflect", None),
            Fill::Wrap => ("wrap", None),
        };
        let output_size = match self.output_size {
            OutputSize::ShortSide(n) => n.to_string(),
            OutputSize::Exact(size) => format!("{}x{}", size.width, size.height),
        };
        let (format, quality) = match self.encoding {
            Encoding::Jpg { quality } => ("jpg", Some(quality)),
            Encoding::Png => ("png", None),
        };
        let mut parameters = json!({
            "seed": self.common.seed,
            amount: n,
            "rotation-range": ranges.rotation,
            "width-shift-range": ranges.width_shift,
            "height-shift-range": ranges.height_shift,
            "shear-range": ranges.shear,
            "zoom-range": ranges.zoom,
            "brightness-range": [ranges.brightness.0, ranges.brightness.1],
            "horizontal-flip": ranges.horizontal_flip,
            "fill-mode": fill_mode,
            "cval": cval,
            "output-size": output_size,
            "format": format,
            "quality": quality,
            "contact-sheet": self.contact_sheet,
            "max-bad": self.max_bad.to_string(),
        });
        if let Some(replaced) = self.replaced {
            parameters["replace-originals"] = json!(replaced);
        }
        parameters
    }
}

fn ranges(args: &Args) -> anyhow::Result<Ranges> {
    // Written so that NaN is refused, too.
    let within = |flag: &str, value: f64, good: bool, expected: &str| {
        if good { Ok(value) } else { Err(usage(format!("{flag} is {value}, expected {expected}"))) }
    };
    let most = f64::from(Limits::STANDARD.max_side);
    let shift = |flag: &str, value: f64| {
        let expected = format!("0 to {most}: below 1 a share, else pixels");
        within(flag, value, (0.0..=most).contains(&value), &expected)
    };
    let (rotation, shear, zoom) = (args.rotation_range, args.shear_range, args.zoom_range);
    Ok(Ranges {
        rotation: within(
            "--rotation-range",
            rotation,
            (0.0..=180.0).contains(&rotation),
            "0 to 180 degrees",
        )?,
        width_shift: shift("--width-shift-range", args.width_shift_range)?,
        height_shift: shift("--height-shift-range", args.height_shift_range)?,
        shear: within(
            "--shear-range",
            shear,
            shear > -90.0 && shear < 90.0,
            "more than -90 and less than 90 degrees",
        )?,
        zoom: within("--zoom-range", zoom, (0.0..1.0).contains(&zoom), "0 or more and less than 1")?,
        brightness: brightness(args.brightness_range.as_deref())?,
        horizontal_flip: args.horizontal_flip,
    })
}

fn brightness(text: Option<&str>) -> anyhow::Result<(f64, f64)> {
    let Some(text) = text else { return Ok((1.0, 1.0)) };
    let parsed: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    match parsed.as_deref() {
        Some(&[low, high]) if low >= 0.0 && low <= high && high <= 255.0 => Ok((low, high)),
        _ => Err(usage(format!(
            "--brightness-range is {text:?}, expected two factors from 0 to 255, the lower one first, as in 0.8,1.2"
        ))),
    }
}

fn fill(args: &Args) -> anyhow::Result<Fill> {
    if args.cval.is_some() && args.fill_mode != FillMode::Constant {
        return Err(usage("--cval is the colour of --fill-mode constant, but another fill mode is set"));
    }
    Ok(match args.fill_mode {
        FillMode::Nearest => Fill::Nearest,
        FillMode::Reflect => Fill::Reflect,
        FillMode::Wrap => Fill::Wrap,
        FillMode::Constant => {
            let text = args.cval.as_deref().unwrap_or("0,0,0");
            let parsed: Option<Vec<u8>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
            let colour = parsed.and_then(|channels| <[u8; 3]>::try_from(channels).ok());
            Fill::Constant(colour.ok_or_else(|| {
                usage(format!(
                    "--cval is {text:?}, expected red, green and blue from 0 to 255, as in 128,128,128"
                ))
            })?)
        }
    })
}

fn output_size(text: &str) -> anyhow::Result<OutputSize> {
    let most = Limits::STANDARD.max_side;
    let side = |part: &str| part.parse::<u32>().ok().filter(|n| (1..=most).contains(n));
    let parsed = match text.split_once('x') {
        None => side(text).map(OutputSize::ShortSide),
        Some((width, height)) => side(width)
            .zip(side(height))
            .filter(|&(width, height)| u64::from(width) * u64::from(height) <= Limits::STANDARD.max_pixels)
            .map(|(width, height)| OutputSize::Exact(Size::new(width, height))),
    };
    parsed.ok_or_else(|| {
        usage(format!(
            "--output-size is {text:?}, expected the short side or both, 1 to {most} pixels, as in 256 or 224x224"
        ))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn config(flags: &[&str]) -> anyhow::Result<Config> {
        let given = ["augmenter", "--manifest", "absent.csv", "--out", "absent"].iter().chain(flags);
        Config::new(&Args::try_parse_from(given)?)
    }

    #[test]
    fn values_outside_their_ranges_are_refused() {
        for (flag, bad) in [
            ("--zoom-range", vec!["1", "-1", "NaN", "inf"]),
            ("--shear-range", vec!["90", "-90", "nan", "1e9"]),
            ("--rotation-range", vec!["1e9", "-inf", "-1", "NaN"]),
            ("--width-shift-range", vec!["-0.1", "1e300", "NaN"]),
            ("--height-shift-range", vec!["-0.1", "inf"]),
            ("--brightness-range", vec!["1", "1.2,0.8", "-1,1", "nan,1", "1,inf", "1,1,1"]),
            ("--output-size", vec!["0", "0x5", "99999", "16384x16384", "x", "12x"]),
            ("--copies", vec!["10001"]),
            ("--per-class", vec!["0"]),
            ("--replace-originals=all --copies", vec!["0", "2"]),
            ("--quality", vec!["0", "101"]),
            ("--cval", vec!["1,2,3"]),
        ] {
            for value in bad {
                let given = format!("{flag}={value}");
                let words: Vec<&str> = given.split(' ').collect();
                let error = config(&words).expect_err(&given);
                let named = words[0].split('=').next().unwrap();
                let is_usage =
                    matches!(error.downcast_ref(), Some(data::stage::Exit::Usage(m)) if m.contains(named));
                assert!(is_usage, "{given}: {error:#}");
            }
        }
        assert!(config(&["--fill-mode=constant", "--cval=1,2,256"]).is_err());
        assert!(config(&["--copies=1", "--per-class=9"]).is_err());
    }

    #[test]
    fn the_flip_is_a_switch_with_an_optional_value() {
        for (given, expected) in [
            (vec![], false),
            (vec!["--horizontal-flip"], true),
            (vec!["--horizontal-flip=true"], true),
            (vec!["--horizontal-flip=false"], false),
        ] {
            assert_eq!(config(&given).unwrap().ranges.horizontal_flip, expected, "{given:?}");
        }
    }

    #[test]
    fn a_copy_keeps_its_shape_and_is_never_enlarged() {
        for (output, from, expected) in [
            ("256", (500, 375), (341, 256)),
            ("256", (375, 500), (256, 341)),
            ("256", (200, 300), (200, 300)),
            ("256", (1, 4000), (1, 4000)),
            ("224x200", (500, 375), (224, 200)),
            ("224x200", (2, 3), (224, 200)),
        ] {
            let size = output_size(output).unwrap().of(Size::new(from.0, from.1));
            assert_eq!((size.width, size.height), expected, "{output} of {from:?}");
        }
    }
}
