//! Faults that the exchange itself commits: cut sockets, an expired key, another mode, other rules.

use std::borrow::Cow;
use std::net::IpAddr;

use rust_decimal::Decimal;

use super::fault::{Fault, FaultKind, FilterChange, Scope};
use super::list::{Armed, FaultError, Faults};
use crate::binance::clock::Pace;
use crate::binance::error::ApiError;
use crate::binance::listen_key::KeyChange;
use crate::binance::log::LogError;
use crate::binance::state::{ACCOUNT, Core};
use crate::venue::{
    Command, InstrumentRules, NewAlgo, NewOrder, OrderType, Refusal, Reply, SymbolId, SymbolStatus,
    VenueError,
};

/// What a symbol's status was, and which symbol's.
type Before = Option<(SymbolId, SymbolStatus)>;

impl From<LogError> for FaultError {
    fn from(error: LogError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<ApiError> for FaultError {
    fn from(error: ApiError) -> Self {
        Self::Refused(format!("the exchange refuses it: {} {}", error.code, error.msg))
    }
}

impl Core {
    /// Takes a fault in and, when it is an act whose time has come, commits it.
    pub(crate) fn arm_fault(&mut self, mut fault: Fault) -> Result<u64, FaultError> {
        let now_ms = self.now_ms();
        if let FaultKind::ModeFlipped { hedge: hedge @ None, .. } = &mut fault.kind {
            *hedge = Some(!self.hedge_shown()?);
        }
        if let FaultKind::FilterChanged(change) = &fault.kind {
            self.changeable(change)?;
        }
        if fault.kind == FaultKind::Http418 && self.clock.state().pace == Pace::Lockstep {
            let text = "in lockstep the clock waits for the client; one that waits for the end of a ban would wait for ever";
            return Err(FaultError::Refused(text.to_owned()));
        }
        let is_due = fault.after_ms == 0 && fault.kind.scope() == Scope::Act;
        let id = self.faults.arm(fault, now_ms)?;
        if is_due && let Err(error) = self.begin_fault(id) {
            self.faults.disarm(id, now_ms);
            return Err(error);
        }
        Ok(id)
    }

    /// Clears one fault, or all, and undoes what they keep up.
    pub(crate) fn clear_faults(&mut self, id: Option<u64>) -> Result<usize, FaultError> {
        let cleared = self.faults.take(id, self.now_ms())?;
        for armed in &cleared {
            for ip in &armed.banned {
                self.limits.lift_ban(*ip);
            }
            self.hub.release_held_by(armed.id);
            self.undo(armed)?;
        }
        Ok(cleared.len())
    }

    /// Begins and ends what fell due, and sends the events whose time has come.
    pub(crate) fn due_faults(&mut self) {
        self.hub.release_held(self.now_ms());
        if self.faults.is_quiet() {
            return;
        }
        let now_ms = self.now_ms();
        let (mut begin, mut end) = (Vec::new(), Vec::new());
        self.faults.each(now_ms, |armed| {
            let is_act = armed.fault.kind.scope() == Scope::Act;
            if is_act && !armed.begun && now_ms >= armed.from_ms {
                begin.push(armed.id);
            } else if armed.begun && !armed.ended && armed.until_ms.is_some_and(|until_ms| now_ms >= until_ms)
            {
                end.push(armed.id);
            }
        });
        for id in begin {
            if let Err(error) = self.begin_fault(id) {
                self.faults.each(now_ms, |armed| {
                    if armed.id == id {
                        armed.ended = true;
                        armed.last = Some(format!("could not: {error}"));
                    }
                });
                self.faults.say(format!("fault {id}: could not: {error}"));
            }
        }
        for id in end {
            self.end_fault(id);
        }
    }

    /// Bans an address on behalf of a fault; the refusal it gets.
    pub(crate) fn ban_by_fault(&mut self, fault: u64, ip: IpAddr, now_ms: i64, for_ms: i64) -> ApiError {
        self.faults.each(now_ms, |armed| {
            if armed.id == fault && !armed.banned.contains(&ip) {
                armed.banned.push(ip);
            }
        });
        self.limits.impose_ban(ip, now_ms, for_ms)
    }

    fn begin_fault(&mut self, id: u64) -> Result<(), FaultError> {
        let now_ms = self.now_ms();
        let fault =
            self.faults.status(id, now_ms).map(|status| status.fault).ok_or(FaultError::Unknown(id))?;
        let (did, before) = self.commit(&fault)?;
        self.faults.each(now_ms, |armed| {
            if armed.id == id {
                armed.begun = true;
                armed.hits = 1;
                armed.status_before = before.map(|(_, status)| status);
                armed.last = Some(did.clone());
            }
        });
        self.faults.say(format!("fault {id} {}: {did}", fault.kind.name()));
        // Only now the new rules are in force, and the news tells of them.
        if let FaultKind::FilterChanged(change) = &fault.kind
            && let Some(symbol) = self.venue.symbol_id(&change.symbol)
        {
            self.announce_contract(symbol);
        }
        Ok(())
    }

    fn commit(&mut self, fault: &Fault) -> Result<(String, Before), FaultError> {
        match &fault.kind {
            FaultKind::Cut => {
                let sockets = self.hub.cut_under(fault.matching.path.as_deref().unwrap_or("/"));
                Ok((format!("{sockets} sockets cut"), None))
            }
            FaultKind::ListenKeyExpired => {
                if self.key.active().is_none() {
                    let text = "there is no listenKey; POST /fapi/v1/listenKey makes one";
                    return Err(FaultError::Refused(text.to_owned()));
                }
                self.change_key(KeyChange::Expired)?;
                Ok(("the listenKey expired".to_owned(), None))
            }
            FaultKind::ModeFlipped { hedge, force } => {
                self.flip(hedge.unwrap_or_default(), *force).map(|did| (did, None))
            }
            FaultKind::FilterChanged(change) => self.change(change),
            _ => Ok((String::new(), None)),
        }
    }

    fn flip(&mut self, hedge: bool, force: bool) -> Result<String, FaultError> {
        let mode = if hedge { "hedge mode" } else { "one-way mode" };
        if force {
            if self.hedge_shown()? == hedge {
                return Err(FaultError::Refused(format!("the account is in {mode} already")));
            }
            return Ok(format!("the account tells {mode} and takes no orders"));
        }
        match self.command_at(self.now_ms(), &Command::PositionMode { account: ACCOUNT, hedge })? {
            Ok(_) => Ok(format!("the account is in {mode}")),
            Err(refusal) => Err(FaultError::Refused(format!(
                "the venue refuses the switch: {} {}; \"force\":true shows the other mode all the same",
                refusal.code, refusal.msg
            ))),
        }
    }

    fn change(&mut self, change: &FilterChange) -> Result<(String, Before), FaultError> {
        let symbol = self.changeable(change)?;
        let before = self.venue.rules(symbol).map(|rules| (symbol, rules.status));
        if let Some(status) = change.status {
            let command = Command::SetStatus { symbol, status };
            self.command_at(self.now_ms(), &command)?.map_err(ApiError::from)?;
        }
        let mut told = change.symbol.clone();
        for (name, value) in
            [("tick", change.tick), ("step", change.step), ("min_notional", change.min_notional)]
        {
            if let Some(value) = value {
                told.push_str(&format!(" {name}={}", value.normalize()));
            }
        }
        if let Some(status) = change.status {
            told.push_str(&format!(" status={status}"));
        }
        Ok((told, before.filter(|_| change.status.is_some())))
    }

    /// Whether an instrument can get these rules.
    fn changeable(&self, change: &FilterChange) -> Result<SymbolId, FaultError> {
        let found = self.venue.symbol_id(&change.symbol).and_then(|id| Some((id, self.venue.rules(id)?)));
        let Some((id, rules)) = found else {
            return Err(FaultError::Invalid(format!(
                "{} is not listed; GET /fapi/v1/exchangeInfo lists all",
                change.symbol
            )));
        };
        for (name, grid, wanted) in [("tick", rules.tick, change.tick), ("step", rules.lot.step, change.step)]
        {
            if wanted.is_some_and(|wanted| !(wanted % grid).is_zero()) {
                let text = format!("{name} must be a multiple of {}'s {}", rules.symbol, grid.normalize());
                return Err(FaultError::Invalid(text));
            }
        }
        Ok(id)
    }

    fn end_fault(&mut self, id: u64) {
        let now_ms = self.now_ms();
        let mut before = None;
        let mut ended = None;
        self.faults.each(now_ms, |armed| {
            if armed.id == id {
                armed.ended = true;
                before = armed.status_before.take();
                ended = Some(armed.fault.clone());
            }
        });
        let Some(fault) = ended else { return };
        if let Err(error) = self.put_back(&fault, before) {
            self.faults.say(format!("fault {id}: {error}"));
        }
        self.faults.say(format!("fault {id} {}: over", fault.kind.name()));
    }

    fn undo(&mut self, armed: &Armed) -> Result<(), FaultError> {
        if armed.begun && !armed.ended { self.put_back(&armed.fault, armed.status_before) } else { Ok(()) }
    }

    /// Brings an instrument's status back and tells of its old rules.
    fn put_back(&mut self, fault: &Fault, status: Option<SymbolStatus>) -> Result<(), FaultError> {
        let FaultKind::FilterChanged(change) = &fault.kind else { return Ok(()) };
        let Some(symbol) = self.venue.symbol_id(&change.symbol) else { return Ok(()) };
        if let Some(status) = status {
            let command = Command::SetStatus { symbol, status };
            self.command_at(self.now_ms(), &command)?.map_err(ApiError::from)?;
        }
        self.announce_contract(symbol);
        Ok(())
    }

    /// The position mode that the account tells.
    pub(crate) fn hedge_shown(&self) -> Result<bool, ApiError> {
        let real = self.venue.account_config(ACCOUNT)?.hedge_mode;
        Ok(self.faults.mode(self.now_ms()).unwrap_or(real))
    }

    /// An instrument's rules as they are told and checked.
    pub(crate) fn rules_shown<'a>(&self, rules: &'a InstrumentRules) -> Cow<'a, InstrumentRules> {
        self.faults.rules(rules, self.now_ms())
    }

