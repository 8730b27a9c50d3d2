//! Commands of one leg leave one after the other: what is decided behind an unanswered one may be wrong by the time it leaves.

use hedge_core::*;

use crate::rig::*;

fn protect(trigger: &str) -> Intent {
    Intent::Protect { position: long(), trigger: px(trigger), because: "trail".into() }
}

/// A take-profit for half of the leg.
fn half_at_a_profit() -> Intent {
    Intent::Close {
        position: long(),
        portion: Portion::Qty(q("0.5")),
        exit: Exit::TakeProfitMarket { trigger: px("110"), by: TriggerBy::Mark },
        because: "test".into(),
    }
}

/// A LONG leg of 1 behind a stop over the whole leg at 97, on a venue that is known to keep one such stop a leg.
fn one_close_all(rig: &mut Rig) -> Sent {
    let (_, old) = rig.opened();
    let refused = rig.want(protect("97")).only();
    let bridge = rig.reject(&refused, RejectReason::SecondCloseAll, -4130).only();
    assert_eq!(rig.ack(&bridge).cancels(), [old.id]);
    let whole = rig.cancelled(&old).only();
    assert_eq!(rig.ack(&whole).cancels(), [bridge.id]);
    rig.cancelled(&bridge).none();
    rig.feed(Fact::CancelAcked { order: bridge.id }).none();
    whole
}

/// Swarm seed 14196: the cancel waited behind the time-out, and took the leg's last stop.
#[test]
fn no_stop_gives_way_to_one_whose_submit_is_unanswered() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let new = rig.want(protect("97")).only();
    let told = rig.report(&new, ReportedState::Working, "0");
    assert!(told.cancels().is_empty(), "the cancel would leave behind the answer, whenever that comes");
    // It fires meanwhile and is refused; the old one is all there is.
    let lost = rig.report(&new, ReportedState::Rejected, "0");
    assert!(lost.cancels().is_empty());
    let late = rig.time_out(&new);
    assert!(late.cancels().is_empty());
    assert_eq!(rig.state(&old.id), OrderState::Working);
    assert_eq!(rig.leg(&long()).unprotected_since, None);
}

#[test]
fn the_answer_lets_the_old_stop_go() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let new = rig.want(protect("97")).only();
    rig.report(&new, ReportedState::Working, "0").none();
    assert_eq!(rig.want(protect("98")).refused_by().as_deref(), Some("stop_pending"));
    assert_eq!(rig.ack(&new).cancels(), [old.id]);
}

#[test]
fn the_answer_to_any_command_of_the_leg_lets_the_old_stop_go() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let new = rig.want(protect("97")).only();
    let rung = rig.want(half_at_a_profit()).only();
    assert!(rig.ack(&new).cancels().is_empty(), "the rung is on its way first");
    assert_eq!(rig.time_out(&rung).cancels(), [old.id]);
}

/// Swarm seed 16813: a silent stream, a bridge that had fired, and an entry whose fill made it large enough.
#[test]
fn no_stop_gives_way_while_the_newer_one_may_have_made_an_execution_that_nothing_explains() {
    let mut rig = Rig::new();
    let whole = one_close_all(&mut rig);
    let entry = rig.resting_entry("0.2");
    let bridge = rig.want(protect("98")).only();
    assert!(!bridge.is_close_all_stop());
    assert!(rig.ack(&bridge).cancels().is_empty(), "the entry may fill at any moment");
    // The stream is silent: the entry fills, the bridge fires, and a close is answered by nobody.
    let close = rig.want(Intent::close(long(), "enough")).only();
    assert_eq!(rig.time_out(&close).queries(), [close.id]);
    let entered = Fill { client_id: None, ..rig.fill_of(&entry, "0.2", "99") };
    let fired = Fill { client_id: None, ..rig.fill_of(&bridge, "1", "98") };
    let answered = rig.answer(&close, None, vec![entered, fired], "0.2");
    assert!(answered.cancels().is_empty(), "the older stop is all that the rest of the leg has");
    assert_eq!(answered.snapshots(), 1, "the account is read");
    let found = rig.agreeing_snapshot(&[&whole]);
    let compared = rig.snapshot(found);
    assert!(compared.cancels().is_empty());
    assert!(compared.queries().contains(&bridge.id), "what became of the bridge is asked");
    assert_eq!(rig.state(&whole.id), OrderState::Working);
}

#[test]
fn a_stop_that_fails_at_its_trigger_closes_the_leg_at_once_also_where_one_close_all_is_the_rule() {
    let mut rig = Rig::new();
    let whole = one_close_all(&mut rig);
    let lost = rig.report(&whole, ReportedState::Rejected, "0");
    assert!(lost.only().is_market_close(), "{lost:?}");
    assert!(lost.is_muted());
}

#[test]
fn a_stop_that_is_refused_for_its_price_closes_the_leg_at_once_also_where_one_close_all_is_the_rule() {
    let mut rig = Rig::new();
    let whole = one_close_all(&mut rig);
    let again = rig.cancelled(&whole).only();
    assert!(again.is_close_all_stop());
    assert!(rig.reject(&again, RejectReason::WouldTrigger, -2021).only().is_market_close());
}

#[test]
fn no_stop_gives_way_to_one_that_has_fired_before_its_answer_came() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let new = rig.want(protect("97")).only();
    rig.report(&new, ReportedState::Working, "0").none();
    rig.triggered(&new).none();
    assert!(
        rig.ack_as(&new, ReportedState::Triggered, "0").cancels().is_empty(),
        "what it sends may be refused"
    );
    let refused = rig.child_report(&new, ReportedState::Rejected, "0");
    assert!(refused.cancels().is_empty());
    assert_eq!(rig.state(&old.id), OrderState::Working);
    assert_eq!(rig.leg(&long()).unprotected_since, None);
}

#[test]
fn a_cancel_that_failed_because_its_order_had_ended_lets_the_old_stop_go() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let entry = rig.resting_entry("0.2");
    let new = rig.want(protect("97")).only();
    assert_eq!(rig.want(Intent::Cancel { order: entry.id, because: "too old".into() }).cancels(), [entry.id]);
    assert!(rig.ack(&new).cancels().is_empty(), "the entry's cancel is on its way first");
    assert!(rig.fill(&entry, "0.2", "99").cancels().is_empty());
    let failed = rig.cancel_failed(entry.id, Outcome::Rejected, Some(RejectReason::NotFound));
    assert_eq!(failed.cancels(), [old.id]);
}

#[test]
fn while_no_stop_can_go_a_leg_gets_no_third_one() {
    let mut rig = Rig::new();
    let (_, old) = rig.opened();
    let new = rig.want(protect("97")).only();
    let rung = rig.want(half_at_a_profit()).only();
    rig.ack(&new);
    assert_eq!(rig.want(protect("98")).refused_by().as_deref(), Some("stop_pending"));
    assert_eq!(rig.ack(&rung).cancels(), [old.id]);
    rig.cancelled(&old);
    assert!(rig.want(protect("98")).only().is_close_all_stop());
}
