//! One record, one line for a person.

use std::collections::BTreeMap;

use hedge_core::{
    AccountEvent, CashFlow, CashFlowKind, Decision, Difference, Envelope, Event, Fact, Fill, Guard,
    InstrumentIx, MarketEvent, OperatorCommand, OrderRef, OrderReport, Reading, Symbol,
};

use super::words::{intent_words, order_words, verdict_words};

/// Renders records. Learns the names of instruments from the records it sees, so show it a journal from its start.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    names: BTreeMap<InstrumentIx, Symbol>,
}

impl Lines {
    /// Takes note of a record without rendering it.
    pub fn learn(&mut self, envelope: &Envelope) {
        if let Event::Fact(Fact::Instrument { ix, spec }) = &envelope.event {
            self.names.insert(*ix, spec.id.symbol);
        }
    }
    /// `#17 2026-11-20T08:15:00.000Z <- #12  text`.
    pub fn line(&mut self, envelope: &Envelope) -> String {
        self.learn(envelope);
        let cause = envelope.cause.map(|cause| format!("<- #{cause}")).unwrap_or_default();
        format!("#{:<6} {} {cause:<9} {}", envelope.seq, envelope.at, self.text(envelope))
    }
    /// Only what the record says.
    pub fn text(&self, envelope: &Envelope) -> String {
        match &envelope.event {
            Event::Fact(fact) => self.fact(fact),
            Event::Decision(decision) => decision_text(decision),
        }
    }

    fn name(&self, ix: InstrumentIx) -> String {
        self.names.get(&ix).map_or_else(|| format!("instrument {ix}"), Symbol::to_string)
    }

    fn fact(&self, fact: &Fact) -> String {
        match fact {
            Fact::RunStarted(run) => format!(
                "run started: profile {}, term {}, version {}, config {}",
                run.profile,
                run.term,
                run.code_version,
                run.config_hash.get(..12).unwrap_or(&run.config_hash)
            ),
            Fact::Instrument { ix, spec } => format!(
                "instrument {ix} is {}: tick {}, step {}, smallest order {} or {}",
                spec.id.symbol,
                spec.tick.normalize(),
                spec.lot.step.normalize(),
                spec.lot.min.normalize(),
                spec.min_notional
            ),
            Fact::Market { event } => self.market(event),
            Fact::Account { event } => account_text(event),
            Fact::Snapshot { snapshot } => {
                let balances: Vec<String> = snapshot
                    .account
                    .balances
                    .iter()
                    .map(|balance| format!("{} {}", balance.wallet, balance.asset))
                    .collect();
                format!(
                    "account read: {}; {} legs, {} open orders, {} fills, {} cash flows",
                    balances.join(", "),
                    snapshot.positions.len(),
                    snapshot.orders.len(),
                    snapshot.fills.len(),
                    snapshot.flows.len()
                )
            }
            Fact::SubmitAcked { order, state, filled, .. } => {
                format!("order {order} accepted by the venue: {state:?}, filled {}", filled.normalize())
            }
            Fact::SubmitFailed { order, outcome, code, message, .. } => {
                let code = code.map(|code| format!(" {code}")).unwrap_or_default();
                format!("order {order} failed ({outcome:?}{code}): {message}")
            }
            Fact::CancelAcked { order } => format!("cancel of {order} accepted"),
            Fact::CancelFailed { order, outcome, message, .. } => {
                format!("cancel of {order} failed ({outcome:?}): {message}")
            }
            Fact::QueryAnswered { order, answer } => match &answer.report {
                Some(report) => format!("asked about {order}: {}", report_text(report)),
                None => format!("asked about {order}: not found; the leg holds {}", answer.leg_qty),
            },
            Fact::QueryFailed { order, message } => format!("asking about {order} failed: {message}"),
            Fact::Operator { command, because } => {
                let command = match command {
                    OperatorCommand::Halt => "halt",
                    OperatorCommand::ExitOnly => "exit-only",
                    OperatorCommand::Resume => "resume",
                    OperatorCommand::Lift => "lift",
                    OperatorCommand::Flatten => "flatten",
                    OperatorCommand::FlattenAtStart => "flatten at the next start",
                };
                format!("operator: {command}: {because}")
            }
            Fact::Tick => "timer".to_owned(),
            Fact::RunStopped { because } => format!("run stopped: {because}"),
        }
    }

