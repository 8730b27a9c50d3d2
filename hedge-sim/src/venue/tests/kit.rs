//! A small exchange with one account, and short words for what tests do to it.

use rust_decimal::Decimal;

use crate::venue::*;

pub(super) const ME: AccountId = AccountId(0);
pub(super) const BTC: SymbolId = SymbolId(0);
pub(super) const ETH: SymbolId = SymbolId(1);

pub(super) fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// An exchange with its clock and everything it ever said.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) venue: Venue,
    pub(super) now_ms: i64,
    pub(super) events: Vec<VenueEvent>,
    pub(super) log: Vec<(i64, Command)>,
}

/// All seven builtin instruments; BTCUSDT at 50,000.0, ETHUSDT at 3,000.00, the others at 10; 10,000 USDT; hedge mode.
pub(super) fn hedge_desk() -> Desk {
    let mut desk = one_way_desk();
    desk.ok(Command::PositionMode { account: ME, hedge: true });
    desk
}

pub(super) fn one_way_desk() -> Desk {
    desk_of(VenueConfig::default())
}

pub(super) fn desk_of(config: VenueConfig) -> Desk {
    let mut desk = Desk { venue: Venue::new(config), now_ms: 1_700_000_000_000, events: vec![], log: vec![] };
    for rules in InstrumentRules::builtin() {
        let price = match rules.symbol.as_str() {
            "BTCUSDT" => d("50000"),
            "ETHUSDT" => d("3000"),
            _ => d("10"),
        };
        desk.ok(Command::List { rules: Box::new(rules), price });
    }
    desk.ok(Command::OpenAccount { account: ME, balance_usdt: d("10000") });
    desk
}

impl Desk {
    pub(super) fn run(&mut self, command: Command) -> Result<Reply, VenueError> {
        self.now_ms += 1;
        let reply = self.venue.apply(self.now_ms, &command, &mut self.events);
        self.log.push((self.now_ms, command));
        reply
    }

