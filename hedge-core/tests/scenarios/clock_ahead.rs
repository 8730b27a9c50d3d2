//! Our clock has stepped ahead of the venue's and stays there: what the venue says is judged by the venue's time.

use std::time::Duration;

use hedge_core::*;

use crate::rig::*;

const AHEAD: Duration = Duration::from_secs(27 * 60);

fn ahead() -> Rig {
    let mut rig = Rig::new();
    rig.clock_steps_ahead(AHEAD);
    rig.mark("100");
    rig
}

/// Since when executions are asked for.
fn asked_since(outcomes: &Outcomes, order: &Sent) -> Timestamp {
    let asked = outcomes.effects.iter().find_map(|effect| match effect {
        Did::Query(id, _, since) if *id == order.id => Some(*since),
        _ => None,
    });
    asked.expect("the venue is asked")
}

#[test]
fn an_opening_that_was_executed_is_found_and_protected() {
    let mut rig = ahead();
    let entry = rig.open(long(), "95").only();
    let executed_at = rig.venue_now();
    let asked = rig.time_out(&entry);
    assert!(asked_since(&asked, &entry) < executed_at, "what has not happened yet at the venue is no answer");
    let fill = Fill { client_id: None, ..rig.fill_of(&entry, "1", "100") };
    let report = rig.report_of(&entry, ReportedState::Filled, "1");
    let stop = rig.answer(&entry, Some(report), vec![fill], "1").only();
    assert!(stop.is_close_all_stop());
    assert_eq!(rig.state(&entry.id), OrderState::Filled);
    assert_eq!(rig.leg(&long()).qty, d("1"));
}

#[test]
fn a_step_right_before_the_decision_changes_nothing_in_that() {
    let mut rig = Rig::new();
    rig.opened();
    rig.wait(Duration::from_secs(20));
    rig.clock_steps_ahead(AHEAD);
    let entry = rig.open(short(), "105").only();
    let executed_at = rig.venue_now();
    let asked = rig.time_out(&entry);
    assert!(asked_since(&asked, &entry) < executed_at);
    let fill = Fill { client_id: None, ..rig.fill_of(&entry, "1", "100") };
    let report = rig.report_of(&entry, ReportedState::Filled, "1");
    assert!(rig.answer(&entry, Some(report), vec![fill], "1").only().is_close_all_stop());
}

#[test]
fn a_report_that_is_really_old_is_still_no_evidence() {
    let mut rig = ahead();
    let entry = rig.open(long(), "95").only();
    rig.time_out(&entry);
    let mut report = rig.report_of(&entry, ReportedState::Filled, "1");
    report.venue_time = Timestamp::from_ms(START_MS - 86_400_000);
    rig.answer(&entry, Some(report), Vec::new(), "0");
    assert_eq!(rig.state(&entry.id), OrderState::Unknown);
}

#[test]
fn a_stop_that_is_gone_is_not_cancelled_for_ever() {
    let mut rig = ahead();
    let (_, stop) = rig.opened();
    let close = rig.want(Intent::close(long(), "enough")).only();
    rig.ack(&close);
    assert_eq!(rig.fill(&close, "1", "100").cancels(), [stop.id]);
    let gone = rig.report_of(&stop, ReportedState::Canceled, "0");
    let mut refused = rig.cancel_failed(stop.id, Outcome::Rejected, Some(RejectReason::NotFound));
    let end = rig.now.plus(Duration::from_secs(60));
    let mut cancels = 0;
    loop {
        if refused.queries().contains(&stop.id) {
            let answered = rig.answer(&stop, Some(gone.clone()), Vec::new(), "0");
            cancels += answered.cancels().len();
            if !answered.cancels().is_empty() {
                refused = rig.cancel_failed(stop.id, Outcome::Rejected, Some(RejectReason::NotFound));
                continue;
            }
        }
        let Some(due) = rig.engine.deadline().filter(|due| *due <= end) else { break };
        rig.now = rig.now.max(due);
        refused = rig.tick();
    }
    assert_eq!(cancels, 0, "the venue has said that it is cancelled");
    assert_eq!(rig.state(&stop.id), OrderState::Canceled);
}

#[test]
fn a_nameless_execution_after_the_decision_keeps_the_order_unknown() {
    let mut rig = ahead();
    let entry = rig.open(long(), "95").only();
    rig.time_out(&entry);
    rig.wait(Duration::from_secs(30));
    let opened = Fill { client_id: None, ..rig.strange_fill(long(), Action::Open, "1", "100") };
    let closed = Fill { client_id: None, ..rig.strange_fill(long(), Action::Close, "1", "100") };
    for _ in 0..4 {
        rig.answer(&entry, None, vec![opened.clone(), closed.clone()], "0");
    }
    assert_eq!(rig.leg(&long()).qty, d("0"));
    assert_eq!(rig.state(&entry.id), OrderState::Unknown, "it may have made the first of them");
}

#[test]
fn what_was_booked_before_the_decision_was_made_by_another_order() {
    for steps in [false, true] {
        let mut rig = Rig::new();
        let opened = Fill { client_id: None, ..rig.strange_fill(long(), Action::Open, "1", "100") };
        let closed = Fill { client_id: None, ..rig.strange_fill(long(), Action::Close, "1", "100") };
        for fill in [opened.clone(), closed.clone()] {
            rig.account(AccountEvent::Fill { fill });
        }
        let found = rig.agreeing_snapshot(&[]);
        rig.snapshot(found);
        if steps {
            rig.clock_steps_ahead(AHEAD);
            rig.mark("100");
        }
        let entry = rig.open(long(), "95").only();
        rig.time_out(&entry);
        rig.wait(Duration::from_secs(30));
        for _ in 0..2 {
            rig.answer(&entry, None, vec![opened.clone(), closed.clone()], "0");
        }
        assert_eq!(rig.state(&entry.id), OrderState::Dropped, "steps: {steps}");
    }
}

#[test]
fn an_order_of_a_dead_process_is_not_in_doubt_for_as_long_as_the_clock_is_ahead() {
    let mut rig = ahead();
    let entry = rig.open(long(), "95").only();
    rig.restart();
    rig.answer(&entry, None, Vec::new(), "0");
    let found = rig.agreeing_snapshot(&[]);
    rig.snapshot(found);
    rig.wait(Duration::from_secs(60));
    for _ in 0..3 {
        rig.answer(&entry, None, Vec::new(), "0");
    }
    assert_eq!(
        rig.state(&entry.id),
        OrderState::Unknown,
        "it may still be accepted, and be invisible for a while"
    );
    rig.wait(Duration::from_secs(10));
    for _ in 0..2 {
        rig.answer(&entry, None, Vec::new(), "0");
    }
    assert_eq!(rig.state(&entry.id), OrderState::Dropped);
}

#[test]
fn a_replay_of_the_journal_knows_the_same_time() {
    let mut rig = ahead();
    let entry = rig.open(long(), "95").only();
    let known = rig.book().order(&entry.id).unwrap().not_before;
    assert!(known <= rig.venue_now() && known < rig.now.minus(AHEAD / 2));
    let mut book = Book::default();
    for envelope in &rig.journal {
        book.apply(envelope, &mut Vec::new());
    }
    assert_eq!(book.order(&entry.id).unwrap().not_before, known);
}
