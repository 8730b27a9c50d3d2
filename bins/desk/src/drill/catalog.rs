//! The drills there are.

use std::time::Duration;

use super::{each, error::Step, scene::Scene, setup::Setup};
use crate::config::nearest;

/// One drill.
#[derive(Clone, Copy, Debug)]
pub struct Drill {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is broken, in a line.
    pub about: &'static str,
    /// What should happen, and within what time; a sentence each.
    pub expected: &'static [&'static str],
    /// How long the market runs under the trouble when nobody says.
    pub usual: Duration,
    /// Less would show nothing.
    pub least: Duration,
    pub(super) setup: Setup,
    pub(super) steps: fn(&mut Scene) -> Step,
}

/// All of them, in the order in which they are held.
pub const DRILLS: &[Drill] = &[
    each::ws_drop::DRILL,
    each::silent_stream::DRILL,
    each::http_503_storm::DRILL,
    each::rate_ban::DRILL,
    each::clock_skew::DRILL,
    each::listen_key_expiry::DRILL,
    each::kill_executor::DRILL,
    each::partial_fill::DRILL,
    each::stop_refused::DRILL,
    each::stop_deleted::DRILL,
    each::mode_flipped::DRILL,
    each::venue_migration::DRILL,
    each::store_outage::DRILL,
    each::second_writer::DRILL,
    each::disk_full::DRILL,
    each::panic_under_fire::DRILL,
];

/// The drill of that name. Errors: a sentence with the nearest name and all of them.
pub fn find(name: &str) -> Result<&'static Drill, String> {
    DRILLS.iter().find(|drill| drill.name == name).ok_or_else(|| {
        let names: Vec<&str> = DRILLS.iter().map(|drill| drill.name).collect();
        let begun = names.iter().copied().find(|known| !name.is_empty() && known.starts_with(name));
        let close = begun.or_else(|| nearest(name, names.iter().copied())).unwrap_or_default();
        format!("there is no drill {name:?}; did you mean {close}? there are {} and all", names.join(", "))
    })
}

/// The longest of their least times, and whose it is.
pub fn least_of_all() -> Option<&'static Drill> {
    DRILLS.iter().max_by_key(|drill| drill.least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_and_every_drill_says_what_should_happen() {
        for drill in DRILLS {
            assert!(
                drill.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
                "{}",
                drill.name
            );
            assert!(!drill.about.is_empty() && drill.expected.len() >= 3, "{}", drill.name);
            assert!(drill.least <= drill.usual && !drill.least.is_zero(), "{}", drill.name);
            assert_eq!(DRILLS.iter().filter(|other| other.name == drill.name).count(), 1);
        }
    }

    #[test]
    fn the_beginning_of_a_name_is_nearer_than_any_other_name() {
        assert!(find("stop-deleted").unwrap_err().contains("did you mean stop-deleted-at-venue?"));
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_nearest_one_and_all() {
        let told = find("wsdrop").unwrap_err();
        assert!(told.contains("did you mean ws-drop?") && told.ends_with(" and all"), "{told}");
    }
}
