//! Start-up, always the same: fold the journal, connect, read the account, warm up. From the account on everything is served
//! that protects what is open; prices, and with them openings, follow when the history has been read.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use hedge_core::{
    BarQuery, Book, BrokerError, Brokerage, Channel, Clock, Event, Fact, Failpoint, InstrumentId,
    InstrumentIx, InstrumentSpec, Interval, MarketEvent, OperatorCommand, OrderRef, OrderState, PositionMode,
    Posture, RunId, RunStarted, Seq, Subscription, Term, Timestamp, Venue, event::JOURNAL_FORMAT,
};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::{
    activity::Kind,
    dispatch::{Context, Dispatch, query},
    error::RunError,
    feed,
    fence::{Fence, Leader, while_leading},
    journal::{Gate, Journal},
    run::{Running, Runtime},
    settings::{START, held},
    snapshot::read_account_within,
    sources::FactSender,
};

/// Records per read of the journal.
const PAGE: u32 = 4_096;
/// How far back the first look at an account goes: what lies there is known, not news.
const FIRST_LOOK: Duration = Duration::from_secs(86_400);
/// How long the start waits for an account that keeps changing.
const REST_WITHIN: Duration = Duration::from_secs(60);
/// Executions are looked for from this much before the order was decided: clocks differ.
const QUESTION_OVERLAP: Duration = Duration::from_secs(60);
/// The rules are read once more so long after an announcement.
const ANNOUNCED_AGAIN: Duration = Duration::from_secs(10);
/// How long the start waits in all, for one series, until the address may ask again. A budget is one of a minute.
const LONGEST_WAIT: Duration = Duration::from_secs(90);
/// A record that nobody waits for is written at most this late.
const LONGEST_LINGER: Duration = Duration::from_millis(100);

impl Runtime {
    /// Takes the lead: nobody who led before sends or journals anything from here on.
    ///
    /// Errors: [`RunError::Fenced`] while a panic close is at work, or when somebody else was faster.
    pub(crate) async fn lead(&mut self) -> Result<Running, RunError> {
        let fenced = |because| RunError::Fenced { because };
        let next = self.fold().await?;
        let leader = self.fence.leader().map_err(fenced)?;
        let started = self.run_started(leader.as_ref());
        let term = started.term;
        let linger = self.settings.journal_linger.min(LONGEST_LINGER);
        let gate = Gate { fence: Arc::clone(&self.fence), term };
        let journal = Journal::start(Arc::clone(&self.store), gate, next, linger);
        let instruments = self.instruments_of_interest();
        let dispatch = Dispatch::start(&self.venues, &self.context(term), &self.activity);
        let running = Running::new(journal, dispatch, term, instruments, self.clock.now());
        let mut ticket = self.take(&running, Fact::RunStarted(started)).await?;
        for (command, because) in orders_at_start(self.engine.book(), leader, self.settings.hold.as_deref()) {
            ticket = self.take(&running, Fact::Operator { command, because }).await?;
        }
        if let Some(because) = self.closing_at_first() {
            ticket =
                self.take(&running, Fact::Operator { command: OperatorCommand::ExitOnly, because }).await?;
        }
        // Only what is in the journal may be forgotten by the fence.
        running.journal.durable(ticket).await?;
        self.settings.failpoints.pass(Failpoint::LeadBeforeFence);
        self.fence.lead(term, self.clock.now()).map_err(fenced)?;
        self.settings.failpoints.pass(Failpoint::LeadAfterFence);
        Ok(running)
    }

    /// Everything between the lead and the first live fact.
    pub(crate) async fn boot(&mut self, running: &mut Running) -> Result<(), RunError> {
        self.connect_accounts(running).await?;
        self.prepare_accounts(running).await?;
        self.look_after_others(running).await?;
        let instruments = running.instruments.clone();
        // Set once, before anything reads an account.
        let _ = running.dispatch.instruments.set(instruments.clone());
        self.list_instruments(running, &instruments).await?;
        self.prepare_instruments(running).await?;
        self.first_questions(running).await?;
        self.settings.failpoints.pass(Failpoint::BootBeforeSnapshot);
        self.first_snapshots(running, &instruments).await?;
        running.is_read = true;
        self.settings.failpoints.pass(Failpoint::BootAfterSnapshot);
        // Connected before the history is read, so that no bar falls between the two; the engine drops doubles.
        let subscriptions = self.subscriptions(&instruments)?;
        for (venue, what) in subscriptions {
            self.connect_market(running, venue, what).await?;
        }
        self.warm_up(running).await
    }

