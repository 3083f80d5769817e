//! Filters on age, gender and distance, applied before any photo is read. Pure, as [`crate::rules`].
//!
//! A profile without a value does not pass a filter on that value.

use data::profiles::{Location, Profile};

/// The filters on profiles.
#[derive(Debug, Clone, PartialEq)]
pub struct Filters {
    /// Minimum age.
    pub min_age: Option<u32>,
    /// Maximum age.
    pub max_age: Option<u32>,
    /// Accepted genders in lower case; an empty list accepts all.
    pub genders: Vec<String>,
    /// My location.
    pub home: Option<Location>,
    /// Maximum distance from `home`, which must be set.
    pub max_distance_km: Option<f64>,
}

impl Filters {
    /// Returns the distance of a profile from home, if both locations are known.
    pub fn distance_km(&self, profile: &Profile) -> Option<f64> {
        Some(self.home?.distance_km(profile.location?))
    }

    /// Returns the reason why `profile` is outside the filters, or `None` if it is inside.
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
            location: Location::new(52.52, 13.405), // Berlin
            photos: vec![],
        }
    }

    #[test]
    fn every_filter_says_why() {
        let paris = Location::new(48.8566, 2.3522);
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
        let home = Location::new(48.8566, 2.3522).unwrap();
        let km = home.distance_km(profile().location.unwrap());
        let filters = Filters { home: Some(home), max_distance_km: Some(km), ..NONE };
        assert_eq!(filters.outside(&profile()), None);
    }

    #[test]
    fn an_unknown_value_passes_no_filter_on_it() {
        let blank = Profile { age: None, gender: None, location: None, ..profile() };
        let home = Location::new(0.0, 0.0);
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
