//! Moving a stop: never a moment without one, the old one goes only after the new one is confirmed.

use hedge_core::*;

use crate::rig::*;

fn protect(trigger: &str) -> Intent {
    Intent::Protect { position: long(), trigger: px(trigger), because: "trail".into() }
}

/// The live stops of the LONG leg that the venue has confirmed and nobody has asked to cancel.
fn standing(rig: &Rig) -> usize {
    rig.book()
        .live_orders_of(&long())
        .filter(|order| order.purpose == OrderPurpose::Stop && order.state == OrderState::Working)
        .count()
}

#[test]
fn the_old_stop_is_cancelled_only_when_the_new_one_is_confirmed() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let moved = rig.want(protect("97"));
    assert!(moved.cancels().is_empty());
    let new = moved.only();
    assert!(new.is_close_all_stop());
    assert_eq!(standing(&rig), 1);
    assert_eq!(rig.ack(&new).cancels(), [old.id]);
    assert_eq!(standing(&rig), 1);
    rig.cancelled(&old).none();
    assert_eq!(rig.book().stop_of(&long()).unwrap().client_id, new.id);
    assert_eq!(rig.leg(&long()).unprotected_since, None);
}

#[test]
fn a_second_move_waits_until_the_first_is_through() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let first = rig.want(protect("96")).only();
    let second = rig.want(protect("97"));
    second.none();
    assert_eq!(second.refused_by().as_deref(), Some("stop_pending"));
    rig.ack(&first);
    let during_cancel = rig.want(protect("97"));
    during_cancel.none();
    rig.cancelled(&old);
    let third = rig.want(protect("97")).only();
    assert_eq!(third.trigger(), Some(px("97")));
}

#[test]
fn a_move_to_the_same_place_or_through_the_mark_is_refused() {
    let mut rig = Rig::new();
    rig.opened();
    assert_eq!(
        rig.want(protect("95.04")).refused_by().as_deref(),
        Some("stop_same"),
        "95.04 is 95 on the grid"
    );
    assert_eq!(rig.want(protect("100")).refused_by().as_deref(), Some("stop_side"));
    assert_eq!(rig.want(protect("101")).refused_by().as_deref(), Some("stop_side"));
}

#[test]
fn a_moved_stop_that_is_refused_leaves_the_old_one_standing() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let new = rig.want(protect("99.9")).only();
    let outcomes = rig.reject(&new, RejectReason::WouldTrigger, -2021);
    outcomes.none();
    assert!(outcomes.cancels().is_empty());
    assert_eq!(rig.state(&old.id), OrderState::Working);
    assert_eq!(rig.leg(&long()).unprotected_since, None);
    rig.want(protect("97")).only();
}

#[test]
fn a_moved_stop_of_unknown_outcome_leaves_the_old_one_standing() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let new = rig.want(protect("97")).only();
    let outcomes = rig.time_out(&new);
    outcomes.none();
    assert_eq!(outcomes.queries(), [new.id]);
    assert_eq!(rig.state(&old.id), OrderState::Working);
    let report = rig.report_of(&new, ReportedState::Working, "0");
    assert_eq!(rig.answer(&new, Some(report), Vec::new(), "1").cancels(), [old.id]);
}

#[test]
fn where_a_second_close_all_stop_is_refused_one_by_quantity_bridges() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let refused = rig.want(protect("97")).only();
    let outcomes = rig.reject(&refused, RejectReason::SecondCloseAll, -4130);
    let bridge = outcomes.only();
    assert_eq!(
        bridge.leg,
        Leg::Close(Exit::StopMarket { trigger: px("97"), by: TriggerBy::Mark }, Coverage::Qty)
    );
    assert_eq!((bridge.qty, bridge.purpose), (d("1"), OrderPurpose::Stop));
    assert!(outcomes.cancels().is_empty() && !outcomes.is_muted());
    assert_eq!(standing(&rig), 1);
    assert_eq!(rig.ack(&bridge).cancels(), [old.id]);
    let later = rig.cancelled(&old);
    assert!(later.submits().iter().all(Sent::is_close_all_stop), "{:?}", later.submits());
    assert_eq!(rig.leg(&long()).unprotected_since, None);
}

