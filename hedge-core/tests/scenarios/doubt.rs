//! Nobody knows what became of an order: no second one, no opening, until evidence or proof of absence.

use std::time::Duration;

use hedge_core::*;

use crate::rig::*;

/// An entry whose submit timed out. It may be accepted for 5 s; a query may miss it for 5 s more.
fn doubtful_entry() -> (Rig, Sent) {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let outcomes = rig.time_out(&entry);
    outcomes.none();
    assert_eq!(outcomes.queries(), [entry.id], "the venue is asked at once");
    assert_eq!(rig.state(&entry.id), OrderState::Unknown);
    (rig, entry)
}

/// Answers "not found" to every query for `by`; returns the orders that went out meanwhile.
fn never_found(rig: &mut Rig, sent: &Sent, leg_qty: &str, by: Duration) -> Vec<Sent> {
    let end = rig.now.plus(by);
    let mut submits = Vec::new();
    while rig.now < end {
        let Some(due) = rig.engine.deadline().filter(|due| *due <= end) else { break };
        rig.now = rig.now.max(due);
        let ticked = rig.tick();
        submits.extend(ticked.submits());
        if ticked.queries().contains(&sent.id) {
            submits.extend(rig.answer(sent, None, Vec::new(), leg_qty).submits());
        }
    }
    submits
}

#[test]
fn a_time_out_freezes_openings_of_its_leg_only() {
    let (mut rig, entry) = doubtful_entry();
    let again = rig.open(long(), "95");
    again.none();
    assert_eq!(again.refused_by().as_deref(), Some("outcome_known"));
    assert_eq!(rig.book().exposure(&long()), entry.qty * d("100.3"), "an unknown order counts as filled");
    rig.open(short(), "105").only();
}

#[test]
fn an_unknown_order_is_asked_about_in_its_own_id_space_by_its_own_id() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let asked = rig.time_out(&entry).effects;
    let by_id = OrderRef::Client { id: entry.id, space: OrderSpace::Plain };
    assert!(
        matches!(asked[0], Did::Query(id, target, since) if id == entry.id && target == by_id && since < rig.now)
    );

    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let stop = rig.fill(&entry, "1", "100").only();
    let asked = rig.time_out(&stop).effects;
    let by_id = OrderRef::Client { id: stop.id, space: OrderSpace::Algo };
    assert!(matches!(asked[0], Did::Query(id, target, _) if id == stop.id && target == by_id));
}

#[test]
fn a_query_on_its_way_is_not_repeated_at_once() {
    let (rig, _) = doubtful_entry();
    let due = rig.engine.deadline().expect("an unknown order is asked about again");
    assert!(due >= rig.now.plus(ms(100)), "the next query is due {:?} after the first", due.since(rig.now));
}

#[test]
fn queries_back_off_while_nobody_answers() {
    let (mut rig, _) = doubtful_entry();
    let ticks = rig.run_for(Duration::from_secs(60));
    let queries: usize = ticks.iter().map(|outcomes| outcomes.queries().len()).sum();
    assert!((10..=25).contains(&queries), "{queries} queries in a minute");
    assert!(ticks.iter().all(|outcomes| outcomes.submits().is_empty()));
}

#[test]
fn a_failed_query_is_repeated_after_a_pause() {
    let (mut rig, entry) = doubtful_entry();
    rig.feed(Fact::QueryFailed { order: entry.id, message: "no route".to_owned() });
    let due = rig.engine.deadline().unwrap();
    assert!(due > rig.now);
    rig.now = due;
    assert_eq!(rig.tick().queries(), [entry.id]);
}

#[test]
fn a_tick_before_the_deadline_asks_nothing() {
    let (mut rig, entry) = doubtful_entry();
    rig.answer(&entry, None, Vec::new(), "0");
    let due = rig.engine.deadline().unwrap();
    rig.now = due.minus(ms(1));
    assert!(rig.tick().effects.is_empty());
}

