//! The second look at every leg: what is missing is named, counted and placed again; what is left over goes.

use std::time::Duration;

use hedge_core::*;

use crate::rig::*;

fn config(validator: StopValidator) -> EngineConfig {
    EngineConfig { validator, ..EngineConfig::default() }
}

fn with(validator: StopValidator) -> Rig {
    Rig::with(config(validator), Box::new(PermitAll), 0)
}

fn missing(outcomes: &[Outcomes]) -> Vec<(PositionKey, Guard)> {
    let found = outcomes.iter().flat_map(Outcomes::decisions).filter_map(|decision| match decision {
        Decision::StopMissing { position, guard, .. } => Some((*position, *guard)),
        _ => None,
    });
    found.collect()
}

fn repaired(outcomes: &Outcomes) -> Vec<(Guard, u64)> {
    let found = outcomes.decisions().filter_map(|decision| match decision {
        Decision::StopRepaired { guard, after_ms, .. } => Some((*guard, *after_ms)),
        _ => None,
    });
    found.collect()
}

fn sent(outcomes: &[Outcomes]) -> Vec<Sent> {
    outcomes.iter().flat_map(Outcomes::submits).collect()
}

/// A LONG leg of 1 at 100 with a confirmed stop at 95 and two confirmed take-profits of a half. Returns stop and rungs.
fn with_ladder(rig: &mut Rig) -> (Sent, Vec<Sent>) {
    let rung = |trigger| TakeProfit { trigger: px(trigger), portion: Ratio::parse("0.5").unwrap() };
    let intent = Intent::Open {
        position: long(),
        size: Size::Qty(q("1")),
        entry: Entry::Market,
        protection: Protection::Stop { trigger: px("95"), take_profits: vec![rung("110"), rung("120")] },
        because: "test".into(),
    };
    let entry = rig.want(intent).only();
    rig.ack(&entry);
    let mut rungs = rig.fill(&entry, "1", "100").submits();
    let stop = rungs.remove(0);
    rig.report(&entry, ReportedState::Filled, "1").none();
    rig.ack(&stop);
    for rung in &rungs {
        rig.ack(rung);
    }
    assert_eq!(rungs.len(), 2);
    (stop, rungs)
}

#[test]
fn a_stop_in_doubt_is_placed_a_second_time_and_only_once() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let first = rig.fill(&entry, "1", "100").only();
    rig.time_out(&first);
    assert!(sent(&rig.run_for(ms(900))).is_empty(), "within the grace nothing is missing");
    let looked = rig.run_for(ms(1_500));
    assert_eq!(missing(&looked), [(long(), Guard::Stop)]);
    assert!(
        looked.iter().flat_map(|look| look.alerts()).any(|text| text.contains("no confirmed stop for 1"))
    );
    let seconds = sent(&looked);
    assert_eq!(seconds.len(), 1, "{seconds:?}");
    assert_eq!((seconds[0].is_close_all_stop(), seconds[0].trigger()), (true, Some(px("95"))));
    let confirmed = rig.ack(&seconds[0]);
    let (guard, after_ms) = repaired(&confirmed)[0];
    assert!(guard == Guard::Stop && (1_000..3_000).contains(&after_ms), "{after_ms}");
    // The first turns out to be live: one of the two is enough.
    let report = rig.report_of(&first, ReportedState::Working, "0");
    assert_eq!(rig.answer(&first, Some(report), Vec::new(), "1").cancels(), [first.id]);
    assert!(sent(&rig.run_for(Duration::from_secs(10))).is_empty(), "and the leg is not closed");
}

#[test]
fn a_second_stop_that_the_venue_refuses_is_bridged_by_quantity() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let first = rig.fill(&entry, "1", "100").only();
    rig.time_out(&first);
    let second = sent(&rig.run_for(ms(1_200))).remove(0);
    let bridge = rig.reject(&second, RejectReason::SecondCloseAll, -4130).only();
    assert!(bridge.is_conditional() && !bridge.is_close_all_stop());
    rig.ack(&bridge);
    assert_eq!(rig.leg(&long()).unprotected_since, None);
}

