//! Fold, snapshot, reconcile, start.

use std::time::Duration;

use hedge_core::*;

use crate::rig::*;

#[test]
fn nothing_is_opened_before_the_first_look_at_the_account() {
    let mut rig = Rig::cold(EngineConfig::default(), Box::new(PermitAll), 0);
    rig.start(1);
    rig.mark("100");
    let refused = rig.open(long(), "95");
    refused.none();
    let (checks, _) = refused.assessed();
    let failed: Vec<&str> = checks.iter().filter(|c| !c.passed()).map(|c| c.rule.as_ref()).collect();
    assert_eq!(failed, ["account_stream", "hedge_mode"]);
}

#[test]
fn a_size_that_differs_once_is_looked_at_again_and_taken_over_the_second_time() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    let mut found = rig.agreeing_snapshot(&[&stop]);
    found.positions = vec![Position::new(long(), q("1.5"), px("101"))];
    let first = rig.snapshot(found.clone());
    assert_eq!(first.corrections(), 0);
    assert_eq!(rig.leg(&long()).qty, d("1"));
    assert_eq!(first.snapshots(), 0, "a second read at once would see the same lag");
    let early: usize = rig.run_for(Duration::from_secs(2)).iter().map(Outcomes::snapshots).sum();
    assert_eq!(early, 0);
    let later: usize = rig.run_for(Duration::from_secs(10)).iter().map(Outcomes::snapshots).sum();
    assert_eq!(later, 1);
    let second = rig.snapshot(found);
    assert_eq!(second.corrections(), 1);
    assert!(!second.alerts().is_empty());
    assert_eq!(rig.leg(&long()).qty, d("1.5"));
    assert_eq!(rig.leg(&long()).entry(), Some(px("101")));
    rig.identity_holds();
}

#[test]
fn a_size_that_agrees_the_second_time_is_forgotten() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    let agreeing = rig.agreeing_snapshot(&[&stop]);
    let mut differing = agreeing.clone();
    differing.positions.clear();
    rig.snapshot(differing.clone());
    rig.snapshot(agreeing);
    assert_eq!(rig.snapshot(differing).corrections(), 0, "twice in a row is meant");
    assert_eq!(rig.leg(&long()).qty, d("1"));
}

#[test]
fn a_fill_that_comes_between_two_reads_explains_the_difference() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.ack(&entry);
    let mut found = rig.agreeing_snapshot(&[]);
    found.positions = vec![Position::new(long(), q("1"), px("100"))];
    rig.snapshot(found);
    let stop = rig.fill(&entry, "1", "100").only();
    rig.ack(&stop);
    let found = rig.agreeing_snapshot(&[&stop]);
    assert_eq!(rig.snapshot(found).corrections(), 0);
    assert_eq!(rig.leg(&long()).qty, d("1"));
}

#[test]
fn a_process_that_has_just_started_takes_the_venue_s_word_at_once() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    rig.restart();
    let mut found = rig.agreeing_snapshot(&[]);
    found.positions.clear();
    found.account.balances[0].wallet = SignedAmount::parse("9990").unwrap();
    let outcomes = rig.snapshot(found);
    assert_eq!(outcomes.corrections(), 2);
    assert!(!rig.leg(&long()).is_open());
    assert_eq!(rig.book().wallet(&Asset::usdt()), d("9990"));
    assert_eq!(rig.book().equity(), d("9990"));
    rig.identity_holds();
    assert!(outcomes.cancels().contains(&stop.id) || outcomes.queries().contains(&stop.id));
}

