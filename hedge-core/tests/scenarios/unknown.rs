//! An order of unknown outcome is said aloud: when it becomes so, after a restart, and when it stays so.

use std::time::Duration;

use hedge_core::*;

use crate::rig::*;

fn about(outcomes: &[Outcomes], words: &str) -> usize {
    outcomes.iter().flat_map(|outcomes| outcomes.alerts()).filter(|text| text.contains(words)).count()
}

#[test]
fn an_order_that_stays_unknown_is_said_once_more_and_only_once() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    assert_eq!(about(&[rig.time_out(&entry)], "the outcome of order"), 1);
    assert_eq!(about(&rig.run_for(ms(29_900)), "is still unknown"), 0);
    let later = rig.run_for(Duration::from_secs(120));
    assert_eq!(about(&later, "is still unknown after 30 s"), 1, "{later:?}");
    assert_eq!(rig.book().doubtful_orders(), 1);
    let refused = rig.open(long(), "95");
    assert_eq!(refused.refused_by().as_deref(), Some("outcome_known"));
}

#[test]
fn an_order_whose_fate_is_told_in_time_is_not_mentioned_again() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.time_out(&entry);
    let report = rig.report_of(&entry, ReportedState::Expired, "0");
    rig.answer(&entry, Some(report), Vec::new(), "0");
    assert_eq!(about(&rig.run_for(Duration::from_secs(120)), "unknown"), 0);
    assert_eq!(rig.engine.deadline(), None);
}

#[test]
fn what_an_earlier_process_left_unanswered_is_named_at_the_start() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let started = rig.restart();
    assert_eq!(rig.state(&entry.id), OrderState::Unknown);
    let text = started.alerts().concat();
    assert!(text.contains(entry.id.as_str()) && text.contains("no answer from an earlier process"), "{text}");
}

#[test]
fn a_cancel_of_unknown_outcome_leaves_the_order_live_and_asked_about() {
    for outcome in [Outcome::Unknown, Outcome::NotSent, Outcome::Rejected] {
        let mut rig = Rig::new();
        let (_, stop) = rig.opened();
        let fill = rig.strange_fill(long(), Action::Close, "1", "101");
        assert_eq!(rig.account(AccountEvent::Fill { fill }).cancels(), [stop.id]);
        let mut asked = vec![rig.cancel_failed(stop.id, outcome, None)];
        assert!(rig.state(&stop.id).is_live(), "it may still close the next position");
        asked.extend(rig.run_for(ms(500)));
        let acts = |outcomes: &Outcomes| !outcomes.queries().is_empty() || !outcomes.cancels().is_empty();
        assert!(asked.iter().any(acts), "{outcome:?}: nobody looks after it");
    }
}

/// Plain and conditional orders are asked about where they live, each by our id in its own space.
#[test]
fn every_unknown_order_is_asked_about_in_its_own_space() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let asked = |outcomes: &Outcomes| -> Vec<OrderSpace> {
        let space = |did: &Did| match did {
            Did::Query(_, target, _) => Some(target.space()),
            _ => None,
        };
        outcomes.effects.iter().filter_map(space).collect()
    };
    assert_eq!(asked(&rig.time_out(&entry)), [OrderSpace::Plain]);
    let stop = rig.fill(&entry, "1", "100").only();
    assert_eq!(asked(&rig.time_out(&stop)), [OrderSpace::Algo]);
}

/// A conditional order that has fired is two things: its row in the conditional space, and a plain child.
#[test]
fn a_stop_in_doubt_is_found_before_its_trigger_and_after_it() {
    for fired in [false, true] {
        let mut rig = Rig::new();
        let entry = rig.open(long(), "95").only();
        rig.ack(&entry);
        let stop = rig.fill(&entry, "1", "100").only();
        rig.report(&entry, ReportedState::Filled, "1");
        rig.time_out(&stop);
        let mut report = rig.report_of(&stop, ReportedState::Working, "0");
        if fired {
            let child = rig.child(&stop);
            let OrderRef::Algo { id, .. } = report.order else { panic!("a conditional order") };
            report.state = ReportedState::Triggered;
            report.order = OrderRef::Algo { id, child: Some(child) };
        }
        rig.answer(&stop, Some(report), Vec::new(), "1");
        let expected = if fired { OrderState::Triggered } else { OrderState::Working };
        assert_eq!(rig.state(&stop.id), expected);
        let target = rig.book().order(&stop.id).unwrap().target();
        assert_eq!(target.space(), if fired { OrderSpace::Plain } else { OrderSpace::Algo });
        // The child's execution is the stop's, though it carries another number.
        rig.fill(&stop, "1", "95");
        assert!(!rig.leg(&long()).is_open());
        assert_eq!(rig.state(&stop.id), OrderState::Filled);
    }
}
