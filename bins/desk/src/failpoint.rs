//! `HEDGE_FAILPOINT`: places at which tests end, stop or disturb this process. Only where the venue runs on this machine.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, ErrorKind},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use hedge_core::{Failpoint, FailpointHandler, Failpoints};
use tracing::error;

use crate::env::Env;

/// The variable.
const VARIABLE: &str = "HEDGE_FAILPOINT";

/// What happens at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// SIGKILL: nothing runs on, nothing is cleaned up.
    Kill,
    /// SIGSTOP: the process stands still until somebody sends SIGCONT.
    Stop,
    /// The write fails as on a full disk, from that time on.
    Full,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    point: Failpoint,
    /// At which visit of this process, from 1.
    nth: u64,
    action: Action,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            Action::Kill => "is killed",
            Action::Stop => "stops (go on with SIGCONT)",
            Action::Full => "finds the disk full",
        };
        write!(f, "{} visit {}: this process {action}", self.point, self.nth)
    }
}

/// Reads the variable. Without it nothing is armed.
///
/// Errors: one sentence, when it cannot be understood, or the venue is not on this machine.
pub(crate) fn armed(env: &Env, is_loopback: bool) -> Result<Failpoints, String> {
    let Some(text) = env.get(VARIABLE) else { return Ok(Failpoints::NONE) };
    if !is_loopback {
        return Err(format!(
            "{VARIABLE} ({}) is for tests at a venue on this machine, and this one is not; unset it",
            env.origin(VARIABLE)
        ));
    }
    let plans = text.split(',').map(|part| parse(part.trim())).collect::<Result<Vec<_>, _>>()?;
    for plan in &plans {
        // On stderr, whatever is logged and wherever to: nobody must take this process for a usual one.
        eprintln!("hedge-executor: FAILPOINT ARMED, {plan}");
    }
    Ok(Failpoints::new(Arc::new(Hands { plans, visits: Mutex::default() })))
}

/// `name[:nth]=action`.
fn parse(text: &str) -> Result<Plan, String> {
    let wrong = |what: String| {
        format!(
            "{VARIABLE} = {text:?}: {what}; expected name[:nth]=kill, =stop or =full, several divided by commas"
        )
    };
    let (place, action) = text.split_once('=').ok_or_else(|| wrong("no = in it".to_owned()))?;
    let (name, nth) = place.split_once(':').unwrap_or((place, "1"));
    let point = Failpoint::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Failpoint::ALL.iter().map(|point| point.name()).collect();
        wrong(format!("{name:?} is no failpoint; there are {}", names.join(", ")))
    })?;
    let nth = nth.parse().ok().filter(|nth| *nth > 0);
    let nth = nth.ok_or_else(|| wrong("the visit is a whole number from 1".to_owned()))?;
    let action = match action {
        "kill" => Action::Kill,
        "stop" => Action::Stop,
        "full" if point.can_fail() => Action::Full,
        "full" => return Err(wrong(format!("nothing is written at {name}"))),
        other => return Err(wrong(format!("{other:?} is no action"))),
    };
    Ok(Plan { point, nth, action })
}

#[derive(Debug)]
struct Hands {
    plans: Vec<Plan>,
    visits: Mutex<BTreeMap<Failpoint, u64>>,
}

impl FailpointHandler for Hands {
    fn reached(&self, point: Failpoint) -> io::Result<()> {
        let visit = {
            let mut visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
            let visit = visits.entry(point).or_default();
            *visit += 1;
            *visit
        };
        for plan in self.plans.iter().filter(|plan| plan.point == point) {
            match plan.action {
                Action::Full if visit >= plan.nth => {
                    return Err(io::Error::new(ErrorKind::StorageFull, format!("failpoint {point}")));
                }
                Action::Kill if visit == plan.nth => end("KILL"),
                Action::Stop if visit == plan.nth => signal("STOP"),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Sends a signal to this process and returns once it was sent. After STOP that is when the process goes on.
fn signal(name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(std::process::id().to_string()).status();
    if !sent.as_ref().is_ok_and(std::process::ExitStatus::success) {
        error!(?sent, name, "a failpoint could not send its signal");
    }
}

/// Does not return: what stands behind the place must not happen.
fn end(name: &str) {
    signal(name);
    // Without a `kill` program there is still this end.
    thread::sleep(Duration::from_secs(5));
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(text: &str) -> Env {
        Env::from_pairs([(VARIABLE, text)])
    }

    #[test]
    fn a_plan_is_a_place_a_visit_and_an_action() {
        let plan = parse("submit.before_send:3=stop").unwrap();
        assert_eq!((plan.point, plan.nth, plan.action), (Failpoint::SubmitBeforeSend, 3, Action::Stop));
        assert_eq!(parse("boot.ready=kill").unwrap().nth, 1);
        assert_eq!(parse("journal.mid_write=full").unwrap().action, Action::Full);
        for (wrong, says) in [
            ("submit.before_send", "no = in it"),
            ("submit=kill", "there are lead.before_fence,"),
            ("boot.ready:0=kill", "from 1"),
            ("boot.ready=nap", "no action"),
            ("boot.ready=full", "nothing is written at boot.ready"),
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains(says) && error.contains("expected name[:nth]="), "{error}");
        }
    }

    #[test]
    fn nothing_is_armed_without_the_variable_or_at_a_venue_that_is_not_on_this_machine() {
        assert!(!armed(&Env::default(), true).unwrap().is_armed());
        assert!(!armed(&Env::default(), false).unwrap().is_armed());
        assert!(armed(&env("boot.ready=kill"), true).unwrap().is_armed());
        let error = armed(&env("boot.ready=kill"), false).unwrap_err();
        assert!(error.contains("HEDGE_FAILPOINT (environment)") && error.contains("unset it"), "{error}");
    }

    #[test]
    fn a_full_disk_stays_full_from_its_visit_on() {
        let points = armed(&env("journal.before_write:2=full,view.before_rename=full"), true).unwrap();
        let write = |point| points.write(point).map_err(|error| error.kind());
        assert_eq!(write(Failpoint::JournalBeforeWrite), Ok(()));
        assert_eq!(write(Failpoint::JournalMidWrite), Ok(()));
        assert_eq!(write(Failpoint::JournalBeforeWrite), Err(ErrorKind::StorageFull));
        assert_eq!(write(Failpoint::JournalBeforeWrite), Err(ErrorKind::StorageFull));
        assert_eq!(write(Failpoint::ViewBeforeRename), Err(ErrorKind::StorageFull));
    }
}