#[test]
fn fills_that_were_missed_are_booked_from_the_snapshot_and_nothing_is_corrected() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    rig.account(AccountEvent::Disconnected { reason: "gone".to_owned() });
    // The stop fires in the dark.
    let missed = Fill { realized: Some(SignedAmount::parse("-5").unwrap()), ..rig.fill_of(&stop, "1", "95") };
    let back = rig.account(AccountEvent::Reconnected);
    assert_eq!(back.snapshots(), 1);
    let mut found = rig.agreeing_snapshot(&[]);
    found.fills = vec![Fill { client_id: None, ..missed.clone() }];
    found.positions.clear();
    found.account.balances[0].wallet = SignedAmount::parse("9995").unwrap();
    let outcomes = rig.snapshot(found);
    assert_eq!(outcomes.corrections(), 0);
    assert!(!rig.leg(&long()).is_open());
    assert_eq!(rig.book().equity(), d("9995"));
    rig.identity_holds();
    // The stream tells it as well.
    rig.account(AccountEvent::Fill { fill: missed });
    assert_eq!(rig.book().equity(), d("9995"));
    // Asked, the venue says how the stop ended.
    rig.finished(&stop, "1");
    assert_eq!(rig.state(&stop.id), OrderState::Filled);
    assert_eq!(rig.book().live_order_count(), 0);
}

#[test]
fn a_back_fill_reaches_behind_what_was_seen_last() {
    let mut rig = Rig::new();
    rig.opened();
    let seen = rig.book().last_venue_time();
    rig.account(AccountEvent::Disconnected { reason: "gone".to_owned() });
    let back = rig.account(AccountEvent::Reconnected);
    let [Did::Snapshot(since)] = back.effects[..] else { panic!("{:?}", back.effects) };
    assert!(
        since <= seen.minus(Duration::from_secs(10)),
        "another symbol's fill may be older and still missing"
    );
}

#[test]
fn fills_from_before_the_first_snapshot_are_in_its_position_already() {
    let mut rig = Rig::cold(EngineConfig::default(), Box::new(PermitAll), 0);
    rig.start(1);
    let mut found = snapshot();
    found.positions = vec![Position::new(long(), q("2"), px("100")).with_prices(Some(px("100")), None)];
    let stop = rig.snapshot(found.clone()).only();
    rig.ack(&stop);
    let mut old = rig.strange_fill(long(), Action::Open, "2", "100");
    old.client_id = None;
    old.venue_time = Timestamp::from_ms(START_MS - 30_000);
    found.fills = vec![old];
    found.orders = vec![rig.report_of(&stop, ReportedState::Working, "0")];
    let outcomes = rig.snapshot(found);
    assert_eq!(rig.leg(&long()).qty, d("2"));
    assert!(outcomes.alerts().is_empty(), "{:?}", outcomes.alerts());
}

#[test]
fn a_leg_that_the_venue_states_differently_for_long_is_read_again() {
    let mut rig = Rig::new();
    rig.opened();
    let row = LegSize { instrument: btc(), side: ReportedSide::Long, qty: d("0"), entry: None };
    let legs = |rig: &Rig, qty: &str| AccountEvent::Legs {
        legs: vec![LegSize { qty: d(qty), ..row.clone() }],
        venue_time: rig.now,
    };
    // It is said before the execution itself: nothing happens if that comes.
    let event = legs(&rig, "0.5");
    assert!(rig.account(event).effects.is_empty());
    let fill = rig.strange_fill(long(), Action::Close, "0.5", "100");
    rig.account(AccountEvent::Fill { fill });
    let found = rig.agreeing_snapshot(&[]);
    rig.snapshot(found);
    let quiet: usize = rig.run_for(Duration::from_secs(1)).iter().map(Outcomes::snapshots).sum();
    assert_eq!(quiet, 0);
    // It is said and the execution never comes.
    let event = legs(&rig, "0");
    rig.account(event);
    let asked: usize = rig.run_for(Duration::from_secs(10)).iter().map(Outcomes::snapshots).sum();
    assert_eq!(asked, 1);
}