#[test]
fn absence_is_never_proven_while_the_request_can_still_be_accepted() {
    let (mut rig, entry) = doubtful_entry();
    // Acceptable for 5 s, invisible for 5 s more: 9.9 s prove nothing, however often it is asked.
    let submits = never_found(&mut rig, &entry, "0", ms(9_900));
    assert!(submits.is_empty());
    assert_eq!(rig.state(&entry.id), OrderState::Unknown);
}

#[test]
fn absence_needs_two_answers_after_the_last_moment_of_acceptance() {
    let (mut rig, entry) = doubtful_entry();
    rig.wait(Duration::from_secs(30));
    rig.answer(&entry, None, Vec::new(), "0");
    assert_eq!(rig.state(&entry.id), OrderState::Unknown, "one answer is no proof");
    let proven = rig.answer(&entry, None, Vec::new(), "0");
    assert!(proven.decisions().any(|d| matches!(d, Decision::AbsenceProven { order } if *order == entry.id)));
    assert_eq!(rig.state(&entry.id), OrderState::Dropped);
    proven.none();
    assert_eq!(rig.engine.deadline(), None);
    let again = rig.open(long(), "95").only();
    assert_ne!(again.id, entry.id, "what is decided again has a new id");
}

#[test]
fn an_unknown_order_is_dropped_in_the_end_when_it_is_never_found() {
    let (mut rig, entry) = doubtful_entry();
    let submits = never_found(&mut rig, &entry, "0", Duration::from_secs(60));
    assert!(submits.is_empty());
    assert_eq!(rig.state(&entry.id), OrderState::Dropped);
}

#[test]
fn absence_is_judged_by_the_venue_clock_not_by_ours() {
    let (mut rig, entry) = doubtful_entry();
    rig.wait(Duration::from_secs(60));
    for _ in 0..5 {
        let early = Timestamp::from_ms(START_MS + 6_000);
        let answer = QueryAnswer { venue_time: early, report: None, fills: Vec::new(), leg_qty: d("0") };
        rig.feed(Fact::QueryAnswered { order: entry.id, answer: Box::new(answer) });
    }
    assert_eq!(rig.state(&entry.id), OrderState::Unknown);
}

#[test]
fn a_leg_that_is_not_as_the_book_has_it_keeps_the_order_unknown() {
    let (mut rig, entry) = doubtful_entry();
    rig.wait(Duration::from_secs(30));
    for _ in 0..4 {
        rig.answer(&entry, None, Vec::new(), "1");
    }
    assert_eq!(rig.state(&entry.id), OrderState::Unknown);
    let again = rig.open(long(), "95");
    again.none();
}

#[test]
fn fills_that_nobody_can_explain_keep_the_order_unknown() {
    let (mut rig, entry) = doubtful_entry();
    rig.wait(Duration::from_secs(30));
    let mut fill = rig.fill_of(&entry, "1", "100");
    // As `userTrades` has it: no client id, and a number that the book has never seen.
    fill.client_id = None;
    for _ in 0..4 {
        rig.answer(&entry, None, vec![fill.clone()], "1");
    }
    assert_eq!(rig.state(&entry.id), OrderState::Unknown);
    assert_eq!(rig.leg(&long()).qty, d("1"), "the position is real all the same");
    assert!(rig.book().stop_of(&long()).is_some(), "and it is protected");
}

#[test]
fn a_stranger_s_old_fills_do_not_keep_an_order_unknown() {
    let mut rig = Rig::new();
    let fill = rig.strange_fill(long(), Action::Open, "1", "100");
    rig.account(AccountEvent::Fill { fill: fill.clone() });
    let close = rig.strange_fill(long(), Action::Close, "1", "100");
    rig.account(AccountEvent::Fill { fill: close.clone() });
    rig.wait(Duration::from_secs(600));
    let entry = rig.open(long(), "95").only();
    rig.time_out(&entry);
    rig.wait(Duration::from_secs(30));
    rig.answer(&entry, None, vec![fill.clone(), close.clone()], "0");
    rig.answer(&entry, None, vec![fill, close], "0");
    assert_eq!(rig.state(&entry.id), OrderState::Dropped);
}

