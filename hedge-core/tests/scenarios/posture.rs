//! ExitOnly and Halted refuse openings and never an exit; flatten closes everything once.

use std::{borrow::Cow, time::Duration};

use hedge_core::*;

use crate::rig::*;

#[test]
fn no_posture_opens_anything_but_normal_and_every_check_is_written_down() {
    for command in [OperatorCommand::ExitOnly, OperatorCommand::Halt] {
        let mut rig = Rig::new();
        let normal = rig.open(long(), "95");
        let entry = normal.only();
        rig.report(&entry, ReportedState::Expired, "0");
        let (asked_in_normal, _) = normal.assessed();
        let changed = rig.operator(command);
        assert!(changed.decisions().any(|d| matches!(d, Decision::PostureChanged { .. })));
        let refused = rig.open(long(), "95");
        refused.none();
        assert_eq!(refused.refused_by().as_deref(), Some("posture"));
        let (checks, _) = refused.assessed();
        let names = |checks: &[GateCheck]| -> Vec<String> {
            checks.iter().map(|check| check.rule.to_string()).collect()
        };
        assert_eq!(names(&checks), names(&asked_in_normal), "a refusal lists what an approval lists");
        rig.operator(OperatorCommand::Resume);
        rig.open(long(), "95").only();
    }
}

#[test]
fn no_posture_stops_an_exit_a_stop_or_a_move() {
    for command in [OperatorCommand::ExitOnly, OperatorCommand::Halt] {
        let mut rig = Rig::new();
        rig.opened();
        let entry = rig.open(short(), "105").only();
        rig.operator(command);
        let stop = rig.fill(&entry, "1", "100").only();
        assert!(stop.is_close_all_stop(), "an opening that was on its way is protected");
        let moved =
            rig.want(Intent::Protect { position: long(), trigger: px("97"), because: "trail".into() }).only();
        assert!(moved.is_close_all_stop());
        assert!(rig.want(Intent::close(long(), "enough")).only().is_market_close());
    }
}

/// Refuses to let anything happen.
#[derive(Debug)]
struct NoToEverything;

impl RiskManager for NoToEverything {
    fn assess(&self, _: &Proposal<'_>, answers: &mut Answers) -> Verdict {
        answers.holds("never", false);
        Verdict::Refuse { rule: Cow::Borrowed("never") }
    }
    fn posture(&self, _: &Book, _: Timestamp) -> Stance {
        Stance { posture: Posture::Halted, because: Cow::Borrowed("never") }
    }
    fn observe(&mut self, _: &Envelope, _: &Book) {}
    fn mark(&mut self, _: &Book, _: Timestamp) {}
}

#[test]
fn a_risk_manager_that_refuses_everything_cannot_stop_an_exit() {
    let mut rig = Rig::cold(EngineConfig::default(), Box::new(NoToEverything), 0);
    rig.start(1);
    let mut found = snapshot();
    found.positions = vec![Position::new(long(), q("1"), px("100")).with_prices(Some(px("100")), None)];
    let outcomes = rig.snapshot(found);
    let stop = outcomes.only();
    assert!(stop.is_close_all_stop(), "a position that was there is protected");
    assert_eq!(rig.book().posture(), Posture::Halted);
    rig.open(short(), "105").none();
    assert!(rig.operator(OperatorCommand::Flatten).only().is_market_close());
}

#[test]
fn flatten_closes_every_leg_once() {
    let mut rig = Rig::new();
    rig.opened();
    rig.opened_on(short(), "105");
    let first = rig.operator(OperatorCommand::Flatten);
    let closes = first.submits();
    assert_eq!(closes.len(), 2);
    assert!(closes.iter().all(Sent::is_market_close));
    assert!(first.cancels().is_empty(), "stops stay until their leg is flat");
    assert_eq!(rig.book().posture(), Posture::ExitOnly);
    rig.operator(OperatorCommand::Flatten).none();
    assert!(rig.run_for(Duration::from_secs(5)).iter().all(|later| later.submits().is_empty()));
    for close in &closes {
        assert_eq!(rig.fill(close, "1", "100").cancels().len(), 1, "the stop goes with the leg");
    }
    assert_eq!(rig.engine.deadline(), None);
    rig.open(long(), "95").none();
}

#[test]
fn a_flatten_without_a_connection_sends_nothing_and_closes_at_the_next_start() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    rig.operator(OperatorCommand::FlattenAtStart).none();
    assert_eq!(rig.book().posture(), Posture::ExitOnly);
    assert!(rig.book().must_flatten(&long()) && !rig.book().must_flatten(&short()));
    rig.restart();
    let found = rig.agreeing_snapshot(&[&stop]);
    assert!(rig.snapshot(found).only().is_market_close());
}

