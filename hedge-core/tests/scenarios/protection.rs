//! Protection is part of opening: the stop goes out first, and a leg without one is closed.

use std::time::Duration;

use hedge_core::*;

use crate::{given::*, rig::*};

fn with_ladder(stop: &str, rungs: &[(&str, &str)]) -> Intent {
    let take_profits = rungs
        .iter()
        .map(|(trigger, portion)| TakeProfit {
            trigger: px(trigger),
            portion: Ratio::parse(portion).unwrap(),
        })
        .collect();
    Intent::Open {
        position: long(),
        size: Size::Qty(q("1")),
        entry: Entry::Market,
        protection: Protection::Stop { trigger: px(stop), take_profits },
        because: "test".into(),
    }
}

#[test]
fn the_first_partial_fill_sends_the_stop_before_anything_else() {
    let mut rig = Rig::new();
    let entry = rig.want(with_ladder("95", &[("110", "0.5"), ("120", "0.5")])).only();
    rig.ack(&entry);
    let outcomes = rig.fill(&entry, "0.2", "100");
    let stop = outcomes.only();
    assert_eq!(
        stop.leg,
        Leg::Close(Exit::StopMarket { trigger: px("95"), by: TriggerBy::Mark }, Coverage::WholeLeg)
    );
    assert_eq!(stop.side, OrderSide::Sell);
    assert_eq!(stop.purpose, OrderPurpose::Stop);
    assert_eq!(stop.valid_until, None, "a close never goes stale");
}

#[test]
fn a_stop_is_sent_for_a_fill_that_comes_before_the_answer() {
    let mut rig = Rig::new();
    let entry = rig.open(short(), "105").only();
    let stop = rig.fill(&entry, "1", "100").only();
    assert!(stop.is_close_all_stop());
    assert_eq!((stop.position, stop.side), (short(), OrderSide::Buy));
    rig.ack_as(&entry, ReportedState::Filled, "1").none();
    assert_eq!(rig.state(&entry.id), OrderState::Filled);
    assert_eq!(rig.leg(&short()).qty, d("1"));
}

#[test]
fn later_fills_are_covered_by_the_first_stop() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.ack(&entry);
    let stop = rig.fill(&entry, "0.2", "100").only();
    rig.fill(&entry, "0.3", "100").none();
    rig.ack(&stop);
    rig.fill(&entry, "0.5", "100").none();
    assert_eq!(rig.leg(&long()).qty, d("1"));
    assert_eq!(rig.leg(&long()).unprotected_since, None);
    assert_eq!(rig.engine.deadline(), None);
}

#[test]
fn the_ladder_follows_when_the_entry_has_ended_and_splits_what_filled() {
    let mut rig = Rig::new();
    let entry = rig.want(with_ladder("95", &[("110", "0.5"), ("120", "0.3")])).only();
    rig.ack(&entry);
    let stop = rig.fill(&entry, "0.5", "100").only();
    rig.ack(&stop).none();
    // The rest of the IOC expires: half a coin is open.
    let rungs = rig.report(&entry, ReportedState::Expired, "0.5").submits();
    let got: Vec<_> = rungs.iter().map(|rung| (rung.trigger().unwrap(), rung.qty)).collect();
    assert_eq!(got, [(px("110"), d("0.25")), (px("120"), d("0.15"))]);
    assert!(rungs.iter().all(|rung| {
        rung.purpose == OrderPurpose::TakeProfit
            && rung.side == OrderSide::Sell
            && matches!(rung.leg, Leg::Close(Exit::TakeProfitMarket { .. }, Coverage::Qty))
    }));
}

/// The rungs that follow a fill of `qty` and the end of the entry.
fn ladder_after(qty: &str, rungs: &[(&str, &str)]) -> Vec<Decimal> {
    let mut rig = Rig::new();
    let mut intent = with_ladder("95", rungs);
    if let Intent::Open { size, .. } = &mut intent {
        *size = Size::Qty(q(qty));
    }
    let entry = rig.want(intent).only();
    rig.ack(&entry);
    let mut sent = rig.fill(&entry, qty, "100").submits();
    sent.extend(rig.report(&entry, ReportedState::Filled, qty).submits());
    sent.iter().filter(|order| order.purpose == OrderPurpose::TakeProfit).map(|order| order.qty).collect()
}