#[test]
fn a_stop_that_is_on_its_way_is_named_and_not_sent_twice() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let stop = rig.fill(&entry, "1", "100").only();
    let looked = rig.run_for(ms(2_900));
    assert_eq!(missing(&looked).len(), 1, "said once");
    assert!(sent(&looked).is_empty());
    assert_eq!(repaired(&rig.ack(&stop)).len(), 1);
}

#[test]
fn a_stop_that_is_confirmed_in_time_is_never_missing() {
    let mut rig = Rig::new();
    rig.opened();
    assert!(missing(&rig.run_for(Duration::from_secs(3_600))).is_empty());
    assert_eq!(rig.engine.deadline(), None, "a leg that is well costs nothing");
}

#[test]
fn without_repair_it_is_named_and_the_leg_is_closed_in_time_all_the_same() {
    for enabled in [true, false] {
        let mut rig = with(StopValidator { enabled, repair: false, ..StopValidator::default() });
        let entry = rig.open(long(), "95").only();
        let stop = rig.fill(&entry, "1", "100").only();
        rig.time_out(&stop);
        let looked = rig.run_for(rig.config.protect_within + ms(100));
        assert_eq!(missing(&looked).len(), usize::from(enabled));
        let closes = sent(&looked);
        assert!(closes.len() == 1 && closes[0].is_market_close(), "{closes:?}");
    }
}

#[test]
fn a_leg_that_is_bare_on_purpose_is_not_missed() {
    let mut rig = Rig::new();
    let entry = rig
        .want(Intent::Open {
            position: long(),
            size: Size::Qty(q("1")),
            entry: Entry::Market,
            protection: Protection::Unprotected { because: "hedged".into() },
            because: "test".into(),
        })
        .only();
    rig.fill(&entry, "1", "100").none();
    assert!(missing(&rig.run_for(Duration::from_secs(60))).is_empty());
}

#[test]
fn a_take_profit_that_a_person_cancels_is_placed_again() {
    let mut rig = Rig::new();
    let (_, rungs) = with_ladder(&mut rig);
    rig.cancelled(&rungs[1]).none();
    let looked = rig.run_for(ms(1_100));
    assert_eq!(missing(&looked), [(long(), Guard::TakeProfit { trigger: px("120") })]);
    let again = sent(&looked);
    assert_eq!(again.len(), 1);
    assert_eq!(
        (again[0].trigger(), again[0].qty, again[0].purpose),
        (Some(px("120")), d("0.5"), OrderPurpose::TakeProfit)
    );
    assert_eq!(repaired(&rig.ack(&again[0])).len(), 1);
    assert!(sent(&rig.run_for(Duration::from_secs(600))).is_empty());
    assert_eq!(rig.engine.deadline(), None);
}

#[test]
fn what_fired_in_part_is_placed_again_for_the_rest() {
    let mut rig = Rig::new();
    let (_, rungs) = with_ladder(&mut rig);
    rig.fill(&rungs[0], "0.2", "110");
    rig.child_report(&rungs[0], ReportedState::Expired, "0.2");
    rig.mark("105");
    let again = sent(&rig.run_for(ms(1_100)));
    assert_eq!(
        again.iter().map(|rung| (rung.trigger(), rung.qty)).collect::<Vec<_>>(),
        [(Some(px("110")), d("0.3"))]
    );
}

#[test]
fn a_take_profit_that_fired_or_that_the_price_is_through_is_not_placed() {
    let mut rig = Rig::new();
    let (_, rungs) = with_ladder(&mut rig);
    rig.mark("111");
    rig.fill(&rungs[0], "0.5", "110");
    rig.finished(&rungs[0], "0.5");
    assert!(sent(&rig.run_for(Duration::from_secs(10))).is_empty(), "it has done its work");
    rig.mark("121");
    rig.cancelled(&rungs[1]);
    assert!(sent(&rig.run_for(Duration::from_secs(30))).is_empty(), "it would be refused, or fire at once");
    rig.mark("115");
    let again = sent(&rig.run_for(Duration::from_secs(70)));
    assert_eq!(again.iter().map(|rung| rung.qty).collect::<Vec<_>>(), [d("0.5")]);
}

