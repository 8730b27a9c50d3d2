//! The gate: every rule at its exact limit, every answer on record.

use std::borrow::Cow;

use hedge_core::*;
use proptest::{prelude::*, strategy::Strategy as Generate};

use crate::rig::*;

fn limit(key: PositionKey, qty: &str, price: &str, stop: &str) -> Intent {
    Intent::Open {
        position: key,
        size: Size::Qty(q(qty)),
        entry: Entry::Limit { price: px(price), tif: Tif::Gtc },
        protection: Protection::Stop { trigger: px(stop), take_profits: Vec::new() },
        because: "test".into(),
    }
}

/// The rule that refuses this opening at mark 100; `None` when it passes.
fn refusal(intent: Intent) -> Option<String> {
    let mut rig = Rig::new();
    let outcomes = rig.want(intent);
    assert_eq!(outcomes.submits().is_empty(), outcomes.refused_by().is_some());
    outcomes.refused_by()
}

#[test]
fn each_rule_of_the_gate_passes_at_its_limit_and_refuses_beyond() {
    let cases = [
        // 0.05 at 100 is exactly the smallest notional of 5.
        (limit(long(), "0.05", "100", "95"), None),
        (limit(long(), "0.049", "100", "95"), Some("venue_min_notional")),
        (limit(long(), "0.0009", "100", "95"), Some("min_qty")),
        // Prices may be 5 % away from the mark, on the far side only.
        (limit(long(), "1", "105", "95"), None),
        (limit(long(), "1", "105.1", "95"), Some("price_band")),
        (limit(long(), "1", "50", "45"), None),
        (limit(short(), "1", "95", "105"), None),
        (limit(short(), "1", "94.9", "105"), Some("price_band")),
        (limit(short(), "1", "150", "155"), None),
        (limit(long(), "1", "0.01", "0.1"), Some("price_bounds")),
        (limit(short(), "1", "1000000.1", "1000000"), Some("price_bounds")),
        // The stop is on the losing side of the mark, after rounding.
        (limit(long(), "1", "100", "99.9"), None),
        (limit(long(), "1", "100", "100"), Some("protection")),
        (limit(long(), "1", "100", "99.96"), Some("protection")),
        (limit(long(), "1", "100", "101"), Some("protection")),
        (limit(short(), "1", "100", "100.1"), None),
        (limit(short(), "1", "100", "100"), Some("protection")),
        (limit(short(), "1", "100", "99"), Some("protection")),
    ];
    for (intent, rule) in cases {
        assert_eq!(refusal(intent.clone()).as_deref(), rule, "{intent:?}");
    }
}

#[test]
fn an_approval_lists_every_rule_that_was_asked() {
    let mut rig = Rig::new();
    let (checks, verdict) = rig.open(long(), "95").assessed();
    assert_eq!(verdict, Verdict::Approve);
    assert!(checks.iter().all(GateCheck::passed));
    let rules: Vec<&str> = checks.iter().map(|check| check.rule.as_ref()).collect();
    for rule in [
        "posture",
        "account_stream",
        "instrument_trading",
        "hedge_mode",
        "leg_owner",
        "outcome_known",
        "entry_in_flight",
        "not_muted",
        "free_conditional_orders",
        "price_band",
        "protection",
        "min_qty",
        "venue_min_notional",
        "permit_all",
    ] {
        assert!(rules.contains(&rule), "{rule} is missing in {rules:?}");
    }
}

#[test]
fn a_refusal_lists_every_rule_that_an_approval_lists() {
    let approved = Rig::new().open(long(), "95").assessed().0;
    let mut rig = Rig::new();
    rig.operator(OperatorCommand::Halt);
    rig.account(AccountEvent::Disconnected { reason: "test".to_owned() });
    let refused = rig.want(limit(long(), "1", "106", "101")).assessed().0;
    let rules = |checks: &[GateCheck]| checks.iter().map(|check| check.rule.to_string()).collect::<Vec<_>>();
    assert_eq!(rules(&refused), rules(&approved));
    let failed: Vec<&str> = refused.iter().filter(|c| !c.passed()).map(|c| c.rule.as_ref()).collect();
    assert_eq!(failed, ["posture", "account_stream", "price_band", "protection"]);
}