#[test]
fn a_ladder_never_takes_more_than_what_filled() {
    assert_eq!(ladder_after("1", &[("110", "0.5"), ("120", "0.5")]), [d("0.5"), d("0.5")]);
    assert_eq!(ladder_after("1.001", &[("110", "0.5"), ("120", "0.5")]), [d("0.5"), d("0.501")]);
    assert_eq!(ladder_after("1", &[("110", "0.8"), ("120", "0.8")]).iter().sum::<Decimal>(), d("1"));
    assert_eq!(
        ladder_after("0.051", &[("110", "0.001"), ("120", "0.5")]),
        [d("0.025")],
        "too small a rung is left out"
    );
    assert_eq!(ladder_after("1", &[("110", "-0.5"), ("120", "0.5")]), [d("0.5")]);
}

#[test]
fn an_expiry_that_overtakes_the_last_fill_waits_for_it() {
    let mut rig = Rig::new();
    let entry = rig.want(with_ladder("95", &[("110", "0.5")])).only();
    rig.ack(&entry);
    rig.fill(&entry, "0.2", "100").only();
    // 0.6 filled according to the venue, 0.2 of it known here.
    rig.report(&entry, ReportedState::Expired, "0.6").none();
    assert!(rig.state(&entry.id).is_live());
    let rung = rig.fill(&entry, "0.4", "100").only();
    assert_eq!(rig.state(&entry.id), OrderState::Expired);
    assert_eq!((rung.purpose, rung.qty), (OrderPurpose::TakeProfit, d("0.3")));
}

#[test]
fn an_entry_that_never_filled_leaves_nothing_behind() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.ack(&entry);
    rig.report(&entry, ReportedState::Expired, "0").none();
    let leg = rig.leg(&long());
    assert_eq!((leg.owner, leg.protection.clone(), leg.live.len()), (None, None, 0));
    assert_eq!(rig.engine.deadline(), None);
}

#[test]
fn an_unprotected_opening_gets_no_stop_and_is_not_closed_for_lack_of_one() {
    let mut rig = Rig::new();
    let entry = rig
        .want(Intent::Open {
            position: long(),
            size: Size::Qty(q("1")),
            entry: Entry::Market,
            protection: Protection::Unprotected { because: "hedged elsewhere".into() },
            because: "test".into(),
        })
        .only();
    rig.fill(&entry, "1", "100").none();
    assert!(rig.run_for(Duration::from_secs(30)).iter().all(|outcomes| outcomes.submits().is_empty()));
}

#[test]
fn a_stop_whose_trigger_is_already_through_closes_the_leg_once_and_mutes_the_symbol() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let stop = rig.fill(&entry, "1", "100").only();
    let outcomes = rig.reject(&stop, RejectReason::WouldTrigger, -2021);
    let close = outcomes.only();
    assert!(close.is_market_close());
    assert_eq!(close.qty, d("1"));
    assert!(outcomes.is_muted() && !outcomes.alerts().is_empty());
    let later = rig.run_for(Duration::from_secs(30));
    assert!(later.iter().all(|outcomes| outcomes.submits().is_empty()), "the close is on its way already");
    rig.fill(&close, "1", "94.9").none();
    assert_eq!(rig.state(&close.id), OrderState::Filled);
    let muted = rig.open(long(), "95");
    muted.none();
    assert_eq!(muted.refused_by().as_deref(), Some("not_muted"));
    assert!(rig.open(short(), "105").submits().is_empty(), "both legs of the symbol are muted");
    rig.wait(rig.config.mute_for);
    rig.open(long(), "95").only();
}

#[test]
fn a_forced_close_that_fails_is_decided_again_after_a_pause() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let stop = rig.fill(&entry, "1", "100").only();
    let close = rig.reject(&stop, RejectReason::WouldTrigger, -2021).only();
    rig.fail(&close, Outcome::NotSent, None, None);
    let later = rig.run_for(Duration::from_secs(10));
    let closes: Vec<Sent> = later.iter().flat_map(Outcomes::submits).collect();
    assert_eq!(closes.len(), 1, "{closes:?}");
    assert!(closes[0].is_market_close());
}