    /// What a forced mode or changed rules make of a client's command: a refusal, a reply, or nothing.
    pub(crate) fn overruled(&mut self, command: &Command) -> Result<Option<Reply>, ApiError> {
        if self.faults.is_quiet() {
            return Ok(None);
        }
        let now_ms = self.now_ms();
        let is_flipped = self.faults.mode(now_ms).is_some();
        match command {
            Command::Place(_) | Command::PlaceAlgo(_) if is_flipped => {
                Err(refusal(Refusal::PositionSideMismatch))
            }
            Command::PositionMode { hedge, .. } if is_flipped => self.flip_back(*hedge, now_ms).map(Some),
            Command::Place(order) => self.check_order(order).map(|()| None),
            Command::PlaceAlgo(algo) => self.check_algo(algo).map(|()| None),
            Command::Modify(change) => {
                let Some(rules) = self.changed_rules(&change.symbol) else { return Ok(None) };
                on_grid(&rules, Some(change.price), Some(change.qty)).map(|()| None)
            }
            _ => Ok(None),
        }
    }

    /// A client brings a forced mode back: where the venue would let it.
    fn flip_back(&mut self, hedge: bool, now_ms: i64) -> Result<Reply, ApiError> {
        if self.hedge_shown()? == hedge {
            return Err(refusal(Refusal::PositionModeUnchanged));
        }
        if !self.venue.open_orders(ACCOUNT, None)?.is_empty()
            || !self.venue.open_algos(ACCOUNT, None)?.is_empty()
        {
            return Err(refusal(Refusal::PositionModeOrders));
        }
        if self.venue.positions(ACCOUNT, None)?.iter().any(|row| !row.qty.is_zero()) {
            return Err(refusal(Refusal::PositionModePosition));
        }
        self.faults.each(now_ms, |armed| {
            if matches!(armed.fault.kind, FaultKind::ModeFlipped { force: true, .. }) && armed.begun {
                armed.ended = true;
                armed.last = Some("switched back by a client".to_owned());
            }
        });
        Ok(Reply::Done)
    }

