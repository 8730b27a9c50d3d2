//! The venue's dead-man timer for resting entries: armed while one of ours rests, renewed in time, disarmed when none does.
//!
//! The timer is the venue's and per symbol: when nobody renews it, the venue cancels the symbol's open orders. Whether it
//! spares untriggered conditional orders is not documented, so it is never armed where a plain order of ours closes something or one of a person rests, and
//! a process that stops on purpose takes it off every symbol on which it holds a leg. So does one that may not set it any more,
//! because its lease is over: the timers of the others run out, and their entries vanish.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use hedge_core::{
    Action, Book, Brokerage, Clock, Entry, InstrumentId, Leg, OrderRecord, OrderReport, OrderSpace,
    OrderState, Term, Tif, Timestamp, Venue,
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use crate::fence::{Fence, while_leading};

/// How long calls wait after one that failed; doubled from failure to failure, for each costs weight that stops may need.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// The longest of these pauses.
const LAST_RETRY: Duration = Duration::from_secs(15);
/// How long a stop may spend on taking the timer off.
const DISARM_WITHIN: Duration = Duration::from_secs(2);

/// What one symbol needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Arm,
    Disarm,
}

/// What the book says of the symbols.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wishes {
    /// Those that need the timer.
    wanted: BTreeSet<InstrumentId>,
    /// Those on which a leg is open.
    held: BTreeSet<InstrumentId>,
}

impl Wishes {
    /// A pure reading of the book.
    fn of(book: &Book) -> Self {
        let resting: BTreeSet<InstrumentId> = book
            .live_orders()
            .filter(|order| is_resting_entry(order))
            .map(|order| order.position.instrument)
            .collect();
        let wanted = resting.into_iter().filter(|instrument| !is_spared(book, instrument)).collect();
        Self { wanted, held: book.open_legs().map(|leg| leg.key.instrument).collect() }
    }

    /// Those that need the timer, where it may not be set: none on which a leg is open, for its stops must not go with the entries.
    /// What is not renewed runs out.
    fn unrenewed(&self) -> BTreeSet<InstrumentId> {
        self.wanted.difference(&self.held).copied().collect()
    }
}

/// One that the venue has, or may have: a timer too many cancels nothing that should stay.
fn is_resting_entry(order: &OrderRecord) -> bool {
    let rests = match order.leg {
        Leg::Open(Entry::Limit { tif: Tif::Gtc | Tif::PostOnly | Tif::Gtd { .. }, .. }) => true,
        Leg::Open(_) | Leg::Close(..) => false,
    };
    rests && (order.state.is_confirmed_live() || order.state == OrderState::Unknown)
}

/// Whether the timer would take away what must stay: a plain order of ours that closes something, or any of a person's.
fn is_spared(book: &Book, instrument: &InstrumentId) -> bool {
    let ours = book.live_orders().any(|order| {
        order.position.instrument == *instrument
            && order.leg.action() == Action::Close
            && order.space() == OrderSpace::Plain
    });
    let rests =
        |report: &OrderReport| report.instrument == *instrument && report.order.space() == OrderSpace::Plain;
    ours || book.foreign_orders().iter().any(rests)
}

/// What the venue was told, and what it must be told next.
#[derive(Debug)]
struct Plan {
    timer: Duration,
    /// Symbols whose timer runs, or may run, and when it is renewed.
    armed: BTreeMap<InstrumentId, Timestamp>,
}

impl Plan {
    /// An earlier process may have left the timer on any of them.
    fn new(timer: Duration, instruments: &[InstrumentId]) -> Self {
        Self { timer, armed: instruments.iter().map(|instrument| (*instrument, Timestamp::EPOCH)).collect() }
    }

    fn calls(&self, wanted: &BTreeSet<InstrumentId>, now: Timestamp) -> Vec<(InstrumentId, Call)> {
        let arm = wanted
            .iter()
            .filter(|instrument| self.armed.get(instrument).is_none_or(|due| now >= *due))
            .map(|instrument| (*instrument, Call::Arm));
        let disarm = self.armed.keys().filter(|instrument| !wanted.contains(instrument));
        arm.chain(disarm.map(|instrument| (*instrument, Call::Disarm))).collect()
    }

