//! LONG and SHORT of one symbol are two positions.

use hedge_core::*;

use crate::rig::*;

#[test]
fn both_legs_of_a_symbol_are_opened_protected_and_closed_on_their_own() {
    let mut rig = Rig::new();
    let (_, long_stop) = rig.opened();
    let (_, short_stop) = rig.opened_on(short(), "105");
    assert_eq!((rig.leg(&long()).qty, rig.leg(&short()).qty), (d("1"), d("1")));
    assert_eq!(rig.book().occupied_legs(), 2);
    let close = rig.want(Intent::close(long(), "enough")).only();
    assert_eq!((close.position, close.side, close.qty), (long(), OrderSide::Sell, d("1")));
    let flat = rig.fill(&close, "1", "103");
    assert_eq!(flat.cancels(), [long_stop.id], "only the LONG leg's stop goes");
    assert_eq!(rig.state(&short_stop.id), OrderState::Working);
    assert_eq!(rig.leg(&short()).qty, d("1"));
    assert_eq!(rig.leg(&long()).realized, d("3"));
    assert_eq!(rig.leg(&short()).realized, d("0"));
    rig.identity_holds();
}

#[test]
fn a_problem_of_one_leg_does_not_touch_the_other() {
    let mut rig = Rig::new();
    let (_, long_stop) = rig.opened();
    let entry = rig.open(short(), "105").only();
    let stop = rig.fill(&entry, "1", "100").only();
    let close = rig.reject(&stop, RejectReason::WouldTrigger, -2021).only();
    assert_eq!((close.position, close.side), (short(), OrderSide::Buy));
    assert_eq!(rig.state(&long_stop.id), OrderState::Working);
    assert_eq!(rig.leg(&long()).unprotected_since, None);
}

#[test]
fn an_open_leg_belongs_to_its_opener_until_it_is_flat() {
    let mut rig = Rig::with(EngineConfig::default(), Box::new(PermitAll), 1);
    rig.opened();
    rig.others[0].lock().unwrap().push(Intent::open(long(), Size::Qty(q("1")), px("95"), "me too"));
    let refused = rig.bar();
    refused.none();
    assert_eq!(refused.refused_by().as_deref(), Some("leg_owner"));

    rig.others[0].lock().unwrap().push(Intent::close(long(), "not yours"));
    let refused = rig.bar();
    refused.none();
    assert_eq!(refused.refused_by().as_deref(), Some("leg_owner"));

    rig.others[0].lock().unwrap().push(Intent::Protect {
        position: long(),
        trigger: px("90"),
        because: "not yours".into(),
    });
    rig.bar().none();

    // The other leg of the same symbol may have another owner.
    rig.others[0].lock().unwrap().push(Intent::open(short(), Size::Qty(q("1")), px("105"), "hedge"));
    let entry = rig.bar().only();
    assert_eq!(entry.position, short());

    let close = rig.want(Intent::close(long(), "enough")).only();
    rig.fill(&close, "1", "100");
    assert_eq!(rig.leg(&long()).owner, None);
    rig.others[0].lock().unwrap().push(Intent::open(long(), Size::Qty(q("1")), px("95"), "free now"));
    rig.bar().only();
}

#[test]
fn an_entry_in_flight_already_owns_its_leg() {
    let mut rig = Rig::with(EngineConfig::default(), Box::new(PermitAll), 1);
    rig.open(long(), "95").only();
    rig.others[0].lock().unwrap().push(Intent::open(long(), Size::Qty(q("1")), px("95"), "me too"));
    let refused = rig.bar();
    refused.none();
    let (checks, _) = refused.assessed();
    let rules: Vec<&str> =
        checks.iter().filter(|check| !check.passed()).map(|check| check.rule.as_ref()).collect();
    assert!(rules.contains(&"leg_owner") && rules.contains(&"entry_in_flight"), "{rules:?}");
}

#[test]
fn a_second_opening_waits_while_the_first_is_live() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let refused = rig.open(long(), "95");
    refused.none();
    assert_eq!(refused.refused_by().as_deref(), Some("entry_in_flight"));
    rig.ack(&entry);
    rig.open(long(), "95").none();
    rig.report(&entry, ReportedState::Expired, "0");
    rig.open(long(), "95").only();
}

#[test]
fn a_strategy_cancels_its_own_orders_only() {
    let mut rig = Rig::with(EngineConfig::default(), Box::new(PermitAll), 1);
    let limit = rig
        .want(Intent::Open {
            position: long(),
            size: Size::Qty(q("1")),
            entry: Entry::Limit { price: px("98"), tif: Tif::PostOnly },
            protection: Protection::Stop { trigger: px("95"), take_profits: Vec::new() },
            because: "test".into(),
        })
        .only();
    rig.ack(&limit);
    let cancel = || Intent::Cancel { order: limit.id, because: "test".into() };
    rig.others[0].lock().unwrap().push(cancel());
    let refused = rig.bar();
    assert!(refused.cancels().is_empty());
    assert_eq!(refused.alerts().len(), 1);
    assert_eq!(rig.want(cancel()).cancels(), [limit.id]);
    assert_eq!(rig.state(&limit.id), OrderState::Canceling);
    assert!(rig.want(cancel()).cancels().is_empty(), "once is enough");
}