#[test]
fn a_take_profit_that_is_refused_over_and_over_is_tried_with_patience() {
    let mut rig = Rig::new();
    let (_, rungs) = with_ladder(&mut rig);
    rig.cancelled(&rungs[0]);
    let (end, mut tries) = (rig.now.plus(Duration::from_secs(600)), 0);
    while let Some(due) = rig.engine.deadline().filter(|due| *due <= end) {
        rig.now = rig.now.max(due);
        for rung in rig.tick().submits() {
            tries += 1;
            rig.reject(&rung, RejectReason::TooManyOrders, -4045);
        }
    }
    assert!((3..=40).contains(&tries), "{tries} tries in ten minutes");
}

#[test]
fn a_take_profit_that_is_refused_over_and_over_is_told_of_once() {
    let mut rig = Rig::new();
    let (_, rungs) = with_ladder(&mut rig);
    rig.cancelled(&rungs[0]);
    let (end, mut noted, mut alerts) = (rig.now.plus(Duration::from_secs(600)), 0, 0);
    while let Some(due) = rig.engine.deadline().filter(|due| *due <= end) {
        rig.now = rig.now.max(due);
        let mut looks = vec![rig.tick()];
        for rung in looks[0].submits() {
            looks.push(rig.reject(&rung, RejectReason::TooManyOrders, -4045));
        }
        noted += missing(&looks).len();
        alerts += looks.iter().map(|look| look.alerts().len()).sum::<usize>();
    }
    assert_eq!((noted, alerts), (1, 1), "found missing once, told of once");
}

#[test]
fn a_take_profit_that_was_placed_again_and_is_lost_again_is_told_of_again() {
    let mut rig = Rig::new();
    let (_, rungs) = with_ladder(&mut rig);
    let mut lost = rungs[0].clone();
    for round in 0..3 {
        // Live and gone again before anybody has looked.
        let mut looks = vec![rig.cancelled(&lost)];
        looks.extend(rig.run_for(Duration::from_secs(90)));
        let told: Vec<String> = looks.iter().flat_map(Outcomes::alerts).collect();
        assert!(
            told.len() == 1 && told[0].contains("no take-profit of 0.5 at 110"),
            "round {round}: {told:?}"
        );
        assert_eq!(missing(&looks).len(), 1, "round {round}");
        lost = sent(&looks).remove(0);
        let venue = rig.name(&lost);
        let (state, filled) = (ReportedState::Canceled, Decimal::ZERO);
        rig.feed(Fact::SubmitAcked { order: lost.id, venue, state, filled });
    }
}

#[test]
fn a_take_profit_that_cannot_be_written_is_told_of_in_every_position_and_names_its_leg() {
    let mut rig = Rig::new();
    for position in 0..2 {
        let rung = TakeProfit { trigger: px("110"), portion: Ratio::parse("1").unwrap() };
        let entry = Intent::Open {
            position: long(),
            size: Size::Qty(q("1")),
            entry: Entry::Market,
            protection: Protection::Stop { trigger: px("95"), take_profits: vec![rung] },
            because: "test".into(),
        };
        let entry = rig.want(entry).only();
        let with_most = |most: &str| {
            let spec = InstrumentSpec { max_price: Some(px(most)), ..spec(btc()) };
            Fact::Instrument { ix: InstrumentIx(0), spec: Box::new(spec) }
        };
        rig.feed(with_most("105"));
        rig.ack(&entry);
        let stop = rig.fill(&entry, "1", "100");
        let mut told = vec![stop.clone(), rig.report(&entry, ReportedState::Filled, "1")];
        rig.ack(&stop.submits()[0]);
        told.extend(rig.run_for(Duration::from_secs(90)));
        let named = told.iter().flat_map(Outcomes::decisions).filter(|decision| {
            matches!(decision, Decision::Alert { position: Some(key), text }
                if *key == long() && text.contains("no take-profit for BTCUSDT LONG at 110"))
        });
        assert_eq!(named.count(), 1, "position {position}");
        rig.feed(with_most("1000000"));
        let close = rig.want(Intent::close(long(), "enough")).only();
        rig.fill(&close, "1", "101");
        rig.cancelled(&stop.submits()[0]);
    }
}

