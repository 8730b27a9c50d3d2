//! A record taken apart down to what may be missing. No pattern here ends in `..`: a new field, or a new variant, does not
//! compile until it is named, and what may be missing of it then needs lines with it and without it.

use std::collections::BTreeMap;

use hedge_core::{
    AccountEvent, AccountSnapshot, Amount, Balance, Bar, CashFlow, Decision, Difference, Entry, Envelope,
    Event, Exit, Fact, Fill, GateCheck, InstrumentSpec, Intent, Leg, LegSize, LotRule, MarketEvent, OrderRef,
    OrderReport, Position, Protection, QueryAnswer, Reading, RunStarted, TakeProfit, VenueSnapshot,
};

/// What may be missing, by the file in which it was met and its name: whether it was there, and whether it was not.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    file: String,
    seen: BTreeMap<(String, &'static str), (bool, bool)>,
}

impl Parts {
    pub(crate) fn of_record(&mut self, file: &str, record: &Envelope) {
        file.clone_into(&mut self.file);
        let Envelope { seq: _, at: _, cause, event } = record;
        self.part("record", "cause", cause.is_some());
        match event {
            Event::Fact(fact) => self.fact(fact),
            Event::Decision(decision) => self.decision(decision),
        }
    }

    /// What no file has in both forms: its file, its name, and which form is missing.
    pub(crate) fn one_sided(&self) -> Vec<String> {
        let name = |file: &str, what: &str, form: &str| format!("{file}: no line {form} {what}");
        let sides = self.seen.iter().filter_map(|((file, what), (with, without))| match (with, without) {
            (true, true) => None,
            (false, _) => Some(name(file, what, "with")),
            (true, false) => Some(name(file, what, "without")),
        });
        sides.collect()
    }

    /// What may be missing from a record of this file.
    fn own(&mut self, what: &'static str, is_there: bool) {
        let file = self.file.clone();
        self.part(&file, what, is_there);
    }

    fn part(&mut self, place: &str, what: &'static str, is_there: bool) {
        let (with, without) = self.seen.entry((place.to_owned(), what)).or_default();
        *with |= is_there;
        *without |= !is_there;
    }

    fn fact(&mut self, fact: &Fact) {
        match fact {
            Fact::RunStarted(RunStarted {
                run: _,
                term: _,
                format: _,
                code_version: _,
                config_hash: _,
                profile: _,
                data_hash,
            }) => self.own("data_hash", data_hash.is_some()),
            Fact::Instrument { ix: _, spec } => self.spec(spec),
            Fact::Market { event } => market(event),
            Fact::Account { event } => self.account(event),
            Fact::Snapshot { snapshot } => self.snapshot(snapshot),
            Fact::SubmitAcked { order: _, venue, state: _, filled: _ } => self.order_ref(venue),
            Fact::SubmitFailed {
                order: _,
                outcome: _,
                reason,
                code,
                message: _,
                acceptable_until,
                retry_at,
            } => {
                self.own("reason", reason.is_some());
                self.own("code", code.is_some());
                self.own("acceptable_until", acceptable_until.is_some());
                self.own("retry_at", retry_at.is_some());
            }
            Fact::CancelFailed { order: _, outcome: _, reason, message: _, retry_at } => {
                self.own("reason", reason.is_some());
                self.own("retry_at", retry_at.is_some());
            }
            Fact::QueryAnswered { order: _, answer } => {
                let QueryAnswer { venue_time: _, report, fills, leg_qty: _ } = &**answer;
                self.own("report", report.is_some());
                report.iter().for_each(|report| self.report(report));
                fills.iter().for_each(|fill| self.fill(fill));
            }
            Fact::CancelAcked { order: _ }
            | Fact::QueryFailed { order: _, message: _ }
            | Fact::Operator { command: _, because: _ }
            | Fact::Tick
            | Fact::RunStopped { because: _ } => {}
        }
    }

    fn spec(&mut self, spec: &InstrumentSpec) {
        let InstrumentSpec {
            id: _,
            status: _,
            base: _,
            quote: _,
            settle: _,
            tick: _,
            min_price,
            max_price,
            lot: LotRule { min: _, max: _, step: _ },
            market_lot: _,
            min_notional: _,
            contract_size: _,
            price_band_up,
            price_band_down,
            mode: _,
            delivery,
        } = spec;
        self.own("min_price", min_price.is_some());
        self.own("max_price", max_price.is_some());
        self.own("price_band_up", price_band_up.is_some());
        self.own("price_band_down", price_band_down.is_some());
        self.own("delivery", delivery.is_some());
    }

