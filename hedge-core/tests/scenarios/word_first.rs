//! The venue says that an opening has filled before its executions arrive: they are asked for soon, and the leg counts as
//! bare from that word on.

use std::time::Duration;

use hedge_core::*;

use crate::given::resting_entry;
use crate::rig::*;

/// An opening whose answer says that it has filled; nothing else has come.
fn filled_by_word() -> (Rig, Sent, Timestamp) {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.ack_as(&entry, ReportedState::Filled, "1").none();
    let told_at = rig.now;
    (rig, entry, told_at)
}

fn told_by_answer(rig: &mut Rig, entry: &Sent) -> Outcomes {
    let fill = Fill { client_id: None, ..rig.fill_of(entry, "1", "100") };
    let report = rig.report_of(entry, ReportedState::Filled, "1");
    rig.answer(entry, Some(report), vec![fill], "1")
}

#[test]
fn executions_of_an_opening_that_the_stream_does_not_bring_are_asked_for_soon() {
    let (mut rig, entry, told_at) = filled_by_word();
    let due = rig.engine.deadline().expect("it is asked about");
    assert!((told_at.plus(ms(200))..=told_at.plus(ms(400))).contains(&due), "{:?}", due.since(told_at));
    rig.now = due;
    assert_eq!(rig.tick().queries(), [entry.id]);
    assert!(told_by_answer(&mut rig, &entry).only().is_close_all_stop());
}

#[test]
fn nothing_is_asked_where_the_stream_brings_them_in_time() {
    let (mut rig, entry, told_at) = filled_by_word();
    rig.wait(ms(150));
    let stop = rig.fill(&entry, "1", "100").only();
    rig.ack(&stop);
    assert_eq!(rig.leg(&long()).unprotected_since, None);
    let later = rig.run_for(Duration::from_secs(10));
    assert!(later.iter().all(|outcomes| outcomes.queries().is_empty() && outcomes.snapshots() == 0));
    assert!(rig.now > told_at);
}

#[test]
fn nothing_is_asked_of_a_resting_opening_whose_part_has_arrived() {
    let mut rig = Rig::new();
    let entry = rig.want(resting_entry("1")).only();
    rig.ack_as(&entry, ReportedState::PartiallyFilled, "0.4");
    let stop = rig.fill(&entry, "0.4", "99").only();
    rig.ack(&stop);
    let later = rig.run_for(Duration::from_secs(10));
    assert!(later.iter().all(|outcomes| outcomes.queries().is_empty()), "everything is known");
    assert_eq!(rig.engine.deadline(), None);
}

#[test]
fn what_the_answer_does_not_bring_either_is_asked_for_patiently() {
    let (mut rig, entry, _) = filled_by_word();
    rig.now = rig.engine.deadline().unwrap();
    assert_eq!(rig.tick().queries(), [entry.id]);
    let report = rig.report_of(&entry, ReportedState::Filled, "1");
    rig.answer(&entry, Some(report), Vec::new(), "0").none();
    let due = rig.engine.deadline().expect("the question stays open");
    assert!(due >= rig.now.plus(Duration::from_secs(3)), "{:?}", due.since(rig.now));
}

#[test]
fn the_executions_of_an_exit_are_waited_for_as_before() {
    let mut rig = Rig::new();
    rig.opened();
    let close = rig.want(Intent::close(long(), "enough")).only();
    rig.ack_as(&close, ReportedState::Filled, "1");
    let due = rig.engine.deadline().unwrap();
    assert_eq!(due, rig.now.plus(Duration::from_secs(3)));
}

#[test]
fn a_leg_is_bare_from_the_venues_word_on() {
    let (mut rig, entry, told_at) = filled_by_word();
    rig.now = rig.engine.deadline().unwrap();
    rig.tick();
    rig.wait(ms(800));
    told_by_answer(&mut rig, &entry);
    assert_eq!(rig.leg(&long()).unprotected_since, Some(told_at));
    // No stop is confirmed: it is closed in time, counted from there.
    let end = told_at.plus(Duration::from_secs(3));
    let by = end.since(rig.now);
    let closes: Vec<Sent> = rig.run_for(by).iter().flat_map(Outcomes::submits).collect();
    assert!(closes.iter().any(Sent::is_market_close), "{closes:?}");
}

#[test]
fn the_next_position_of_a_leg_has_nothing_to_do_with_that_word() {
    let (mut rig, entry, _) = filled_by_word();
    let stop = rig.fill(&entry, "1", "100").only();
    rig.ack(&stop);
    let close = rig.want(Intent::close(long(), "enough")).only();
    rig.ack(&close);
    rig.fill(&close, "1", "100");
    rig.cancelled(&stop);
    rig.wait(Duration::from_secs(60));
    let entry = rig.open(long(), "95").only();
    rig.fill(&entry, "1", "100");
    assert_eq!(rig.leg(&long()).unprotected_since, Some(rig.now));
}

#[test]
fn more_of_a_leg_that_is_open_already_does_not_make_it_bare() {
    let mut rig = Rig::new();
    let entry = rig.want(resting_entry("1")).only();
    rig.ack(&entry);
    let stop = rig.fill(&entry, "0.4", "99").only();
    rig.ack(&stop);
    rig.report(&entry, ReportedState::Filled, "1");
    assert_eq!(rig.leg(&long()).unprotected_since, None, "its stop covers the whole leg");
    let close = rig.want(Intent::close(long(), "enough")).only();
    assert!(close.is_market_close());
}