    fn market(&self, event: &MarketEvent) -> String {
        match event {
            MarketEvent::History { instrument, bar } | MarketEvent::Bar { instrument, bar } => {
                let kind = if matches!(event, MarketEvent::History { .. }) { "past bar" } else { "bar" };
                let [open, high, low, close] =
                    [bar.open, bar.high, bar.low, bar.close].map(|price| bar.decimal(price).normalize());
                format!(
                    "{kind} {} {} closed: {open} {high} {low} {close}",
                    self.name(*instrument),
                    bar.interval
                )
            }
            MarketEvent::Mark { instrument, mark, .. } => format!("mark {} {mark}", self.name(*instrument)),
            MarketEvent::Funding { instrument, rate, settles_at } => {
                format!("funding estimate {} {rate}, settles {settles_at}", self.name(*instrument))
            }
            MarketEvent::Book { instrument, bid, ask, .. } => {
                format!("book {} {bid} / {ask}", self.name(*instrument))
            }
            MarketEvent::Trade { instrument, price, qty, .. } => {
                format!("trade {} {qty} at {price}", self.name(*instrument))
            }
            MarketEvent::Gap { instrument, from, to } => {
                format!("data of {} is missing from {from} to {to}", self.name(*instrument))
            }
            MarketEvent::Silent { instrument } => {
                format!("no data of {} arrives any more", self.name(*instrument))
            }
        }
    }
}

fn account_text(event: &AccountEvent) -> String {
    match event {
        AccountEvent::Order { report } => report_text(report),
        AccountEvent::Fill { fill } => fill_text(fill),
        AccountEvent::Legs { legs, .. } => {
            let legs: Vec<String> = legs
                .iter()
                .map(|leg| format!("{} {:?} {}", leg.instrument.symbol, leg.side, leg.qty.normalize()))
                .collect();
            format!("venue states legs: {}", legs.join(", "))
        }
        AccountEvent::Balances { balances, .. } => {
            let balances: Vec<String> =
                balances.iter().map(|balance| format!("{} {}", balance.wallet, balance.asset)).collect();
            format!("venue states balances: {}", balances.join(", "))
        }
        AccountEvent::CashFlow { flow } => flow_text(flow),
        AccountEvent::LeverageChanged { instrument, leverage } => {
            format!("leverage of {} is now {}", instrument.symbol, leverage.get())
        }
        AccountEvent::MarginCall { detail } => format!("MARGIN CALL: {detail}"),
        AccountEvent::Disconnected { reason } => format!("account stream lost: {reason}"),
        AccountEvent::Reconnected => "account stream is back, what was missed is filled in".to_owned(),
        AccountEvent::Unrecognised { name } => format!("account stream sent an unknown message: {name}"),
    }
}

fn fill_text(fill: &Fill) -> String {
    let order = fill.client_id.as_ref().map_or_else(|| fill.order.to_string(), |id| id.as_str().to_owned());
    let realized = fill.realized.map(|value| format!(", realised {value}")).unwrap_or_default();
    format!(
        "fill of {order}: {} {:?} {} {} at {}, fee {} {}{realized}",
        fill.instrument.symbol,
        fill.side,
        fill.order_side,
        fill.qty,
        fill.price,
        fill.fee.value,
        fill.fee.asset
    )
}

fn report_text(report: &OrderReport) -> String {
    let reason = report.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!(
        "venue: order {} is {:?}, filled {}{reason}",
        report.client_id.as_str(),
        report.state,
        report.filled.normalize()
    )
}

fn decision_text(decision: &Decision) -> String {
    match decision {
        Decision::Screened { strategy, reading } => format!("{strategy} saw {}", reading_text(reading)),
        Decision::Intended { strategy, intent } => format!("{strategy} wants: {}", intent_words(intent)),
        Decision::Assessed { position, checks, verdict } => {
            let passed = checks.iter().filter(|check| check.passed()).count();
            format!("{position}: {} ({passed} of {} checks passed)", verdict_words(verdict), checks.len())
        }
        Decision::OrderApproved { client_id, strategy, position, leg, qty, purpose, .. } => {
            let who = strategy.map_or_else(|| "the engine".to_owned(), |id| id.to_string());
            format!("order {client_id} by {who}: {}", order_words(*purpose, position, leg, *qty))
        }
        Decision::CancelRequested { order, because } => format!("cancel {order}: {because}"),
        Decision::QueryRequested { order } => format!("ask the venue about {order}"),
        Decision::FlattenRequested { position, because } => format!("{position} must become flat: {because}"),
        Decision::OrderAdopted { instrument, order } => {
            format!("order {} on {} is adopted", order_number(order), instrument.symbol)
        }
        Decision::AdoptedCancelRequested { instrument, order, because } => {
            format!("cancel adopted order {} on {}: {because}", order_number(order), instrument.symbol)
        }
        Decision::AbsenceProven { order } => format!("order {order} is proven not to be at the venue"),
        Decision::PostureChanged { posture, because } if because.is_empty() => format!("posture {posture}"),
        Decision::PostureChanged { posture, because } => format!("posture {posture}: {because}"),
        Decision::Corrected { difference } => format!("corrected: {}", difference_text(difference)),
        Decision::Alert { text, .. } => format!("ALERT {text}"),
        Decision::StopMissing { position, guard, since } => {
            format!("{position} has had no {} since {since}", guard_words(*guard))
        }
        Decision::StopRepaired { position, guard, after_ms } => {
            format!("{position} has its {} again, after {after_ms} ms", guard_words(*guard))
        }
        Decision::LegHalted { position, because, .. } => {
            format!("{position} opens nothing until a person resumes: {because}")
        }
        Decision::Muted { instrument, until, because } => {
            format!("{} muted until {until}: {because}", instrument.symbol)
        }
    }
}