#[test]
fn a_stranger_whose_name_was_seen_does_not_keep_an_order_unknown() {
    let mut rig = Rig::new();
    rig.opened();
    let close = rig.want(Intent::close(long(), "enough")).only();
    rig.time_out(&close);
    let theirs = rig.strange_fill(long(), Action::Close, "0.3", "100");
    rig.account(AccountEvent::Fill { fill: theirs.clone() });
    // Asked again, `userTrades` does not say whose it was; the stream did.
    let nameless = Fill { client_id: None, ..theirs };
    rig.wait(Duration::from_secs(30));
    rig.answer(&close, None, vec![nameless.clone()], "0.7");
    rig.answer(&close, None, vec![nameless], "0.7");
    assert_eq!(rig.state(&close.id), OrderState::Dropped);
}

/// A close by a panic close: it has a name of our form that is in no journal.
fn panics_close(rig: &mut Rig, qty: &str) -> Fill {
    let panics = ReportedId::parse("h0tou39tzzz01c");
    assert!(panics.ours().is_some());
    Fill { client_id: Some(panics), ..rig.strange_fill(long(), Action::Close, qty, "100") }
}

/// An open leg and two orders of it whose fate is unknown: its close, and a stop.
fn unknown_close_or_stop(is_stop: bool) -> (Rig, Sent) {
    let mut rig = Rig::new();
    let sent = if is_stop {
        let entry = rig.open(long(), "95").only();
        rig.ack(&entry);
        rig.fill(&entry, "1", "100").only()
    } else {
        rig.opened();
        rig.want(Intent::close(long(), "enough")).only()
    };
    rig.time_out(&sent);
    assert_eq!(rig.state(&sent.id), OrderState::Unknown);
    (rig, sent)
}

#[test]
fn what_a_panic_close_has_closed_does_not_keep_an_order_unknown_that_was_never_sent() {
    for is_stop in [false, true] {
        for is_heard in [false, true] {
            let (mut rig, sent) = unknown_close_or_stop(is_stop);
            let flat = panics_close(&mut rig, "1");
            if is_heard {
                rig.account(AccountEvent::Fill { fill: flat.clone() });
            }
            rig.wait(Duration::from_secs(30));
            rig.answer(&sent, None, vec![flat.clone()], "0");
            assert_eq!(rig.state(&sent.id), OrderState::Unknown, "one answer is no proof");
            let proven = rig.answer(&sent, None, vec![flat], "0");
            assert!(
                proven
                    .decisions()
                    .any(|d| matches!(d, Decision::AbsenceProven { order } if *order == sent.id))
            );
            assert_eq!(rig.state(&sent.id), OrderState::Dropped);
            assert_eq!(rig.book().doubtful_orders(), 0);
        }
    }
}

#[test]
fn a_panic_close_that_was_booked_without_its_name_does_not_keep_an_order_unknown() {
    let (mut rig, close) = unknown_close_or_stop(false);
    let flat = panics_close(&mut rig, "1");
    rig.account(AccountEvent::Fill { fill: Fill { client_id: None, ..flat.clone() } });
    rig.wait(Duration::from_secs(30));
    let nameless = Fill { client_id: None, ..flat.clone() };
    for _ in 0..3 {
        let said = rig.answer(&close, None, vec![nameless.clone()], "0");
        assert_eq!(rig.state(&close.id), OrderState::Unknown);
        let stays = said.alerts().iter().any(|text| text.contains("its fate stays open"));
        assert!(stays || rig.book().order(&close.id).unwrap().doubt.as_ref().unwrap().absent != 2);
    }
    rig.answer(&close, None, vec![flat], "0");
    assert_eq!(rig.state(&close.id), OrderState::Dropped);
}

