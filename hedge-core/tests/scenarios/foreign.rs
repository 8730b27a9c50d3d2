//! Positions and orders of somebody else: named once, protected, never ignored.

use std::time::Duration;

use hedge_core::*;

use crate::rig::*;

/// A person holds LONG 2 at 100; the mark is known if stated.
fn with_stranger(mark: Option<&str>) -> (Rig, Outcomes) {
    let mut rig = Rig::cold(EngineConfig::default(), Box::new(PermitAll), 0);
    rig.start(1);
    let mut found = snapshot();
    found.positions = vec![Position::new(long(), q("2"), px("100")).with_prices(mark.map(px), None)];
    let outcomes = rig.snapshot(found);
    (rig, outcomes)
}

fn close_all(id: &str, trigger: &str) -> OrderReport {
    OrderReport {
        instrument: btc(),
        client_id: ReportedId::parse(id),
        order: OrderRef::Algo { id: VenueOrderId(4_711), child: None },
        side: ReportedSide::Long,
        order_side: OrderSide::Sell,
        kind: ReportedKind::StopMarket,
        price: None,
        trigger: Some(px(trigger)),
        qty: None,
        filled: d("0"),
        average: None,
        covers: Coverage::WholeLeg,
        state: ReportedState::Working,
        reason: None,
        venue_time: Timestamp::from_ms(START_MS),
    }
}

#[test]
fn a_position_that_was_there_is_adopted_with_a_stop_under_the_mark() {
    let (mut rig, outcomes) = with_stranger(Some("110"));
    let stop = outcomes.only();
    assert!(stop.is_close_all_stop());
    assert_eq!(stop.trigger(), Some(px("104.5")), "5 % below the mark");
    assert_eq!(outcomes.alerts().len(), 1);
    assert_eq!(rig.book().totals().nav_start, d("10020"));
    rig.identity_holds();
    rig.mark("120");
    rig.identity_holds();
    rig.ack(&stop);
    assert_eq!(rig.engine.deadline(), None);
}

#[test]
fn a_short_position_that_was_there_is_adopted_with_a_stop_over_the_mark() {
    let mut rig = Rig::cold(EngineConfig::default(), Box::new(PermitAll), 0);
    rig.start(1);
    let mut found = snapshot();
    found.positions = vec![Position::new(short(), q("2"), px("100")).with_prices(Some(px("100")), None)];
    let stop = rig.snapshot(found).only();
    assert_eq!((stop.side, stop.trigger()), (OrderSide::Buy, Some(px("105"))));
}

#[test]
fn a_position_without_a_known_price_waits_for_the_mark_and_is_not_closed() {
    let (mut rig, outcomes) = with_stranger(None);
    outcomes.none();
    assert!(!outcomes.alerts().is_empty(), "it is named at once");
    let meanwhile = rig.run_for(Duration::from_secs(20));
    assert!(meanwhile.iter().all(|later| later.submits().is_empty()), "a person's position is not closed");
    rig.feed(Fact::Market {
        event: MarketEvent::Mark { instrument: InstrumentIx(0), mark: px("100"), venue_time: rig.now },
    });
    assert_eq!(rig.book().stop_of(&long()).map(|stop| stop.is_close_all_stop()), Some(true));
}

#[test]
fn an_adopted_position_whose_stop_is_refused_is_tried_again_with_patience_and_not_closed() {
    let (mut rig, outcomes) = with_stranger(Some("100"));
    let mut pending = outcomes.submits();
    let mut tries = 0;
    let end = rig.now.plus(Duration::from_secs(20));
    while rig.now < end {
        if let Some(stop) = pending.pop() {
            assert!(stop.is_close_all_stop(), "{stop:?}");
            tries += 1;
            assert!(tries < 100, "a hundred stops in {:?}", rig.now.since(Timestamp::from_ms(START_MS)));
            rig.wait(ms(20));
            pending.extend(rig.reject(&stop, RejectReason::TooManyOrders, -4045).submits());
        } else {
            let Some(due) = rig.engine.deadline().filter(|due| *due <= end) else { break };
            rig.now = rig.now.max(due);
            pending.extend(rig.tick().submits());
        }
    }
    assert!((2..=25).contains(&tries), "{tries} stops in 20 s");
}