    fn account(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Order { report } => self.report(report),
            AccountEvent::Fill { fill } => self.fill(fill),
            AccountEvent::Legs { legs, venue_time: _ } => {
                for LegSize { instrument: _, side: _, qty: _, entry } in legs {
                    self.own("entry", entry.is_some());
                }
            }
            AccountEvent::Balances { balances, venue_time: _ } => self.balances(balances),
            AccountEvent::CashFlow { flow } => self.flow(flow),
            AccountEvent::LeverageChanged { instrument: _, leverage: _ }
            | AccountEvent::MarginCall { detail: _ }
            | AccountEvent::Disconnected { reason: _ }
            | AccountEvent::Reconnected
            | AccountEvent::Unrecognised { name: _ } => {}
        }
    }

    fn balances(&mut self, balances: &[Balance]) {
        for Balance { asset: _, wallet: _, available } in balances {
            self.part("balance", "available", available.is_some());
        }
    }

    fn snapshot(&mut self, snapshot: &VenueSnapshot) {
        let VenueSnapshot { account, positions, orders, fills, flows } = snapshot;
        let AccountSnapshot { venue_time: _, balances, mode: _, multi_assets: _, can_trade, can_withdraw } =
            account;
        self.balances(balances);
        self.own("can_trade", can_trade.is_some());
        self.own("can_withdraw", can_withdraw.is_some());
        positions.iter().for_each(|position| self.position(position));
        orders.iter().for_each(|report| self.report(report));
        fills.iter().for_each(|fill| self.fill(fill));
        flows.iter().for_each(|flow| self.flow(flow));
    }

    /// The only one whose fields are its own; its text names them all.
    fn position(&mut self, position: &Position) {
        self.own("mark", position.mark().is_some());
        self.own("liquidation", position.liquidation().is_some());
        let fields = serde_json::to_value(position).unwrap();
        let names: Vec<&String> = fields.as_object().unwrap().keys().collect();
        assert_eq!(names, ["entry", "key", "liquidation", "mark", "qty"]);
    }

    fn report(&mut self, report: &OrderReport) {
        let OrderReport {
            instrument: _,
            client_id: _,
            order,
            side: _,
            order_side: _,
            kind: _,
            price,
            trigger,
            qty,
            filled: _,
            average,
            covers: _,
            state: _,
            reason,
            venue_time: _,
        } = report;
        self.order_ref(order);
        self.part("report", "price", price.is_some());
        self.part("report", "trigger", trigger.is_some());
        self.part("report", "qty", qty.is_some());
        self.part("report", "average", average.is_some());
        self.part("report", "reason", reason.is_some());
    }

    fn order_ref(&mut self, order: &OrderRef) {
        match order {
            OrderRef::Algo { id: _, child } => self.part("order", "child", child.is_some()),
            OrderRef::Plain(_) | OrderRef::Client { id: _, space: _ } => {}
        }
    }

    fn fill(&mut self, fill: &Fill) {
        let Fill {
            instrument: _,
            trade_id: _,
            order: _,
            client_id,
            side: _,
            order_side: _,
            qty: _,
            price: _,
            fee: Amount { asset: _, value: _ },
            realized,
            maker: _,
            venue_time: _,
        } = fill;
        self.part("fill", "client_id", client_id.is_some());
        self.part("fill", "realized", realized.is_some());
    }

    fn flow(&mut self, flow: &CashFlow) {
        let CashFlow { kind: _, amount: Amount { asset: _, value: _ }, instrument, venue_time: _, id: _ } =
            flow;
        self.part("flow", "instrument", instrument.is_some());
    }

    fn decision(&mut self, decision: &Decision) {
        match decision {
            Decision::Screened { strategy: _, reading } => self.reading(reading),
            Decision::Intended { strategy: _, intent } => self.intent(intent),
            Decision::Assessed { position: _, checks, verdict: _ } => {
                for GateCheck { rule: _, value: _, limit: _, distance: _, verdict: _, note } in
                    checks.to_vec()
                {
                    self.own("note", note.is_some());
                }
            }
            Decision::OrderApproved {
                client_id: _,
                strategy,
                position: _,
                leg,
                qty: _,
                purpose: _,
                protection,
            } => {
                self.own("strategy", strategy.is_some());
                self.own("protection", protection.is_some());
                protection.iter().for_each(|protection| self.protection(protection));
                match leg {
                    Leg::Open(entry) => of_entry(entry),
                    Leg::Close(exit, _) => self.exit(exit),
                }
            }
            Decision::Corrected { difference } => self.difference(difference),
            Decision::Alert { position, text: _ } => self.own("position", position.is_some()),
            Decision::OrderAdopted { instrument: _, order }
            | Decision::AdoptedCancelRequested { instrument: _, order, because: _ } => self.order_ref(order),
            Decision::CancelRequested { order: _, because: _ }
            | Decision::QueryRequested { order: _ }
            | Decision::FlattenRequested { position: _, because: _ }
            | Decision::AbsenceProven { order: _ }
            | Decision::PostureChanged { posture: _, because: _ }
            | Decision::StopMissing { position: _, guard: _, since: _ }
            | Decision::StopRepaired { position: _, guard: _, after_ms: _ }
            | Decision::LegHalted { position: _, forced: _, because: _ }
            | Decision::Muted { instrument: _, until: _, because: _ } => {}
        }
    }

    fn reading(&mut self, reading: &Reading) {
        let Reading {
            instrument: _,
            timeframe: _,
            z,
            rsi,
            atr,
            cross_up: _,
            cross_down: _,
            in_trade: _,
            side,
            emitted: _,
            veto,
        } = reading;
        self.own("z", z.is_some());
        self.own("rsi", rsi.is_some());
        self.own("atr", atr.is_some());
        self.own("side", side.is_some());
        self.own("veto", !veto.is_empty());
    }

    fn intent(&mut self, intent: &Intent) {
        match intent {
            Intent::Open { position: _, size: _, entry, protection, because: _ } => {
                of_entry(entry);
                self.protection(protection);
            }
            Intent::Close { position: _, portion: _, exit, because: _ } => self.exit(exit),
            Intent::Protect { position: _, trigger: _, because: _ }
            | Intent::Cancel { order: _, because: _ } => {}
        }
    }

    fn protection(&mut self, protection: &Protection) {
        match protection {
            Protection::Stop { trigger: _, take_profits } => {
                self.part("protection", "take_profits", !take_profits.is_empty());
                for TakeProfit { trigger: _, portion: _ } in take_profits {}
            }
            Protection::Unprotected { because: _ } => {}
        }
    }

    fn exit(&mut self, exit: &Exit) {
        match exit {
            Exit::TrailingStop { activate, callback: _, by: _ } => {
                self.part("exit", "activate", activate.is_some());
            }
            Exit::Market
            | Exit::Limit { price: _, tif: _ }
            | Exit::StopMarket { trigger: _, by: _ }
            | Exit::TakeProfitMarket { trigger: _, by: _ } => {}
        }
    }

    fn difference(&mut self, difference: &Difference) {
        match difference {
            Difference::LegSize { position: _, book: _, venue: _, entry } => {
                self.own("entry", entry.is_some())
            }
            Difference::OwnOrder { report } | Difference::ForeignOrder { report } => self.report(report),
            Difference::Flow { flow } | Difference::Fee { flow, book: _ } => self.flow(flow),
            Difference::Wallet { asset: _, book: _, venue: _ }
            | Difference::NotOpen { order: _, book: _ }
            | Difference::State { order: _, book: _, venue: _ }
            | Difference::Mode { venue: _ }
            | Difference::ForeignPosition { instrument: _, detail: _ } => {}
        }
    }
}

const fn of_entry(entry: &Entry) {
    match entry {
        Entry::Market | Entry::Limit { price: _, tif: _ } => {}
    }
}

/// Nothing of a market fact may be missing.
const fn market(event: &MarketEvent) {
    match event {
        MarketEvent::History { instrument: _, bar } | MarketEvent::Bar { instrument: _, bar } => {
            let Bar {
                open_time: _,
                interval: _,
                open: _,
                high: _,
                low: _,
                close: _,
                price_scale: _,
                volume: _,
                volume_scale: _,
            } = bar;
        }
        MarketEvent::Mark { instrument: _, mark: _, venue_time: _ }
        | MarketEvent::Funding { instrument: _, rate: _, settles_at: _ }
        | MarketEvent::Book { instrument: _, bid: _, bid_qty: _, ask: _, ask_qty: _, venue_time: _ }
        | MarketEvent::Trade { instrument: _, price: _, qty: _, seller_aggressed: _, venue_time: _ }
        | MarketEvent::Gap { instrument: _, from: _, to: _ }
        | MarketEvent::Silent { instrument: _ } => {}
    }
}