    /// Folds the whole journal. Nothing is decided.
    async fn fold(&mut self) -> Result<Seq, RunError> {
        let limit = NonZeroU32::new(PAGE).unwrap_or(NonZeroU32::MIN);
        let mut from = Some(Seq(0));
        let (mut folded, began, mut config_before) = (0_u64, Instant::now(), String::new());
        while let Some(place) = from {
            let page = self.store.read(place, limit).await?;
            for envelope in &page.records {
                if let Event::Fact(Fact::RunStarted(started)) = &envelope.event {
                    config_before.clone_from(&started.config_hash);
                }
                self.engine.replay(envelope);
                self.views.observe(envelope, self.engine.book());
                for observer in &mut self.observers {
                    observer.on_replay(envelope, self.engine.book());
                }
            }
            folded += page.records.len() as u64;
            from = page.next;
        }
        if folded > 0 {
            let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            info!(records = folded, took_ms, "journal folded");
        }
        let config = self.settings.config_hash.as_str();
        if !config_before.is_empty() && config_before != config {
            info!(
                before = short(&config_before),
                now = short(config),
                "the configuration is another one than at the start before"
            );
        }
        self.clock.not_before(self.engine.book().last_fact_at());
        Ok(self.store.next_seq().await?)
    }

    /// What a person or another guard has ordered says at least as much.
    fn closing_at_first(&self) -> Option<String> {
        let (posture, _) = self.engine.book().operator();
        self.settings.closing_at_first.clone().filter(|_| posture == Posture::Normal)
    }

    fn run_started(&self, leader: Option<&Leader>) -> RunStarted {
        let book = self.engine.book();
        RunStarted {
            run: self.run_id(),
            // A panic close leads without a journal.
            term: Term(book.term().max(leader.map_or(Term(0), |leader| leader.term)).0 + 1),
            format: JOURNAL_FORMAT,
            code_version: self.settings.code_version.clone(),
            config_hash: self.settings.config_hash.clone(),
            profile: self.settings.profile.clone(),
            data_hash: self.settings.data_hash.clone(),
        }
    }

    /// The second of its begin, and never the same twice in one journal.
    fn run_id(&self) -> RunId {
        let book = self.engine.book();
        let now = RunId(self.clock.now().ms().div_euclid(1_000));
        match book.next_seq() {
            Seq(0) => now,
            _ if self.settings.begins_run => {
                let run = now.max(RunId(book.run().0 + 1));
                info!(before = %book.run(), %run, "nothing shows that the process before is gone; a run of its own begins");
                run
            }
            _ => book.run(),
        }
    }

    /// Changes a setting at the venue for as long as this process leads.
    async fn set<T>(
        fence: &dyn Fence,
        term: Term,
        what: String,
        setting: impl Future<Output = Result<T, BrokerError>>,
    ) -> Result<T, RunError> {
        match while_leading(fence, term, setting).await {
            Ok(done) => done.map_err(RunError::venue(what)),
            Err(because) => Err(RunError::Fenced { because }),
        }
    }

    fn context(&self, term: Term) -> Context {
        Context {
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            fence: Arc::clone(&self.fence),
            term,
            results: self.sources.senders.results.clone(),
            traffic: Arc::clone(&self.traffic),
            instruments: Arc::default(),
            parallel: self.settings.parallel_legs.max(1),
            failpoints: self.settings.failpoints.clone(),
        }
    }

    /// The universe, and what is still held or ordered from an earlier one.
    fn instruments_of_interest(&self) -> Vec<InstrumentId> {
        let book = self.engine.book();
        let mut wanted: Vec<InstrumentId> =
            self.settings.universe.iter().map(|listing| listing.instrument).collect();
        let left_over = book
            .open_legs()
            .map(|leg| leg.key.instrument)
            .chain(book.live_orders().map(|order| order.position.instrument));
        for instrument in left_over {
            if !wanted.contains(&instrument) {
                wanted.push(instrument);
            }
        }
        wanted
    }

    fn client(&self, instrument: &InstrumentId) -> Result<&Arc<dyn Brokerage>, RunError> {
        self.venues.get(&instrument.venue).ok_or(RunError::NoClient { instrument: *instrument })
    }