#[test]
fn a_stop_that_was_not_sent_is_decided_again_under_a_new_id() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let stop = rig.fill(&entry, "1", "100").only();
    let again = rig.fail(&stop, Outcome::NotSent, None, None).only();
    assert!(again.is_close_all_stop());
    assert_eq!(again.trigger(), Some(px("95")));
    assert_ne!(again.id, stop.id);
}

#[test]
fn a_stop_that_cannot_be_sent_in_time_gives_way_to_a_close() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let mut stop = rig.fill(&entry, "1", "100").only();
    let opened_at = rig.now;
    for attempt in 1..=20 {
        let mut outcomes = rig.fail(&stop, Outcome::NotSent, None, None);
        while outcomes.submits().is_empty() {
            // Nothing is sent before its time, and the engine names the time.
            rig.now = rig.engine.deadline().expect("a bare leg is not forgotten");
            outcomes = rig.tick();
        }
        stop = outcomes.only();
        if stop.is_market_close() {
            assert_eq!(rig.now, opened_at.plus(rig.config.protect_within));
            assert!((4..=8).contains(&attempt), "{attempt} stops in three seconds");
            return;
        }
    }
    panic!("twenty stops and no close");
}

#[test]
fn a_stop_that_is_not_sent_over_and_over_is_not_tried_again_while_the_clock_stands_still() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let stop = rig.fill(&entry, "1", "100").only();
    let second = rig.fail(&stop, Outcome::NotSent, None, None).only();
    rig.fail(&second, Outcome::NotSent, None, None).none();
    rig.tick().none();
    let failed_at = rig.now;
    rig.now = rig.engine.deadline().expect("a bare leg is not forgotten");
    assert_eq!(rig.now.since(failed_at), ms(100));
    let third = rig.tick().only();
    assert_eq!((third.is_close_all_stop(), third.trigger()), (true, Some(px("95"))));
    // Once it is safe, nothing is left to send.
    rig.ack(&third);
    assert!(rig.run_for(ms(5_000)).iter().all(|outcomes| outcomes.submits().is_empty()));
}

/// Without the second look at every leg: what holds by the first line of protection alone.
fn without_validator() -> Rig {
    let validator = StopValidator { enabled: false, ..StopValidator::default() };
    Rig::with(EngineConfig { validator, ..EngineConfig::default() }, Box::new(PermitAll), 0)
}

#[test]
fn a_stop_of_unknown_outcome_is_waited_for_until_the_deadline_then_the_leg_is_closed() {
    let mut rig = without_validator();
    let entry = rig.open(long(), "95").only();
    let opened_at = rig.now.plus(ms(1));
    let stop = rig.fill(&entry, "1", "100").only();
    assert_eq!(rig.now, opened_at);
    rig.time_out(&stop).none();
    let early = rig.run_for(rig.config.protect_within - ms(100));
    assert!(early.iter().all(|outcomes| outcomes.submits().is_empty()));
    let closes: Vec<Sent> = rig.run_for(ms(200)).iter().flat_map(Outcomes::submits).collect();
    assert_eq!(closes.len(), 1);
    assert!(closes[0].is_market_close());
    // The stop turns out to be live after the leg is flat: it goes.
    rig.fill(&closes[0], "1", "99");
    let report = rig.report_of(&stop, ReportedState::Working, "0");
    let swept = rig.answer(&stop, Some(report), Vec::new(), "0");
    assert_eq!(swept.cancels(), [stop.id]);
}

#[test]
fn a_leg_whose_close_is_unknown_gets_a_stop_meanwhile() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let stop = rig.fill(&entry, "1", "100").only();
    let close = rig.reject(&stop, RejectReason::WouldTrigger, -2021).only();
    assert!(close.is_market_close());
    rig.time_out(&close);
    // The doubt may last a minute. A stop over the whole leg closes nothing twice.
    let sent: Vec<Sent> = rig.run_for(Duration::from_secs(20)).iter().flat_map(Outcomes::submits).collect();
    assert!(sent.iter().all(Sent::is_close_all_stop), "{sent:?}");
    assert!(!sent.is_empty(), "the leg stands bare while nobody knows");
}

