//! The answers of all rules, kept small.
//!
//! A journal holds a list of answers for every opening, and the lists of one strategy's openings differ in a handful of
//! numbers: the rules, their order, what they allow and what they say are the same. A list is therefore kept as one that
//! earlier lists share, and as the numbers in which it differs. What is read from it, and its text, are the whole list.

use std::{borrow::Cow, fmt, sync::Arc};

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{digits::is_same, risk::GateCheck};

/// Every rule's answer about one proposal, in the order in which they were asked.
#[derive(Clone)]
pub struct GateChecks {
    shape: Arc<[GateCheck]>,
    /// By place, ascending; `None` where nothing differs.
    moved: Option<Arc<[Moved]>>,
}

/// A number that is not that of the shape.
#[derive(Clone, Copy, Debug)]
struct Moved {
    number: Decimal,
    place: u8,
    part: Part,
}

/// Which number of an answer.
#[derive(Clone, Copy, Debug)]
enum Part {
    Value,
    Limit,
    Distance,
}

#[inline]
fn same_text(a: &str, b: &str) -> bool {
    // Nearly always the very same constant.
    (a.as_ptr() == b.as_ptr() && a.len() == b.len()) || a == b
}

/// Whether two answers differ in numbers only.
#[inline]
fn is_alike(a: &GateCheck, b: &GateCheck) -> bool {
    let same_note = match (&a.note, &b.note) {
        (None, None) => true,
        (Some(a), Some(b)) => same_text(a, b),
        _ => false,
    };
    a.verdict == b.verdict && same_note && same_text(&a.rule, &b.rule)
}

impl GateChecks {
    /// How many rules were asked.
    pub fn len(&self) -> usize {
        self.shape.len()
    }
    /// Whether no rule was asked.
    pub fn is_empty(&self) -> bool {
        self.shape.is_empty()
    }
    /// Every answer, in order.
    pub fn iter(&self) -> impl Iterator<Item = GateCheck> {
        let mut moved = self.moved.iter().flat_map(|moved| moved.iter()).peekable();
        self.shape.iter().enumerate().map(move |(place, check)| {
            let mut check = check.clone();
            while let Some(moved) = moved.next_if(|moved| usize::from(moved.place) == place) {
                match moved.part {
                    Part::Value => check.value = moved.number,
                    Part::Limit => check.limit = moved.number,
                    Part::Distance => check.distance = moved.number,
                }
            }
            check
        })
    }
    /// Every answer, in a list of its own.
    pub fn to_vec(&self) -> Vec<GateCheck> {
        self.iter().collect()
    }
}

/// Earlier lists that later ones may share. It holds a few: openings of all strategies tend to look alike.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    known: Vec<Arc<[GateCheck]>>,
    /// Which one goes next, when a new one comes.
    oldest: usize,
    /// Memory for what differs.
    moved: Vec<Moved>,
}

const KNOWN_AT_MOST: usize = 8;

impl Shapes {
    /// The same answers, kept small.
    pub(crate) fn keep(&mut self, checks: &[GateCheck]) -> GateChecks {
        for shape in &self.known {
            if differences(shape, checks, &mut self.moved) {
                let moved = (!self.moved.is_empty()).then(|| self.moved.as_slice().into());
                let kept = GateChecks { shape: Arc::clone(shape), moved };
                debug_assert!(kept.iter().eq(checks.iter().cloned()), "nothing is lost");
                return kept;
            }
        }
        let shape: Arc<[GateCheck]> = checks.into();
        // What says something of its own is said once.
        let is_common = checks.iter().all(|check| !matches!(check.note, Some(Cow::Owned(_))));
        if is_common {
            match self.known.get_mut(self.oldest) {
                Some(known) => *known = Arc::clone(&shape),
                None => self.known.push(Arc::clone(&shape)),
            }
            self.oldest = (self.oldest + 1) % KNOWN_AT_MOST;
        }
        GateChecks { shape, moved: None }
    }
}