    /// First of all, so that nothing that happens from here on is missed.
    async fn connect_accounts(&mut self, running: &mut Running) -> Result<(), RunError> {
        for broker in self.venues.values() {
            let source =
                broker.account_events().await.map_err(RunError::venue("connecting the account stream"))?;
            let queue = self.sources.senders.account.clone();
            let failpoints = self.settings.failpoints.clone();
            let traffic = Arc::clone(&self.traffic);
            running.feeds.spawn(feed::account(Arc::clone(broker), source, queue, traffic, failpoints));
        }
        Ok(())
    }

    async fn prepare_accounts(&mut self, running: &Running) -> Result<(), RunError> {
        for broker in self.venues.values() {
            let account = broker.account().await.map_err(RunError::venue("reading the account"))?;
            if account.multi_assets {
                return Err(RunError::MultiAssets);
            }
            if account.can_trade == Some(false) {
                return Err(RunError::MayNotTrade);
            }
            let (fence, doing) = (self.fence.as_ref(), "switching the account to hedge mode".to_owned());
            let setting = broker.ensure_position_mode(PositionMode::Hedge);
            let changed = Self::set(fence, running.term, doing, setting).await?;
            info!(?changed, "hedge mode is on");
        }
        Ok(())
    }

    /// Tells the engine each instrument's index and rules. Indices of an existing journal stay as they are.
    async fn list_instruments(
        &mut self,
        running: &Running,
        instruments: &[InstrumentId],
    ) -> Result<(), RunError> {
        let mut listed: BTreeMap<InstrumentId, InstrumentSpec> = BTreeMap::new();
        for broker in self.venues.values() {
            let specs = broker.instruments().await.map_err(RunError::venue("reading the instruments"))?;
            listed.extend(specs.into_iter().map(|spec| (spec.id, spec)));
        }
        let mut next = self.engine.book().instruments().map(|(ix, _)| ix.0 + 1).max().unwrap_or(0);
        for instrument in instruments {
            self.client(instrument)?;
            let configured = self.settings.universe.iter().any(|listing| listing.instrument == *instrument);
            let Some(spec) = listed.remove(instrument) else {
                if configured {
                    return Err(RunError::NotListed { instrument: *instrument });
                }
                warn!(%instrument, "held or ordered, but not listed at the venue any more");
                continue;
            };
            let ix = self.engine.book().ix(instrument).unwrap_or_else(|| {
                next += 1;
                InstrumentIx(next - 1)
            });
            self.take(running, Fact::Instrument { ix, spec: Box::new(spec) }).await?;
        }
        Ok(())
    }

    async fn prepare_instruments(&mut self, running: &Running) -> Result<(), RunError> {
        for listing in &self.settings.universe {
            let (broker, instrument) = (self.client(&listing.instrument)?, &listing.instrument);
            let (fence, term) = (self.fence.as_ref(), running.term);
            let doing = format!("setting the margin mode of {instrument}");
            Self::set(fence, term, doing, broker.ensure_margin_mode(instrument, listing.margin)).await?;
            let doing = format!("setting the leverage of {instrument}");
            Self::set(fence, term, doing, broker.ensure_leverage(instrument, listing.leverage)).await?;
        }
        Ok(())
    }

    /// Asks what became of orders that an earlier process left without an answer. Before the account is read: past
    /// executions carry no client id, and are recognised only by the number that the answer brings.
    async fn first_questions(&mut self, running: &Running) -> Result<(), RunError> {
        let open: Vec<_> = self
            .engine
            .book()
            .live_orders()
            .filter(|order| order.state == OrderState::Unknown)
            .map(|order| (order.client_id, order.position, order.space(), order.not_before))
            .collect();
        for (order, position, space, not_before) in open {
            let broker = self.client(&position.instrument)?;
            let (target, since) = (OrderRef::Client { id: order, space }, not_before.minus(QUESTION_OVERLAP));
            self.settings.failpoints.pass(Failpoint::QueryBeforeSend);
            let answer = query(broker.as_ref(), &position, &target, since).await;
            self.settings.failpoints.pass(Failpoint::QueryAfterSend);
            let fact = match answer {
                Ok(answer) => Fact::QueryAnswered { order, answer: Box::new(answer) },
                Err(error) => Fact::QueryFailed { order, message: error.to_string() },
            };
            self.take(running, fact).await?;
        }
        Ok(())
    }

