//! The answers of all rules, kept small.
//!
//! A journal holds a list of answers for every opening, and the lists of one strategy's openings differ in a handful of
//! numbers: the rules, their order, what they allow and what they say are the same. A list is therefore kept as one that
//! earlier lists share, and as the numbers in which it differs. What is read from it, and its text, are the whole list.
//! How lists are written stands in [`answers`](crate::answers).

use std::{borrow::Cow, fmt, sync::Arc};

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    digits::{compare, difference, is_same},
    risk::{CheckVerdict, GateCheck},
};

/// Every rule's answer about one proposal, in the order in which they were asked.
#[derive(Clone)]
pub struct GateChecks {
    shape: Arc<[Asked]>,
    /// By place, ascending; `None` where nothing differs.
    moved: Option<Arc<[Moved]>>,
}

/// An answer, and how it was given.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) check: GateCheck,
    pub(crate) form: Form,
}

/// How an answer was given: what follows from its numbers need not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A value of at most its limit passes.
    AtMost,
    /// A value of at least its limit passes.
    AtLeast,
    /// As far from its limit as `AtMost`, but the rule says whether that passes.
    Judged,
    /// Yes or no.
    Holds,
    /// Every part of it was stated.
    Stated,
}

impl Form {
    /// The answer of this form, without a note.
    pub(crate) fn check(self, rule: &'static str, value: Decimal, limit: Decimal, passes: bool) -> GateCheck {
        let distance = self.distance(&value, &limit).unwrap_or_default();
        let verdict = if passes { CheckVerdict::Pass } else { CheckVerdict::Refuse };
        GateCheck { rule: Cow::Borrowed(rule), value, limit, distance, verdict, note: None }
    }
    /// Whether these numbers pass, where that follows from them.
    #[inline]
    pub(crate) fn passes(self, value: &Decimal, limit: &Decimal) -> bool {
        match self {
            Self::AtLeast => compare(value, limit).is_ge(),
            _ => compare(value, limit).is_le(),
        }
    }
    /// How far the value is from the limit; `None` where that does not follow.
    fn distance(self, value: &Decimal, limit: &Decimal) -> Option<Decimal> {
        match self {
            Self::AtMost | Self::Judged => Some(difference(limit, value)),
            Self::AtLeast => Some(difference(value, limit)),
            Self::Holds | Self::Stated => None,
        }
    }
}

/// A number that is not that of the shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    pub(crate) number: Decimal,
    pub(crate) place: u8,
    pub(crate) part: Part,
}

/// Which number of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
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
pub(crate) fn is_alike(a: &GateCheck, b: &GateCheck) -> bool {
    let same_note = match (&a.note, &b.note) {
        (None, None) => true,
        (Some(a), Some(b)) => same_text(a, b),
        _ => false,
    };
    a.verdict == b.verdict && same_note && same_text(&a.rule, &b.rule)
}

impl Asked {
    /// Whether it is an answer of that rule and form. Only what was stated has a note.
    #[inline]
    pub(crate) fn is(&self, form: Form, rule: &'static str) -> bool {
        debug_assert!(self.form == Form::Stated || self.check.note.is_none());
        self.form == form && same_text(&self.check.rule, rule)
    }
    /// Writes down in which numbers an answer of the same form differs.
    pub(crate) fn differences(&self, place: u8, check: &GateCheck, moved: &mut Vec<Moved>) {
        let numbers = [
            (Part::Value, &self.check.value, &check.value),
            (Part::Limit, &self.check.limit, &check.limit),
            (Part::Distance, &self.check.distance, &check.distance),
        ];
        for (part, known, number) in numbers {
            let follows = matches!(part, Part::Distance) && self.form != Form::Stated;
            if !follows && !is_same(known, number) {
                moved.push(Moved { number: *number, place, part });
            }
        }
    }
}

