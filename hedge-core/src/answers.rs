//! Writing down the answers of the rules, beside the list that is expected.
//!
//! The lists of one leg's openings differ in a handful of numbers. So an answer is not made and compared later: it is compared
//! with what the leg's last list says at that place, and only a number that differs is written down. A list that turns
//! out otherwise is written in full from that answer on.

use std::{borrow::Cow, sync::Arc};

use rust_decimal::Decimal;

use crate::{
    checks::{Asked, Form, GateChecks, Moved, Part, Shapes, is_alike, read},
    digits::is_same,
    risk::{CheckVerdict, GateCheck, Verdict},
};

/// Where the rules write their answers about one proposal, in the order in which they are asked.
///
/// ```
/// use hedge_core::{Answers, Decimal};
///
/// let mut answers = Answers::default();
/// assert!(answers.at_most("max_positions", Decimal::TWO, Decimal::TEN));
/// assert!(!answers.holds("hedge_mode", false));
/// let text = format!("{:?}", answers.to_vec()[0].distance);
/// assert_eq!(text, "8");
/// ```
#[derive(Debug, Default)]
pub struct Answers {
    shapes: Shapes,
    /// By topic: which of the shapes its last list had.
    likely: Vec<usize>,
    topic: usize,
    /// The list that is expected, while all answers agree with it but for numbers.
    expected: Option<Arc<[Asked]>>,
    /// How many answers have agreed with it.
    place: usize,
    /// Numbers in which they differ.
    moved: Vec<Moved>,
    /// All answers, once one has not agreed.
    own: Vec<Asked>,
    first_refusal: Option<Cow<'static, str>>,
    is_cut_back: bool,
    /// The answers as they were given.
    #[cfg(debug_assertions)]
    given: Vec<GateCheck>,
}

impl Answers {
    /// Begins a list about something: lists about the same tend to look alike.
    pub(crate) fn begin(&mut self, topic: usize) {
        self.topic = topic;
        let likely = self.likely.get(topic).copied().unwrap_or_default();
        self.expected = self.shapes.get(likely);
        self.place = 0;
        self.moved.clear();
        self.own.clear();
        self.first_refusal = None;
        self.is_cut_back = false;
        #[cfg(debug_assertions)]
        self.given.clear();
    }

    /// A rule that passes while `value` is at most `limit`. Returns whether it does.
    #[inline]
    pub fn at_most(&mut self, rule: &'static str, value: Decimal, limit: Decimal) -> bool {
        self.number(Form::AtMost, rule, &value, &limit, None)
    }
    /// A rule that passes while `value` is at least `limit`. Returns whether it does.
    #[inline]
    pub fn at_least(&mut self, rule: &'static str, value: Decimal, limit: Decimal) -> bool {
        self.number(Form::AtLeast, rule, &value, &limit, None)
    }
    /// Like [`at_least`](Self::at_least), with something to say where it does not pass.
    #[inline]
    pub fn at_least_or(
        &mut self,
        rule: &'static str,
        value: Decimal,
        limit: Decimal,
        note: impl FnOnce() -> Cow<'static, str>,
    ) -> bool {
        if Form::AtLeast.passes(&value, &limit) {
            return self.number(Form::AtLeast, rule, &value, &limit, Some(true));
        }
        self.push(GateCheck { note: Some(note()), ..GateCheck::at_least(rule, value, limit) });
        false
    }
    /// Like [`at_most`](Self::at_most) in its numbers, but the rule says itself whether it passes. Returns what it says.
    #[inline]
    pub fn judged(&mut self, rule: &'static str, value: Decimal, limit: Decimal, passes: bool) -> bool {
        self.number(Form::Judged, rule, &value, &limit, Some(passes))
    }
    /// A yes-or-no rule. Returns its answer.
    #[inline]
    pub fn holds(&mut self, rule: &'static str, holds: bool) -> bool {
        let is_it = |known: &Asked| known.check.passed() == holds && known.is(Form::Holds, rule);
        if self.known().is_some_and(is_it) {
            self.agree(rule, if holds { CheckVerdict::Pass } else { CheckVerdict::Refuse });
            #[cfg(debug_assertions)]
            self.given.push(GateCheck::holds(rule, holds, None));
        } else {
            self.add(Form::Holds, GateCheck::holds(rule, holds, None));
        }
        holds
    }
    /// Like [`holds`](Self::holds), with something to say where it does not.
    #[inline]
    pub fn holds_or(
        &mut self,
        rule: &'static str,
        holds: bool,
        note: impl FnOnce() -> Cow<'static, str>,
    ) -> bool {
        if holds {
            return self.holds(rule, true);
        }
        self.push(GateCheck::holds(rule, false, note()));
        false
    }
    /// Any answer.
    pub fn push(&mut self, check: GateCheck) {
        let place = self.place as u8;
        match self.expected.as_deref().and_then(|expected| expected.get(self.place)) {
            Some(known) if known.form == Form::Stated && is_alike(&known.check, &check) => {
                known.differences(place, &check, &mut self.moved);
                self.place += 1;
                if !check.passed() {
                    self.mind(check.rule.clone(), check.verdict);
                }
                #[cfg(debug_assertions)]
                self.given.push(check);
            }
            _ => self.add(Form::Stated, check),
        }
    }