#[test]
fn a_position_behind_somebody_s_close_all_stop_is_left_with_it() {
    let mut rig = Rig::cold(EngineConfig::default(), Box::new(PermitAll), 0);
    rig.start(1);
    let mut found = snapshot();
    found.positions = vec![Position::new(long(), q("2"), px("100")).with_prices(Some(px("100")), None)];
    found.orders = vec![close_all("web_person", "90")];
    let outcomes = rig.snapshot(found.clone());
    outcomes.none();
    assert!(outcomes.alerts().iter().any(|text| text.contains("web_person")));
    assert!(rig.run_for(Duration::from_secs(30)).iter().all(|later| later.submits().is_empty()));
    assert!(rig.snapshot(found).alerts().is_empty(), "it is named once");
}

#[test]
fn a_stop_of_ours_from_a_lost_journal_is_recognised_as_protection() {
    let mut rig = Rig::cold(EngineConfig::default(), Box::new(PermitAll), 0);
    rig.start(1);
    let mut found = snapshot();
    found.positions = vec![Position::new(long(), q("2"), px("100")).with_prices(Some(px("100")), None)];
    found.orders = vec![close_all("h0sn8www00111s", "90")];
    let outcomes = rig.snapshot(found);
    outcomes.none();
    assert!(outcomes.alerts().iter().any(|text| text.contains("h0sn8www00111s")));
    assert_eq!(rig.book().conditional_orders(), 1);
    assert!(rig.run_for(Duration::from_secs(30)).iter().all(|later| later.submits().is_empty()));
}

#[test]
fn a_stop_on_the_wrong_side_or_by_quantity_protects_nothing() {
    type Spoil = fn(&mut OrderReport);
    let spoils: [Spoil; 5] = [
        |report| report.covers = Coverage::Qty,
        |report| report.kind = ReportedKind::TakeProfitMarket,
        |report| report.side = ReportedSide::Short,
        |report| report.instrument = eth(),
        |report| report.state = ReportedState::Expired,
    ];
    for spoil in spoils {
        let mut rig = Rig::cold(EngineConfig::default(), Box::new(PermitAll), 0);
        rig.start(1);
        let mut found = snapshot();
        found.positions = vec![Position::new(long(), q("2"), px("100")).with_prices(Some(px("100")), None)];
        let mut report = close_all("web_person", "90");
        spoil(&mut report);
        found.orders = vec![report];
        assert!(rig.snapshot(found).only().is_close_all_stop());
    }
}

#[test]
fn a_foreign_stop_that_is_cancelled_on_the_stream_is_replaced_by_ours() {
    let mut rig = Rig::cold(EngineConfig::default(), Box::new(PermitAll), 0);
    rig.start(1);
    let mut found = snapshot();
    found.positions = vec![Position::new(long(), q("2"), px("100")).with_prices(Some(px("100")), None)];
    found.orders = vec![close_all("web_person", "90")];
    rig.snapshot(found).none();
    rig.mark("100");
    let mut report = close_all("web_person", "90");
    report.state = ReportedState::Canceled;
    let mut submits = rig.account(AccountEvent::Order { report }).submits();
    submits.extend(rig.run_for(Duration::from_secs(5)).iter().flat_map(Outcomes::submits));
    assert_eq!(submits.len(), 1);
    assert!(submits[0].is_close_all_stop());
}

#[test]
fn adoption_can_be_switched_off_and_is_then_said() {
    let config = EngineConfig { adopt_stop: None, ..EngineConfig::default() };
    let mut rig = Rig::cold(config, Box::new(PermitAll), 0);
    rig.start(1);
    let mut found = snapshot();
    found.positions = vec![Position::new(long(), q("2"), px("100")).with_prices(Some(px("100")), None)];
    let outcomes = rig.snapshot(found);
    outcomes.none();
    assert_eq!(outcomes.alerts().len(), 1);
    assert!(rig.run_for(Duration::from_secs(30)).iter().all(|later| later.submits().is_empty()));
}

#[test]
fn a_stranger_s_fill_is_booked_named_and_protected() {
    let mut rig = Rig::new();
    let fill = rig.strange_fill(short(), Action::Open, "0.5", "100");
    let outcomes = rig.account(AccountEvent::Fill { fill: fill.clone() });
    assert_eq!(rig.leg(&short()).qty, d("0.5"));
    let stop = outcomes.only();
    assert_eq!((stop.is_close_all_stop(), stop.trigger()), (true, Some(px("105"))));
    assert_eq!(outcomes.snapshots(), 1);
    let again = rig.account(AccountEvent::Fill { fill });
    assert!(again.effects.is_empty() && again.alerts().is_empty(), "the same execution counts once");
    assert_eq!(rig.leg(&short()).qty, d("0.5"));
}