#[test]
fn after_a_bridge_the_stop_can_still_be_moved_without_a_gap() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let refused = rig.want(protect("96")).only();
    let bridge = rig.reject(&refused, RejectReason::SecondCloseAll, -4130).only();
    rig.ack(&bridge);
    let mut next = rig.cancelled(&old).submits();
    for round in 0..4 {
        // Whatever goes out is taken; the venue refuses a close-all stop only beside another one.
        while let Some(order) = next.pop() {
            let second = rig.book().live_orders_of(&long()).any(|other| {
                other.is_close_all_stop() && other.client_id != order.id && other.state.is_confirmed_live()
            });
            let outcomes = if order.is_close_all_stop() && second {
                rig.reject(&order, RejectReason::SecondCloseAll, -4130)
            } else {
                rig.ack(&order)
            };
            next.extend(outcomes.submits());
            assert!(standing(&rig) >= 1, "round {round}: no stop stands");
            for id in outcomes.cancels() {
                let gone = sent_of(&rig, &id);
                next.extend(rig.cancelled(&gone).submits());
                assert!(standing(&rig) >= 1, "round {round}: no stop stands");
            }
        }
        let trigger = ["96.5", "97", "97.5", "98"][round];
        next = rig.want(protect(trigger)).submits();
        assert_eq!(next.len(), 1, "round {round}");
        assert_eq!(next[0].trigger(), Some(px(trigger)));
    }
}

fn sent_of(rig: &Rig, id: &ClientOrderId) -> Sent {
    let order = rig.book().order(id).unwrap();
    Sent {
        id: *id,
        position: order.position,
        leg: order.leg,
        qty: order.qty.get(),
        purpose: order.purpose,
        side: order.position.side.order_side(order.leg.action()),
        valid_until: None,
    }
}

#[test]
fn an_addition_to_a_leg_behind_a_bridge_is_covered_too() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let refused = rig.want(protect("97")).only();
    let bridge = rig.reject(&refused, RejectReason::SecondCloseAll, -4130).only();
    rig.ack(&bridge);
    let mut pending = rig.cancelled(&old).submits();
    for order in &pending {
        rig.ack(order);
    }
    let add = rig.open(long(), "96").only();
    pending = rig.fill(&add, "1", "100").submits();
    let covered: bool = rig.book().live_orders_of(&long()).any(|order| {
        order.purpose == OrderPurpose::Stop && (order.is_close_all_stop() || order.open_qty() >= d("2"))
    });
    assert!(covered, "2 are open behind a stop for 1; sent: {pending:?}");
}

#[test]
fn a_bridge_that_is_refused_leaves_the_old_stop_standing() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let refused = rig.want(protect("97")).only();
    let bridge = rig.reject(&refused, RejectReason::SecondCloseAll, -4130).only();
    let outcomes = rig.reject(&bridge, RejectReason::WouldTrigger, -2021);
    outcomes.none();
    assert_eq!(rig.state(&old.id), OrderState::Working);
}

#[test]
fn the_old_stop_fires_while_the_new_one_is_on_its_way() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let new = rig.want(protect("97")).only();
    rig.triggered(&old);
    rig.fill(&old, "1", "95").none();
    rig.finished(&old, "1").none();
    assert!(!rig.leg(&long()).is_open());
    assert_eq!(rig.ack(&new).cancels(), [new.id], "nothing is left for it to protect");
}

#[test]
fn a_replaced_stop_whose_cancel_failed_is_cancelled_again() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let new = rig.want(protect("97")).only();
    assert_eq!(rig.ack(&new).cancels(), [old.id]);
    let failed = rig.cancel_failed(old.id, Outcome::Unknown, None);
    assert_eq!(failed.queries(), [old.id]);
    let report = rig.report_of(&old, ReportedState::Working, "0");
    let mut cancels = rig.answer(&old, Some(report), Vec::new(), "1").cancels();
    cancels.extend(rig.run_for(ms(10_000)).iter().flat_map(Outcomes::cancels));
    assert!(cancels.contains(&old.id), "two stops stand, the old one fires first");
    assert!(!cancels.contains(&new.id));
}