    /// How many rules have answered.
    pub fn len(&self) -> usize {
        if self.expected.is_some() { self.place } else { self.own.len() }
    }
    /// Whether no rule has answered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Every answer so far, in order.
    pub fn to_vec(&self) -> Vec<GateCheck> {
        match &self.expected {
            Some(expected) => {
                let agreed = expected.get(..self.place).unwrap_or_default();
                read(agreed, &self.moved).map(|asked| asked.check).collect()
            }
            None => self.own.iter().map(|asked| asked.check.clone()).collect(),
        }
    }

    /// Whether a rule refuses.
    #[inline]
    pub(crate) const fn is_refused(&self) -> bool {
        self.first_refusal.is_some()
    }
    /// The refusal by the first rule that refuses.
    pub(crate) fn refusal(&self) -> Verdict {
        Verdict::Refuse { rule: self.first_refusal.clone().unwrap_or(Cow::Borrowed("gate")) }
    }
    /// Whether a rule lets only a part pass.
    pub(crate) const fn is_cut_back(&self) -> bool {
        self.is_cut_back
    }

    /// The finished list, kept small.
    pub(crate) fn keep(&mut self) -> GateChecks {
        let whole = |expected: &Arc<[Asked]>| expected.len() == self.place;
        let kept = match self.expected.take_if(|expected| whole(expected)) {
            Some(shape) => GateChecks::new(shape, &self.moved),
            None => {
                self.part_ways();
                let (kept, which) = self.shapes.keep(&self.own, &mut self.moved);
                if let Some(which) = which {
                    if self.likely.len() <= self.topic {
                        self.likely.resize(self.topic + 1, 0);
                    }
                    self.likely[self.topic] = which;
                }
                kept
            }
        };
        #[cfg(debug_assertions)]
        assert!(kept.iter().eq(self.given.iter().cloned()), "nothing is lost: {kept:?}, {:?}", self.given);
        kept
    }

    /// What is expected at this place.
    #[inline]
    fn known(&self) -> Option<&Asked> {
        self.expected.as_deref()?.get(self.place)
    }

    /// An answer in two numbers; whether they pass follows from them unless it is `stated`.
    #[inline]
    fn number(
        &mut self,
        form: Form,
        rule: &'static str,
        value: &Decimal,
        limit: &Decimal,
        stated: Option<bool>,
    ) -> bool {
        let passes = stated.unwrap_or_else(|| form.passes(value, limit));
        let known = self.expected.as_deref().and_then(|expected| expected.get(self.place));
        match known {
            Some(known) if known.is(form, rule) && known.check.passed() == passes => {
                let place = self.place as u8;
                if !is_same(&known.check.value, value) {
                    self.moved.push(Moved { number: *value, place, part: Part::Value });
                }
                if !is_same(&known.check.limit, limit) {
                    self.moved.push(Moved { number: *limit, place, part: Part::Limit });
                }
                self.agree(rule, if passes { CheckVerdict::Pass } else { CheckVerdict::Refuse });
                #[cfg(debug_assertions)]
                self.given.push(form.check(rule, *value, *limit, passes));
            }
            _ => self.add(form, form.check(rule, *value, *limit, passes)),
        }
        passes
    }

    /// An answer as it was expected.
    #[inline]
    fn agree(&mut self, rule: &'static str, verdict: CheckVerdict) {
        self.place += 1;
        if verdict != CheckVerdict::Pass {
            self.mind(Cow::Borrowed(rule), verdict);
        }
    }

    #[cold]
    fn mind(&mut self, rule: Cow<'static, str>, verdict: CheckVerdict) {
        match verdict {
            CheckVerdict::Pass => {}
            CheckVerdict::Shrink => self.is_cut_back = true,
            CheckVerdict::Refuse => {
                self.first_refusal.get_or_insert(rule);
            }
        }
    }

    /// An answer that was not expected.
    #[cold]
    fn add(&mut self, form: Form, check: GateCheck) {
        self.part_ways();
        self.mind(check.rule.clone(), check.verdict);
        #[cfg(debug_assertions)]
        self.given.push(check.clone());
        self.own.push(Asked { check, form });
    }