#[test]
fn one_way_rows_are_named_and_change_nothing() {
    let mut rig = Rig::new();
    rig.opened();
    let entry = rig.open(short(), "105").only();
    let mut fill = rig.strange_fill(long(), Action::Open, "3", "100");
    fill.side = ReportedSide::Both;
    let outcomes = rig.account(AccountEvent::Fill { fill });
    assert_eq!(outcomes.alerts().len(), 1);
    let mut report = rig.report_of(&entry, ReportedState::Working, "0");
    report.side = ReportedSide::Both;
    report.client_id = ReportedId::parse("web_person");
    report.order = OrderRef::Plain(VenueOrderId(77));
    rig.account(AccountEvent::Order { report: report.clone() });
    rig.account(AccountEvent::Legs {
        legs: vec![LegSize { instrument: btc(), side: ReportedSide::Both, qty: d("3"), entry: None }],
        venue_time: rig.now,
    });
    let mut found = rig.agreeing_snapshot(&[]);
    found.account.mode = PositionMode::Net;
    found.orders.push(report);
    rig.snapshot(found);
    assert_eq!((rig.leg(&long()).qty, rig.leg(&short()).qty), (d("1"), d("0")));
    let refused = rig.want(Intent::open(
        PositionKey::long(eth()),
        Size::Qty(q("1")),
        px("95"),
        "the account is in net mode now",
    ));
    refused.none();
    assert_eq!(refused.refused_by().as_deref(), Some("hedge_mode"));
}

#[test]
fn instruments_that_nobody_configured_never_crash_the_engine() {
    let mut rig = Rig::new();
    let other = InstrumentId::binance("DOGEUSDT").unwrap();
    let key = PositionKey::short(other);
    let fill = rig.strange_fill(key, Action::Open, "3", "0.1");
    rig.account(AccountEvent::Fill { fill });
    rig.account(AccountEvent::Legs {
        legs: vec![LegSize { instrument: other, side: ReportedSide::Short, qty: d("3"), entry: None }],
        venue_time: rig.now,
    });
    let mut found = rig.agreeing_snapshot(&[]);
    found.positions.push(Position::new(key, q("3"), px("0.1")));
    let alerts = rig.snapshot(found).alerts();
    assert!(alerts.iter().any(|text| text.contains("DOGEUSDT")), "{alerts:?}");
    let refused = rig.want(Intent::open(key, Size::Qty(q("100")), px("0.2"), "no"));
    refused.none();
    assert_eq!(refused.refused_by().as_deref(), Some("instrument_known"));
    rig.want(Intent::close(key, "no")).none();
    rig.feed(Fact::Market { event: MarketEvent::Silent { instrument: InstrumentIx(9) } });
    rig.feed(Fact::Market {
        event: MarketEvent::Mark { instrument: InstrumentIx(9), mark: px("1"), venue_time: rig.now },
    });
    let ghost = ClientOrderId::parse("h0000000001zze").unwrap();
    rig.feed(Fact::SubmitAcked {
        order: ghost,
        venue: OrderRef::Plain(VenueOrderId(1)),
        state: ReportedState::Working,
        filled: d("0"),
    });
    rig.feed(Fact::CancelAcked { order: ghost });
    rig.feed(Fact::QueryFailed { order: ghost, message: "no".to_owned() });
}

/// The largest power of ten that a type accepts.
fn largest<T>(accepts: impl Fn(Decimal) -> Option<T>) -> T {
    (0..=28).rev().find_map(|zeros| accepts(Decimal::from(10_u128.pow(zeros)))).unwrap()
}

#[test]
fn absurd_numbers_never_crash_the_engine() {
    let price = largest(|value| Price::new(value).ok());
    let qty = largest(|value| Qty::new(value).ok());
    let notional = largest(|value| Notional::new(value).ok());
    let mark = |price: Price, rig: &Rig| Fact::Market {
        event: MarketEvent::Mark { instrument: InstrumentIx(0), mark: price, venue_time: rig.now },
    };
    let mut rig = Rig::new();
    rig.opened();
    let fact = mark(price, &rig);
    rig.feed(fact);
    for action in [Action::Open, Action::Close, Action::Close, Action::Open, Action::Open] {
        let mut fill = rig.strange_fill(short(), action, "1", "100");
        (fill.qty, fill.price) = (qty, price);
        rig.account(AccountEvent::Fill { fill });
    }
    rig.mark("100");
    let mut found = rig.agreeing_snapshot(&[]);
    found.positions.push(Position::new(PositionKey::long(eth()), qty, price));
    rig.snapshot(found.clone());
    rig.wait(std::time::Duration::from_secs(10));
    rig.snapshot(found);
    let fact = mark(price, &rig);
    rig.feed(fact);
    rig.want(Intent::open(PositionKey::short(eth()), Size::Notional(notional), price, "no"));
    rig.want(Intent::open(PositionKey::short(eth()), Size::Qty(qty), price, "no"));
    rig.operator(OperatorCommand::Flatten);
    assert_eq!(rig.leg(&long()).qty, d("1"));
}