    pub(super) fn ok(&mut self, command: Command) -> Reply {
        let text = format!("{command:?}");
        self.run(command).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    pub(super) fn code(&mut self, command: Command) -> i64 {
        let before = self.venue.state_digest();
        let events = self.events.len();
        let code =
            self.run(command.clone()).map(|r| panic!("{command:?} was accepted: {r:?}")).unwrap_err().code;
        assert_eq!(self.events.len(), events, "a refusal tells nothing");
        let mut after = self.venue.clone();
        after.now_ms -= 1;
        assert_eq!(after.state_digest(), before, "a refusal changes nothing");
        code
    }

    pub(super) fn place(&mut self, order: NewOrder) -> OrderView {
        match self.ok(Command::Place(order)) {
            Reply::Order(view) => *view,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn refuse(&mut self, order: NewOrder) -> i64 {
        self.code(Command::Place(order))
    }

    pub(super) fn place_algo(&mut self, algo: NewAlgo) -> AlgoView {
        match self.ok(Command::PlaceAlgo(algo)) {
            Reply::Algo(view) => *view,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn refuse_algo(&mut self, algo: NewAlgo) -> i64 {
        self.code(Command::PlaceAlgo(algo))
    }

    /// Opens a leg at market.
    pub(super) fn open(&mut self, symbol: &str, side: PositionSide, qty: &str) -> OrderView {
        let order_side = if side == PositionSide::Short { Side::Sell } else { Side::Buy };
        self.place(NewOrder::market(ME, symbol, order_side, d(qty)).on(side))
    }

    /// Closes part of a leg at market.
    pub(super) fn close(&mut self, symbol: &str, side: PositionSide, qty: &str) -> OrderView {
        let order_side = if side == PositionSide::Short { Side::Buy } else { Side::Sell };
        self.place(NewOrder::market(ME, symbol, order_side, d(qty)).on(side))
    }

    pub(super) fn move_once(&mut self, symbol: SymbolId, price: &str) -> Moved {
        let to = self.venue.rules(symbol).unwrap().ticks_exact(d(price)).unwrap();
        self.moved(Command::Move { symbol, to, mark: None })
    }

    /// Moves until the price is there; returns the prices (ticks) at which it stopped.
    pub(super) fn move_to(&mut self, symbol: SymbolId, price: &str) -> Vec<i64> {
        let mut stops = Vec::new();
        loop {
            let moved = self.move_once(symbol, price);
            if moved.eventful {
                stops.push(moved.last);
            }
            if moved.reached {
                return stops;
            }
            assert!(stops.len() < 1_000, "the move never ends");
        }
    }

    pub(super) fn jump(&mut self, symbol: SymbolId, price: &str) -> Moved {
        let to = self.venue.rules(symbol).unwrap().ticks_exact(d(price)).unwrap();
        self.moved(Command::Jump { symbol, to, mark: None })
    }

    pub(super) fn moved(&mut self, command: Command) -> Moved {
        match self.ok(command) {
            Reply::Moved(moved) => moved,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn position(&self, symbol: &str, side: PositionSide) -> PositionView {
        let rows = self.venue.positions(ME, Some(symbol)).unwrap();
        rows.into_iter().find(|p| p.position_side == side).unwrap()
    }

    pub(super) fn qty(&self, symbol: &str, side: PositionSide) -> Decimal {
        self.position(symbol, side).qty
    }

    pub(super) fn usdt(&self) -> AssetView {
        self.venue.assets(ME).unwrap().remove(0)
    }

    pub(super) fn wallet(&self) -> Decimal {
        self.usdt().wallet_balance
    }

    pub(super) fn order(&self, symbol: &str, id: u64) -> OrderView {
        self.venue.order(ME, symbol, &OrderRef::Id(id)).unwrap()
    }

    pub(super) fn algo(&self, id: u64) -> AlgoView {
        self.venue.algo(ME, &AlgoRef::Id(id)).unwrap()
    }

    /// Order events as (execution, status, expiry).
    pub(super) fn order_events(&self, id: u64) -> Vec<(ExecutionType, OrderStatus, ExpiryReason)> {
        let bodies = self.events.iter().map(|e| &e.body);
        let updates = bodies.filter_map(|b| if let EventBody::Order(u) = b { Some(u) } else { None });
        updates.filter(|u| u.order.order_id == id).map(|u| (u.execution, u.order.status, u.expiry)).collect()
    }

    /// States an algo order was announced in.
    pub(super) fn algo_events(&self, id: u64) -> Vec<AlgoStatus> {
        let bodies = self.events.iter().map(|e| &e.body);
        let updates = bodies.filter_map(|b| if let EventBody::Algo(u) = b { Some(u) } else { None });
        updates.filter(|u| u.algo_id == id).map(|u| u.status).collect()
    }

    /// Start plus every ledger row must be the wallet, and what the venue holds must be serialisable.
    pub(super) fn check_money(&self, start: &str) {
        let income = self.venue.income(ME, None, None, Window::default()).unwrap();
        let sum: Decimal = income.iter().filter(|r| r.asset == "USDT").map(|r| r.income).sum();
        assert_eq!(d(start) + sum, self.wallet());
    }
}

/// A close-all stop on a leg.
pub(super) fn stop_all(side: PositionSide, trigger: &str) -> NewAlgo {
    let order_side = if side == PositionSide::Short { Side::Buy } else { Side::Sell };
    NewAlgo {
        position_side: Some(side),
        trigger_price: Some(d(trigger)),
        close_position: true,
        ..NewAlgo::of(ME, "BTCUSDT", order_side, OrderType::StopMarket)
    }
}

/// A conditional order with a quantity.
pub(super) fn conditional(
    kind: OrderType,
    side: Side,
    leg: PositionSide,
    qty: &str,
    trigger: &str,
) -> NewAlgo {
    NewAlgo {
        position_side: Some(leg),
        trigger_price: Some(d(trigger)),
        qty: Some(d(qty)),
        ..NewAlgo::of(ME, "BTCUSDT", side, kind)
    }
}