#[test]
fn a_rung_that_is_lost_while_an_entry_still_fills_is_placed_once_it_has_ended() {
    let mut rig = Rig::new();
    let (_, rungs) = with_ladder(&mut rig);
    let rung = |trigger| TakeProfit { trigger: px(trigger), portion: Ratio::parse("0.5").unwrap() };
    let more = rig
        .want(Intent::Open {
            position: long(),
            size: Size::Qty(q("1")),
            entry: Entry::Limit { price: px("99"), tif: order::Tif::Gtc },
            protection: Protection::Stop { trigger: px("95"), take_profits: vec![rung("110"), rung("120")] },
            because: "more".into(),
        })
        .only();
    rig.ack(&more);
    rig.cancelled(&rungs[1]).none();
    assert!(
        sent(&rig.run_for(Duration::from_secs(5))).is_empty(),
        "how much it should take is not known yet"
    );
    rig.cancelled(&more);
    let again = sent(&rig.run_for(Duration::from_secs(70)));
    assert_eq!(again.iter().map(|rung| rung.trigger()).collect::<Vec<_>>(), [Some(px("120"))]);
}

#[test]
fn take_profits_are_left_alone_where_they_are_not_to_be_repaired() {
    for validator in [
        StopValidator { repair_take_profits: false, ..StopValidator::default() },
        StopValidator { enabled: false, ..StopValidator::default() },
    ] {
        let mut rig = with(validator);
        let (_, rungs) = with_ladder(&mut rig);
        rig.cancelled(&rungs[0]);
        let looked = rig.run_for(Duration::from_secs(60));
        assert!(sent(&looked).is_empty());
        assert_eq!(missing(&looked).len(), usize::from(validator.enabled), "said once where it looks");
    }
}

#[test]
fn a_restart_finds_the_rungs_that_are_gone() {
    let mut rig = Rig::new();
    let (stop, rungs) = with_ladder(&mut rig);
    let mut found = rig.agreeing_snapshot(&[&stop, &rungs[0]]);
    found.account.venue_time = rig.now.plus(ms(10));
    rig.restart();
    let asked = rig.snapshot(found);
    assert_eq!(asked.queries(), [rungs[1].id], "it is not listed any more");
    let report = rig.report_of(&rungs[1], ReportedState::Canceled, "0");
    rig.answer(&rungs[1], Some(report), Vec::new(), "1");
    rig.mark("100");
    let again = sent(&rig.run_for(ms(1_500)));
    assert_eq!(
        again.iter().map(|rung| (rung.trigger(), rung.qty)).collect::<Vec<_>>(),
        [(Some(px("120")), d("0.5"))]
    );
}

#[test]
fn a_ladder_that_a_crash_kept_from_being_placed_is_placed_at_the_next_start() {
    let mut rig = Rig::new();
    let (stop, rungs) = with_ladder(&mut rig);
    // Nothing of the ladder was durable.
    let cut = rig.journal.iter().position(|record| {
        matches!(&record.event, Event::Decision(Decision::OrderApproved { client_id, .. }) if *client_id == rungs[0].id)
    });
    rig.journal.truncate(cut.unwrap());
    rig.restart();
    let report = rig.report_of(&stop, ReportedState::Working, "0");
    let mut found = snapshot();
    found.account.venue_time = rig.now;
    found.positions = vec![Position::new(long(), q("1"), px("100"))];
    found.orders = vec![report];
    rig.snapshot(found);
    rig.mark("100");
    let again = sent(&rig.run_for(ms(1_500)));
    let got: Vec<_> = again.iter().map(|rung| (rung.trigger(), rung.qty)).collect();
    assert_eq!(got, [(Some(px("110")), d("0.5")), (Some(px("120")), d("0.5"))]);
}

