//! Drives the course: performs its jobs, prints its lines, listens to the person.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use hedge_core::{BrokerError, OrderRef, OrderSpace, RejectReason, Symbol, Timestamp};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    course::{Course, Job, News, Setup},
    ids::PanicIds,
    leg::{Patience, Sending},
    venue::ClosingVenue,
    verdict::Verdict,
};

/// What a panic close is made of.
pub struct PanicParts {
    /// The account.
    pub venue: Arc<dyn ClosingVenue>,
    /// Only these symbols; all without.
    pub symbols: Option<BTreeSet<Symbol>>,
    /// Client ids that nobody has used.
    pub ids: PanicIds,
    /// When the program began: times are told from here.
    pub started: Instant,
    /// How long it keeps trying, from `started`.
    pub within: Duration,
    /// How often a person has asked to stop: once prints where things stand, twice stops.
    pub interrupts: watch::Receiver<u32>,
    /// Where progress goes, a line each.
    pub say: Box<dyn FnMut(&str) + Send>,
}

impl std::fmt::Debug for PanicParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PanicParts")
            .field("venue", &self.venue)
            .field("symbols", &self.symbols)
            .finish_non_exhaustive()
    }
}

/// Closes and cancels until the account is flat, time is over, or a person stops it. Does not touch the fence: see
/// [`take_over`](super::take_over).
///
/// *Cancel safety*: dropping the future leaves the outcome of requests on their way unknown.
pub async fn run(parts: PanicParts) -> Verdict {
    let PanicParts { venue, symbols, ids, started, within, mut interrupts, mut say } = parts;
    let patience =
        Patience { request_lifetime: venue.request_lifetime(), visibility_delay: venue.visibility_delay() };
    let setup = Setup { symbols, ids, patience, started, deadline: started + within };
    let mut course = Course::new(setup, Instant::now());
    let mut jobs: JoinSet<News> = JoinSet::new();
    let mut ban = BanTeller::default();
    let mut asked_to_stop = *interrupts.borrow();
    let mut listens = true;
    let mut tell = |line: &str| say(&format!("+{:.3}s {line}", started.elapsed().as_secs_f64()));
    loop {
        let now = Instant::now();
        for job in course.decide(now) {
            jobs.spawn(perform(Arc::clone(&venue), job));
        }
        course.take_lines().iter().for_each(|line| tell(line));
        if let Some(line) = ban.news(venue.as_ref(), within.saturating_sub(started.elapsed())) {
            tell(&line);
        }
        if course.is_over() {
            break;
        }
        tokio::select! {
            biased;
            changed = interrupts.changed(), if listens => {
                listens = changed.is_ok();
                let times = *interrupts.borrow_and_update();
                if times >= 2 {
                    course.interrupt();
                } else if times > asked_to_stop {
                    asked_to_stop = times;
                    course.state().iter().for_each(|line| tell(line));
                    tell("ask again to stop; stops of open legs stay at the venue");
                }
            }
            Some(finished) = jobs.join_next() => {
                if let Ok(news) = finished {
                    course.apply(news, Instant::now());
                }
                while let Some(Ok(news)) = jobs.try_join_next() {
                    course.apply(news, Instant::now());
                }
            }
            () = sleep_until(course.wake(now)) => {}
        }
    }
    course.verdict(Instant::now())
}

async fn perform(venue: Arc<dyn ClosingVenue>, job: Job) -> News {
    let asked_at = Instant::now();
    match job {
        Job::Rules => News::Rules(venue.rules().await),
        Job::Held { another_way } => News::Held(asked_at, venue.held(another_way).await),
        Job::Resting => News::Resting(asked_at, venue.resting(None).await),
        Job::Waiting => News::Waiting(asked_at, venue.waiting().await),
        Job::CancelPlain { symbol, at_once: true, .. } => {
            News::PlainCancelled(symbol, venue.cancel_plain(symbol).await)
        }
        Job::CancelPlain { symbol, orders, .. } => {
            News::PlainCancelled(symbol, cancel_each(&venue, symbol, orders).await)
        }
        Job::CancelOpening(symbol, order) => {
            News::OpeningCancelled(order, venue.cancel(symbol, &order).await)
        }
        Job::CancelLive(leg, id) => {
            // Whatever the answer: the order itself is asked about next.
            let order = OrderRef::Client { id, space: OrderSpace::Plain };
            let _ = venue.cancel(leg.symbol, &order).await;
            News::LiveCancelled(leg)
        }
        Job::Sweep(symbol) => News::Swept(symbol, venue.cancel_conditional(symbol).await),
        Job::Close(leg, order, sending) => {
            let sending = Sending { sent_venue: venue.venue_now(), ..sending };
            News::Closed(leg, sending, venue.close(&order).await)
        }
        Job::Ask(leg, id) => {
            // The clock first: what was not found after it was not there at that time.
            let clock = venue.server_time().await;
            News::Asked { leg, id, clock, found: venue.find(leg.symbol, &id).await }
        }
    }
}

/// Cancels order by order, all on their way at once; one that the venue does not know is gone.
async fn cancel_each(
    venue: &Arc<dyn ClosingVenue>,
    symbol: Symbol,
    orders: Vec<OrderRef>,
) -> Result<(), BrokerError> {
    let mut cancels = JoinSet::new();
    for order in orders {
        let venue = Arc::clone(venue);
        cancels.spawn(async move { venue.cancel(symbol, &order).await });
    }
    let mut result = Ok(());
    while let Some(finished) = cancels.join_next().await {
        match finished {
            Ok(Err(error)) if error.reason() != Some(RejectReason::NotFound) => result = Err(error),
            _ => {}
        }
    }
    result
}

/// Says once until when a ban lasts.
#[derive(Debug, Default)]
struct BanTeller(Option<Timestamp>);

impl BanTeller {
    fn news(&mut self, venue: &dyn ClosingVenue, time_left: Duration) -> Option<String> {
        let until = venue.banned_until()?;
        if self.0 == Some(until) {
            return None;
        }
        self.0 = Some(until);
        let wait = until.since(venue.venue_now());
        let outlook = if wait < time_left {
            "trying again then"
        } else {
            "that is later than --within: run it from another address, or close in the venue's app"
        };
        Some(format!(
            "the venue has banned this address until {until} (in {:.0} s): {outlook}; stops stay at the venue",
            wait.as_secs_f64()
        ))
    }
}