#[test]
fn an_execution_without_a_name_may_be_the_child_of_a_stop_of_unknown_fate() {
    let (mut rig, stop) = unknown_close_or_stop(true);
    let nameless = Fill { client_id: None, ..rig.fill_of(&stop, "1", "95") };
    rig.wait(Duration::from_secs(30));
    let mut said = Vec::new();
    for _ in 0..4 {
        said.extend(rig.answer(&stop, None, vec![nameless.clone()], "0").alerts());
    }
    assert_eq!(rig.state(&stop.id), OrderState::Unknown);
    assert_eq!(said.iter().filter(|text| text.contains("its fate stays open")).count(), 1, "{said:?}");
    assert_eq!(rig.open(long(), "95").refused_by().as_deref(), Some("outcome_known"));
    // The venue tells whose it was after all.
    let report = rig.report_of(&stop, ReportedState::Triggered, "0");
    let OrderRef::Algo { id, .. } = report.order else { panic!("a conditional order") };
    let report = OrderReport { order: OrderRef::Algo { id, child: Some(nameless.order) }, ..report };
    rig.answer(&stop, Some(report), vec![nameless], "0");
    assert_eq!(rig.state(&stop.id), OrderState::Filled);
    assert_eq!(rig.leg(&long()).qty, d("0"), "booked once");
}

#[test]
fn an_execution_that_is_named_after_it_was_booked_resolves_its_order() {
    for is_stop in [false, true] {
        let (mut rig, sent) = unknown_close_or_stop(is_stop);
        let own = rig.fill_of(&sent, "1", "95");
        let nameless = Fill { client_id: None, ..own.clone() };
        rig.account(AccountEvent::Fill { fill: nameless });
        assert_eq!(rig.state(&sent.id), OrderState::Unknown);
        rig.wait(Duration::from_secs(30));
        rig.answer(&sent, None, vec![own.clone()], "0");
        rig.answer(&sent, None, vec![own], "0");
        assert_eq!(rig.state(&sent.id), OrderState::Filled, "it is no stranger's");
        assert_eq!(rig.leg(&long()).qty, d("0"), "booked once");
        rig.identity_holds();
    }
}

#[test]
fn a_report_resolves_an_unknown_order() {
    let (mut rig, entry) = doubtful_entry();
    let report = rig.report_of(&entry, ReportedState::Working, "0");
    rig.answer(&entry, Some(report), Vec::new(), "0").none();
    assert_eq!(rig.state(&entry.id), OrderState::Working);
    assert_eq!(rig.book().doubtful_orders(), 0);
    assert_eq!(rig.engine.deadline(), None);
}

#[test]
fn a_report_on_the_stream_resolves_an_unknown_order() {
    let (mut rig, entry) = doubtful_entry();
    rig.report(&entry, ReportedState::Expired, "0");
    assert_eq!(rig.state(&entry.id), OrderState::Expired);
    rig.open(long(), "95").only();
}

#[test]
fn a_fill_on_the_stream_resolves_an_unknown_order_and_protects_the_leg() {
    let (mut rig, entry) = doubtful_entry();
    let stop = rig.fill(&entry, "1", "100").only();
    assert!(stop.is_close_all_stop());
    assert_eq!(stop.trigger(), Some(px("95")));
    assert_eq!(rig.state(&entry.id), OrderState::Filled);
}

#[test]
fn a_query_that_finds_the_order_filled_books_its_fills_once() {
    let (mut rig, entry) = doubtful_entry();
    let mut fill = rig.fill_of(&entry, "1", "100");
    // `userTrades` names the order by the venue's number only.
    fill.client_id = None;
    let report = rig.report_of(&entry, ReportedState::Filled, "1");
    let outcomes = rig.answer(&entry, Some(report.clone()), vec![fill.clone()], "1");
    let stop = outcomes.only();
    assert!(stop.is_close_all_stop());
    assert_eq!(stop.trigger(), Some(px("95")), "the planned stop, not one for strangers");
    assert_eq!(rig.state(&entry.id), OrderState::Filled);
    assert_eq!(rig.leg(&long()).qty, d("1"));
    assert_eq!(outcomes.snapshots(), 0, "nothing is strange here: {:?}", outcomes.alerts());
    rig.answer(&entry, Some(report), vec![fill], "1").none();
    assert_eq!(rig.leg(&long()).qty, d("1"));
    assert!(!rig.book().has_live_entry(&long()));
}