#[test]
fn flatten_of_a_flat_account_does_nothing_but_forbid_openings() {
    let mut rig = Rig::new();
    let outcomes = rig.operator(OperatorCommand::Flatten);
    assert!(outcomes.effects.is_empty());
    assert_eq!(rig.book().posture(), Posture::ExitOnly);
    rig.operator(OperatorCommand::Resume);
    rig.opened();
    assert!(rig.run_for(Duration::from_secs(30)).is_empty(), "an old flatten closes nothing later");
}

#[test]
fn flatten_closes_a_leg_whose_quantity_rests_in_a_limit_close() {
    let mut rig = Rig::new();
    rig.opened();
    let limit = rig.want(limit_close(Portion::All)).only();
    rig.ack(&limit);
    let outcomes = rig.operator(OperatorCommand::Flatten);
    assert_eq!(outcomes.cancels(), [limit.id]);
    let mut closes = outcomes.submits();
    closes.extend(rig.cancelled(&limit).submits());
    closes.extend(rig.run_for(Duration::from_secs(3)).iter().flat_map(Outcomes::submits));
    assert_eq!(closes.len(), 1, "{closes:?}");
    assert_eq!((closes[0].is_market_close(), closes[0].qty), (true, d("1")));
}

fn limit_close(portion: Portion) -> Intent {
    Intent::Close {
        position: long(),
        portion,
        exit: Exit::Limit { price: px("110"), tif: Tif::Gtc },
        because: "target".into(),
    }
}

#[test]
fn flatten_waits_for_a_cancel_without_spinning() {
    let mut rig = Rig::new();
    rig.opened();
    let limit = rig.want(limit_close(Portion::Qty(q("0.4")))).only();
    rig.ack(&limit);
    let outcomes = rig.operator(OperatorCommand::Flatten);
    assert_eq!(outcomes.cancels(), [limit.id]);
    assert!(
        rig.engine.deadline().is_none_or(|due| due > rig.now),
        "nothing can be done before the cancel is answered, and the engine wants a tick now"
    );
    let mut closed: Decimal = outcomes.submits().iter().map(|sent| sent.qty).sum();
    closed += rig.cancelled(&limit).submits().iter().map(|sent| sent.qty).sum::<Decimal>();
    for later in rig.run_for(Duration::from_secs(5)) {
        closed += later.submits().iter().map(|sent| sent.qty).sum::<Decimal>();
    }
    assert_eq!(closed, d("1"));
}

#[test]
fn a_flatten_whose_close_fails_goes_on_until_the_leg_is_flat() {
    let mut rig = Rig::new();
    rig.opened();
    let close = rig.operator(OperatorCommand::Flatten).only();
    let failed = rig.fail(&close, Outcome::NotSent, None, None);
    assert_eq!(failed.alerts().len(), 1, "a person is told");
    let mut closes = failed.submits();
    closes.extend(rig.run_for(Duration::from_secs(3)).iter().flat_map(Outcomes::submits));
    assert_eq!(closes.len(), 1);
    rig.fill(&closes[0], "1", "100");
    assert!(rig.run_for(Duration::from_secs(10)).iter().all(|later| later.submits().is_empty()));
}

#[test]
fn a_flatten_survives_a_restart() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    let close = rig.operator(OperatorCommand::Flatten).only();
    rig.fail(&close, Outcome::NotSent, None, None);
    rig.restart();
    let found = rig.agreeing_snapshot(&[&stop]);
    let mut closes = rig.snapshot(found).submits();
    closes.extend(rig.run_for(Duration::from_secs(3)).iter().flat_map(Outcomes::submits));
    assert_eq!(closes.len(), 1);
    assert!(closes[0].is_market_close());
}

#[test]
fn an_entry_that_fills_after_the_flatten_is_closed_too() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.operator(OperatorCommand::Flatten).none();
    let mut closes = rig.fill(&entry, "1", "100").submits();
    closes.retain(Sent::is_market_close);
    closes.extend(rig.run_for(Duration::from_secs(3)).iter().flat_map(Outcomes::submits));
    assert_eq!(closes.len(), 1, "{closes:?}");
    assert_eq!(closes[0].qty, d("1"));
}

#[test]
fn a_resting_entry_is_cancelled_by_the_flatten() {
    let mut rig = Rig::new();
    let entry = rig
        .want(Intent::Open {
            position: long(),
            size: Size::Qty(q("1")),
            entry: Entry::Limit { price: px("98"), tif: Tif::Gtc },
            protection: Protection::Stop { trigger: px("95"), take_profits: Vec::new() },
            because: "test".into(),
        })
        .only();
    rig.ack(&entry);
    assert_eq!(rig.operator(OperatorCommand::Flatten).cancels(), [entry.id]);
    rig.cancelled(&entry).none();
    assert_eq!(rig.engine.deadline(), None);
}