#[test]
fn an_entry_that_never_filled_leaves_no_plan_for_a_stranger() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.report(&entry, ReportedState::Expired, "0");
    rig.mark("60");
    let fill = rig.strange_fill(long(), Action::Open, "1", "60");
    let stop = rig.account(AccountEvent::Fill { fill }).only();
    assert_eq!(stop.trigger(), Some(px("57")), "5 % below today's mark, not yesterday's plan");
}

#[test]
fn where_somebody_s_close_all_stop_keeps_ours_out_a_quantity_bridges_and_nothing_is_closed() {
    let mut rig = Rig::new();
    let report = close_all("web_person", "80");
    rig.account(AccountEvent::Order { report });
    let entry = rig.open(long(), "95").only();
    let stop = rig.fill(&entry, "1", "100").only();
    let outcomes = rig.reject(&stop, RejectReason::SecondCloseAll, -4130);
    let bridge = outcomes.only();
    assert!(matches!(bridge.leg, Leg::Close(Exit::StopMarket { .. }, Coverage::Qty)), "{bridge:?}");
    assert!(!outcomes.is_muted());
    rig.ack(&bridge);
    assert!(rig.run_for(Duration::from_secs(10)).iter().all(|later| later.submits().is_empty()));
    assert_eq!(rig.leg(&long()).unprotected_since, None);
}

#[test]
fn no_strategy_opens_on_top_of_somebody_s_position() {
    let (mut rig, outcomes) = with_stranger(Some("100"));
    let stop = outcomes.only();
    rig.ack(&stop);
    rig.mark("100");
    let refused = rig.open(long(), "95");
    refused.none();
    assert_eq!(refused.refused_by().as_deref(), Some("leg_owner"));
    rig.want(Intent::close(long(), "not ours")).none();
    rig.open(short(), "105").only();
}

#[test]
fn an_old_bar_is_no_price_to_place_a_stop_by() {
    let (mut rig, outcomes) = with_stranger(None);
    outcomes.none();
    let bar = Bar {
        open_time: Timestamp::from_ms(START_MS / 900_000 * 900_000 - 86_400_000),
        interval: Interval::M15,
        open: 50,
        high: 50,
        low: 50,
        close: 50,
        price_scale: 0,
        volume: 1,
        volume_scale: 0,
    };
    rig.feed(Fact::Market { event: MarketEvent::History { instrument: InstrumentIx(0), bar } }).none();
    let stop = rig
        .feed(Fact::Market {
            event: MarketEvent::Mark { instrument: InstrumentIx(0), mark: px("100"), venue_time: rig.now },
        })
        .only();
    assert_eq!(stop.trigger(), Some(px("95")));
}

/// A person's resting limit opening of LONG 3 at 90.
fn resting_opening(number: i64) -> OrderReport {
    OrderReport {
        client_id: ReportedId::parse(&format!("web_{number}")),
        order: OrderRef::Plain(VenueOrderId(number)),
        order_side: OrderSide::Buy,
        kind: ReportedKind::Limit,
        price: Some(px("90")),
        trigger: None,
        qty: Some(q("3")),
        covers: Coverage::Qty,
        ..close_all("web", "80")
    }
}

fn beside_orders(policy: ForeignOrders, orders: Vec<OrderReport>) -> (Rig, Outcomes) {
    let config = EngineConfig { foreign_orders: policy, ..EngineConfig::default() };
    let mut rig = Rig::cold(config, Box::new(PermitAll), 0);
    rig.start(1);
    let mut found = snapshot();
    found.orders = orders;
    let outcomes = rig.snapshot(found);
    (rig, outcomes)
}

fn cancelled_targets(outcomes: &Outcomes) -> Vec<OrderRef> {
    let target = |effect: &Did| match effect {
        Did::Cancel(_, target) => Some(*target),
        _ => None,
    };
    outcomes.effects.iter().filter_map(target).collect()
}

