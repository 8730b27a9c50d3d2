//! Messages come late, twice, and in the wrong order; the result is the same.

use std::time::Duration;

use hedge_core::*;

use crate::{given::permutations, rig::*};

#[test]
fn an_ioc_that_fills_in_part_ends_the_same_in_every_order_of_its_messages() {
    for order in permutations(5) {
        for twice in [false, true] {
            let mut rig = Rig::new();
            let entry = rig
                .want(Intent::Open {
                    position: long(),
                    size: Size::Qty(q("1")),
                    entry: Entry::Market,
                    protection: Protection::Stop {
                        trigger: px("95"),
                        take_profits: vec![TakeProfit {
                            trigger: px("110"),
                            portion: Ratio::parse("0.5").unwrap(),
                        }],
                    },
                    because: "test".into(),
                })
                .only();
            let ack = Fact::SubmitAcked {
                order: entry.id,
                venue: rig.name(&entry),
                state: ReportedState::Working,
                filled: d("0"),
            };
            let event = |event: AccountEvent| Fact::Account { event: Box::new(event) };
            let messages = [
                ack,
                event(AccountEvent::Fill { fill: rig.fill_of(&entry, "0.2", "100") }),
                event(AccountEvent::Fill { fill: rig.fill_of(&entry, "0.4", "100.1") }),
                event(AccountEvent::Order {
                    report: rig.report_of(&entry, ReportedState::PartiallyFilled, "0.2"),
                }),
                event(AccountEvent::Order { report: rig.report_of(&entry, ReportedState::Expired, "0.6") }),
            ];
            let mut sent = Vec::new();
            for &i in &order {
                for _ in 0..=u8::from(twice) {
                    let outcomes = rig.feed(messages[i].clone());
                    assert!(outcomes.alerts().is_empty(), "{order:?}: {:?}", outcomes.alerts());
                    sent.extend(outcomes.submits());
                }
            }
            let what: Vec<_> = sent.iter().map(|sent| (sent.purpose, sent.qty)).collect();
            assert_eq!(what[0].0, OrderPurpose::Stop, "{order:?}: protection first");
            assert_eq!(what[1..], [(OrderPurpose::TakeProfit, d("0.3"))], "{order:?}");
            assert_eq!(rig.state(&entry.id), OrderState::Expired, "{order:?}");
            let leg = rig.leg(&long());
            assert_eq!((leg.qty, leg.cost), (d("0.6"), d("60.04")), "{order:?}");
            assert!(!rig.book().has_live_entry(&long()), "{order:?}");
            assert_eq!(rig.book().totals().fills, 2, "{order:?}");
        }
    }
}

#[test]
fn a_market_close_ends_the_same_in_every_order_of_its_messages() {
    for order in permutations(4) {
        let mut rig = Rig::new();
        let (_, stop) = rig.opened();
        let close = rig.want(Intent::close(long(), "enough")).only();
        let event = |event: AccountEvent| Fact::Account { event: Box::new(event) };
        let messages = [
            Fact::SubmitAcked {
                order: close.id,
                venue: rig.name(&close),
                state: ReportedState::Filled,
                filled: d("1"),
            },
            event(AccountEvent::Fill { fill: rig.fill_of(&close, "0.3", "101") }),
            event(AccountEvent::Fill { fill: rig.fill_of(&close, "0.7", "102") }),
            event(AccountEvent::Order { report: rig.report_of(&close, ReportedState::Filled, "1") }),
        ];
        let mut cancels = Vec::new();
        for &i in &order {
            let outcomes = rig.feed(messages[i].clone());
            outcomes.none();
            assert!(outcomes.alerts().is_empty(), "{order:?}: {:?}", outcomes.alerts());
            cancels.extend(outcomes.cancels());
        }
        assert_eq!(cancels, [stop.id], "{order:?}");
        assert_eq!(rig.leg(&long()).realized, d("1.7"), "{order:?}");
        assert_eq!(rig.state(&close.id), OrderState::Filled, "{order:?}");
        assert_eq!(rig.book().resting_closes(&long()), d("0"), "{order:?}");
        assert_eq!(rig.engine.deadline(), None, "{order:?}");
        rig.identity_holds();
    }
}