#[test]
fn a_check_shows_its_value_its_limit_and_the_distance() {
    let mut rig = Rig::new();
    let (checks, _) = rig.want(limit(long(), "1", "104", "95")).assessed();
    let band = checks.iter().find(|check| check.rule == "price_band").unwrap();
    assert_eq!((band.value, band.limit, band.distance), (d("104"), d("105"), d("1")));
    let mut rig = Rig::new();
    let (checks, _) = rig.want(limit(long(), "0.04", "100", "95")).assessed();
    let notional = checks.iter().find(|check| check.rule == "venue_min_notional").unwrap();
    assert_eq!((notional.value, notional.limit, notional.distance), (d("4"), d("5"), d("-1")));
}

#[test]
fn a_market_entry_is_an_ioc_limit_that_reaches_no_further_than_allowed() {
    let mut rig = Rig::new();
    let at = |price: &str| Leg::Open(Entry::Limit { price: px(price), tif: Tif::Ioc });
    assert_eq!(rig.open(long(), "95").only().leg, at("100.3"));
    assert_eq!(rig.open(short(), "105").only().leg, at("99.7"));
    let mut rig = Rig::new();
    rig.mark("100.1");
    // 100.1 plus and minus 30 bps is 100.4003 and 99.7997: rounded towards the mark.
    assert_eq!(rig.open(long(), "95").only().leg, at("100.4"));
    assert_eq!(rig.open(short(), "105").only().leg, at("99.8"));
}

#[test]
fn a_size_in_quote_is_rounded_down_to_the_grid() {
    let mut rig = Rig::new();
    let sent = rig
        .want(Intent::open(long(), Size::Notional(Notional::parse("1000").unwrap()), px("95"), "test"))
        .only();
    // 1000 / 100.3 = 9.97009…
    assert_eq!(sent.qty, d("9.970"));
}

#[test]
fn a_size_above_the_largest_lot_is_cut_to_it() {
    assert_eq!(Rig::new().want(limit(long(), "5000", "100", "95")).only().qty, d("1000"));
}

#[test]
fn without_a_mark_nothing_is_opened() {
    let mut rig = Rig::cold(EngineConfig::default(), Box::new(PermitAll), 0);
    rig.start(1);
    rig.snapshot(snapshot());
    // A bar of the other symbol: this one has no price.
    let outcomes = rig.want(Intent::open(PositionKey::long(eth()), Size::Qty(q("1")), px("95"), "test"));
    outcomes.none();
    assert_eq!(outcomes.refused_by().as_deref(), Some("mark_known"));
}

#[test]
fn an_instrument_that_stops_trading_is_not_opened_and_is_closed_once() {
    let mut rig = Rig::new();
    rig.opened();
    let mut halted = spec(btc());
    halted.status = InstrumentStatus::NotTrading("SETTLING".to_owned());
    let left = rig.feed(Fact::Instrument { ix: InstrumentIx(0), spec: Box::new(halted) }).only();
    assert!(left.is_market_close());
    assert_eq!(rig.open(short(), "105").refused_by().as_deref(), Some("instrument_trading"));
    assert!(
        rig.want(Intent::close(long(), "leave")).submits().is_empty(),
        "the whole leg is being closed already"
    );
    assert_eq!(rig.leg(&long()).qty, d("1"), "new rules do not touch the position");
}

#[test]
fn ten_conditional_orders_stay_free_for_protection() {
    for (open, rule) in [(190, None), (191, Some("free_conditional_orders"))] {
        let mut rig = Rig::new();
        let mut found = rig.agreeing_snapshot(&[]);
        for i in 0..open {
            found.orders.push(OrderReport {
                instrument: eth(),
                client_id: ReportedId::parse(&format!("web_{i}")),
                order: OrderRef::Algo { id: VenueOrderId(i), child: None },
                side: ReportedSide::Long,
                order_side: OrderSide::Sell,
                kind: ReportedKind::TakeProfitMarket,
                price: None,
                trigger: Some(px("200")),
                qty: Some(q("1")),
                filled: d("0"),
                average: None,
                covers: Coverage::Qty,
                state: ReportedState::Working,
                reason: None,
                venue_time: rig.now,
            });
        }
        rig.snapshot(found);
        assert_eq!(rig.open(long(), "95").refused_by().as_deref(), rule, "{open} open");
    }
}