#[test]
fn a_cancel_that_was_taken_and_never_reported_is_asked_about() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let new = rig.want(protect("97")).only();
    assert_eq!(rig.ack(&new).cancels(), [old.id]);
    rig.feed(Fact::CancelAcked { order: old.id });
    let asked: Vec<ClientOrderId> = rig.run_for(ms(10_000)).iter().flat_map(Outcomes::queries).collect();
    assert!(asked.contains(&old.id), "it would be on its way out for ever, and no stop could be moved");
    let report = rig.report_of(&old, ReportedState::Canceled, "0");
    rig.answer(&old, Some(report), Vec::new(), "1").none();
    assert_eq!(rig.state(&old.id), OrderState::Canceled);
    assert_eq!(rig.engine.deadline(), None);
    rig.want(protect("98")).only();
}

#[test]
fn a_venue_that_keeps_refusing_close_all_stops_is_not_flooded() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let refused = rig.want(protect("97")).only();
    let bridge = rig.reject(&refused, RejectReason::SecondCloseAll, -4130).only();
    rig.ack(&bridge);
    let mut pending = rig.cancelled(&old).submits();
    let mut sent = pending.len();
    let end = rig.now.plus(ms(10_000));
    while rig.now < end {
        match pending.pop() {
            Some(stop) => {
                rig.wait(ms(20));
                let outcomes = if stop.is_close_all_stop() {
                    rig.reject(&stop, RejectReason::SecondCloseAll, -4130)
                } else {
                    rig.ack(&stop)
                };
                pending.extend(outcomes.submits());
                sent += outcomes.submits().len();
                for id in outcomes.cancels() {
                    let gone = sent_of(&rig, &id);
                    let outcomes = rig.cancelled(&gone);
                    pending.extend(outcomes.submits());
                    sent += outcomes.submits().len();
                }
            }
            None => {
                let Some(due) = rig.engine.deadline().filter(|due| *due <= end) else { break };
                rig.now = rig.now.max(due);
                let outcomes = rig.tick();
                pending.extend(outcomes.submits());
                sent += outcomes.submits().len();
            }
        }
        assert!(standing(&rig) >= 1, "no stop stands");
        assert!(sent < 50, "{sent} stops in {:?}", ms(10_000));
    }
    assert!(sent <= 25, "{sent} stops in 10 s");
    assert_eq!(rig.leg(&long()).unprotected_since, None);
}

#[test]
fn a_stop_that_somebody_cancels_is_placed_again_also_where_one_close_all_is_the_rule() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let refused = rig.want(protect("97")).only();
    let bridge = rig.reject(&refused, RejectReason::SecondCloseAll, -4130).only();
    rig.ack(&bridge);
    let whole = rig.cancelled(&old).only();
    assert!(whole.is_close_all_stop());
    assert_eq!(rig.ack(&whole).cancels(), [bridge.id]);
    rig.cancelled(&bridge);
    rig.wait(ms(600_000));
    let again = rig.cancelled(&whole).only();
    assert!(again.is_close_all_stop(), "{again:?}");
    assert_eq!(again.trigger(), Some(px("97")));
}

#[test]
fn a_bridge_smaller_than_the_leg_does_not_replace_the_stop_over_all_of_it() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    // The venue now takes no market quantity above 0.4; the leg holds 1.
    let mut rules = spec(btc());
    rules.market_lot.max = d("0.4");
    rig.feed(Fact::Instrument { ix: InstrumentIx(0), spec: Box::new(rules) });
    let refused = rig.want(protect("97")).only();
    let bridge = rig.reject(&refused, RejectReason::SecondCloseAll, -4130).only();
    assert_eq!(bridge.qty, d("0.4"));
    assert!(rig.ack(&bridge).cancels().is_empty(), "0.6 would have no stop");
    assert_eq!(rig.state(&old.id), OrderState::Working);
    // The next move replaces the bridge, and still not the stop over the whole leg.
    let next = rig.want(protect("98")).only();
    assert_eq!(rig.ack(&next).cancels(), [bridge.id]);
    assert_eq!(rig.state(&old.id), OrderState::Working);
}

#[test]
fn a_bridge_that_an_entry_outgrows_does_not_replace_the_stop_over_all_of_it() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let entry = rig.open(long(), "95").only();
    let refused = rig.want(protect("97")).only();
    let bridge = rig.reject(&refused, RejectReason::SecondCloseAll, -4130).only();
    assert!(rig.ack(&bridge).cancels().is_empty(), "the entry may fill at any moment");
    rig.fill(&entry, "1", "100");
    assert_eq!(rig.state(&old.id), OrderState::Working);
    assert_eq!(rig.leg(&long()).unprotected_since, None);
}