#[test]
fn a_lost_stream_forbids_openings_until_it_is_back() {
    let mut rig = Rig::new();
    rig.opened();
    rig.account(AccountEvent::Disconnected { reason: "silent".to_owned() });
    assert_eq!(rig.book().posture(), Posture::ExitOnly);
    let refused = rig.open(short(), "105");
    refused.none();
    let (checks, _) = refused.assessed();
    let failed: Vec<&str> = checks.iter().filter(|c| !c.passed()).map(|c| c.rule.as_ref()).collect();
    assert_eq!(failed, ["posture", "account_stream"]);
    assert!(rig.want(Intent::close(long(), "enough")).only().is_market_close());
    let back = rig.account(AccountEvent::Reconnected);
    assert_eq!(back.snapshots(), 1, "what was missed is read");
    assert_eq!(rig.book().posture(), Posture::Normal);
    rig.open(short(), "105").only();
}

#[test]
fn a_snapshot_does_not_stand_in_for_a_lost_stream() {
    let mut rig = Rig::new();
    rig.account(AccountEvent::Disconnected { reason: "silent".to_owned() });
    let found = rig.agreeing_snapshot(&[]);
    rig.snapshot(found);
    assert_eq!(rig.book().posture(), Posture::ExitOnly);
    rig.open(long(), "95").none();
}

#[test]
fn a_restarted_engine_opens_nothing_before_it_has_seen_the_account() {
    let mut rig = Rig::new();
    rig.restart();
    assert_eq!(rig.book().posture(), Posture::ExitOnly);
    rig.open(long(), "95").none();
    let found = rig.agreeing_snapshot(&[]);
    rig.snapshot(found);
    assert_eq!(rig.book().posture(), Posture::Normal);
    rig.open(long(), "95").only();
}

#[test]
fn an_operator_s_halt_survives_a_restart() {
    let mut rig = Rig::new();
    rig.operator(OperatorCommand::Halt);
    rig.restart();
    let found = rig.agreeing_snapshot(&[]);
    rig.snapshot(found);
    assert_eq!(rig.book().posture(), Posture::Halted);
    rig.open(long(), "95").none();
}

/// Wants to exit only while the mark is under 90.
#[derive(Debug)]
struct Fearful;

impl RiskManager for Fearful {
    fn assess(&self, _: &Proposal<'_>, answers: &mut Answers) -> Verdict {
        answers.holds("fear", true);
        Verdict::Approve
    }
    fn posture(&self, book: &Book, _: Timestamp) -> Stance {
        match book.mark_of(&btc()) {
            Some((mark, _)) if mark < px("90") => {
                Stance { posture: Posture::ExitOnly, because: Cow::Borrowed("too low") }
            }
            _ => Stance::NORMAL,
        }
    }
    fn observe(&mut self, _: &Envelope, _: &Book) {}
    fn mark(&mut self, _: &Book, _: Timestamp) {}
}

#[test]
fn the_stricter_of_operator_and_risk_manager_counts() {
    let mut rig = Rig::with(EngineConfig::default(), Box::new(Fearful), 0);
    rig.opened();
    rig.mark("89");
    assert_eq!(rig.book().posture(), Posture::ExitOnly);
    rig.operator(OperatorCommand::Halt);
    assert_eq!(rig.book().posture(), Posture::Halted);
    rig.operator(OperatorCommand::Resume);
    assert_eq!(rig.book().posture(), Posture::ExitOnly, "a person cannot overrule the risk manager");
    rig.mark("100");
    assert_eq!(rig.book().posture(), Posture::Normal);
}

fn halted(rig: &mut Rig) -> Outcomes {
    let mut halted = spec(btc());
    halted.status = InstrumentStatus::NotTrading("SETTLING".to_owned());
    rig.feed(Fact::Instrument { ix: InstrumentIx(0), spec: Box::new(halted) })
}

#[test]
fn a_symbol_that_stops_trading_is_left_and_asked_patiently() {
    let mut rig = Rig::new();
    rig.opened();
    let outcomes = halted(&mut rig);
    let close = outcomes.only();
    assert_eq!((close.is_market_close(), close.qty), (true, d("1")));
    assert!(outcomes.alerts().iter().any(|text| text.contains("does not trade any more")));
    let mut tries = rig.reject(&close, RejectReason::NotTrading, -4140).submits();
    let end = rig.now.plus(Duration::from_secs(180));
    let mut count = 0;
    while rig.now < end {
        match tries.pop() {
            Some(again) => {
                count += 1;
                assert!(again.is_market_close(), "{again:?}");
                tries.extend(rig.reject(&again, RejectReason::NotTrading, -4140).submits());
            }
            None => {
                let Some(due) = rig.engine.deadline().filter(|due| *due <= end) else { break };
                rig.now = rig.now.max(due);
                tries.extend(rig.tick().submits());
            }
        }
    }
    assert!((1..=4).contains(&count), "{count} closes in three minutes");
    assert_eq!(rig.want(Intent::open(long(), Size::Qty(q("1")), px("95"), "no")).submits().len(), 0);
}