#[test]
fn take_profits_on_the_wrong_side_are_left_out() {
    let mut rig = Rig::new();
    let rung = |trigger: &str| TakeProfit { trigger: px(trigger), portion: Ratio::parse("0.5").unwrap() };
    let entry = rig
        .want(Intent::Open {
            position: long(),
            size: Size::Qty(q("1")),
            entry: Entry::Market,
            protection: Protection::Stop { trigger: px("95"), take_profits: vec![rung("99"), rung("110")] },
            because: "test".into(),
        })
        .only();
    rig.fill(&entry, "1", "100");
    let rungs: Vec<Price> = rig
        .book()
        .live_orders_of(&long())
        .filter(|order| order.purpose == OrderPurpose::TakeProfit)
        .filter_map(|order| match order.leg {
            Leg::Close(exit, _) => exit.trigger(),
            Leg::Open(_) => None,
        })
        .collect();
    assert_eq!(rungs, [px("110")]);
}

/// Lets pass what it is told to.
#[derive(Debug)]
struct Cut(Verdict);

impl RiskManager for Cut {
    fn assess(&self, proposal: &Proposal<'_>, answers: &mut Answers) -> Verdict {
        let mut check = GateCheck::at_most("cut", proposal.qty.get(), d("0.5"));
        check.verdict = match self.0 {
            Verdict::Approve => CheckVerdict::Pass,
            Verdict::Shrink { .. } => CheckVerdict::Shrink,
            Verdict::Refuse { .. } => CheckVerdict::Refuse,
        };
        answers.push(check);
        self.0.clone()
    }
    fn posture(&self, _: &Book, _: Timestamp) -> Stance {
        Stance::NORMAL
    }
    fn observe(&mut self, _: &Envelope, _: &Book) {}
    fn mark(&mut self, _: &Book, _: Timestamp) {}
}

#[test]
fn a_risk_manager_can_shrink_and_refuse_but_never_enlarge() {
    let with = |verdict| Rig::with(EngineConfig::default(), Box::new(Cut(verdict)), 0);
    let mut rig = with(Verdict::Shrink { to: q("0.5") });
    let outcomes = rig.open(long(), "95");
    assert_eq!(outcomes.only().qty, d("0.5"));
    assert_eq!(outcomes.assessed().1, Verdict::Shrink { to: q("0.5") });

    let mut rig = with(Verdict::Shrink { to: q("7") });
    assert_eq!(rig.open(long(), "95").only().qty, d("1"));

    let mut rig = with(Verdict::Refuse { rule: Cow::Borrowed("cut") });
    let outcomes = rig.open(long(), "95");
    outcomes.none();
    assert_eq!(outcomes.refused_by().as_deref(), Some("cut"));

    // What is left is worth less than the venue takes: the bench checks that the refusing rule is on the list.
    let mut rig = with(Verdict::Shrink { to: q("0.049") });
    let outcomes = rig.open(long(), "95");
    outcomes.none();
    assert!(outcomes.refused_by().is_some());
    let mut rig = with(Verdict::Shrink { to: q("0.0001") });
    rig.open(long(), "95").none();
}

#[test]
fn a_shrink_does_not_excuse_another_rule_s_refusal() {
    let mut rig = Rig::with(EngineConfig::default(), Box::new(Cut(Verdict::Shrink { to: q("0.5") })), 0);
    rig.operator(OperatorCommand::ExitOnly);
    let outcomes = rig.open(long(), "95");
    outcomes.none();
    assert_eq!(outcomes.refused_by().as_deref(), Some("posture"));
}

fn steps() -> impl Generate<Value = Decimal> {
    prop::sample::select(vec!["0.00001", "0.001", "0.01", "0.05", "0.1", "0.25", "0.5", "1", "5", "10"])
        .prop_map(d)
}

