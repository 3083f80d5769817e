//! Age, gender and distance: whom not to look at in the first place. Pure, as [`crate::rules`].
//!
//! What a profile does not say does not pass a filter on it.

use crate::profiles::Profile;

/// A place on the Earth, degrees.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Place {
    latitude: f64,
    longitude: f64,
}

impl Place {
    /// The place at these degrees; `None` outside -90 to 90 and -180 to 180.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let inside = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        inside.then_some(Self { latitude, longitude })
    }

    /// Great-circle distance in kilometres on a sphere of the Earth's mean radius (the haversine formula;
    /// off by up to 0.5 % because the Earth is no sphere).
    pub fn distance_km(self, other: Self) -> f64 {
        const MEAN_RADIUS_KM: f64 = 6371.0088; // IUGG
        let (a, b) = (self.latitude.to_radians(), other.latitude.to_radians());
        // libm, because the system's sin and cos differ from system to system.
        let half_sine_squared = |angle: f64| libm::pow(libm::sin(angle / 2.0), 2.0);
        let across = (other.longitude - self.longitude).to_radians();
        let h = half_sine_squared(b - a) + libm::cos(a) * libm::cos(b) * half_sine_squared(across);
        2.0 * MEAN_RADIUS_KM * libm::asin(libm::sqrt(h.clamp(0.0, 1.0)))
    }
}

/// Whom to look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Filters {
    /// Youngest age that is not outside.
    pub min_age: Option<u32>,
    /// Oldest age that is not outside.
    pub max_age: Option<u32>,
    /// Genders that are not outside, in lower case; none means all.
    pub genders: Vec<String>,
    /// Where I am.
    pub home: Option<Place>,
    /// Greatest distance from home that is not outside; needs `home`.
    pub max_distance_km: Option<f64>,
}

impl Filters {
    /// How far away a profile is, if both places are known.
    pub fn distance_km(&self, profile: &Profile) -> Option<f64> {
        Some(self.home?.distance_km(profile.place?))
    }

    /// Why `profile` is outside the filters, or `None` if it is not.
    pub fn outside(&self, profile: &Profile) -> Option<String> {
        self.age(profile).or_else(|| self.gender(profile)).or_else(|| self.distance(profile))
    }

    fn age(&self, profile: &Profile) -> Option<String> {
        if self.min_age.is_none() && self.max_age.is_none() {
            return None;
        }
        let Some(age) = profile.age else { return Some("age unknown".to_owned()) };
        match (self.min_age, self.max_age) {
            (Some(min), _) if age < min => Some(format!("age {age} below {min}")),
            (_, Some(max)) if age > max => Some(format!("age {age} above {max}")),
            _ => None,
        }
    }

    fn gender(&self, profile: &Profile) -> Option<String> {
        if self.genders.is_empty() {
            return None;
        }
        let Some(gender) = &profile.gender else { return Some("gender unknown".to_owned()) };
        let wanted = self.genders.contains(&gender.to_lowercase());
        (!wanted).then(|| format!("gender {gender}, not {}", self.genders.join(" or ")))
    }

    fn distance(&self, profile: &Profile) -> Option<String> {
        let limit = self.max_distance_km?;
        match self.distance_km(profile) {
            None => Some("distance unknown".to_owned()),
            Some(km) => (km > limit).then(|| format!("{km:.1} km away, limit {limit}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Filters =
        Filters { min_age: None, max_age: None, genders: Vec::new(), home: None, max_distance_km: None };

    fn profile() -> Profile {
        Profile {
            id: "1".into(),
            name: "A".into(),
            age: Some(30),
            gender: Some("Female".into()),
            place: Place::new(52.52, 13.405), // Berlin
            photos: vec![],
        }
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        let place = |latitude, longitude| Place::new(latitude, longitude).unwrap();
        for (a, b, expected) in [
            (place(52.52, 13.405), place(48.8566, 2.3522), 877.5), // Berlin, Paris
            (place(0.0, 179.5), place(0.0, -179.5), 111.2),        // across the date line
            (place(90.0, 0.0), place(-90.0, 55.0), 20_015.1),
            (place(7.0, 7.0), place(7.0, 7.0), 0.0),
        ] {
            let km = a.distance_km(b);
            assert!((km - expected).abs() < 0.1, "{a:?} {b:?}: {km}");
            assert!((km - b.distance_km(a)).abs() < 1e-9);
        }
        for (latitude, longitude) in [(91.0, 0.0), (0.0, -181.0), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert!(Place::new(latitude, longitude).is_none(), "{latitude} {longitude}");
        }
    }

    #[test]
    fn every_filter_says_why() {
        let paris = Place::new(48.8566, 2.3522);
        let far = |limit| Filters { home: paris, max_distance_km: Some(limit), ..NONE };
        let female = Filters { genders: vec!["male".into(), "female".into()], ..NONE };
        let male = Filters { genders: vec!["male".into()], ..NONE };
        let table: [(Filters, Option<&str>); 11] = [
            (NONE, None),
            (Filters { min_age: Some(30), max_age: Some(30), ..NONE }, None),
            (Filters { min_age: Some(31), ..NONE }, Some("age 30 below 31")),
            (Filters { max_age: Some(29), ..NONE }, Some("age 30 above 29")),
            (female, None),
            (male.clone(), Some("gender Female, not male")),
            (far(878.0), None),
            (far(62.0), Some("877.5 km away, limit 62")),
            (Filters { home: paris, ..NONE }, None),
            // The first of several reasons, in the order age, gender, distance.
            (Filters { min_age: Some(31), ..male.clone() }, Some("age 30 below 31")),
            (Filters { home: paris, max_distance_km: Some(1.0), ..male }, Some("gender Female, not male")),
        ];
        for (filters, expected) in table {
            assert_eq!(filters.outside(&profile()).as_deref(), expected, "{filters:?}");
        }
    }

    #[test]
    fn the_limit_itself_is_inside() {
        let home = Place::new(48.8566, 2.3522).unwrap();
        let km = home.distance_km(profile().place.unwrap());
        let filters = Filters { home: Some(home), max_distance_km: Some(km), ..NONE };
        assert_eq!(filters.outside(&profile()), None);
    }

    #[test]
    fn what_is_unknown_passes_no_filter_on_it() {
        let blank = Profile { age: None, gender: None, place: None, ..profile() };
        let home = Place::new(0.0, 0.0);
        for (filters, expected) in [
            (NONE, None),
            (Filters { max_age: Some(99), ..NONE }, Some("age unknown")),
            (Filters { genders: vec!["female".into()], ..NONE }, Some("gender unknown")),
            (Filters { home, max_distance_km: Some(1.0), ..NONE }, Some("distance unknown")),
        ] {
            assert_eq!(filters.outside(&blank).as_deref(), expected);
        }
    }
}