    fn done(&mut self, instrument: InstrumentId, call: Call, at: Timestamp) {
        match call {
            // Twice more before it runs out.
            Call::Arm => self.armed.insert(instrument, at.plus(self.timer / 3)),
            Call::Disarm => self.armed.remove(&instrument),
        };
    }

    fn due(&self, wanted: &BTreeSet<InstrumentId>) -> Timestamp {
        let renewals = self.armed.iter().filter(|(instrument, _)| wanted.contains(instrument));
        renewals.map(|(_, due)| *due).min().unwrap_or(Timestamp::MAX)
    }
}

/// What the worker works with.
pub(crate) struct Tools {
    pub(crate) venues: BTreeMap<Venue, Arc<dyn Brokerage>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) fence: Arc<dyn Fence>,
    pub(crate) term: Term,
}

/// Keeps the timers as the book wants them.
#[derive(Debug)]
pub(crate) struct DeadMan {
    wishes: watch::Sender<Wishes>,
    stop: watch::Sender<bool>,
    worker: JoinHandle<()>,
}

impl DeadMan {
    pub(crate) fn start(timer: Duration, instruments: &[InstrumentId], tools: Tools) -> Self {
        let (wishes, heard) = watch::channel(Wishes::default());
        let (stop, stopped) = watch::channel(false);
        let worker = tokio::spawn(run(Plan::new(timer, instruments), tools, heard, stopped));
        Self { wishes, stop, worker }
    }

    /// Looks at the book after a step.
    pub(crate) fn look(&self, book: &Book) {
        let wishes = Wishes::of(book);
        self.wishes.send_if_modified(|known| {
            let is_news = *known != wishes;
            *known = wishes;
            is_news
        });
    }

    /// The run ends: entries that rest vanish when their timer runs out, for nobody watches them. Symbols on which a leg is
    /// open are disarmed first, for its stops must not go with them.
    pub(crate) async fn finish(&mut self, book: &Book) {
        self.look(book);
        self.stop.send_replace(true);
        if timeout(DISARM_WITHIN, &mut self.worker).await.is_err() {
            warn!("the dead-man timer could not be taken off in time; it may cancel orders once it runs out");
            self.worker.abort();
        }
    }
}