#[test]
fn a_fill_that_is_learned_before_its_order_is_found_belongs_to_it_afterwards() {
    let (mut rig, entry) = doubtful_entry();
    let mut fill = rig.fill_of(&entry, "1", "100");
    fill.client_id = None;
    let mut found = rig.agreeing_snapshot(&[]);
    found.fills = vec![fill];
    found.positions = vec![Position::new(long(), q("1"), px("100"))];
    rig.snapshot(found);
    assert_eq!(rig.leg(&long()).qty, d("1"));
    let report = rig.report_of(&entry, ReportedState::Filled, "1");
    rig.answer(&entry, Some(report), Vec::new(), "1");
    assert_eq!(rig.state(&entry.id), OrderState::Filled);
    assert_eq!(rig.book().order(&entry.id).unwrap().filled, d("1"));
    assert!(!rig.book().has_live_entry(&long()), "nothing of it is live any more");
    assert_eq!(rig.leg(&long()).qty, d("1"));
}

#[test]
fn a_report_that_is_older_than_its_intent_is_no_evidence() {
    let (mut rig, entry) = doubtful_entry();
    let mut report = rig.report_of(&entry, ReportedState::Filled, "1");
    report.venue_time = Timestamp::from_ms(START_MS - 86_400_000);
    rig.answer(&entry, Some(report), Vec::new(), "0");
    assert_eq!(rig.state(&entry.id), OrderState::Unknown);
}

#[test]
fn an_answer_with_a_word_that_nobody_knows_resolves_nothing() {
    let (mut rig, entry) = doubtful_entry();
    let report = rig.report_of(&entry, ReportedState::Unknown("HALF_DONE".to_owned()), "0");
    rig.answer(&entry, Some(report), Vec::new(), "0");
    assert_eq!(rig.state(&entry.id), OrderState::Unknown);
    assert!(rig.engine.deadline().is_some(), "it is asked about again");
}

#[test]
fn an_order_that_was_not_sent_is_dropped_and_frees_its_leg() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let outcomes = rig.fail(&entry, Outcome::NotSent, None, None);
    outcomes.none();
    assert!(outcomes.queries().is_empty());
    assert_eq!(rig.state(&entry.id), OrderState::Dropped);
    assert_eq!(rig.leg(&long()).owner, None);
    let again = rig.open(long(), "95").only();
    assert_ne!(again.id, entry.id);
}

#[test]
fn an_answer_that_was_lost_after_the_stream_told_changes_nothing() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.report(&entry, ReportedState::Working, "0");
    let outcomes = rig.time_out(&entry);
    assert!(outcomes.queries().is_empty());
    assert_eq!(rig.state(&entry.id), OrderState::Working);
}

#[test]
fn a_restart_makes_an_unanswered_order_unknown_and_asks_about_it() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.restart();
    assert_eq!(rig.state(&entry.id), OrderState::Unknown);
    let found = rig.agreeing_snapshot(&[]);
    rig.snapshot(found).none();
    let ticks = rig.run_for(Duration::from_secs(1));
    assert!(ticks.iter().any(|outcomes| outcomes.queries() == [entry.id]));
    let again = rig.open(long(), "95");
    again.none();
    assert_eq!(again.refused_by().as_deref(), Some("outcome_known"));
}

#[test]
fn after_a_restart_absence_waits_for_the_longest_request_window() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.restart();
    let found = rig.agreeing_snapshot(&[]);
    rig.snapshot(found);
    let submits = never_found(&mut rig, &entry, "0", Duration::from_secs(60));
    assert!(submits.is_empty());
    assert_eq!(rig.state(&entry.id), OrderState::Unknown);
    never_found(&mut rig, &entry, "0", Duration::from_secs(60));
    assert_eq!(rig.state(&entry.id), OrderState::Dropped);
}

