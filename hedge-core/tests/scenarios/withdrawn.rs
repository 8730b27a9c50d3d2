//! A posture that opens nothing: openings that rest at the venue go too.

use std::borrow::Cow;
use std::time::Duration;

use hedge_core::*;

use crate::given::resting_entry;
use crate::rig::*;

const ORDERS: [OperatorCommand; 2] = [OperatorCommand::Halt, OperatorCommand::ExitOnly];

fn told(outcomes: &Outcomes) -> Vec<String> {
    outcomes.alerts().into_iter().filter(|text| text.contains("nothing is opened")).collect()
}

#[test]
fn a_resting_opening_is_cancelled_when_a_person_forbids_openings() {
    for command in ORDERS {
        let mut rig = Rig::new();
        let entry = rig.resting_entry("1");
        let ordered = rig.operator(command);
        assert_eq!(ordered.cancels(), [entry.id]);
        let said = told(&ordered);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("1 resting opening is cancelled"), "{said:?}");
        rig.cancelled(&entry).none();
        assert_eq!(rig.engine.deadline(), None);
        assert!(rig.operator(command).cancels().is_empty());
    }
}

#[test]
fn one_that_may_only_be_a_maker_and_carries_no_end_goes_too() {
    let mut rig = Rig::new();
    let Intent::Open { position, size, protection, because, .. } = resting_entry("1") else { panic!() };
    let entry = Entry::Limit { price: px("99"), tif: Tif::PostOnly };
    let entry = rig.want(Intent::Open { position, size, entry, protection, because }).only();
    rig.ack(&entry);
    assert_eq!(rig.operator(OperatorCommand::Halt).cancels(), [entry.id]);
}

#[test]
fn exits_and_stops_stay() {
    let mut rig = Rig::new();
    rig.opened();
    let limit = rig.want(crate::given::limit_close()).only();
    rig.ack(&limit);
    let ordered = rig.operator(OperatorCommand::Halt);
    assert!(ordered.cancels().is_empty() && told(&ordered).is_empty());
}

#[test]
fn an_opening_of_unknown_fate_goes_as_soon_as_it_is_known_to_rest() {
    let mut rig = Rig::new();
    let entry = rig.want(resting_entry("1")).only();
    rig.time_out(&entry);
    let ordered = rig.operator(OperatorCommand::Halt);
    assert!(ordered.cancels().is_empty(), "its fate comes first");
    assert!(told(&ordered)[0].contains("1 more when its fate is known"), "{:?}", told(&ordered));
    let report = rig.report_of(&entry, ReportedState::Working, "0");
    assert_eq!(rig.answer(&entry, Some(report), Vec::new(), "0").cancels(), [entry.id]);
}

#[test]
fn an_opening_whose_answer_is_on_its_way_goes_when_it_is_confirmed() {
    let mut rig = Rig::new();
    let entry = rig.want(resting_entry("1")).only();
    rig.operator(OperatorCommand::ExitOnly);
    assert_eq!(rig.ack(&entry).cancels(), [entry.id]);
}

#[test]
fn an_opening_that_cannot_rest_is_left_to_its_end() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let ordered = rig.operator(OperatorCommand::Halt);
    assert!(ordered.cancels().is_empty() && told(&ordered).is_empty());
    assert!(rig.ack(&entry).cancels().is_empty());
}

#[test]
fn what_fills_before_the_cancel_arrives_is_protected() {
    let mut rig = Rig::new();
    let entry = rig.resting_entry("1");
    assert_eq!(rig.operator(OperatorCommand::Halt).cancels(), [entry.id]);
    assert!(rig.fill(&entry, "0.4", "99").only().is_close_all_stop());
}

#[test]
fn a_cancel_that_failed_is_sent_again_while_the_posture_lasts() {
    let mut rig = Rig::new();
    let entry = rig.resting_entry("1");
    rig.operator(OperatorCommand::Halt);
    let mut cancels = rig.cancel_failed(entry.id, Outcome::NotSent, None).cancels();
    cancels.extend(rig.run_for(Duration::from_secs(5)).iter().flat_map(Outcomes::cancels));
    assert_eq!(cancels, [entry.id]);
}

#[test]
fn a_lost_stream_alone_cancels_nothing_and_a_person_during_it_does() {
    let mut rig = Rig::new();
    let entry = rig.resting_entry("1");
    let lost = rig.account(AccountEvent::Disconnected { reason: "silent".to_owned() });
    assert!(lost.cancels().is_empty());
    assert_eq!(rig.operator(OperatorCommand::ExitOnly).cancels(), [entry.id]);
}

#[test]
fn a_start_under_a_halt_cancels_what_rests_once_the_account_is_read() {
    let mut rig = Rig::new();
    let entry = rig.want(resting_entry("1")).only();
    rig.restart();
    assert!(rig.operator(OperatorCommand::Halt).cancels().is_empty(), "nothing is known of the account yet");
    let found = rig.agreeing_snapshot(&[&entry]);
    assert_eq!(rig.snapshot(found).cancels(), [entry.id]);
}

/// Halts when the mark is under 90, as a drawdown does.
#[derive(Debug)]
struct Breaker;

impl RiskManager for Breaker {
    fn assess(&self, _: &Proposal<'_>, answers: &mut Answers) -> Verdict {
        answers.holds("breaker", true);
        Verdict::Approve
    }
    fn posture(&self, book: &Book, _: Timestamp) -> Stance {
        match book.mark_of(&btc()) {
            Some((mark, _)) if mark < px("90") => {
                Stance { posture: Posture::Halted, because: Cow::Borrowed("drawdown 12 %") }
            }
            _ => Stance::NORMAL,
        }
    }
    fn observe(&mut self, _: &Envelope, _: &Book) {}
    fn mark(&mut self, _: &Book, _: Timestamp) {}
}

#[test]
fn the_kill_switch_cancels_what_rests_too() {
    let mut rig = Rig::with(EngineConfig::default(), Box::new(Breaker), 0);
    rig.opened_on(short(), "105");
    let entry = rig.resting_entry("1");
    rig.price = d("89");
    let fallen = rig.feed(Fact::Market {
        event: MarketEvent::Mark { instrument: InstrumentIx(0), mark: px("89"), venue_time: rig.venue_now() },
    });
    assert_eq!(rig.book().posture(), Posture::Halted);
    assert_eq!(fallen.cancels(), [entry.id]);
    assert!(told(&fallen)[0].contains("drawdown 12 %"), "{:?}", told(&fallen));
}