/// The answers of a shape with other numbers.
pub(crate) fn read(shape: &[Asked], moved: &[Moved]) -> impl Iterator<Item = Asked> {
    let mut moved = moved.iter().peekable();
    shape.iter().enumerate().map(move |(place, asked)| {
        let mut asked = asked.clone();
        let mut is_stale = false;
        while let Some(moved) = moved.next_if(|moved| usize::from(moved.place) == place) {
            is_stale = true;
            match moved.part {
                Part::Value => asked.check.value = moved.number,
                Part::Limit => asked.check.limit = moved.number,
                Part::Distance => asked.check.distance = moved.number,
            }
        }
        if is_stale && let Some(distance) = asked.form.distance(&asked.check.value, &asked.check.limit) {
            asked.check.distance = distance;
        }
        asked
    })
}

impl GateChecks {
    pub(crate) fn new(shape: Arc<[Asked]>, moved: &[Moved]) -> Self {
        Self { shape, moved: (!moved.is_empty()).then(|| moved.into()) }
    }
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
        read(&self.shape, self.moved.as_deref().unwrap_or_default()).map(|asked| asked.check)
    }
    /// Every answer, in a list of its own.
    pub fn to_vec(&self) -> Vec<GateCheck> {
        self.iter().collect()
    }
    #[cfg(test)]
    pub(crate) fn shares_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shape, &other.shape)
    }
    #[cfg(test)]
    pub(crate) fn numbers_kept(&self) -> usize {
        self.moved.as_ref().map_or(0, |moved| moved.len())
    }
}

/// Earlier lists that later ones may share. It holds a few: openings of all strategies tend to look alike.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    known: Vec<Arc<[Asked]>>,
    /// Which one goes next, when a new one comes.
    oldest: usize,
}

const KNOWN_AT_MOST: usize = 8;

impl Shapes {
    /// One of them.
    #[inline]
    pub(crate) fn get(&self, which: usize) -> Option<Arc<[Asked]>> {
        self.known.get(which).cloned()
    }

    /// The same answers, kept small, and which of the shapes that took.
    pub(crate) fn keep(&mut self, answers: &[Asked], moved: &mut Vec<Moved>) -> (GateChecks, Option<usize>) {
        for (which, shape) in self.known.iter().enumerate() {
            if differences(shape, answers, moved) {
                return (GateChecks::new(Arc::clone(shape), moved), Some(which));
            }
        }
        let shape: Arc<[Asked]> = answers.into();
        // What says something of its own is said once, and a place is written in one byte.
        let is_common = answers.iter().all(|asked| !matches!(asked.check.note, Some(Cow::Owned(_))))
            && answers.len() <= usize::from(u8::MAX);
        let which = is_common.then_some(self.oldest);
        if is_common {
            match self.known.get_mut(self.oldest) {
                Some(known) => *known = Arc::clone(&shape),
                None => self.known.push(Arc::clone(&shape)),
            }
            self.oldest = (self.oldest + 1) % KNOWN_AT_MOST;
        }
        (GateChecks::new(shape, &[]), which)
    }
}

/// Writes down in which numbers a list differs from a shape; false where it differs in more than that.
fn differences(shape: &[Asked], answers: &[Asked], moved: &mut Vec<Moved>) -> bool {
    moved.clear();
    if shape.len() != answers.len() {
        return false;
    }
    for (place, (known, asked)) in shape.iter().zip(answers).enumerate() {
        if known.form != asked.form || !is_alike(&known.check, &asked.check) {
            return false;
        }
        known.differences(place as u8, &asked.check, moved);
    }
    true
}

impl From<Vec<GateCheck>> for GateChecks {
    fn from(checks: Vec<GateCheck>) -> Self {
        checks.into_iter().collect()
    }
}

impl FromIterator<GateCheck> for GateChecks {
    fn from_iter<I: IntoIterator<Item = GateCheck>>(checks: I) -> Self {
        let stated = |check| Asked { check, form: Form::Stated };
        Self { shape: checks.into_iter().map(stated).collect(), moved: None }
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
