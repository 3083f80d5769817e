//! The profiles of the sample: people with and without dogs, and the defects of real profiles.

use data::draw::{self, Stream};
use data::profiles::{self, Location, Profile};
use data::stage;
use rayon::prelude::*;

use crate::breeds::BREEDS;
use crate::config::Config;
use crate::output::Output;
use crate::picture::{self, Subject, jpeg};
use crate::shapes::between;

/// The profiles live around this point (Freiburg im Breisgau), degrees north and east.
pub(crate) const CENTRE: (f64, f64) = (47.9959, 7.8522);
/// Maximum distance of a profile from [`CENTRE`].
pub(crate) const FARTHEST_KM: f64 = 60.0;

/// Kilometres of one degree of latitude.
const KM_PER_DEGREE: f64 = 111.2;

/// The photos of a profile.
#[derive(Debug, Clone, Copy)]
enum Album {
    /// One picture of a dog of this breed.
    Dog(usize),
    /// The dog beside its person.
    Pair(usize),
    /// The person alone, then the dog, then both.
    Several(usize),
    /// The person alone.
    Person,
    /// Neither a person nor a dog.
    Thing,
    /// A photo whose file ends too early.
    Broken(usize),
    /// A photo that is named but does not exist.
    Missing,
    /// No photos at all.
    Empty,
}

use Album::{Broken, Dog, Empty, Missing, Pair, Person, Several, Thing};

/// Name, gender and album of every profile; the numbers are breeds of [`BREEDS`].
const PEOPLE: [(&str, &str, Album); 30] = [
    ("Anna", "female", Dog(0)),
    ("Ben", "male", Pair(1)),
    ("Çağla", "female", Dog(2)),
    ("Dmitri", "male", Several(3)),
    ("Émile", "male", Dog(4)),
    ("Freya", "female", Pair(5)),
    ("Günther", "male", Dog(6)),
    ("Hannah", "female", Several(7)),
    ("Ines", "female", Dog(8)),
    ("Jonas", "male", Pair(9)),
    ("Kim", "nonbinary", Dog(10)),
    ("Lena \"Lenchen\" Maier", "female", Person),
    ("Müller, Max", "male", Several(0)),
    ("Noor", "female", Thing),
    ("Oskar", "male", Dog(1)),
    ("Paula", "female", Several(2)),
    ("Quentin", "male", Person),
    ("Rosa", "female", Broken(3)),
    ("Søren", "male", Dog(5)),
    ("Tuğçe", "female", Pair(6)),
    ("Ulf", "male", Missing),
    ("Vera", "female", Dog(9)),
    ("Wei", "nonbinary", Several(8)),
    ("Xenia", "female", Empty),
    ("Yusuf", "male", Pair(10)),
    ("Zoë", "female", Dog(7)),
    ("Jean-Luc", "male", Thing),
    ("O'Brien, \"Pat\"", "nonbinary", Dog(4)),
    ("Łukasz", "male", Person),
    ("Mia", "female", Several(10)),
];

/// Number of profiles.
pub(crate) const COUNT: usize = PEOPLE.len();

/// Returns the names of all files that [`write()`] writes into the folder of the profiles.
pub(crate) fn names() -> Vec<String> {
    let photos = PEOPLE
        .iter()
        .enumerate()
        .flat_map(|(i, (_, _, album))| (1..=subjects(*album).len()).map(move |n| photo_name(&id(i), n)));
    photos.chain([profiles::FILE_NAME.to_owned()]).collect()
}

fn id(i: usize) -> String {
    format!("p{:03}", i + 1)
}

fn photo_name(id: &str, n: usize) -> String {
    format!("photos/{id}_{n}.jpg")
}

/// Writes `photos/` and, last, `profiles.csv`. Returns the number of photos.
pub(crate) fn write(config: &Config, output: &Output<'_>) -> anyhow::Result<usize> {
    let made: Vec<(Profile, usize)> = PEOPLE
        .par_iter()
        .enumerate()
        .map(|(i, person)| {
            stage::check_interrupted()?;
            write_one(config, output, i, person)
        })
        .collect::<anyhow::Result<_>>()?;
    let profiles: Vec<Profile> = made.iter().map(|(profile, _)| profile.clone()).collect();
    output.put(profiles::FILE_NAME, &profiles::to_csv(&profiles)?)?;
    Ok(made.iter().map(|(_, n_photos)| n_photos).sum())
}