#[test]
fn a_restart_finds_its_unanswered_order_in_the_snapshot() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.restart();
    let found = rig.agreeing_snapshot(&[&entry]);
    rig.snapshot(found).none();
    assert_eq!(rig.state(&entry.id), OrderState::Working);
    assert_eq!(rig.engine.deadline(), None);
}

#[test]
fn a_restart_does_not_double_a_leg_whose_fill_is_found_late() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let fill = Fill { client_id: None, ..rig.fill_of(&entry, "1", "100") };
    rig.restart();
    // The position shows already, the execution not yet.
    let mut found = rig.agreeing_snapshot(&[]);
    found.positions = vec![Position::new(long(), q("1"), px("100"))];
    rig.snapshot(found);
    let report = rig.report_of(&entry, ReportedState::Filled, "1");
    rig.answer(&entry, Some(report), vec![fill], "1");
    assert_eq!(rig.leg(&long()).qty, d("1"));
    rig.identity_holds();
}

#[test]
fn an_unknown_market_close_is_not_followed_by_a_second_one() {
    let mut rig = Rig::new();
    rig.opened();
    let close = rig.want(Intent::close(long(), "enough")).only();
    assert!(close.is_market_close());
    rig.time_out(&close);
    let again = rig.want(Intent::close(long(), "enough"));
    again.none();
    assert_eq!(again.refused_by().as_deref(), Some("closable"));
    let ticks = rig.run_for(Duration::from_secs(30));
    assert!(ticks.iter().all(|outcomes| outcomes.submits().is_empty()));
    rig.operator(OperatorCommand::Flatten).none();
}

#[test]
fn an_unknown_close_that_never_arrived_is_decided_again_only_after_the_proof() {
    let mut rig = Rig::new();
    rig.opened();
    let close = rig.want(Intent::close(long(), "enough")).only();
    rig.time_out(&close);
    never_found(&mut rig, &close, "1", Duration::from_secs(60));
    assert_eq!(rig.state(&close.id), OrderState::Dropped);
    let again = rig.want(Intent::close(long(), "enough")).only();
    assert_eq!(again.qty, d("1"));
}

#[test]
fn executions_that_were_announced_and_never_arrive_are_asked_for() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.ack_as(&entry, ReportedState::Expired, "0.4");
    assert!(rig.book().has_live_entry(&long()), "its executions are still on their way");
    let ticks = rig.run_for(Duration::from_secs(30));
    assert!(
        ticks.iter().any(|outcomes| outcomes.queries().contains(&entry.id) || outcomes.snapshots() > 0),
        "0.4 may be open without a stop and nobody asks"
    );
}

#[test]
fn executions_that_arrive_after_the_announcement_end_the_order() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.ack_as(&entry, ReportedState::Expired, "0.4");
    let stop = rig.fill(&entry, "0.4", "100").only();
    assert_eq!(rig.state(&entry.id), OrderState::Expired);
    rig.ack(&stop);
    assert_eq!(rig.engine.deadline(), None);
}

#[test]
fn a_stop_that_counts_as_done_and_stands_stays_until_another_one_stands() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    let second = rig.cancelled(&stop).only();
    assert!(second.is_close_all_stop(), "the leg gets another one");
    // It was the answer of a replica far behind: the venue has it still, and the other one is not confirmed.
    let standing = rig.report_of(&stop, ReportedState::Working, "0");
    let found = rig.answer(&stop, Some(standing.clone()), Vec::new(), "1");
    assert!(found.cancels().is_empty(), "it is all that protects the leg");
    assert!(found.alerts().iter().any(|text| text.contains("stays until another one stands")));
    rig.ack(&second);
    let again = rig.answer(&stop, Some(standing), Vec::new(), "1");
    assert_eq!(again.cancels().len(), 1, "now it would only close the leg at an old price");
}