    async fn first_snapshots(
        &mut self,
        running: &Running,
        instruments: &[InstrumentId],
    ) -> Result<(), RunError> {
        let is_first = !self.engine.book().is_started();
        for (venue, broker) in self.venues.clone() {
            let book = self.engine.book();
            let since = if book.is_started() {
                book.back_fill_from()
            } else {
                let now = broker.server_time().await.map_err(RunError::venue("reading the venue's clock"))?;
                now.minus(FIRST_LOOK)
            };
            let of_venue: Vec<InstrumentId> =
                instruments.iter().filter(|instrument| instrument.venue == venue).copied().collect();
            let snapshot = read_account_within(REST_WITHIN, broker.as_ref(), &of_venue, since, &self.traffic)
                .await
                .map_err(RunError::venue("reading positions, orders and fills"))?;
            if is_first {
                self.refuse_bare(&snapshot)?;
            }
            self.take(running, Fact::Snapshot { snapshot: Box::new(snapshot) }).await?;
        }
        Ok(())
    }

    /// Marks of every instrument; bars, quotes and trades as the strategies need them.
    fn subscriptions(
        &self,
        instruments: &[InstrumentId],
    ) -> Result<BTreeMap<Venue, Vec<Subscription>>, RunError> {
        let book = self.engine.book();
        let mut wanted: BTreeMap<Venue, Vec<Subscription>> = BTreeMap::new();
        for id in instruments {
            if let Some(instrument) = book.ix(id) {
                let mark = Subscription { id: *id, instrument, channel: Channel::Mark };
                wanted.entry(id.venue).or_default().push(mark);
            }
        }
        for (id, instrument, interval, _) in self.series()? {
            let bars = Subscription { id, instrument, channel: Channel::Bars(interval) };
            wanted.entry(id.venue).or_default().push(bars);
        }
        for id in self.engine.tick_needs() {
            let instrument = self.configured(&id)?;
            for channel in [Channel::BookTicker, Channel::Trades] {
                wanted.entry(id.venue).or_default().push(Subscription { id, instrument, channel });
            }
        }
        Ok(wanted)
    }

    /// Every bar series that a strategy needs, once, with the longest warm-up asked for.
    fn series(&self) -> Result<Vec<(InstrumentId, InstrumentIx, Interval, usize)>, RunError> {
        let mut series: BTreeMap<(InstrumentIx, Interval), (InstrumentId, usize)> = BTreeMap::new();
        for need in self.engine.needs() {
            let instrument = need.instrument;
            let ix = self.configured(&instrument)?;
            let (_, bars) = series.entry((ix, need.interval)).or_insert((instrument, 0));
            *bars = (*bars).max(need.warmup_bars);
        }
        Ok(series.into_iter().map(|((ix, interval), (id, bars))| (id, ix, interval, bars)).collect())
    }

    /// The engine's index of an instrument that the configuration lists.
    fn configured(&self, instrument: &InstrumentId) -> Result<InstrumentIx, RunError> {
        let listed = self.settings.universe.iter().any(|listing| listing.instrument == *instrument);
        let ix = self.engine.book().ix(instrument).filter(|_| listed);
        ix.ok_or(RunError::NotConfigured { instrument: *instrument })
    }

    async fn connect_market(
        &mut self,
        running: &mut Running,
        venue: Venue,
        what: Vec<Subscription>,
    ) -> Result<(), RunError> {
        let Some(broker) = self.venues.get(&venue).cloned() else { return Ok(()) };
        let source = self
            .meanwhile(running, broker.market_events(&what))
            .await?
            .map_err(RunError::venue("connecting the market streams"))?;
        let queue = self.sources.senders.market.clone();
        let failpoints = self.settings.failpoints.clone();
        running.feeds.spawn(feed::market(broker, source, what, queue, failpoints));
        Ok(())
    }

    /// Feeds closed bars from before the start, oldest first over all series. Reading them may take minutes.
    async fn warm_up(&mut self, running: &mut Running) -> Result<(), RunError> {
        let mut history: Vec<(Timestamp, InstrumentIx, hedge_core::Bar)> = Vec::new();
        for (instrument, ix, interval, bars) in self.series()? {
            let (broker, clock) = (Arc::clone(self.client(&instrument)?), Arc::clone(&self.clock));
            let now = self
                .meanwhile(running, broker.server_time())
                .await?
                .map_err(RunError::venue("reading the venue's clock"))?;
            let limit = bars.max(self.settings.history_bars);
            let query = BarQuery { instrument, interval, from: None, to: None, limit };
            let doing = format!("reading {limit} {interval} bars of {instrument}");
            let reading = patiently(&query, broker.as_ref(), clock.as_ref());
            let read = self.meanwhile(running, reading).await?.map_err(RunError::venue(doing))?;
            if read.len() < bars {
                warn!(%instrument, %interval, found = read.len(), needed = bars, "history is short; the warm-up goes on live");
            }
            history.extend(read.into_iter().filter(|bar| bar.end() <= now).map(|bar| (bar.end(), ix, bar)));
        }
        history.sort_by_key(|(end, ix, bar)| (*end, bar.interval, *ix));
        for (_, instrument, bar) in history {
            self.take(running, Fact::Market { event: MarketEvent::History { instrument, bar } }).await?;
        }
        Ok(())
    }