fn write_one(
    config: &Config,
    output: &Output<'_>,
    i: usize,
    &(name, gender, album): &(&'static str, &'static str, Album),
) -> anyhow::Result<(Profile, usize)> {
    let id = id(i);
    let mut draws = draw::stream(config.seed, "sample profile", &id);
    let subjects = subjects(album);
    let mut names = Vec::new();
    for (n, &subject) in subjects.iter().enumerate() {
        let name = photo_name(&id, n + 1);
        let mut bytes = jpeg(&picture::paint(subject, config.size, &mut draws))?;
        if let Broken(_) = album {
            bytes.truncate(bytes.len() * 2 / 5);
        }
        output.put(&name, &bytes)?;
        names.push(name);
    }
    if let Missing = album {
        names.push(photo_name(&id, 1));
    }
    let location = location(&mut draws);
    let profile = Profile {
        id,
        name: name.to_owned(),
        age: Some(19 + draws.below(48) as u32),
        gender: Some(gender.to_owned()),
        location,
        photos: names,
    };
    Ok((profile, subjects.len()))
}

fn subjects(album: Album) -> Vec<Subject> {
    match album {
        Dog(breed) | Broken(breed) => vec![Subject::Dog(&BREEDS[breed])],
        Pair(breed) => vec![Subject::DogWithPerson(&BREEDS[breed])],
        Several(breed) => {
            vec![Subject::Person, Subject::Dog(&BREEDS[breed]), Subject::DogWithPerson(&BREEDS[breed])]
        }
        Person => vec![Subject::Person],
        Thing => vec![Subject::Thing],
        Missing | Empty => Vec::new(),
    }
}

/// Draws a location within [`FARTHEST_KM`], more often near than far.
fn location(draws: &mut Stream) -> Option<Location> {
    let km = FARTHEST_KM * draws.unit() * 0.99;
    let bearing = between(draws, 0.0, std::f32::consts::TAU).into();
    let north = km * libm::cos(bearing) / KM_PER_DEGREE;
    let east = km * libm::sin(bearing) / (KM_PER_DEGREE * libm::cos(CENTRE.0.to_radians()));
    Location::new(CENTRE.0 + north, CENTRE.1 + east)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use data::profiles::Profiles;

    use super::*;

    #[test]
    fn the_profiles_have_the_defects_of_real_ones() {
        let dir = tempfile::tempdir().unwrap();
        let (raw, profiles) = (dir.path().join("raw"), dir.path());
        let (raw, profiles) = (raw.to_str().unwrap(), profiles.to_str().unwrap());
        let args = ["sample", "-q", "--out", raw, "--profiles", profiles, "--per-class", "1", "--size", "48"];
        crate::run(&clap::Parser::parse_from(args)).unwrap();
        let n_photos = super::names().len() - 1;

        let mut table = Profiles::open(&dir.path().join(profiles::FILE_NAME)).unwrap();
        let (mut n_found, mut n_missing, mut n_broken, mut n_without, mut n_several) = (0, 0, 0, 0, 0);
        let (mut names, mut n_rows) = (String::new(), 0);
        let centre = Location::new(CENTRE.0, CENTRE.1).unwrap();
        while let Some(profile) = table.next_row().unwrap() {
            let profile = profile.unwrap();
            n_rows += 1;
            names += &profile.name;
            assert!((18..100).contains(&profile.age.unwrap()));
            assert!(centre.distance_km(profile.location.unwrap()) < FARTHEST_KM, "{profile:?}");
            n_without += usize::from(profile.photos.is_empty());
            n_several += usize::from(profile.photos.len() > 1);
            for photo in profile.photos {
                match fs::read(dir.path().join(photo)) {
                    Err(_) => n_missing += 1,
                    Ok(bytes) => {
                        n_found += 1;
                        n_broken += usize::from(!bytes.ends_with(&[0xff, 0xd9])); // JPEG's end mark
                    }
                }
            }
        }
        assert_eq!(n_rows, COUNT);
        assert_eq!((n_found, n_missing, n_broken, n_without), (n_photos, 1, 1, 1));
        assert!(n_several >= 3);
        for mark in [',', '"', 'ü', 'Ł'] {
            assert!(names.contains(mark), "no name has {mark}");
        }
    }

    #[test]
    fn every_breed_and_no_dog_at_all_occur_among_whole_photos() {
        let whole = PEOPLE.iter().filter(|(_, _, album)| !matches!(album, Broken(_)));
        let subjects: Vec<Subject> = whole.flat_map(|&(_, _, album)| subjects(album)).collect();
        for painted in &BREEDS {
            let shown = subjects.iter().any(|subject| match subject {
                Subject::Dog(p) | Subject::DogWithPerson(p) => p.breed == painted.breed,
                Subject::Person | Subject::Thing => false,
            });
            assert!(shown, "{}", painted.breed);
        }
        let n_dogless = PEOPLE.iter().filter(|(_, _, album)| matches!(album, Person | Thing)).count();
        assert!(n_dogless >= 4);
    }
}
