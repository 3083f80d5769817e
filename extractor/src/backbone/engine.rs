//! What computes the convolutions on a CPU: one of the compiled sets of kernels, or candle.

use std::fmt;

use data::stage::usage;

use crate::conv::{self, Kernels};

/// Names the engine to use instead of the best; empty counts as unset. Devices other than the
/// CPU ignore it.
pub const VARIABLE: &str = "TINDOGR_CONV3X3";

const CANDLE: &str = "candle";

/// What computes the convolutions on a CPU.
///
/// The features of two engines agree to about 1e-6 of their norm, not to the last bit; those of one engine
/// are always the same.
#[derive(Debug, Clone, Copy)]
pub struct Engine(Option<&'static Kernels>);

impl Engine {
    /// Lists the engines that this machine can run, the best first: some of `amx`, `avx512`, `avx2` and `neon`; `portable`;
    /// `candle`.
    pub fn available() -> Vec<Self> {
        conv::available().iter().map(|kernels| Self(Some(kernels))).chain([Self(None)]).collect()
    }

    /// Gives the best engine for this machine.
    pub fn best() -> Self {
        Self(conv::available().first().copied())
    }

    /// Gives the engine that [`VARIABLE`] names, else the best.
    ///
    /// # Errors
    /// A usage error if it names none of [`Engine::available`].
    pub fn from_env() -> anyhow::Result<Self> {
        let Some(name) = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) else {
            return Ok(Self::best());
        };
        Self::named(&name.to_string_lossy())
    }

    /// Gives the engine called `name`.
    ///
    /// # Errors
    /// A usage error if it is none of [`Engine::available`].
    pub fn named(name: &str) -> anyhow::Result<Self> {
        let available = Self::available();
        available.iter().copied().find(|engine| engine.name() == name).ok_or_else(|| {
            let names: Vec<&str> = available.iter().map(Engine::name).collect();
            usage(format!("{VARIABLE}={name}: this machine has {}", names.join(", ")))
        })
    }

    /// The name that [`Engine::named`] takes.
    pub fn name(&self) -> &'static str {
        self.0.map_or(CANDLE, |kernels| kernels.name)
    }

    /// Measures what one core can compute with the instruction of these kernels, in 10⁹ multiplications and
    /// additions a second; `None` for candle. Takes some milliseconds.
    pub fn peak_gflops(&self) -> Option<f64> {
        self.0.map(Kernels::peak_gflops)
    }

    /// The kernels, or `None` for candle.
    pub(super) fn kernels(self) -> Option<&'static Kernels> {
        self.0
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use data::stage::Exit;

    use super::*;

    #[test]
    fn every_engine_goes_by_its_name_and_no_other_does() {
        for engine in Engine::available() {
            assert_eq!(Engine::named(engine.name()).unwrap().name(), engine.name());
        }
        assert_eq!(Engine::best().name(), Engine::available()[0].name());
        for name in ["sse9", "AVX2", ""] {
            let error = Engine::named(name).unwrap_err();
            let named = |m: &str| m.starts_with(VARIABLE) && m.ends_with("portable, candle");
            assert!(matches!(error.downcast_ref(), Some(Exit::Usage(m)) if named(m)), "{error:#}");
        }
    }
}