    /// From here on the list is written in full.
    fn part_ways(&mut self) {
        if let Some(expected) = self.expected.take() {
            let agreed = expected.get(..self.place).unwrap_or_default();
            self.own.extend(read(agreed, &self.moved));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One answer in every way in which it can be given.
    #[derive(Clone, Debug)]
    enum Given {
        AtMost(i64, i64),
        AtLeast(i64, i64, bool),
        Judged(i64, i64, bool),
        Holds(bool, bool),
        Any(i64, i64, u8),
    }

    fn given() -> impl Strategy<Value = Given> {
        let number = || 0_i64..4;
        prop_oneof![
            (number(), number()).prop_map(|(value, limit)| Given::AtMost(value, limit)),
            (number(), number(), any::<bool>())
                .prop_map(|(value, limit, noted)| Given::AtLeast(value, limit, noted)),
            (number(), number(), any::<bool>())
                .prop_map(|(value, limit, passes)| Given::Judged(value, limit, passes)),
            (any::<bool>(), any::<bool>()).prop_map(|(holds, noted)| Given::Holds(holds, noted)),
            (number(), number(), 0_u8..4).prop_map(|(value, limit, kind)| Given::Any(value, limit, kind)),
        ]
    }

    /// Answers, and returns what the answer is.
    fn give(answers: &mut Answers, rule: &'static str, given: &Given) -> GateCheck {
        // With places, so that a zero too many would be seen.
        let number = |digits: i64| Decimal::new(digits * 10, 2);
        let verdict = |passes| if passes { CheckVerdict::Pass } else { CheckVerdict::Refuse };
        match *given {
            Given::AtMost(value, limit) => {
                let check = GateCheck::at_most(rule, number(value), number(limit));
                assert_eq!(answers.at_most(rule, number(value), number(limit)), check.passed());
                check
            }
            Given::AtLeast(value, limit, noted) => {
                let mut check = GateCheck::at_least(rule, number(value), number(limit));
                let passes = match noted {
                    true => answers.at_least_or(rule, number(value), number(limit), || "n".into()),
                    false => answers.at_least(rule, number(value), number(limit)),
                };
                assert_eq!(passes, check.passed());
                check.note = (noted && !passes).then_some(Cow::Borrowed("n"));
                check
            }
            Given::Judged(value, limit, passes) => {
                answers.judged(rule, number(value), number(limit), passes);
                GateCheck {
                    verdict: verdict(passes),
                    ..GateCheck::at_most(rule, number(value), number(limit))
                }
            }
            Given::Holds(holds, noted) => {
                match noted {
                    true => answers.holds_or(rule, holds, || Cow::Owned("n".to_owned())),
                    false => answers.holds(rule, holds),
                };
                GateCheck::holds(rule, holds, (noted && !holds).then_some(Cow::Borrowed("n")))
            }
            Given::Any(value, limit, kind) => {
                let mut check = GateCheck::at_most(rule, number(value), number(limit));
                check.note = (kind == 1).then_some(Cow::Borrowed("constant"));
                if kind == 2 {
                    check.verdict = CheckVerdict::Shrink;
                }
                if kind == 3 {
                    check.rule = Cow::Owned(rule.to_owned());
                }
                answers.push(check.clone());
                check
            }
        }
    }

    fn digits(checks: &[GateCheck]) -> Vec<[[u8; 16]; 3]> {
        checks
            .iter()
            .map(|check| [check.value, check.limit, check.distance].map(|value| value.serialize()))
            .collect()
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_was_given_to_the_last_digit(
            lists in proptest::collection::vec(
                (0_usize..3, proptest::collection::vec((prop_oneof![Just("a"), Just("b")], given()), 0..5)),
                1..40,
            ),
        ) {
            let mut answers = Answers::default();
            for (topic, list) in lists {
                answers.begin(topic);
                let expected: Vec<GateCheck> =
                    list.iter().map(|(rule, given)| give(&mut answers, rule, given)).collect();
                prop_assert_eq!(&answers.to_vec(), &expected);
                prop_assert_eq!(answers.len(), expected.len());
                let first = expected.iter().find(|check| check.verdict == CheckVerdict::Refuse);
                prop_assert_eq!(answers.is_refused(), first.is_some());
                if let Some(first) = first {
                    prop_assert_eq!(answers.refusal(), Verdict::Refuse { rule: first.rule.clone() });
                }
                let is_cut_back = expected.iter().any(|check| check.verdict == CheckVerdict::Shrink);
                prop_assert_eq!(answers.is_cut_back(), is_cut_back);
                let kept = answers.keep();
                prop_assert_eq!(&kept.to_vec(), &expected);
                prop_assert_eq!(digits(&kept.to_vec()), digits(&expected));
                prop_assert_eq!(kept.len(), expected.len());
                let text = serde_json::to_string(&expected).unwrap();
                prop_assert_eq!(&serde_json::to_string(&kept).unwrap(), &text);
                let read: GateChecks = serde_json::from_str(&text).unwrap();
                let plain: Vec<GateCheck> = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(read.to_vec(), plain);
            }
        }
    }

    #[test]
    fn lists_that_differ_in_numbers_share_everything_else() {
        let mut answers = Answers::default();
        let mut list = |value: i64| {
            answers.begin(0);
            answers.holds("x", true);
            answers.at_most("y", value.into(), Decimal::TEN);
            answers.keep()
        };
        let (first, second) = (list(3), list(4));
        assert!(first.shares_with(&second));
        // The distance follows from the value, and is not kept.
        assert_eq!((first.numbers_kept(), second.numbers_kept()), (0, 1));
        // A refusal is another answer, so it is another shape; after it the first one is found again.
        assert!(!first.shares_with(&list(11)));
        assert!(first.shares_with(&list(5)));
    }
}
