//! The armed faults and what became of them.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rust_decimal::Decimal;
use tokio::sync::broadcast;

use super::fault::{Fault, FaultKind, FilterChange, Scope};
use crate::venue::SymbolStatus;

/// Faults that are kept, ended ones included; the oldest ended ones make room.
const MOST_FAULTS: usize = 1_000;
/// Lines a reader of the log may lag behind.
const LOG_LINES: usize = 1_024;
/// Longest times and distances: ten years.
const LONGEST_MS: i64 = 10 * 365 * 86_400_000;

/// Why a fault was not armed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// It makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The exchange is not in a state for it, or refused it.
    #[error("{0}")]
    Refused(String),
    /// No fault has this number.
    #[error("there is no fault {0}; GET /sim/faults lists them")]
    Unknown(u64),
}

/// Where a fault is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultStage {
    /// Its time has not come.
    Waiting,
    /// It befalls what fits.
    Active,
    /// Its time or its count is used up.
    Over,
}

impl FaultStage {
    /// The word in listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Active => "active",
            Self::Over => "over",
        }
    }
}

/// A fault and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultStatus {
    /// Its number.
    pub id: u64,
    /// The fault.
    pub fault: Fault,
    /// Where it is.
    pub stage: FaultStage,
    /// How often it happened.
    pub hits: u32,
    /// How often it may still happen; `None`: no limit.
    pub remaining: Option<u32>,
    /// Venue time of its beginning. Units: milliseconds since 1970.
    pub from_ms: i64,
    /// Venue time of its end. Units: milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// What it did last, or why it could not.
    pub last: Option<String>,
}

/// Tells what faults do, one line each.
#[derive(Debug)]
pub struct FaultLog(broadcast::Receiver<String>);

