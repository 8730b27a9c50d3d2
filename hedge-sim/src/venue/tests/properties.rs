use std::collections::BTreeSet;

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::kit::*;
use crate::venue::*;
use PositionSide::{Long, Short};
use Side::{Buy, Sell};

/// Something a trader or the market does; numbers are turned into valid or nearly valid values.
#[derive(Debug, Clone)]
enum Step {
    Market {
        symbol: bool,
        buy: bool,
        long: bool,
        thousandths: i64,
    },
    Limit {
        symbol: bool,
        buy: bool,
        long: bool,
        thousandths: i64,
        offset_bps: i64,
        tif: usize,
    },
    Algo {
        buy: bool,
        long: bool,
        kind: usize,
        thousandths: i64,
        offset_bps: i64,
        close_all: bool,
        mark: bool,
    },
    CancelAll {
        symbol: bool,
    },
    CancelAlgos,
    Isolate {
        symbol: bool,
        isolated: bool,
    },
    Move {
        symbol: bool,
        bps: i64,
        mark_bps: Option<i64>,
    },
    Jump {
        symbol: bool,
        bps: i64,
    },
    Funding {
        symbol: bool,
        ppm: i64,
    },
    Transfer {
        cents: i64,
    },
    Stir,
}

fn step() -> impl Strategy<Value = Step> {
    let qty = prop_oneof![6 => 1i64..400, 1 => 400i64..4_000];
    prop_oneof![
        4 => (any::<bool>(), any::<bool>(), any::<bool>(), qty.clone())
            .prop_map(|(symbol, buy, long, thousandths)| Step::Market { symbol, buy, long, thousandths }),
        4 => (any::<bool>(), any::<bool>(), any::<bool>(), qty.clone(), -300i64..300, 0usize..5).prop_map(
            |(symbol, buy, long, thousandths, offset_bps, tif)| Step::Limit {
                symbol, buy, long, thousandths, offset_bps, tif
            }
        ),
        3 => (any::<bool>(), any::<bool>(), 0usize..5, qty, -300i64..300, any::<bool>(), any::<bool>()).prop_map(
            |(buy, long, kind, thousandths, offset_bps, close_all, mark)| Step::Algo {
                buy, long, kind, thousandths, offset_bps, close_all, mark
            }
        ),
        1 => any::<bool>().prop_map(|symbol| Step::CancelAll { symbol }),
        1 => Just(Step::CancelAlgos),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(symbol, isolated)| Step::Isolate { symbol, isolated }),
        6 => (any::<bool>(), -500i64..500, proptest::option::of(-500i64..500))
            .prop_map(|(symbol, bps, mark_bps)| Step::Move { symbol, bps, mark_bps }),
        1 => (any::<bool>(), -1500i64..1500).prop_map(|(symbol, bps)| Step::Jump { symbol, bps }),
        1 => (any::<bool>(), -3000i64..3000).prop_map(|(symbol, ppm)| Step::Funding { symbol, ppm }),
        1 => (-100_000i64..100_000).prop_map(|cents| Step::Transfer { cents }),
        1 => Just(Step::Stir),
    ]
}

fn name(symbol: bool) -> (SymbolId, &'static str) {
    if symbol { (ETH, "ETHUSDT") } else { (BTC, "BTCUSDT") }
}

/// A price `bps` away from last, on the grid.
fn near(desk: &Desk, symbol: SymbolId, bps: i64) -> Decimal {
    let rules = desk.venue.rules(symbol).unwrap();
    let last = desk.venue.prices(symbol).unwrap().last_ticks;
    rules.price_of((last + last * bps / 10_000).max(1))
}

fn side(buy: bool) -> Side {
    if buy { Buy } else { Sell }
}

fn leg(long: bool) -> PositionSide {
    if long { Long } else { Short }
}