#[test]
fn a_close_that_overtakes_its_opening_costs_nothing_and_gains_nothing() {
    for realized in [None, Some("20")] {
        let mut rig = Rig::new();
        let entry = rig.want(Intent::open(long(), Size::Qty(q("2")), px("95"), "test")).only();
        rig.ack(&entry);
        let first = rig.fill_of(&entry, "1", "100");
        let second = rig.fill_of(&entry, "1", "100");
        let stop = rig.account(AccountEvent::Fill { fill: first }).only();
        rig.ack(&stop);
        // The whole leg of 2 is closed before its second opening execution is known here.
        let mut out = rig.fill_of(&stop, "2", "110");
        out.realized = realized.map(|text| SignedAmount::parse(text).unwrap());
        rig.account(AccountEvent::Fill { fill: out });
        rig.account(AccountEvent::Fill { fill: second }).none();
        assert!(!rig.leg(&long()).is_open());
        assert_eq!(rig.leg(&long()).realized, d("20"));
        assert_eq!(rig.book().equity(), d("10020"));
        rig.identity_holds();
    }
}

#[test]
fn an_overtaking_close_with_a_stated_profit_realises_it_once() {
    for (closed, stated, left, cost) in [("2", "16", "0", "0"), ("1.5", "12", "0.5", "51")] {
        let mut rig = Rig::new();
        let entry = rig.want(Intent::open(long(), Size::Qty(q("2")), px("95"), "test")).only();
        rig.ack(&entry);
        let first = rig.fill_of(&entry, "1", "100");
        let second = rig.fill_of(&entry, "1", "104");
        let stop = rig.account(AccountEvent::Fill { fill: first }).only();
        rig.ack(&stop);
        // The venue's average is 102; of that only the first execution is known here.
        let mut out = rig.fill_of(&stop, closed, "110");
        out.realized = Some(SignedAmount::parse(stated).unwrap());
        rig.account(AccountEvent::Fill { fill: out });
        rig.account(AccountEvent::Fill { fill: second });
        let leg = rig.leg(&long());
        assert_eq!((leg.qty, leg.cost, leg.realized), (d(left), d(cost), d(stated)));
        assert_eq!(rig.book().wallet(&Asset::usdt()), d("10000") + d(stated));
        rig.identity_holds();
    }
}

#[test]
fn nobody_is_punished_for_a_leg_that_is_below_zero_for_a_while() {
    let mut rig = Rig::new();
    let entry = rig.want(Intent::open(long(), Size::Qty(q("2")), px("95"), "test")).only();
    rig.ack(&entry);
    let first = rig.fill_of(&entry, "1", "100");
    let stop = rig.account(AccountEvent::Fill { fill: first }).only();
    rig.ack(&stop);
    let out = rig.fill_of(&stop, "2", "110");
    rig.account(AccountEvent::Fill { fill: out });
    // The missing execution does not come: the account is read again, and nothing is sent.
    let later = rig.run_for(Duration::from_secs(20));
    assert!(later.iter().all(|outcomes| outcomes.submits().is_empty() && !outcomes.is_muted()), "{later:#?}");
    assert!(
        later.iter().map(Outcomes::snapshots).sum::<usize>() >= 1,
        "nobody asks for the missing execution"
    );
    rig.want(Intent::close(long(), "nothing to close")).none();
}

#[test]
fn a_fill_by_the_venue_s_number_alone_finds_its_order() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.ack(&entry);
    let fill = Fill { client_id: None, ..rig.fill_of(&entry, "1", "100") };
    let outcomes = rig.account(AccountEvent::Fill { fill });
    assert!(outcomes.alerts().is_empty());
    assert_eq!(rig.state(&entry.id), OrderState::Filled);
}