    /// Rules that a fault changed.
    fn changed_rules(&self, symbol: &str) -> Option<InstrumentRules> {
        let rules = self.venue.rules(self.venue.symbol_id(symbol)?)?;
        match self.rules_shown(rules) {
            Cow::Owned(changed) => Some(changed),
            Cow::Borrowed(_) => None,
        }
    }

    fn check_order(&self, order: &NewOrder) -> Result<(), ApiError> {
        let Some(rules) = self.changed_rules(&order.symbol) else { return Ok(()) };
        on_grid(&rules, order.price, order.qty)?;
        let hedged_close = matches!(
            (order.side.as_str(), order.position_side.map(|side| side.as_str())),
            ("SELL", Some("LONG")) | ("BUY", Some("SHORT"))
        );
        let prices = self.venue.symbol_id(&order.symbol).and_then(|id| self.venue.prices(id));
        let mark = prices.map(|prices| prices.mark);
        let price = if order.order_type == OrderType::Market { mark } else { order.price };
        let (Some(qty), Some(price)) = (order.qty, price) else { return Ok(()) };
        let notional = qty.checked_mul(price).unwrap_or(Decimal::MAX);
        if notional < rules.min_notional && !hedged_close && order.reduce_only != Some(true) {
            let least = rules.min_notional.normalize();
            let text =
                format!("Order's notional must be no smaller than {least} (unless you choose reduce only).");
            return Err(ApiError::bad(-4164, text));
        }
        Ok(())
    }