#[test]
fn a_leg_whose_limit_close_is_unknown_gets_a_stop_meanwhile() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    let limit = rig.want(limit_close()).only();
    rig.time_out(&limit);
    // The quantity is held by an order that may or may not exist, and the stop is gone.
    let mut sent = rig.report(&stop, ReportedState::Expired, "0").submits();
    sent.extend(rig.run_for(Duration::from_secs(20)).iter().flat_map(Outcomes::submits));
    assert!(sent.iter().any(Sent::is_close_all_stop), "{sent:?}");
    assert!(sent.iter().all(Sent::is_close_all_stop), "{sent:?}");
}

#[test]
fn a_leg_whose_close_and_stop_are_both_unknown_gets_another_stop() {
    let mut rig = without_validator();
    let entry = rig.open(long(), "95").only();
    let stop = rig.fill(&entry, "1", "100").only();
    rig.time_out(&stop);
    let closes: Vec<Sent> = rig.run_for(Duration::from_secs(4)).iter().flat_map(Outcomes::submits).collect();
    assert_eq!(closes.len(), 1);
    rig.time_out(&closes[0]);
    let sent: Vec<Sent> = rig.run_for(Duration::from_secs(20)).iter().flat_map(Outcomes::submits).collect();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(sent[0].is_close_all_stop());
    rig.ack(&sent[0]);
    assert_eq!(rig.leg(&long()).unprotected_since, None);
}

#[test]
fn a_stop_that_nobody_answers_for_gives_way_to_a_close_at_the_deadline() {
    let mut rig = without_validator();
    let entry = rig.open(long(), "95").only();
    rig.fill(&entry, "1", "100").only();
    let filled_at = rig.now;
    assert_eq!(rig.engine.deadline(), Some(filled_at.plus(rig.config.protect_within)));
    let closes: Vec<Sent> = rig.run_for(Duration::from_secs(4)).iter().flat_map(Outcomes::submits).collect();
    assert_eq!(closes.len(), 1);
    assert!(closes[0].is_market_close());
}

#[test]
fn a_stop_that_expires_or_is_rejected_later_closes_the_leg() {
    for state in [ReportedState::Expired, ReportedState::Rejected] {
        let mut rig = Rig::new();
        let (_, stop) = rig.opened();
        rig.wait(Duration::from_secs(3_600));
        let close = rig.report(&stop, state, "0").only();
        assert!(close.is_market_close());
        assert_eq!(close.qty, d("1"));
        assert!(rig.run_for(Duration::from_secs(10)).iter().all(|later| later.submits().is_empty()));
    }
}

#[test]
fn a_stop_that_somebody_cancelled_is_placed_again() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    rig.wait(Duration::from_secs(3_600));
    let again = rig.cancelled(&stop).only();
    assert!(again.is_close_all_stop());
    assert_eq!(again.trigger(), Some(px("95")));
}

#[test]
fn a_fired_stop_that_leaves_something_open_closes_the_rest() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    rig.triggered(&stop).none();
    rig.fill(&stop, "0.6", "94.9").none();
    let close = rig.finished(&stop, "0.6").only();
    assert!(close.is_market_close());
    assert_eq!(close.qty, d("0.4"));
}

#[test]
fn a_fired_stop_ends_in_peace_in_every_order_of_its_messages() {
    type Message = fn(&mut Rig, &Sent) -> Outcomes;
    let triggered: Message = |rig, stop| rig.triggered(stop);
    let part: Message = |rig, stop| rig.fill(stop, "0.4", "95");
    let rest: Message = |rig, stop| rig.fill(stop, "0.6", "94.9");
    let child: Message = |rig, stop| rig.child_report(stop, ReportedState::Filled, "1");
    let finished: Message = |rig, stop| rig.finished(stop, "1");
    let all = [triggered, part, rest, child, finished];
    for order in permutations(all.len()) {
        let mut rig = Rig::new();
        let (_, stop) = rig.opened();
        for &i in &order {
            let outcomes = all[i](&mut rig, &stop);
            outcomes.none();
            assert!(!outcomes.is_muted(), "{order:?}: {:?}", outcomes.alerts());
        }
        assert_eq!(rig.state(&stop.id), OrderState::Filled, "{order:?}");
        assert!(!rig.leg(&long()).is_open(), "{order:?}");
        assert_eq!(rig.book().live_order_count(), 0, "{order:?}");
        assert_eq!(rig.leg(&long()).realized, d("-5.06"), "{order:?}");
        assert_eq!(rig.engine.deadline(), None, "{order:?}");
    }
}