/// The venue's number of an order.
fn order_number(order: &OrderRef) -> String {
    match order {
        OrderRef::Plain(number) => number.to_string(),
        OrderRef::Algo { id, .. } => format!("{id} (conditional)"),
        OrderRef::Client { id, .. } => id.to_string(),
    }
}

fn reading_text(reading: &Reading) -> String {
    let number = |value: Option<f64>, places: usize| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.places$}"))
    };
    let outcome =
        if reading.emitted { "entered".to_owned() } else { format!("no entry: {}", reading.veto.join(", ")) };
    format!(
        "{} {} z={} rsi={} atr={} cross_up={} cross_down={}; {outcome}",
        reading.instrument.symbol,
        reading.timeframe,
        reading.z.map_or_else(|| "-".to_owned(), |z| format!("{z:+.2}")),
        number(reading.rsi, 1),
        number(reading.atr, 4),
        reading.cross_up,
        reading.cross_down,
    )
}

/// `funding of BTCUSDT: -0.5 USDT`.
fn flow_text(flow: &CashFlow) -> String {
    let kind = match &flow.kind {
        CashFlowKind::Funding => "funding",
        CashFlowKind::Transfer => "transfer",
        CashFlowKind::Fee => "fee",
        CashFlowKind::RealizedPnl => "realised profit",
        CashFlowKind::Other(word) => word,
    };
    let of = flow.instrument.map(|id| format!(" of {}", id.symbol)).unwrap_or_default();
    format!("{kind}{of}: {} {}", flow.amount.value, flow.amount.asset)
}

fn guard_words(guard: Guard) -> String {
    match guard {
        Guard::Stop => "confirmed stop".to_owned(),
        Guard::TakeProfit { trigger } => format!("take-profit at {trigger}"),
    }
}

fn difference_text(difference: &Difference) -> String {
    match difference {
        Difference::LegSize { position, book, venue, .. } => {
            format!("{position} is {venue} at the venue and was {book} in the book")
        }
        Difference::Wallet { asset, book, venue } => {
            format!("wallet is {venue} {asset} at the venue and was {book} in the book")
        }
        Difference::OwnOrder { report } | Difference::ForeignOrder { report } => {
            format!("an order that the book does not know: {}", report_text(report))
        }
        Difference::NotOpen { order, book } => {
            format!("order {order} is {book:?} in the book and not open at the venue")
        }
        Difference::State { order, book, venue } => {
            format!("order {order} is {book:?} in the book and {venue:?} at the venue")
        }
        Difference::Flow { flow } => format!("the account stream did not tell of {}", flow_text(flow)),
        Difference::Fee { flow, book } => {
            format!("the income ledger states {}, and the execution a fee of {book}", flow_text(flow))
        }
        Difference::Mode { venue } => format!("the account is in {venue:?} mode"),
        Difference::ForeignPosition { instrument, detail } => {
            format!("a position that is not traded here: {} {detail}", instrument.symbol)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use hedge_core::{Bar, Interval, Posture, Seq, Timestamp};

    use super::*;

    fn record(seq: u64, cause: Option<u64>, event: Event) -> Envelope {
        Envelope { seq: Seq(seq), at: Timestamp::from_ms(1_763_626_500_000), cause: cause.map(Seq), event }
    }

    #[test]
    fn a_line_begins_with_number_time_and_cause() {
        let posture =
            Decision::PostureChanged { posture: Posture::ExitOnly, because: Cow::Borrowed("drawdown") };
        assert_eq!(
            Lines::default().line(&record(7, Some(3), Event::Decision(posture))),
            "#7      2025-11-20T08:15:00.000Z <- #3     posture ExitOnly: drawdown"
        );
    }

    #[test]
    fn a_bar_of_an_instrument_without_a_name_shows_its_number() {
        let bar = Bar {
            open_time: Timestamp::EPOCH,
            interval: Interval::M15,
            open: 100,
            high: 120,
            low: 90,
            close: 110,
            price_scale: 1,
            volume: 1,
            volume_scale: 0,
        };
        let event = MarketEvent::Bar { instrument: InstrumentIx(4), bar };
        let line = Lines::default().text(&record(0, None, Event::Fact(Fact::Market { event })));
        assert_eq!(line, "bar instrument 4 15m closed: 10 12 9 11");
    }
}