#[test]
fn a_stop_that_vanished_while_nobody_looked_is_asked_about() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    rig.restart();
    let found = rig.agreeing_snapshot(&[]);
    let outcomes = rig.snapshot(found);
    assert_eq!(outcomes.queries(), [stop.id]);
    let report = rig.report_of(&stop, ReportedState::Canceled, "0");
    let again = rig.answer(&stop, Some(report), Vec::new(), "1").only();
    assert!(again.is_close_all_stop());
    assert_eq!(again.trigger(), Some(px("95")));
}

#[test]
fn a_leg_whose_stop_was_never_sent_is_protected_or_closed_after_a_restart() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let stop = rig.fill(&entry, "1", "100").only();
    rig.restart();
    assert_eq!(rig.state(&stop.id), OrderState::Unknown);
    let found = rig.agreeing_snapshot(&[]);
    let mut submits = rig.snapshot(found).submits();
    submits.extend(rig.run_for(Duration::from_secs(5)).iter().flat_map(Outcomes::submits));
    assert_eq!(submits.iter().filter(|sent| sent.is_market_close()).count(), 1, "{submits:?}");
}

#[test]
fn a_restart_changes_no_order_that_was_confirmed() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    rig.restart();
    assert_eq!(rig.state(&stop.id), OrderState::Working);
    let found = rig.agreeing_snapshot(&[&stop]);
    let outcomes = rig.snapshot(found);
    assert!(outcomes.effects.is_empty(), "{:?}", outcomes.effects);
    assert_eq!(outcomes.corrections(), 0);
    assert_eq!(rig.engine.deadline(), None);
    let close = rig.want(Intent::close(long(), "the leg is still its strategy's")).only();
    assert_eq!(close.qty, d("1"));
}

#[test]
fn history_feeds_indicators_and_moves_neither_marks_nor_orders() {
    let mut rig = Rig::new();
    rig.opened();
    rig.restart();
    let found = rig.agreeing_snapshot(&[]);
    rig.snapshot(found);
    rig.wants.lock().unwrap().push(Intent::close(long(), "history is not now"));
    let bar = Bar {
        open_time: Timestamp::from_ms(START_MS / 900_000 * 900_000 - 9_000_000),
        interval: Interval::M15,
        open: 10,
        high: 10,
        low: 10,
        close: 10,
        price_scale: 0,
        volume: 1,
        volume_scale: 0,
    };
    let outcomes =
        rig.feed(Fact::Market { event: MarketEvent::History { instrument: InstrumentIx(0), bar } });
    outcomes.none();
    assert_eq!(rig.heard.lock().unwrap().last().unwrap(), "history");
    assert_eq!(rig.book().mark_of(&btc()).unwrap().0, px("100"));
}

#[test]
fn a_wallet_that_is_off_by_the_same_amount_twice_is_corrected_while_trading_goes_on() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.ack(&entry);
    let off_by_half = |rig: &mut Rig| {
        let mut found = rig.agreeing_snapshot(&[]);
        let venue = rig.book().wallet(&Asset::usdt()) + d("0.5");
        found.account.balances[0].wallet = SignedAmount::from_decimal(venue);
        rig.snapshot(found)
    };
    assert_eq!(off_by_half(&mut rig).corrections(), 0);
    let mut fill = rig.fill_of(&entry, "1", "100");
    fill.fee = Amount::usdt(d("0.04"));
    rig.account(AccountEvent::Fill { fill });
    rig.wait(Duration::from_secs(5));
    assert_eq!(off_by_half(&mut rig).corrections(), 1);
    assert_eq!(rig.book().totals().corrections, d("0.5"));
    rig.identity_holds();
}