fn command(desk: &Desk, step: &Step) -> Command {
    match *step {
        Step::Market { symbol, buy, long, thousandths } => {
            let qty = Decimal::new(thousandths, 3);
            Command::Place(NewOrder::market(ME, name(symbol).1, side(buy), qty).on(leg(long)))
        }
        Step::Limit { symbol, buy, long, thousandths, offset_bps, tif } => {
            let (id, text) = name(symbol);
            let price = near(desk, id, offset_bps);
            let tif = [Tif::Gtc, Tif::Ioc, Tif::Fok, Tif::Gtx, Tif::Gtd][tif];
            Command::Place(NewOrder {
                tif: Some(tif),
                good_till_ms: (tif == Tif::Gtd).then_some(desk.now_ms + 601_500),
                ..NewOrder::limit(ME, text, side(buy), Decimal::new(thousandths, 3), price).on(leg(long))
            })
        }
        Step::Algo { buy, long, kind, thousandths, offset_bps, close_all, mark } => {
            let order_type = [
                OrderType::Stop,
                OrderType::StopMarket,
                OrderType::TakeProfit,
                OrderType::TakeProfitMarket,
                OrderType::TrailingStopMarket,
            ][kind];
            let price = near(desk, BTC, offset_bps);
            let trailing = order_type == OrderType::TrailingStopMarket;
            let close_all = close_all && matches!(kind, 1 | 3);
            Command::PlaceAlgo(NewAlgo {
                position_side: Some(leg(long)),
                qty: (!close_all).then(|| Decimal::new(thousandths, 3)),
                close_position: close_all,
                trigger_price: (!trailing).then_some(price),
                price: order_type.has_limit_child().then_some(price),
                callback_rate: trailing.then(|| d("0.5")),
                activate_price: (trailing && thousandths % 2 == 0).then_some(price),
                working_type: Some(if mark { WorkingType::Mark } else { WorkingType::Contract }),
                ..NewAlgo::of(ME, "BTCUSDT", side(buy), order_type)
            })
        }
        Step::CancelAll { symbol } => Command::CancelAll { account: ME, symbol: name(symbol).1.into() },
        Step::CancelAlgos => Command::CancelAllAlgos { account: ME, symbol: "BTCUSDT".into() },
        Step::Isolate { symbol, isolated } => Command::MarginType {
            account: ME,
            symbol: name(symbol).1.into(),
            margin_type: if isolated { MarginType::Isolated } else { MarginType::Crossed },
        },
        Step::Move { symbol, bps, mark_bps } => {
            let (symbol, _) = name(symbol);
            let to = desk.venue.rules(symbol).unwrap().ticks_exact(near(desk, symbol, bps)).unwrap();
            Command::Move { symbol, to, mark: mark_bps.map(|bps| near(desk, symbol, bps)) }
        }
        Step::Jump { symbol, bps } => {
            let (symbol, _) = name(symbol);
            let to = desk.venue.rules(symbol).unwrap().ticks_exact(near(desk, symbol, bps)).unwrap();
            Command::Jump { symbol, to, mark: None }
        }
        Step::Funding { symbol, ppm } => {
            Command::Funding { symbol: name(symbol).0, rate: Decimal::new(ppm, 6), mark: None }
        }
        Step::Transfer { cents } => {
            Command::Transfer { account: ME, asset: "USDT".into(), amount: Decimal::new(cents, 2) }
        }
        Step::Stir => Command::Stir { symbol: BTC },
    }
}

/// The same for an account in one-way mode: no leg is named, and what would close a leg says that it only reduces.
fn one_way(command: Command) -> Command {
    let reduces = |side: Side, leg: Option<PositionSide>| (side == Buy) == (leg == Some(Short));
    match command {
        Command::Place(o) => {
            let reduce_only = Some(reduces(o.side, o.position_side));
            Command::Place(NewOrder { reduce_only, position_side: None, ..o })
        }
        Command::PlaceAlgo(a) => {
            let reduce_only = (!a.close_position).then(|| reduces(a.side, a.position_side));
            Command::PlaceAlgo(NewAlgo { reduce_only, position_side: None, ..a })
        }
        other => other,
    }
}