#[test]
fn an_order_that_is_left_alone_is_named_and_neither_counted_nor_cancelled() {
    let (mut rig, outcomes) = beside_orders(ForeignOrders::Leave, vec![resting_opening(1)]);
    assert!(outcomes.alerts().iter().any(|text| text.contains("web_1") && text.contains("left alone")));
    assert_eq!(rig.book().exposure(&long()), d("0"));
    rig.operator(OperatorCommand::Flatten).none();
}

#[test]
fn an_adopted_opening_counts_as_exposure_until_it_is_gone() {
    let mut half = resting_opening(1);
    half.filled = d("1");
    let (mut rig, outcomes) = beside_orders(ForeignOrders::Adopt, vec![half.clone()]);
    assert!(
        outcomes.alerts().iter().any(|text| text.contains("web_1") && text.contains("flatten cancels it"))
    );
    assert_eq!(rig.book().exposure(&long()), d("180"), "two are open, at 90");
    assert_eq!(rig.book().exposure(&short()), d("0"));
    assert!(cancelled_targets(&outcomes).is_empty());
    half.state = ReportedState::Canceled;
    rig.account(AccountEvent::Order { report: half });
    assert_eq!(rig.book().exposure(&long()), d("0"));
    rig.operator(OperatorCommand::Flatten).none();
}

#[test]
fn a_flatten_cancels_adopted_orders_and_insists_until_they_are_gone() {
    let (mut rig, _) =
        beside_orders(ForeignOrders::Adopt, vec![resting_opening(1), close_all("web_stop", "80")]);
    let target = OrderRef::Plain(VenueOrderId(1));
    let outcomes = rig.operator(OperatorCommand::Flatten);
    assert_eq!(cancelled_targets(&outcomes), [target], "a stop over a whole leg is protection");
    let [id] = outcomes.cancels()[..] else { panic!("one cancel") };
    assert!(rig.book().order(&id).is_none());
    let failed = Fact::CancelFailed {
        order: id,
        outcome: Outcome::NotSent,
        reason: None,
        message: "no budget".to_owned(),
        retry_at: None,
    };
    let alerts = rig.feed(failed).alerts();
    assert_eq!(alerts, ["an adopted order was not cancelled: no budget"]);
    let later = rig.run_for(Duration::from_secs(6));
    assert_eq!(later.iter().map(Outcomes::snapshots).sum::<usize>(), 1, "it is looked at again");
    let mut found = rig.agreeing_snapshot(&[]);
    found.orders = vec![resting_opening(1)];
    let again = rig.snapshot(found);
    assert_eq!(cancelled_targets(&again), [target]);
    let gone = rig.agreeing_snapshot(&[]);
    let last = rig.snapshot(gone);
    assert!(cancelled_targets(&last).is_empty());
    assert!(rig.run_for(Duration::from_secs(60)).iter().all(|later| cancelled_targets(later).is_empty()));
}

#[test]
fn adopted_orders_are_known_after_a_restart_and_a_flatten_at_the_start_reaches_them() {
    let (mut rig, _) = beside_orders(ForeignOrders::Adopt, vec![resting_opening(1)]);
    rig.operator(OperatorCommand::FlattenAtStart).none();
    rig.wait(Duration::from_secs(10));
    rig.restart();
    assert_eq!(rig.book().exposure(&long()), d("270"));
    let mut found = rig.agreeing_snapshot(&[]);
    found.orders = vec![resting_opening(1)];
    assert_eq!(cancelled_targets(&rig.snapshot(found)), [OrderRef::Plain(VenueOrderId(1))]);
}

/// Swarm seed 57875: whether the first stop stands stayed open, and every other one was placed where the price had been.
#[test]
fn somebody_elses_position_is_guarded_beside_a_stop_in_doubt_that_the_price_has_passed() {
    let mut rig = Rig::new();
    let fill = rig.strange_fill(long(), Action::Open, "1", "100");
    let doubtful = rig.account(AccountEvent::Fill { fill }).only();
    assert_eq!(doubtful.trigger(), Some(px("95")));
    rig.time_out(&doubtful);
    rig.mark("90");
    let placed: Vec<Sent> = rig.run_for(ms(10_000)).iter().flat_map(Outcomes::submits).collect();
    assert_eq!(placed.len(), 1, "{placed:?}");
    assert_eq!(placed[0].trigger(), Some(px("85.5")));
}