    /// Lets venues announce that their rules have changed: a delisting must not wait for the next look at the clock.
    pub(crate) fn listen_for_rules(&self, running: &mut Running) {
        for broker in self.venues.values() {
            let (broker, announced) = (Arc::clone(broker), Arc::clone(&running.announced));
            running.feeds.spawn(async move {
                loop {
                    broker.rules_changed().await;
                    announced.notify_one();
                    // The list may lag behind the announcement, and announcements come in bursts.
                    sleep(ANNOUNCED_AGAIN).await;
                    announced.notify_one();
                }
            });
        }
    }

    /// Reads the venue's rules again in the background; what changed becomes a fact.
    pub(crate) fn refresh_instruments(&self, running: &mut Running) {
        let known: BTreeMap<InstrumentId, (InstrumentIx, InstrumentSpec)> =
            self.engine.book().instruments().map(|(ix, spec)| (spec.id, (ix, spec.clone()))).collect();
        // Earlier refreshes that have ended would stay in the set for as long as the run goes on.
        while running.feeds.try_join_next().is_some() {}
        for broker in self.venues.values() {
            let token = self.activity.count(Kind::Effect);
            let (broker, known) = (Arc::clone(broker), known.clone());
            let queue = self.sources.senders.results.clone();
            running.feeds.spawn(async move {
                refresh(broker.as_ref(), &known, &queue).await;
                drop(token);
            });
        }
    }
}

/// As much of a hash as people compare.
fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// What the journal must hold before anything else: what a takeover left behind, and whether this process may open.
fn orders_at_start(
    book: &Book,
    leader: Option<Leader>,
    hold: Option<&str>,
) -> Vec<(OperatorCommand, String)> {
    let (mut posture, because) = book.operator();
    let mut was_held = posture == Posture::ExitOnly && because.starts_with(START);
    let mut orders = Vec::new();
    let left = leader.filter(|leader| leader.posture > Posture::Normal && leader.posture >= posture);
    if let Some(Leader { posture: left, because, .. }) = left {
        let command = if left == Posture::Halted { OperatorCommand::Halt } else { OperatorCommand::ExitOnly };
        orders.push((command, because));
        (posture, was_held) = (left, false);
    }
    match hold {
        Some(reason) if posture == Posture::Normal || (was_held && because != held(reason)) => {
            orders.push((OperatorCommand::ExitOnly, held(reason)));
        }
        // What a person has ordered stays; only what an earlier start has forbidden is lifted.
        None if was_held => {
            orders.push((OperatorCommand::Lift, format!("{START}this process may open again")));
        }
        _ => {}
    }
    orders
}

async fn refresh(
    broker: &dyn Brokerage,
    known: &BTreeMap<InstrumentId, (InstrumentIx, InstrumentSpec)>,
    queue: &FactSender,
) {
    let specs = match broker.instruments().await {
        Ok(specs) => specs,
        Err(error) => {
            warn!(%error, "cannot read the instruments again; the known rules stay");
            return;
        }
    };
    for spec in specs {
        if let Some((ix, before)) = known.get(&spec.id)
            && *before != spec
        {
            queue.send(Fact::Instrument { ix: *ix, spec: Box::new(spec) });
        }
    }
}

/// Bars, also where the address has used its budget up for the moment: a start that gave up would read all of it anew.
async fn patiently(
    query: &BarQuery,
    broker: &dyn Brokerage,
    clock: &dyn Clock,
) -> Result<Vec<hedge_core::Bar>, BrokerError> {
    let until = clock.now().plus(LONGEST_WAIT);
    loop {
        match broker.bars(query).await {
            Err(BrokerError::RateLimited { retry_after }) if clock.now().plus(retry_after) <= until => {
                warn!(?retry_after, "the request budget is used up; the history is read after that");
                clock.sleep_until(clock.now().plus(retry_after)).await;
            }
            read => return read,
        }
    }
}