#[test]
fn a_child_with_a_client_id_of_the_venue_s_own_is_recognised_in_every_order() {
    // The client id of a conditional order's child is not confirmed: the number must be enough.
    for order in permutations(3) {
        let mut rig = Rig::new();
        let (_, stop) = rig.opened();
        let strange = Some(ReportedId::parse("autogen-77"));
        let fills = [
            Fill { client_id: strange.clone(), ..rig.fill_of(&stop, "0.5", "95") },
            Fill { client_id: strange, ..rig.fill_of(&stop, "0.5", "95") },
        ];
        for &i in &order {
            let outcomes = match i {
                0 => rig.triggered(&stop),
                i => rig.account(AccountEvent::Fill { fill: fills[i - 1].clone() }),
            };
            outcomes.none();
        }
        rig.finished(&stop, "1").none();
        assert_eq!(rig.state(&stop.id), OrderState::Filled, "{order:?}");
        assert_eq!(rig.book().live_order_count(), 0, "{order:?}: a dead stop would pass for protection");
        // The next leg gets a stop of its own.
        let entry = rig.open(long(), "95").only();
        assert!(rig.fill(&entry, "1", "100").only().is_close_all_stop(), "{order:?}");
    }
}

#[test]
fn a_fired_stop_is_cancelled_by_its_child_s_number() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    rig.triggered(&stop);
    let child = rig.child(&stop);
    assert_eq!(rig.book().order(&stop.id).unwrap().target(), OrderRef::Plain(child));
}

#[test]
fn a_report_on_the_wrong_side_of_the_book_is_named_and_not_believed() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let mut report = rig.report_of(&entry, ReportedState::Working, "0");
    report.order_side = OrderSide::Sell;
    let outcomes = rig.account(AccountEvent::Order { report });
    assert_eq!(outcomes.alerts().len(), 1);
    assert_eq!(rig.state(&entry.id), OrderState::InFlight);
}

#[test]
fn a_cancel_that_crosses_the_last_fill_ends_in_a_fill() {
    let mut rig = Rig::new();
    let entry = rig.resting_entry("1");
    rig.want(Intent::Cancel { order: entry.id, because: "too old".into() });
    assert_eq!(rig.state(&entry.id), OrderState::Canceling);
    assert!(rig.book().has_live_entry(&long()), "it may still fill");
    let stop = rig.fill(&entry, "1", "99").only();
    assert!(stop.is_close_all_stop());
    let failed = rig.cancel_failed(entry.id, Outcome::Rejected, Some(RejectReason::NotFound));
    assert!(failed.queries().is_empty(), "it is known how it ended");
    assert_eq!(rig.state(&entry.id), OrderState::Filled);
}

#[test]
fn a_cancel_that_finds_no_order_is_no_proof_that_it_was_cancelled() {
    let mut rig = Rig::new();
    let entry = rig.resting_entry("1");
    rig.want(Intent::Cancel { order: entry.id, because: "too old".into() });
    let failed = rig.cancel_failed(entry.id, Outcome::Rejected, Some(RejectReason::NotFound));
    assert_eq!(failed.queries(), [entry.id]);
    assert!(rig.state(&entry.id).is_live());
    let report = rig.report_of(&entry, ReportedState::Filled, "1");
    let fill = Fill { client_id: None, ..rig.fill_of(&entry, "1", "99") };
    let stop = rig.answer(&entry, Some(report), vec![fill], "1").only();
    assert!(stop.is_close_all_stop());
    assert_eq!(rig.state(&entry.id), OrderState::Filled);
}

#[test]
fn a_leg_that_closed_and_opened_again_unheard_keeps_no_closing_order_of_the_old_position() {
    let mut rig = Rig::new();
    rig.opened();
    let exit = Exit::TakeProfitMarket { trigger: px("120"), by: TriggerBy::Mark };
    let because = std::borrow::Cow::Borrowed("target");
    let profit = rig.want(Intent::Close { position: long(), portion: Portion::All, exit, because }).only();
    rig.ack(&profit);
    // The stream is silent: only the answers tell that both have filled.
    let close = rig.want(Intent::close(long(), "out")).only();
    rig.ack_as(&close, ReportedState::Filled, "1");
    let entry = rig.open(long(), "95").only();
    rig.ack_as(&entry, ReportedState::Filled, "1");
    let fills = vec![rig.fill_of(&close, "1", "100"), rig.fill_of(&entry, "1", "100")];
    let report = rig.report_of(&close, ReportedState::Filled, "1");
    let outcomes = rig.answer(&close, Some(report), fills, "1");
    assert!(outcomes.cancels().contains(&profit.id), "it would close the new position: {outcomes:?}");
    assert!(outcomes.submits().iter().any(Sent::is_close_all_stop), "the new position has no stop");
}
