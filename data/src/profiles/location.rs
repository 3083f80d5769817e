//! The location of a person, and distances between locations.

/// A point on the Earth, degrees.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Location {
    latitude: f64,
    longitude: f64,
}

impl Location {
    /// Returns the location at these degrees; `None` outside -90 to 90 and -180 to 180.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let inside = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        inside.then_some(Self { latitude, longitude })
    }

    /// Returns degrees north.
    pub fn latitude(self) -> f64 {
        self.latitude
    }

    /// Returns degrees east.
    pub fn longitude(self) -> f64 {
        self.longitude
    }

    /// Returns the great-circle distance in kilometres on a sphere with the Earth's mean radius (haversine formula;
    /// the error is up to 0.5 % because the Earth is not a sphere).
    pub fn distance_km(self, other: Self) -> f64 {
        const MEAN_RADIUS_KM: f64 = 6371.0088; // IUGG
        let (a, b) = (self.latitude.to_radians(), other.latitude.to_radians());
        // libm, because sin and cos differ between systems.
        let half_sine_squared = |angle: f64| libm::pow(libm::sin(angle / 2.0), 2.0);
        let across = (other.longitude - self.longitude).to_radians();
        let h = half_sine_squared(b - a) + libm::cos(a) * libm::cos(b) * half_sine_squared(across);
        2.0 * MEAN_RADIUS_KM * libm::asin(libm::sqrt(h.clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_between_known_cities_are_right() {
        let at = |latitude, longitude| Location::new(latitude, longitude).unwrap();
        for (a, b, expected) in [
            (at(52.52, 13.405), at(48.8566, 2.3522), 877.5), // Berlin, Paris
            (at(0.0, 179.5), at(0.0, -179.5), 111.2),        // across the date line
            (at(90.0, 0.0), at(-90.0, 55.0), 20_015.1),
            (at(7.0, 7.0), at(7.0, 7.0), 0.0),
        ] {
            let km = a.distance_km(b);
            assert!((km - expected).abs() < 0.1, "{a:?} {b:?}: {km}");
            assert!((km - b.distance_km(a)).abs() < 1e-9);
        }
        for (latitude, longitude) in [(91.0, 0.0), (0.0, -181.0), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert!(Location::new(latitude, longitude).is_none(), "{latitude} {longitude}");
        }
    }
}