/// Applies a step; a move goes on until it is there.
fn perform(desk: &mut Desk, step: &Step) {
    let hedge = desk.venue.account_config(ME).unwrap().hedge_mode;
    let command = if hedge { command(desk, step) } else { one_way(command(desk, step)) };
    for _ in 0..500 {
        let before = legs(desk);
        let events = desk.events.len();
        let reply = desk.run(command.clone());
        check_step(desk, &before, events);
        match reply {
            Ok(Reply::Moved(moved)) if !moved.reached => continue,
            _ => return,
        }
    }
    panic!("the move never ends: {command:?}");
}

fn legs(desk: &Desk) -> Vec<(String, PositionSide, Decimal)> {
    let rows = desk.venue.positions(ME, None).unwrap();
    rows.into_iter().map(|p| (p.symbol, p.position_side, p.qty)).collect()
}

/// What must hold after every command.
fn check_step(desk: &Desk, before: &[(String, PositionSide, Decimal)], events: usize) {
    desk.check_money("10000");
    // Legs keep their sign, and change by exactly what was filled on them.
    for (symbol, side, qty) in legs(desk) {
        let keeps_its_sign = match side {
            Long => qty >= Decimal::ZERO,
            Short => qty <= Decimal::ZERO,
            PositionSide::Both => true,
        };
        assert!(keeps_its_sign, "{symbol} {side} {qty}");
        let was = before.iter().find(|(s, p, _)| *s == symbol && *p == side).unwrap().2;
        let filled: Decimal = desk.events[events..]
            .iter()
            .filter_map(|e| match &e.body {
                EventBody::Order(u) if u.order.symbol == symbol && u.order.position_side == side => {
                    u.fill.as_ref().map(|f| if u.order.side == Buy { f.qty } else { -f.qty })
                }
                _ => None,
            })
            .sum();
        assert_eq!(qty, was + filled, "{symbol} {side}");
    }
    // Resting closes never exceed their leg.
    for (symbol, side, qty) in legs(desk) {
        let open = desk.venue.open_orders(ME, Some(&symbol)).unwrap();
        let closing: Decimal = open
            .iter()
            .filter(|o| o.position_side == side && o.reduce_only)
            .map(|o| o.orig_qty - o.executed_qty)
            .sum();
        assert!(closing <= qty.abs(), "{symbol} {side}: {closing} resting against {qty}");
    }
    // Resting orders never cross the book.
    for symbol in [BTC, ETH] {
        let best = desk.venue.best(symbol).unwrap();
        assert!(best.bid < best.ask);
    }
    // No money is made of nothing: equity can be spent, not owed, once nothing is at risk.
    if legs(desk).iter().all(|(_, _, qty)| qty.is_zero()) {
        assert!(desk.wallet() >= Decimal::ZERO, "{}", desk.wallet());
    }
}

