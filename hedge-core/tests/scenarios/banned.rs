//! Nothing may be sent for a while: every exit waits for its time, the journal is spared, and then all go at once.

use std::time::Duration;

use hedge_core::*;

use crate::rig::*;

impl Rig {
    /// Nothing left this machine; `until` is what the ban or the budget names.
    fn unsent(&mut self, sent: &Sent, until: Option<Timestamp>) -> Outcomes {
        self.feed(Fact::SubmitFailed {
            order: sent.id,
            outcome: Outcome::NotSent,
            reason: None,
            code: None,
            message: "rate limited".to_owned(),
            acceptable_until: None,
            retry_at: until,
        })
    }

    fn uncancelled(&mut self, id: &ClientOrderId, until: Option<Timestamp>) -> Outcomes {
        self.feed(Fact::CancelFailed {
            order: *id,
            outcome: Outcome::NotSent,
            reason: None,
            message: "rate limited".to_owned(),
            retry_at: until,
        })
    }

    /// Ticks at every deadline of the next `by`; nothing leaves, as before `until`. How many commands were tried, and when.
    fn banned_for(&mut self, by: Duration, until: Option<Timestamp>) -> Vec<Timestamp> {
        let end = self.now.plus(by);
        let mut tried = Vec::new();
        while let Some(due) = self.engine.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let mut outcomes = vec![self.tick()];
            while let Some(last) = outcomes.pop() {
                for sent in last.submits() {
                    tried.push(self.now);
                    outcomes.push(self.unsent(&sent, until));
                }
                for id in last.cancels() {
                    tried.push(self.now);
                    outcomes.push(self.uncancelled(&id, until));
                }
            }
            assert!(tried.len() < 100, "{} commands in {by:?}", tried.len());
        }
        self.now = end;
        tried
    }
}

/// A leg of 1 with an entry that still rests, and an order to close it all.
fn flattening(rig: &mut Rig) -> (Sent, Sent) {
    rig.opened();
    let entry = rig.resting_entry("0.5");
    let flatten = rig.operator(OperatorCommand::Flatten);
    assert_eq!(flatten.cancels(), [entry.id]);
    (entry, flatten.only())
}

#[test]
fn during_a_ban_no_exit_is_tried_and_at_its_end_all_of_them_are() {
    let mut rig = Rig::new();
    let (entry, close) = flattening(&mut rig);
    let ends = rig.now.plus(ms(30_000));
    rig.uncancelled(&entry.id, Some(ends));
    rig.unsent(&close, Some(ends));
    let before = rig.journal.len();
    let left = ends.since(rig.now);
    assert_eq!(rig.banned_for(left - ms(1), Some(ends)), []);
    assert!(rig.journal.len() - before < 4, "{:#?}", &rig.journal[before..]);
    rig.now = ends;
    let freed = rig.tick();
    assert!(freed.only().is_market_close());
    assert_eq!(freed.cancels(), [entry.id]);
    assert_eq!(rig.engine.deadline().filter(|due| *due <= rig.now), None);
}

#[test]
fn a_ban_without_an_end_is_waited_out_with_growing_pauses() {
    let mut rig = Rig::new();
    let (entry, close) = flattening(&mut rig);
    rig.uncancelled(&entry.id, None);
    rig.unsent(&close, None);
    let began = rig.now;
    let tried = rig.banned_for(ms(60_000), None);
    assert!((16..=40).contains(&tried.len()), "{} commands in a minute", tried.len());
    let longest = tried.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap();
    assert!(longest <= ms(5_000), "{longest:?}");
    assert!(tried[0].since(began) <= ms(1_000), "{:?}", tried[0].since(began));
}

#[test]
fn an_end_that_is_named_too_far_away_is_asked_about_every_minute() {
    let mut rig = Rig::new();
    let (entry, close) = flattening(&mut rig);
    let ends = rig.now.plus(Duration::from_secs(3 * 86_400));
    rig.uncancelled(&entry.id, Some(ends));
    rig.unsent(&close, Some(ends));
    assert_eq!(rig.banned_for(ms(610_000), Some(ends)).len(), 20, "a close and a cancel a minute");
}

#[test]
fn an_end_that_has_passed_already_is_no_reason_to_hurry() {
    let mut rig = Rig::new();
    let (entry, close) = flattening(&mut rig);
    let ended = rig.now;
    rig.uncancelled(&entry.id, Some(ended));
    rig.unsent(&close, Some(ended));
    assert!(rig.banned_for(ms(1_000), Some(ended)).len() <= 20);
}

#[test]
fn a_strategy_may_cancel_its_order_again_at_any_time() {
    let mut rig = Rig::new();
    rig.opened();
    let resting = Intent::Close {
        position: long(),
        portion: Portion::All,
        exit: Exit::Limit { price: px("110"), tif: Tif::Gtc },
        because: "test".into(),
    };
    let resting = rig.want(resting).only();
    rig.ack(&resting);
    let cancel = || Intent::Cancel { order: resting.id, because: "test".into() };
    assert_eq!(rig.want(cancel()).cancels(), [resting.id]);
    let ends = rig.now.plus(ms(30_000));
    rig.uncancelled(&resting.id, Some(ends));
    assert_eq!(rig.want(cancel()).cancels(), [resting.id]);
}

#[test]
fn take_profits_that_could_not_be_sent_are_placed_when_the_ban_ends() {
    let mut rig = Rig::new();
    let rung = |trigger| TakeProfit { trigger: px(trigger), portion: Ratio::parse("0.5").unwrap() };
    let intent = Intent::Open {
        position: long(),
        size: Size::Qty(q("1")),
        entry: Entry::Market,
        protection: Protection::Stop { trigger: px("95"), take_profits: vec![rung("110"), rung("120")] },
        because: "test".into(),
    };
    let entry = rig.want(intent).only();
    rig.ack(&entry);
    let mut rungs = rig.fill(&entry, "1", "100").submits();
    let stop = rungs.remove(0);
    rig.ack(&stop);
    let ends = rig.now.plus(ms(30_000));
    for rung in &rungs {
        rig.unsent(rung, Some(ends)).none();
    }
    let left = ends.since(rig.now);
    assert_eq!(rig.banned_for(left - ms(1), Some(ends)), []);
    rig.now = ends;
    let placed: Vec<Option<Price>> = rig.tick().submits().iter().map(Sent::trigger).collect();
    assert_eq!(placed, [Some(px("110")), Some(px("120"))]);
}

#[test]
fn the_next_position_does_not_wait_for_what_the_last_one_was_kept_from() {
    let mut rig = Rig::new();
    rig.opened();
    let close = rig.operator(OperatorCommand::Flatten).only();
    let ends = rig.now.plus(ms(30_000));
    rig.unsent(&close, Some(ends));
    let fill = rig.strange_fill(long(), Action::Close, "1", "99");
    rig.account(AccountEvent::Fill { fill });
    rig.operator(OperatorCommand::Resume);
    rig.opened();
    assert!(rig.operator(OperatorCommand::Flatten).only().is_market_close());
}