/// Writes down in which numbers a list differs from a shape; false where it differs in more than that.
#[inline]
fn differences(shape: &[GateCheck], checks: &[GateCheck], moved: &mut Vec<Moved>) -> bool {
    moved.clear();
    // A place is written in one byte.
    if shape.len() != checks.len() || shape.len() > usize::from(u8::MAX) {
        return false;
    }
    for (place, (known, check)) in shape.iter().zip(checks).enumerate() {
        if !is_alike(known, check) {
            return false;
        }
        let numbers = [
            (Part::Value, &known.value, &check.value),
            (Part::Limit, &known.limit, &check.limit),
            (Part::Distance, &known.distance, &check.distance),
        ];
        for (part, known, number) in numbers {
            if !is_same(known, number) {
                moved.push(Moved { number: *number, place: place as u8, part });
            }
        }
    }
    true
}

impl From<Vec<GateCheck>> for GateChecks {
    fn from(checks: Vec<GateCheck>) -> Self {
        Self { shape: checks.into(), moved: None }
    }
}

impl FromIterator<GateCheck> for GateChecks {
    fn from_iter<I: IntoIterator<Item = GateCheck>>(checks: I) -> Self {
        Self { shape: checks.into_iter().collect(), moved: None }
    }
}

impl IntoIterator for GateChecks {
    type Item = GateCheck;
    type IntoIter = std::vec::IntoIter<GateCheck>;
    fn into_iter(self) -> Self::IntoIter {
        self.to_vec().into_iter()
    }
}

impl PartialEq for GateChecks {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for GateChecks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for GateChecks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}
impl<'de> Deserialize<'de> for GateChecks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<GateCheck>::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = Decimal> {
        let usual = (any::<i64>(), 0_u32..=28).prop_map(|(digits, scale)| Decimal::new(digits >> 8, scale));
        let wide = (any::<i128>(), 0_u32..=28)
            .prop_map(|(digits, scale)| Decimal::from_i128_with_scale(digits >> 33, scale));
        let nothing = (0_u32..=28).prop_map(|scale| -Decimal::new(0, scale));
        prop_oneof![8 => usual, 1 => wide, 1 => nothing]
    }

    fn check() -> impl Strategy<Value = GateCheck> {
        let rule = prop_oneof![Just("a"), Just("b")];
        let note = prop_oneof![
            6 => Just(None),
            1 => Just(Some(Cow::Borrowed("constant"))),
            1 => (0_u8..3).prop_map(|n| Some(Cow::Owned(format!("note {n}")))),
        ];
        (rule, number(), number(), any::<bool>(), note).prop_map(|(rule, value, limit, most, note)| {
            let bounded = |most| match most {
                true => GateCheck::at_most(rule, value, limit),
                false => GateCheck::at_least(rule, value, limit),
            };
            GateCheck { note, ..bounded(most) }
        })
    }

    fn digits(checks: impl Iterator<Item = GateCheck>) -> Vec<[[u8; 16]; 3]> {
        checks
            .map(|check| [check.value, check.limit, check.distance].map(|value| value.serialize()))
            .collect()
    }

    proptest! {
        #[test]
        fn what_is_kept_is_read_back_to_the_last_digit(
            lists in proptest::collection::vec(proptest::collection::vec(check(), 0..4), 1..30),
        ) {
            let mut shapes = Shapes::default();
            for list in lists {
                let kept = shapes.keep(&list);
                prop_assert_eq!(&kept.to_vec(), &list);
                prop_assert_eq!(digits(kept.iter()), digits(list.iter().cloned()));
                prop_assert_eq!(kept.len(), list.len());
                let text = serde_json::to_string(&list).unwrap();
                prop_assert_eq!(&serde_json::to_string(&kept).unwrap(), &text);
                let read: GateChecks = serde_json::from_str(&text).unwrap();
                let plain: Vec<GateCheck> = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(read.to_vec(), plain);
            }
        }
    }

    #[test]
    fn lists_that_differ_in_numbers_share_everything_else() {
        let list = |value: i64| {
            vec![GateCheck::holds("x", true, None), GateCheck::at_most("y", value.into(), Decimal::TEN)]
        };
        let mut shapes = Shapes::default();
        let (first, second) = (shapes.keep(&list(3)), shapes.keep(&list(4)));
        assert!(Arc::ptr_eq(&first.shape, &second.shape));
        assert_eq!((first.moved.map(|all| all.len()), second.moved.map(|all| all.len())), (None, Some(2)));
        // A refusal is another answer, so it is another shape.
        assert!(!Arc::ptr_eq(&first.shape, &shapes.keep(&list(11)).shape));
    }
}
