//! What a drill saw: what was done and when, every check with what was expected and found, and figures.

use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

/// Something that happened. Units of `at_s`: seconds since the drill began.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Moment {
    pub(super) at_s: f64,
    pub(super) what: String,
}

/// Something that was broken on purpose.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Injected {
    pub(super) at_s: f64,
    pub(super) what: Value,
}

/// Something that must hold.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    pub(super) check: String,
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) passed: bool,
}

impl Check {
    /// What must hold, what would show it, what was found, and whether that is it.
    pub(super) fn new(
        check: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        passed: bool,
    ) -> Self {
        Self { check: check.into(), expected: expected.into(), found: found.into(), passed }
    }
}

/// A number worth knowing.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) unit: &'static str,
}

/// Everything of one drill.
pub(super) struct Record {
    pub(super) began: Instant,
    say: Box<dyn Fn(&str)>,
    pub(super) timeline: Vec<Moment>,
    pub(super) injected: Vec<Injected>,
    pub(super) checks: Vec<Check>,
    pub(super) figures: Vec<Figure>,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("checks", &self.checks).finish_non_exhaustive()
    }
}

impl Record {
    /// `say` takes a line of progress.
    pub(super) fn new(say: impl Fn(&str) + 'static) -> Self {
        Self {
            began: Instant::now(),
            say: Box::new(say),
            timeline: Vec::new(),
            injected: Vec::new(),
            checks: Vec::new(),
            figures: Vec::new(),
        }
    }

    /// Seconds since the drill began.
    pub(super) fn now_s(&self) -> f64 {
        rounded(self.began.elapsed().as_secs_f64())
    }

    /// Notes a moment.
    pub(super) fn moment(&mut self, what: impl Into<String>) {
        let (at_s, what) = (self.now_s(), what.into());
        (self.say)(&format!("{at_s:7.1} s  {what}"));
        self.timeline.push(Moment { at_s, what });
    }

    /// Notes what is broken now.
    pub(super) fn inject(&mut self, what: Value) {
        self.injected.push(Injected { at_s: self.now_s(), what });
    }

    /// Notes a check, and whether it holds.
    pub(super) fn check(
        &mut self,
        check: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        passed: bool,
    ) -> bool {
        self.add(Check::new(check, expected, found, passed))
    }

    /// Notes a check that was made elsewhere.
    pub(super) fn add(&mut self, check: Check) -> bool {
        let at_s = self.now_s();
        let Check { check: name, expected, found, passed } = &check;
        if *passed {
            (self.say)(&format!("{at_s:7.1} s  ok      {name}: {found}"));
        } else {
            (self.say)(&format!("{at_s:7.1} s  FAILED  {name}: expected {expected}, found {found}"));
        }
        let passed = *passed;
        self.checks.push(check);
        passed
    }

    /// Notes a figure.
    pub(super) fn figure(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure { name: name.into(), value: rounded(value), unit });
    }

    /// A drill that ended before its last step has shown nothing, whatever held until then.
    pub(super) fn gave_up(&mut self, why: &str) {
        self.check("the drill comes to its end", "it does", why, false);
    }

    /// Whether everything that was checked holds, and something was.
    pub(super) fn has_passed(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.passed)
    }
}

/// To the millisecond.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_without_a_check_or_with_one_that_fails_has_not_passed() {
        let mut record = Record::new(|_| ());
        assert!(!record.has_passed());
        record.check("one", "it", "it", true);
        assert!(record.has_passed());
        record.gave_up("it ended early");
        assert!(!record.has_passed());
    }
}