#[test]
fn a_fired_take_profit_ends_in_peace_in_every_order_of_its_messages() {
    type Message = fn(&mut Rig, &Sent) -> Outcomes;
    let triggered: Message = |rig, tp| rig.triggered(tp);
    let part: Message = |rig, tp| rig.fill(tp, "0.2", "110");
    let rest: Message = |rig, tp| rig.fill(tp, "0.3", "110");
    let finished: Message = |rig, tp| rig.finished(tp, "0.5");
    let all = [triggered, part, rest, finished];
    for order in permutations(all.len()) {
        let mut rig = Rig::new();
        let entry = rig.want(with_ladder("95", &[("110", "0.5")])).only();
        rig.ack(&entry);
        let stop = rig.fill(&entry, "1", "100").submits().remove(0);
        rig.ack(&stop);
        rig.report(&entry, ReportedState::Filled, "1");
        let rung = *rig.leg(&long()).live.last().unwrap();
        let rung = rig.book().order(&rung).unwrap();
        assert_eq!((rung.purpose, rung.qty.get()), (OrderPurpose::TakeProfit, d("0.5")));
        let tp = Sent {
            id: rung.client_id,
            position: long(),
            leg: rung.leg,
            qty: rung.qty.get(),
            purpose: rung.purpose,
            side: OrderSide::Sell,
            valid_until: None,
        };
        rig.ack(&tp);
        for &i in &order {
            all[i](&mut rig, &tp).none();
        }
        assert_eq!(rig.state(&tp.id), OrderState::Filled, "{order:?}");
        assert_eq!(rig.leg(&long()).qty, d("0.5"));
        assert_eq!(rig.leg(&long()).unprotected_since, None, "the close-all stop stands");
    }
}

#[test]
fn an_unknown_word_about_a_stop_is_no_protection() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let stop = rig.fill(&entry, "1", "100").only();
    rig.ack_as(&stop, ReportedState::Unknown("PENDING_REVIEW".to_owned()), "0");
    let closes: Vec<Sent> = rig.run_for(Duration::from_secs(5)).iter().flat_map(Outcomes::submits).collect();
    assert!(closes.iter().any(Sent::is_market_close), "{closes:?}");
}

#[test]
fn a_trailing_stop_never_replaces_the_close_all_stop() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    let trailing = rig
        .want(Intent::Close {
            position: long(),
            portion: Portion::Fraction(Ratio::parse("0.5").unwrap()),
            exit: Exit::TrailingStop {
                activate: None,
                callback: Bps::parse("100").unwrap(),
                by: TriggerBy::Mark,
            },
            because: "trail half".into(),
        })
        .only();
    assert_eq!(trailing.qty, d("0.5"));
    let confirmed = rig.ack(&trailing);
    assert!(confirmed.cancels().is_empty(), "the close-all stop was cancelled");
    assert_eq!(rig.book().stop_of(&long()).map(|order| order.client_id), Some(stop.id));
}

#[test]
fn a_trailing_stop_alone_does_not_protect_a_leg() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    let trailing = rig
        .want(Intent::Close {
            position: long(),
            portion: Portion::All,
            exit: Exit::TrailingStop {
                activate: None,
                callback: Bps::parse("100").unwrap(),
                by: TriggerBy::Mark,
            },
            because: "trail".into(),
        })
        .only();
    rig.ack(&trailing);
    let lost = rig.report(&stop, ReportedState::Expired, "0");
    assert!(lost.only().is_market_close());
}

#[test]
fn a_stop_for_a_part_of_the_leg_never_replaces_the_close_all_stop() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    let partial = rig
        .want(Intent::Close {
            position: long(),
            portion: Portion::Qty(q("0.5")),
            exit: Exit::StopMarket { trigger: px("97"), by: TriggerBy::Mark },
            because: "half at 97".into(),
        })
        .only();
    assert!(rig.ack(&partial).cancels().is_empty());
    assert_eq!(rig.state(&stop.id), OrderState::Working);
}