impl FaultLog {
    /// The next line; `None` when the exchange is gone. Lines that were not read in time are counted in one line.
    pub async fn next(&mut self) -> Option<String> {
        match self.0.recv().await {
            Ok(line) => Some(line),
            Err(broadcast::error::RecvError::Lagged(lines)) => {
                Some(format!("{lines} lines about faults were lost"))
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Shared handle on the faults of one exchange.
#[derive(Debug, Clone)]
pub(crate) struct Faults(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Faults that are not over, so that an exchange without faults pays nothing for them.
    pending: AtomicUsize,
    list: Mutex<List>,
    log: broadcast::Sender<String>,
}

/// The armed faults.
#[derive(Debug, Default)]
pub(super) struct List {
    next_id: u64,
    pub(super) armed: Vec<Armed>,
}

#[derive(Debug)]
pub(super) struct Armed {
    pub(super) id: u64,
    pub(super) fault: Fault,
    pub(super) from_ms: i64,
    pub(super) until_ms: Option<i64>,
    pub(super) hits: u32,
    /// An act is done once, an ended fault is undone once.
    pub(super) begun: bool,
    pub(super) ended: bool,
    pub(super) last: Option<String>,
    /// Addresses it banned.
    pub(super) banned: Vec<IpAddr>,
    /// The status that its instrument had before.
    pub(super) status_before: Option<SymbolStatus>,
}

impl Armed {
    pub(super) fn stage(&self, now_ms: i64) -> FaultStage {
        let spent = self.fault.count.is_some_and(|count| self.hits >= count);
        // An act that made a state lasts until its end or until it is cleared.
        let spent = spent && !(self.fault.kind.scope() == Scope::Act && self.lasts());
        if self.ended || spent || self.until_ms.is_some_and(|until_ms| now_ms >= until_ms) {
            FaultStage::Over
        } else if now_ms < self.from_ms {
            FaultStage::Waiting
        } else {
            FaultStage::Active
        }
    }

    /// Whether a state remains after the act.
    const fn lasts(&self) -> bool {
        match self.fault.kind {
            FaultKind::ModeFlipped { force, .. } => force,
            FaultKind::FilterChanged(_) => true,
            FaultKind::Cut => self.until_ms.is_some(),
            _ => false,
        }
    }

    pub(super) fn status(&self, now_ms: i64) -> FaultStatus {
        FaultStatus {
            id: self.id,
            fault: self.fault.clone(),
            stage: self.stage(now_ms),
            hits: self.hits,
            remaining: self.fault.count.map(|count| count.saturating_sub(self.hits)),
            from_ms: self.from_ms,
            until_ms: self.until_ms,
            last: self.last.clone(),
        }
    }
}

impl Faults {
    pub(crate) fn new() -> Self {
        let (log, _) = broadcast::channel(LOG_LINES);
        Self(Arc::new(Shared { pending: AtomicUsize::new(0), list: Mutex::default(), log }))
    }

    /// What faults do from now on.
    pub(crate) fn log(&self) -> FaultLog {
        FaultLog(self.0.log.subscribe())
    }

    pub(super) fn say(&self, line: String) {
        // Nobody may be listening.
        let _ = self.0.log.send(line);
    }

    /// Whether nothing is armed that could still happen.
    pub(crate) fn is_quiet(&self) -> bool {
        self.0.pending.load(Ordering::SeqCst) == 0
    }

    /// Takes a fault in; it begins with the next request, event or tick.
    pub(super) fn arm(&self, fault: Fault, now_ms: i64) -> Result<u64, FaultError> {
        check(&fault)?;
        let mut list = self.lock();
        if list.armed.len() >= MOST_FAULTS {
            let over = list.armed.iter().position(|armed| armed.stage(now_ms) == FaultStage::Over);
            let Some(over) = over else {
                return Err(FaultError::Refused(format!(
                    "{MOST_FAULTS} faults are armed already; DELETE /sim/faults clears them"
                )));
            };
            list.armed.remove(over);
        }
        list.next_id += 1;
        let id = list.next_id;
        let from_ms = now_ms.saturating_add(fault.after_ms);
        // The length of a ban is not the time in which it may begin.
        let lasting = fault.for_ms.filter(|_| fault.kind != FaultKind::Http418);
        let until_ms = lasting.map(|for_ms| from_ms.saturating_add(for_ms));
        self.say(format!("fault {id} {}: armed", fault.kind.name()));
        list.armed.push(Armed {
            id,
            fault,
            from_ms,
            until_ms,
            hits: 0,
            begun: false,
            ended: false,
            last: None,
            banned: Vec::new(),
            status_before: None,
        });
        self.count_pending(&list, now_ms);
        Ok(id)
    }

    /// Forgets a fault that was never begun.
    pub(super) fn disarm(&self, id: u64, now_ms: i64) {
        let mut list = self.lock();
        list.armed.retain(|armed| armed.id != id);
        self.count_pending(&list, now_ms);
    }

    /// Takes out one fault, or all.
    pub(super) fn take(&self, id: Option<u64>, now_ms: i64) -> Result<Vec<Armed>, FaultError> {
        let mut list = self.lock();
        let (out, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut list.armed).into_iter().partition(|armed| id.is_none_or(|id| id == armed.id));
        list.armed = kept;
        self.count_pending(&list, now_ms);
        match (id, out.is_empty()) {
            (Some(id), true) => Err(FaultError::Unknown(id)),
            _ => {
                out.iter().for_each(|armed| {
                    self.say(format!("fault {} {}: cleared", armed.id, armed.fault.kind.name()))
                });
                Ok(out)
            }
        }
    }

    /// All faults, by number.
    pub(crate) fn statuses(&self, now_ms: i64) -> Vec<FaultStatus> {
        self.lock().armed.iter().map(|armed| armed.status(now_ms)).collect()
    }

    /// One fault.
    pub(crate) fn status(&self, id: u64, now_ms: i64) -> Option<FaultStatus> {
        self.lock().armed.iter().find(|armed| armed.id == id).map(|armed| armed.status(now_ms))
    }

    /// Looks at the active faults, in order of their numbers.
    pub(super) fn active<R>(&self, now_ms: i64, mut look: impl FnMut(&Armed) -> Option<R>) -> Option<R> {
        if self.is_quiet() {
            return None;
        }
        let list = self.lock();
        list.armed.iter().filter(|armed| armed.stage(now_ms) == FaultStage::Active).find_map(&mut look)
    }

    /// Lets `choose` hit active faults, in order of their numbers: it answers with what the fault did.
    pub(super) fn hit(&self, now_ms: i64, mut choose: impl FnMut(&mut Armed) -> Option<String>) {
        if self.is_quiet() {
            return;
        }
        let mut list = self.lock();
        for armed in &mut list.armed {
            if armed.stage(now_ms) == FaultStage::Active
                && let Some(did) = choose(armed)
            {
                armed.hits = armed.hits.saturating_add(1);
                self.say(format!("fault {} {}: {did}", armed.id, armed.fault.kind.name()));
                armed.last = Some(did);
            }
        }
        self.count_pending(&list, now_ms);
    }

    /// Works on every fault, ended ones included.
    pub(super) fn each(&self, now_ms: i64, work: impl FnMut(&mut Armed)) {
        let mut list = self.lock();
        list.armed.iter_mut().for_each(work);
        self.count_pending(&list, now_ms);
    }

    /// A fault that is not yet undone counts as pending.
    fn count_pending(&self, list: &List, now_ms: i64) {
        let pending =
            list.armed.iter().filter(|armed| armed.stage(now_ms) != FaultStage::Over || armed.must_end());
        self.0.pending.store(pending.count(), Ordering::SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Armed {
    /// Whether its end is still to be done: a status that goes back.
    pub(super) const fn must_end(&self) -> bool {
        self.status_before.is_some() && !self.ended
    }
}

/// What no fault can be.
fn check(fault: &Fault) -> Result<(), FaultError> {
    let name = fault.kind.name();
    let invalid = |text: String| Err(FaultError::Invalid(text));
    if !(0..=LONGEST_MS).contains(&fault.after_ms) {
        return invalid(format!("after_ms is {}; expected 0..={LONGEST_MS}", fault.after_ms));
    }
    if fault.for_ms.is_some_and(|for_ms| !(1..=LONGEST_MS).contains(&for_ms)) {
        return invalid(format!("for_ms is out of range; expected 1..={LONGEST_MS} or null"));
    }
    if fault.for_ms.is_some() && !fault.kind.may_last() {
        return invalid(format!("{name} happens at one moment; leave for_ms out"));
    }
    match fault.count {
        Some(0) => return invalid("count is 0; give 1 or more, or null for no limit".to_owned()),
        Some(count) if count > 1 && matches!(fault.kind.scope(), Scope::Act | Scope::State) => {
            return invalid(format!("{name} is not counted; leave count out"));
        }
        _ => {}
    }
    check_matching(fault)?;
    match &fault.kind {
        FaultKind::Delay { delay_ms, .. } if *delay_ms > 3_600_000 => {
            invalid(format!("delay_ms is {delay_ms}; expected 1..=3600000"))
        }
        FaultKind::Skew { skew_ms } if skew_ms.checked_abs().is_none_or(|skew| skew > LONGEST_MS) => {
            invalid(format!("skew_ms is {skew_ms}; expected -{LONGEST_MS}..={LONGEST_MS}"))
        }
        FaultKind::Late { delay_ms: ms } | FaultKind::Reorder { wait_ms: ms }
            if !(1..=LONGEST_MS).contains(ms) =>
        {
            invalid(format!("the wait of {name} is {ms} ms; expected 1..={LONGEST_MS}"))
        }
        FaultKind::FilterChanged(change) => check_change(change),
        _ => Ok(()),
    }
}

fn check_matching(fault: &Fault) -> Result<(), FaultError> {
    let (name, matching) = (fault.kind.name(), &fault.matching);
    let of_requests = matching.method.is_some() || !matching.params.is_empty();
    let of_events = matching.event.is_some() || matching.stream.is_some();
    let wrong = match fault.kind.scope() {
        Scope::Requests if of_events => Some("method, path, symbol and params"),
        Scope::Events if of_requests || matching.path.is_some() => Some("event, stream and symbol"),
        Scope::State if of_requests || of_events || matching.symbol.is_some() => Some("path"),
        Scope::Act => {
            let by_path = matching.path.is_some() && fault.kind != FaultKind::Cut;
            let wrong = of_requests || of_events || matching.symbol.is_some() || by_path;
            wrong.then_some(if fault.kind == FaultKind::Cut { "path" } else { "nothing" })
        }
        _ => None,
    };
    if let Some(right) = wrong {
        return Err(FaultError::Invalid(format!("{name} is matched by {right}")));
    }
    if matching.event.is_some() && matching.stream.is_some() {
        let text = "give event (user data) or stream (market data), not both";
        return Err(FaultError::Invalid(text.to_owned()));
    }
    match &matching.path {
        Some(path) if !path.starts_with('/') => Err(FaultError::Invalid(format!(
            "path {path:?} does not begin with a slash; expected such as /fapi/v1/order"
        ))),
        _ => Ok(()),
    }
}

fn check_change(change: &FilterChange) -> Result<(), FaultError> {
    let grids = [("tick", change.tick), ("step", change.step)];
    let wrong = grids
        .iter()
        .find_map(|(name, value)| value.filter(|value| *value <= Decimal::ZERO).map(|value| (name, value)));
    if let Some((name, value)) = wrong {
        return Err(FaultError::Invalid(format!("{name} is {value}; it must be positive")));
    }
    if change.min_notional.is_some_and(|value| value.is_sign_negative()) {
        return Err(FaultError::Invalid("min_notional must not be negative".to_owned()));
    }
    if change.tick.is_none()
        && change.step.is_none()
        && change.min_notional.is_none()
        && change.status.is_none()
    {
        let text = "filter_changed changes nothing; give tick, step, min_notional or status";
        return Err(FaultError::Invalid(text.to_owned()));
    }
    Ok(())
}