fn decimals() -> impl Generate<Value = Decimal> {
    (1_i64..1_000_000_000_000, 0_u32..10).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn quantising_a_quantity_never_goes_up_stays_on_the_grid_and_is_idempotent(
        value in decimals(), step in steps(), min in 1_i64..20, max in 1_i64..100_000,
    ) {
        let rule = LotRule { min: step * Decimal::from(min), max: step * Decimal::from(min + max), step };
        let spec = spec(btc());
        if let Some(qty) = spec.floor_qty(value, &rule) {
            prop_assert!(qty.get() <= value);
            prop_assert!(qty.get() >= rule.min && qty.get() <= rule.max);
            prop_assert!((qty.get() % step).is_zero());
            prop_assert_eq!(spec.floor_qty(qty.get(), &rule), Some(qty));
        } else {
            prop_assert!(value < rule.min);
        }
        if let Some(qty) = spec.ceil_qty(value, &rule) {
            prop_assert!(qty.get() >= value && qty.get() <= rule.max);
            prop_assert_eq!(spec.ceil_qty(qty.get(), &rule), Some(qty));
        }
    }

    #[test]
    fn a_price_is_never_made_worse_for_its_order(value in decimals(), step in steps()) {
        let mut spec = spec(btc());
        (spec.tick, spec.min_price, spec.max_price) = (step, None, None);
        if let Some(price) = spec.passive_price(value, OrderSide::Buy) {
            prop_assert!(price.get() <= value && value - price.get() < step);
        }
        if let Some(price) = spec.passive_price(value, OrderSide::Sell) {
            prop_assert!(price.get() >= value && price.get() - value < step);
        }
        if let Some(price) = spec.round_price(value) {
            prop_assert!((price.get() - value).abs() * Decimal::TWO <= step);
            prop_assert_eq!(spec.round_price(price.get()), Some(price));
        }
    }

    #[test]
    fn a_close_never_exceeds_the_position(
        held in decimals(), wanted in decimals(), percent in -10_i64..200, step in steps(), which in 0..3,
    ) {
        let mut spec = spec(btc());
        let rule = LotRule { min: step, max: step * Decimal::from(1_000_000), step };
        (spec.lot, spec.market_lot) = (rule, rule);
        let gate = Gate::for_closing(&spec, Term(1));
        let position = Position::new(long(), Qty::new(held).unwrap(), px("100"));
        let portion = match which {
            0 => Portion::All,
            1 => Portion::Qty(Qty::new(wanted).unwrap()),
            _ => Portion::Fraction(Ratio::new(Decimal::new(percent, 2)).unwrap()),
        };
        let id = OrderIds::new(RunId(1), Term(1)).derive(Seq(1), OrderPurpose::Close);
        if let Ok(close) = gate.close(id, &position, &portion, &Exit::Market) {
            let order = close.get().order();
            prop_assert!(order.qty().get() <= held);
            prop_assert!((order.qty().get() % step).is_zero());
            prop_assert_eq!(order.side(), OrderSide::Sell);
            prop_assert_eq!(close.valid_until(), None);
            prop_assert!(!close.is_stale(Timestamp::MAX, Term(1)));
        } else {
            prop_assert!(held < step || (which == 1 && wanted < step));
        }
    }

    #[test]
    fn client_order_ids_are_unique_ours_and_short(
        a in (0_i64..4_000_000_000, 0_u32..5_000, 0_u64..u64::from(u32::MAX), 0..4_usize),
        b in (0_i64..4_000_000_000, 0_u32..5_000, 0_u64..u64::from(u32::MAX), 0..4_usize),
    ) {
        let purposes = [OrderPurpose::Entry, OrderPurpose::Stop, OrderPurpose::TakeProfit, OrderPurpose::Close];
        let id = |(run, term, seq, purpose): (i64, u32, u64, usize)| {
            OrderIds::new(RunId(run), Term(term)).derive(Seq(seq), purposes[purpose])
        };
        prop_assert_eq!(id(a) == id(b), a == b);
        prop_assert!(OrderIds::is_ours(id(a).as_str()));
        prop_assert!(id(a).as_str().len() <= 32);
        prop_assert_eq!(ReportedId::parse(id(a).as_str()), ReportedId::Ours(id(a)));
    }
}