#[test]
fn adding_unprotected_does_not_take_the_protection_away() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    rig.want(Intent::Open {
        position: long(),
        size: Size::Qty(q("1")),
        entry: Entry::Market,
        protection: Protection::Unprotected { because: "test".into() },
        because: "add".into(),
    });
    let lost = rig.report(&stop, ReportedState::Expired, "0");
    assert!(lost.submits().iter().any(Sent::is_market_close), "the leg stood behind a stop and has none now");
}

#[test]
fn a_new_leg_is_not_protected_by_the_stop_of_the_last_one() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let old = rig.fill(&entry, "1", "100").only();
    let close = rig.want(Intent::close(long(), "changed my mind")).only();
    rig.fill(&close, "1", "100");
    assert!(!rig.leg(&long()).is_open());
    // The old stop is still on its way when the next entry goes out.
    let next = rig.open(long(), "98").submits();
    if let Some(next) = next.first() {
        rig.ack(&old);
        let outcomes = rig.fill(next, "1", "100");
        let stops = outcomes.submits();
        assert!(
            stops.iter().any(|stop| stop.is_close_all_stop() && stop.trigger() == Some(px("98"))),
            "the new leg wants its stop at 98"
        );
    }
}

#[test]
fn nobody_is_muted_because_a_stop_expired_with_its_leg() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    let close = rig.want(Intent::close(long(), "enough")).only();
    // The venue expires the stop with the position; its message overtakes the execution.
    let outcomes = rig.report(&stop, ReportedState::Expired, "0");
    outcomes.none();
    assert!(!outcomes.is_muted(), "{:?}", outcomes.alerts());
    rig.fill(&close, "1", "101");
    assert!(!rig.leg(&long()).is_open());
}

#[test]
fn the_child_of_a_stop_that_expires_with_fills_on_their_way_is_not_closed_twice() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    rig.triggered(&stop);
    // The child sold 0.6, found no more takers and expired; the execution itself comes last.
    rig.child_report(&stop, ReportedState::Expired, "0.6");
    let mut closed: Decimal = rig.book().resting_closes(&long());
    let outcomes = rig.fill(&stop, "0.6", "94");
    closed = closed.max(outcomes.submits().iter().map(|sent| sent.qty).sum());
    assert_eq!(closed, d("0.4"), "only the rest is closed");
}

#[test]
fn a_flat_leg_sweeps_its_take_profits_and_stop() {
    let mut rig = Rig::new();
    let entry = rig.want(with_ladder("95", &[("110", "0.5"), ("120", "0.5")])).only();
    rig.ack(&entry);
    let mut resting = rig.fill(&entry, "1", "100").submits();
    resting.extend(rig.report(&entry, ReportedState::Filled, "1").submits());
    assert_eq!(resting.len(), 3);
    for order in &resting {
        rig.ack(order);
    }
    let close = rig.want(Intent::close(long(), "enough")).only();
    let mut swept = rig.fill(&close, "1", "101").cancels();
    swept.sort();
    let mut expected: Vec<ClientOrderId> = resting.iter().map(|order| order.id).collect();
    expected.sort();
    assert_eq!(swept, expected);
    assert_eq!(rig.heard.lock().unwrap().last().unwrap(), "flat BTCUSDT LONG");
}

#[test]
fn a_stop_that_is_confirmed_after_its_leg_went_flat_is_swept() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let stop = rig.fill(&entry, "1", "100").only();
    let close = rig.want(Intent::close(long(), "enough")).only();
    rig.fill(&close, "1", "100");
    assert_eq!(rig.ack(&stop).cancels(), [stop.id]);
}