#[test]
fn a_cancel_that_died_with_its_process_is_sent_again() {
    // A leg that went flat: its stop must not close the next position.
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    let close = rig.want(Intent::close(long(), "enough")).only();
    assert_eq!(rig.fill(&close, "1", "100").cancels(), [stop.id]);
    rig.restart();
    let found = rig.agreeing_snapshot(&[&stop]);
    let mut cancels = rig.snapshot(found).cancels();
    cancels.extend(rig.run_for(Duration::from_secs(10)).iter().flat_map(Outcomes::cancels));
    assert_eq!(cancels, [stop.id]);

    // A stop that was moved: the old one must go.
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let new =
        rig.want(Intent::Protect { position: long(), trigger: px("97"), because: "trail".into() }).only();
    assert_eq!(rig.ack(&new).cancels(), [old.id]);
    rig.restart();
    let found = rig.agreeing_snapshot(&[&old, &new]);
    let mut cancels = rig.snapshot(found).cancels();
    cancels.extend(rig.run_for(Duration::from_secs(10)).iter().flat_map(Outcomes::cancels));
    assert_eq!(cancels, [old.id]);
    assert_eq!(rig.leg(&long()).unprotected_since, None);
}

#[test]
fn a_fill_that_becomes_visible_after_its_position_was_taken_over_is_not_booked_twice() {
    let mut rig = Rig::new();
    let entry = rig.resting_entry("1");
    let mut fill = rig.fill_of(&entry, "1", "99");
    fill.fee = Amount::usdt(d("0.04"));
    // It fills while the process is down. The position and the wallet show it at once, `userTrades` a little later.
    rig.restart();
    let mut found = rig.agreeing_snapshot(&[]);
    found.positions = vec![Position::new(long(), q("1"), px("99"))];
    found.account.balances[0].wallet = SignedAmount::parse("9999.96").unwrap();
    let outcomes = rig.snapshot(found.clone());
    assert_eq!(rig.leg(&long()).qty, d("1"));
    assert!(outcomes.submits().iter().any(Sent::is_close_all_stop), "it is protected at once");
    for stop in outcomes.submits() {
        rig.ack(&stop);
    }
    found.fills = vec![Fill { client_id: None, ..fill.clone() }];
    found.account.venue_time = rig.now;
    rig.snapshot(found);
    rig.account(AccountEvent::Fill { fill });
    assert_eq!(rig.leg(&long()).qty, d("1"));
    assert_eq!(rig.book().wallet(&Asset::usdt()), d("9999.96"));
    rig.report(&entry, ReportedState::Filled, "1");
    assert_eq!(rig.state(&entry.id), OrderState::Filled, "its order knows what became of it");
    assert!(!rig.book().has_live_entry(&long()));
    rig.identity_holds();
}

#[test]
fn a_leg_that_differs_and_an_order_that_is_nowhere_do_not_wait_for_each_other() {
    let mut rig = Rig::new();
    rig.opened();
    let close = rig.want(Intent::close(long(), "enough")).only();
    rig.time_out(&close);
    let end = rig.now.plus(Duration::from_secs(120));
    let mut outcomes: Vec<Outcomes> = Vec::new();
    let mut sent = Vec::new();
    // The venue holds 0.4, knows nothing of the close, and has no executions to show for the rest.
    while rig.now < end {
        let effects: Vec<Did> = outcomes.iter().flat_map(|outcomes| outcomes.effects.clone()).collect();
        outcomes.clear();
        for effect in effects {
            match effect {
                Did::Query(id, ..) if id == close.id => {
                    outcomes.push(rig.answer(&close, None, Vec::new(), "0.4"));
                }
                Did::Snapshot(_) => {
                    let mut found = rig.agreeing_snapshot(&[]);
                    found.positions = vec![Position::new(long(), q("0.4"), px("100"))];
                    outcomes.push(rig.snapshot(found));
                }
                Did::Submit(order) => sent.push(order),
                _ => {}
            }
        }
        if outcomes.is_empty() {
            let Some(due) = rig.engine.deadline().filter(|due| *due <= end) else { break };
            rig.now = rig.now.max(due);
            outcomes.push(rig.tick());
        }
    }
    assert_eq!(rig.leg(&long()).qty, d("0.4"));
    assert_eq!(rig.state(&close.id), OrderState::Dropped);
    rig.identity_holds();
}