impl Drop for DeadMan {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

async fn run(
    mut plan: Plan,
    tools: Tools,
    mut heard: watch::Receiver<Wishes>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut pause = FIRST_RETRY;
    let mut is_refused = false;
    loop {
        let wishes = heard.borrow_and_update().clone();
        let mut failed = false;
        let refusal = tools.fence.sets_timers().err();
        tell(&mut is_refused, refusal.as_deref());
        let wanted = if is_refused { wishes.unrenewed() } else { wishes.wanted };
        for (instrument, call) in plan.calls(&wanted, tools.clock.now()) {
            if is_refused && call == Call::Arm {
                continue;
            }
            match say(&mut plan, &tools, instrument, call).await {
                Said::Taken => {}
                Said::Failed => failed = true,
                Said::Fenced => return,
            }
        }
        tokio::select! {
            biased;
            () = ended(&mut stopped) => {
                let held = heard.borrow().held.clone();
                let on: Vec<InstrumentId> = plan.armed.keys().filter(|on| held.contains(on)).copied().collect();
                for instrument in on {
                    say(&mut plan, &tools, instrument, Call::Disarm).await;
                }
                return;
            }
            // A renewal that failed is overdue, and would be due again at once.
            () = sleep(pause), if failed => pause = (pause * 2).min(LAST_RETRY),
            changed = heard.changed(), if !failed => if changed.is_err() {
                return;
            },
            // Nobody says when it may be set again.
            () = sleep(FIRST_RETRY), if is_refused && !failed => {}
            () = tools.clock.sleep_until(plan.due(&wanted)), if !failed && !is_refused => {}
        }
        if !failed {
            pause = FIRST_RETRY;
        }
    }
}

/// Resolves when the run ends.
async fn ended(stopped: &mut watch::Receiver<bool>) {
    // Whoever drops the sender aborts this worker, too.
    let _ = stopped.wait_for(|is_over| *is_over).await;
}

/// Notes whether the timer may be set, and says so when that changes.
fn tell(is_refused: &mut bool, refusal: Option<&str>) {
    match refusal {
        Some(because) if !*is_refused => warn!(
            because,
            "the dead-man timer is not renewed: it is taken off where a leg is open, and entries elsewhere vanish when it \
             runs out"
        ),
        None if *is_refused => info!("the dead-man timer may be set again"),
        _ => {}
    }
    *is_refused = refusal.is_some();
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Taken,
    Failed,
    /// Another process leads: nothing more is said.
    Fenced,
}

async fn say(plan: &mut Plan, tools: &Tools, instrument: InstrumentId, call: Call) -> Said {
    let Some(broker) = tools.venues.get(&instrument.venue) else {
        plan.done(instrument, call, tools.clock.now());
        return Said::Taken;
    };
    let timer = (call == Call::Arm).then_some(plan.timer);
    // From before the call on: the venue counts from when it takes it.
    let at = tools.clock.now();
    match while_leading(tools.fence.as_ref(), tools.term, broker.dead_man(&instrument, timer)).await {
        Ok(Ok(())) => {
            let is_news = plan.armed.get(&instrument).is_none_or(|due| *due == Timestamp::EPOCH);
            match call {
                Call::Arm if is_news => {
                    info!(%instrument, seconds = plan.timer.as_secs(), "dead-man timer armed")
                }
                Call::Arm => {}
                Call::Disarm if is_news => {}
                Call::Disarm => info!(%instrument, "dead-man timer taken off"),
            }
            plan.done(instrument, call, at);
            Said::Taken
        }
        Ok(Err(error)) => {
            warn!(%instrument, %error, ?call, "the dead-man timer could not be set; trying on");
            Said::Failed
        }
        Err(because) => {
            warn!(%instrument, because, "the dead-man timer is left as it is");
            Said::Fenced
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn btc() -> InstrumentId {
        InstrumentId::binance("BTCUSDT").unwrap()
    }
    fn eth() -> InstrumentId {
        InstrumentId::binance("ETHUSDT").unwrap()
    }
    const fn at(s: i64) -> Timestamp {
        Timestamp::from_ms(1_732_100_000_000 + s * 1_000)
    }

    #[test]
    fn it_is_armed_once_renewed_in_time_and_taken_off_when_nothing_rests() {
        let mut plan = Plan::new(Duration::from_secs(120), &[]);
        let wanted = BTreeSet::from([btc()]);
        assert_eq!(plan.calls(&wanted, at(0)), [(btc(), Call::Arm)]);
        plan.done(btc(), Call::Arm, at(0));
        assert_eq!(plan.calls(&wanted, at(39)), []);
        assert_eq!(plan.due(&wanted), at(40));
        assert_eq!(plan.calls(&wanted, at(40)), [(btc(), Call::Arm)]);
        plan.done(btc(), Call::Arm, at(40));
        let none = BTreeSet::new();
        assert_eq!(plan.calls(&none, at(41)), [(btc(), Call::Disarm)]);
        plan.done(btc(), Call::Disarm, at(41));
        assert_eq!((plan.calls(&none, at(99)), plan.due(&none)), (vec![], Timestamp::MAX));
    }

    #[test]
    fn a_start_takes_off_what_an_earlier_process_may_have_left() {
        let plan = Plan::new(Duration::from_secs(120), &[btc(), eth()]);
        let wanted = BTreeSet::from([eth()]);
        assert_eq!(plan.calls(&wanted, at(0)), [(eth(), Call::Arm), (btc(), Call::Disarm)]);
    }

    #[test]
    fn a_call_that_failed_is_made_again() {
        let plan = Plan::new(Duration::from_secs(120), &[]);
        let wanted = BTreeSet::from([btc()]);
        assert_eq!(plan.calls(&wanted, at(0)), plan.calls(&wanted, at(1)));
    }
}