    fn check_algo(&self, algo: &NewAlgo) -> Result<(), ApiError> {
        let Some(rules) = self.changed_rules(&algo.symbol) else { return Ok(()) };
        for price in [algo.trigger_price, algo.price, algo.activate_price] {
            on_grid(&rules, price, None)?;
        }
        on_grid(&rules, None, algo.qty)
    }
}

impl Faults {
    /// The mode that a forced flip shows.
    fn mode(&self, now_ms: i64) -> Option<bool> {
        self.active(now_ms, |armed| match armed.fault.kind {
            FaultKind::ModeFlipped { hedge, force: true } if armed.begun => hedge,
            _ => None,
        })
    }

    /// The rules with all changes in force, later ones last.
    fn rules<'a>(&self, rules: &'a InstrumentRules, now_ms: i64) -> Cow<'a, InstrumentRules> {
        let mut shown = Cow::Borrowed(rules);
        self.active::<()>(now_ms, |armed| {
            if let FaultKind::FilterChanged(change) = &armed.fault.kind
                && armed.begun
                && change.symbol == rules.symbol
            {
                apply(change, shown.to_mut());
            }
            None
        });
        shown
    }
}

fn apply(change: &FilterChange, rules: &mut InstrumentRules) {
    if let Some(tick) = change.tick {
        rules.tick = tick;
    }
    if let Some(step) = change.step {
        for lot in [&mut rules.lot, &mut rules.market_lot] {
            lot.step = step;
            lot.min = lot.min.max(step);
        }
    }
    if let Some(min_notional) = change.min_notional {
        rules.min_notional = min_notional;
    }
}

fn refusal(refusal: Refusal) -> ApiError {
    VenueError::of(refusal).into()
}

/// Source: fact sheet 4.2 (filters).
fn on_grid(rules: &InstrumentRules, price: Option<Decimal>, qty: Option<Decimal>) -> Result<(), ApiError> {
    if price.is_some_and(|price| !(price % rules.tick).is_zero()) {
        return Err(refusal(Refusal::PriceOffTick));
    }
    match qty {
        Some(qty) if !qty.is_zero() && qty < rules.lot.min => Err(refusal(Refusal::QtyBelowMin)),
        Some(qty) if !(qty % rules.lot.step).is_zero() => Err(refusal(Refusal::QtyOffStep)),
        _ => Ok(()),
    }
}