#[test]
fn a_persons_close_sweeps_stop_and_rungs() {
    let mut rig = Rig::new();
    let (stop, rungs) = with_ladder(&mut rig);
    let fill = rig.strange_fill(long(), Action::Close, "1", "101");
    let mut swept = rig.account(AccountEvent::Fill { fill }).cancels();
    swept.sort();
    let mut expected = vec![stop.id, rungs[0].id, rungs[1].id];
    expected.sort();
    assert_eq!(swept, expected);
    assert!(missing(&rig.run_for(Duration::from_secs(60))).is_empty(), "a flat leg misses nothing");
}

#[test]
fn a_restart_sweeps_what_guarded_a_leg_that_is_flat_by_now() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    rig.restart();
    let mut found = snapshot();
    found.account.venue_time = rig.now;
    found.orders = vec![rig.report_of(&stop, ReportedState::Working, "0")];
    assert_eq!(rig.snapshot(found).cancels(), [stop.id]);
}

fn leftover(client_id: &str) -> OrderReport {
    OrderReport {
        instrument: btc(),
        client_id: ReportedId::parse(client_id),
        order: OrderRef::Algo { id: VenueOrderId(77), child: None },
        side: ReportedSide::Long,
        order_side: OrderSide::Sell,
        kind: ReportedKind::StopMarket,
        price: None,
        trigger: Some(px("90")),
        qty: None,
        filled: Decimal::ZERO,
        average: None,
        covers: Coverage::WholeLeg,
        state: ReportedState::Working,
        reason: None,
        venue_time: Timestamp::from_ms(START_MS),
    }
}

#[test]
fn a_stop_of_ours_from_a_lost_journal_goes_once_its_leg_is_seen_flat_twice() {
    let mut rig = Rig::new();
    let mut found = rig.agreeing_snapshot(&[]);
    found.orders = vec![leftover("h0sn8www00111s")];
    let first = rig.snapshot(found.clone());
    assert!(first.cancels().is_empty(), "a fill may be on its way");
    assert!(first.alerts()[0].contains("is ours"), "{:?}", first.alerts());
    assert_eq!(rig.run_for(Duration::from_secs(6)).iter().map(Outcomes::snapshots).sum::<usize>(), 1);
    let second = rig.snapshot(found.clone());
    let cancelled: Vec<&Did> = second.effects.iter().filter(|did| matches!(did, Did::Cancel(..))).collect();
    assert!(
        matches!(cancelled[..], [Did::Cancel(_, OrderRef::Algo { id: VenueOrderId(77), .. })]),
        "{cancelled:?}"
    );
}

#[test]
fn a_stop_of_ours_stays_while_the_venue_tells_another_size_of_its_leg() {
    let mut rig = Rig::new();
    let mut found = rig.agreeing_snapshot(&[]);
    found.orders = vec![leftover("h0sn8www00111s")];
    // Another gap in each reading: it is not taken over, and the book's leg stays flat.
    for held in ["1", "2", "3", "4"] {
        found.positions = vec![Position::new(long(), q(held), px("100")).with_prices(Some(px("100")), None)];
        assert!(rig.snapshot(found.clone()).cancels().is_empty(), "it may be the only stop of {held}");
        rig.run_for(Duration::from_secs(10));
    }
}

#[test]
fn a_stop_of_ours_that_guards_a_leg_or_one_of_a_person_is_never_cancelled() {
    for (client_id, holds) in [("h0sn8www00111s", true), ("web_person", false)] {
        let mut rig = Rig::cold(EngineConfig::default(), Box::new(PermitAll), 0);
        rig.start(1);
        let mut found = snapshot();
        found.orders = vec![leftover(client_id)];
        if holds {
            found.positions =
                vec![Position::new(long(), q("1"), px("100")).with_prices(Some(px("100")), None)];
        }
        for _ in 0..4 {
            assert!(rig.snapshot(found.clone()).cancels().is_empty());
            rig.run_for(Duration::from_secs(10));
        }
    }
}
