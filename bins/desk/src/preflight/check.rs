//! One check: what was expected, what was found, what to do. And many of them as a table.

use std::fmt;

use hedge_core::{CheckResult, PreflightCheck};

/// What is as it should be.
pub(crate) fn ok(name: &str, expected: impl Into<String>, found: impl Into<String>) -> PreflightCheck {
    check(name, expected.into(), found.into(), CheckResult::Ok, "")
}

/// What a person should know.
pub(crate) fn warning(
    name: &str,
    expected: impl Into<String>,
    found: impl Into<String>,
    remedy: &str,
) -> PreflightCheck {
    check(name, expected.into(), found.into(), CheckResult::Warning, remedy)
}

/// What is not good enough.
pub(crate) fn failed(
    name: &str,
    expected: impl Into<String>,
    found: impl Into<String>,
    remedy: &str,
) -> PreflightCheck {
    check(name, expected.into(), found.into(), CheckResult::Failed, remedy)
}

fn check(name: &str, expected: String, found: String, result: CheckResult, remedy: &str) -> PreflightCheck {
    PreflightCheck { name: name.to_owned(), expected, found, result, remedy: remedy.to_owned() }
}

/// What was found about several things under one name. The worst decides; what to do is said once each.
#[derive(Debug)]
pub(crate) struct Findings {
    name: &'static str,
    expected: String,
    worst: CheckResult,
    found: Vec<String>,
    remedies: Vec<String>,
}

impl Findings {
    pub(crate) fn new(name: &'static str, expected: impl Into<String>) -> Self {
        Self {
            name,
            expected: expected.into(),
            worst: CheckResult::Ok,
            found: Vec::new(),
            remedies: Vec::new(),
        }
    }
    pub(crate) fn warn(&mut self, found: impl Into<String>, remedy: impl Into<String>) {
        self.add(CheckResult::Warning, found.into(), remedy.into());
    }
    pub(crate) fn fail(&mut self, found: impl Into<String>, remedy: impl Into<String>) {
        self.add(CheckResult::Failed, found.into(), remedy.into());
    }
    fn add(&mut self, result: CheckResult, found: String, remedy: String) {
        // The worst stands first: a reader may stop there.
        if result > self.worst {
            self.found.insert(0, found);
            self.remedies.insert(0, remedy);
            self.worst = result;
        } else {
            self.found.push(found);
            self.remedies.push(remedy);
        }
    }
    /// The check; `fine` is what was found when there was nothing to say.
    pub(crate) fn check(mut self, fine: impl Into<String>) -> PreflightCheck {
        if self.found.is_empty() {
            self.found.push(fine.into());
        }
        let mut seen = Vec::new();
        self.remedies.retain(|remedy| {
            let is_new = !remedy.is_empty() && !seen.contains(remedy);
            seen.push(remedy.clone());
            is_new
        });
        check(self.name, self.expected, self.found.join("; "), self.worst, &self.remedies.join("; "))
    }
}

/// Checks as a table for people: one line each, and below those that are not ok what was expected and what to do.
#[derive(Debug)]
pub struct Table<'a>(pub &'a [PreflightCheck]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
        for PreflightCheck { name, expected, found, result, remedy } in self.0 {
            writeln!(f, "{result:<7}  {name:<width$}  {found}")?;
            if *result == CheckResult::Ok {
                continue;
            }
            writeln!(f, "{:<7}  {:<width$}  expected: {expected}", "", "")?;
            if !remedy.is_empty() {
                writeln!(f, "{:<7}  {:<width$}  do: {remedy}", "", "")?;
            }
        }
        let count = |result| self.0.iter().filter(|check| check.result == result).count();
        let (fine, warned, failed) =
            (count(CheckResult::Ok), count(CheckResult::Warning), count(CheckResult::Failed));
        writeln!(
            f,
            "{fine} ok, {warned} {}, {failed} failed",
            if warned == 1 { "warning" } else { "warnings" }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_what_to_do_where_something_is_wrong() {
        let checks = [
            ok("clock", "within 500 ms", "12 ms"),
            failed("hedge mode", "on", "off", "switch it on"),
            warning("disk", "256 MB", "100 MB", "free some space"),
        ];
        assert_eq!(
            Table(&checks).to_string(),
            "ok       clock       12 ms\n\
             failed   hedge mode  off\n\
             \x20                    expected: on\n\
             \x20                    do: switch it on\n\
             warning  disk        100 MB\n\
             \x20                    expected: 256 MB\n\
             \x20                    do: free some space\n\
             1 ok, 1 warning, 1 failed\n"
        );
    }

    #[test]
    fn of_several_findings_the_worst_decides_and_comes_first() {
        let mut findings = Findings::new("margin type", "CROSSED");
        findings.warn("A ISOLATED", "nothing");
        findings.fail("B ISOLATED", "close it");
        findings.warn("C ISOLATED", "nothing");
        let check = findings.check("all CROSSED");
        assert_eq!(check.result, CheckResult::Failed);
        assert_eq!(check.found, "B ISOLATED; A ISOLATED; C ISOLATED");
        assert_eq!(check.remedy, "close it; nothing");
        let fine = Findings::new("margin type", "CROSSED").check("all CROSSED");
        assert_eq!(
            (fine.result, fine.found.as_str(), fine.remedy.as_str()),
            (CheckResult::Ok, "all CROSSED", "")
        );
    }
}