/// What must hold over a whole run.
fn check_run(desk: &Desk) {
    let mut previous = 0;
    let mut last_ms = 0;
    let mut orders = BTreeSet::new();
    for event in &desk.events {
        assert_eq!(event.seq, previous + 1);
        previous = event.seq;
        assert!(event.at_ms >= last_ms);
        last_ms = event.at_ms;
        let EventBody::Order(u) = &event.body else { continue };
        if u.execution == ExecutionType::New {
            assert!(orders.insert(u.order.order_id), "order ids never repeat");
            assert_eq!(orders.last(), Some(&u.order.order_id), "and always rise");
        }
    }
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        let trades = desk.venue.user_trades(ME, symbol, None, Window::default()).unwrap();
        assert!(trades.windows(2).all(|w| w[0].trade_id <= w[1].trade_id));
        // An account that trades with itself has two rows of one trade; otherwise ids are unique.
        for pair in trades.windows(2).filter(|w| w[0].trade_id == w[1].trade_id) {
            assert_ne!(pair[0].maker, pair[1].maker);
        }
    }
    let mut replayed = Venue::new(VenueConfig::default());
    let mut events = Vec::new();
    for (now_ms, command) in &desk.log {
        let text = serde_json::to_string(command).unwrap();
        let command: Command = serde_json::from_str(&text).unwrap();
        let _ = replayed.apply(*now_ms, &command, &mut events);
    }
    assert_eq!(replayed.state_digest(), desk.venue.state_digest(), "the log rebuilds the state");
    assert_eq!(events, desk.events, "and says the same");
    let text = serde_json::to_string(&desk.venue).unwrap();
    let read: Venue = serde_json::from_str(&text).unwrap();
    assert_eq!(read.state_digest(), desk.venue.state_digest(), "a written exchange reads back");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn money_legs_ids_and_replay_hold_whatever_happens(steps in proptest::collection::vec(step(), 1..60)) {
        let mut desk = hedge_desk();
        for step in &steps {
            perform(&mut desk, step);
        }
        check_run(&desk);
    }

    #[test]
    fn the_same_holds_in_one_way_mode(steps in proptest::collection::vec(step(), 1..60)) {
        let mut desk = one_way_desk();
        for step in &steps {
            perform(&mut desk, step);
        }
        check_run(&desk);
    }

    /// The band is only a shortcut: with it forgotten before every command, everything is the same.
    #[test]
    fn the_shortcut_for_quiet_moves_changes_nothing(steps in proptest::collection::vec(step(), 1..60)) {
        let mut quick = hedge_desk();
        let mut slow = quick.clone();
        for step in &steps {
            perform(&mut quick, step);
            perform_forgetting(&mut slow, step);
        }
        prop_assert_eq!(quick.venue.state_digest(), slow.venue.state_digest());
        prop_assert_eq!(quick.events, slow.events);
    }

    #[test]
    fn closing_in_pieces_realises_the_same_profit_as_at_once(
        pieces in proptest::collection::vec(1i64..50, 1..8),
        bps in -200i64..200,
    ) {
        let total: i64 = pieces.iter().sum();
        let mut at_once = hedge_desk();
        at_once.ok(Command::Transfer { account: ME, asset: "USDT".into(), amount: d("1000000") });
        at_once.ok(Command::SetFees {
            account: ME, symbol: None, fees: FeeRates { maker: d("0"), taker: d("0") }
        });
        at_once.open("BTCUSDT", Long, &Decimal::new(total, 3).to_string());
        let price = near(&at_once, BTC, bps).to_string();
        at_once.move_to(BTC, &price);
        let mut in_pieces = at_once.clone();
        at_once.close("BTCUSDT", Long, &Decimal::new(total, 3).to_string());
        for piece in &pieces {
            in_pieces.close("BTCUSDT", Long, &Decimal::new(*piece, 3).to_string());
        }
        prop_assert_eq!(at_once.wallet(), in_pieces.wallet());
        prop_assert_eq!(in_pieces.qty("BTCUSDT", Long), Decimal::ZERO);
    }
}

/// As `perform`, with bands and guards forgotten before every application.
fn perform_forgetting(desk: &mut Desk, step: &Step) {
    let command = command(desk, step);
    for _ in 0..500 {
        desk.forget_bands();
        match desk.run(command.clone()) {
            Ok(Reply::Moved(moved)) if !moved.reached => continue,
            _ => return,
        }
    }
    panic!("the move never ends: {command:?}");
}

impl Desk {
    /// Writes the exchange out and reads it back: what is only remembered for speed is gone.
    fn forget_bands(&mut self) {
        let text = serde_json::to_string(&self.venue).unwrap();
        self.venue = serde_json::from_str(&text).unwrap();
    }
}