#[test]
fn a_sweep_whose_cancel_failed_is_tried_again() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    let close = rig.want(Intent::close(long(), "enough")).only();
    let mut outcomes = vec![rig.fill(&close, "1", "101")];
    let mut cancels = 0;
    let end = rig.now.plus(Duration::from_secs(60));
    // A venue that refuses every cancel for a minute and says that the stop is live.
    while rig.now < end {
        for effect in outcomes.iter().flat_map(|outcomes| outcomes.effects.clone()).collect::<Vec<_>>() {
            match effect {
                Did::Cancel(id, _) => {
                    assert_eq!(id, stop.id);
                    cancels += 1;
                    outcomes = vec![rig.cancel_failed(stop.id, Outcome::NotSent, None)];
                }
                Did::Query(id, ..) => {
                    assert_eq!(id, stop.id);
                    let report = rig.report_of(&stop, ReportedState::Working, "0");
                    outcomes = vec![rig.answer(&stop, Some(report), Vec::new(), "0")];
                }
                Did::Submit(_) | Did::Snapshot(_) => panic!("{effect:?}"),
            }
        }
        if outcomes.iter().all(|outcomes| outcomes.effects.is_empty()) {
            let Some(due) = rig.engine.deadline() else { break };
            rig.now = rig.now.max(due);
            outcomes = vec![rig.tick()];
        }
    }
    assert!((4..=20).contains(&cancels), "{cancels} cancels in a minute");
    assert!(rig.state(&stop.id).is_live(), "and it is never believed gone");
}

#[test]
fn a_late_fill_of_a_cancelled_entry_is_booked_told_and_protected() {
    let mut rig = Rig::new();
    let entry = rig.resting_entry("1");
    rig.report(&entry, ReportedState::Canceled, "0");
    assert_eq!(rig.leg(&long()).owner, None);
    let outcomes = rig.fill(&entry, "0.5", "99");
    let stop = outcomes.only();
    assert_eq!((stop.is_close_all_stop(), stop.trigger()), (true, Some(px("95"))));
    assert!(outcomes.alerts().iter().any(|text| text.contains("filled after all")));
    assert_eq!(rig.leg(&long()).qty, d("0.5"));
    assert_eq!(
        rig.leg(&long()).owner,
        Some(StrategyId::parse("puppet").unwrap()),
        "it is still its strategy's leg"
    );
}

#[test]
fn a_stop_the_venue_no_longer_knows_is_no_protection() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    rig.restart();
    let found = rig.agreeing_snapshot(&[]);
    let mut outcomes = vec![rig.snapshot(found)];
    // Neither listed nor found by its id, however often it is asked.
    for _ in 0..6 {
        if outcomes.iter().any(|outcomes| outcomes.queries().contains(&stop.id)) {
            outcomes = vec![rig.answer(&stop, None, Vec::new(), "1")];
            if !outcomes[0].submits().is_empty() {
                break;
            }
        }
        rig.wait(Duration::from_secs(5));
        if rig.engine.deadline().is_some_and(|due| due <= rig.now) {
            outcomes.push(rig.tick());
        }
        let found = rig.agreeing_snapshot(&[]);
        outcomes.push(rig.snapshot(found));
        if outcomes.iter().any(|outcomes| !outcomes.submits().is_empty()) {
            break;
        }
    }
    let submits: Vec<Sent> = outcomes.iter().flat_map(Outcomes::submits).collect();
    assert_eq!(submits.len(), 1, "the leg has no stop at the venue and the engine believes it has");
    assert!(submits[0].is_close_all_stop() || submits[0].is_market_close());
}

#[test]
fn a_forced_close_makes_room_when_a_limit_close_holds_the_quantity() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    let limit = rig.want(limit_close()).only();
    rig.ack(&limit);
    let lost = rig.report(&stop, ReportedState::Expired, "0");
    lost.none();
    assert_eq!(lost.cancels(), [limit.id]);
    let mut closes = rig.cancelled(&limit).submits();
    closes.extend(rig.run_for(Duration::from_secs(3)).iter().flat_map(Outcomes::submits));
    assert_eq!(closes.len(), 1, "{closes:?}");
    assert!(closes[0].is_market_close());
    assert_eq!(closes[0].qty, d("1"));
}

#[test]
fn a_large_leg_is_closed_in_pieces_that_the_venue_takes() {
    let mut rig = Rig::new();
    let entry = rig.want(Intent::open(long(), Size::Qty(q("250")), px("95"), "big")).only();
    rig.fill(&entry, "250", "100").only();
    let pieces = rig.want(Intent::close(long(), "enough")).submits();
    let sizes: Vec<Decimal> = pieces.iter().map(|piece| piece.qty).collect();
    assert_eq!(sizes, [d("100"), d("100"), d("50")]);
}
