//! Money that moves without a fill: what the stream did not tell, the comparison with the venue finds and names.

use std::time::Duration;

use hedge_core::*;

use crate::rig::*;

fn flow(kind: CashFlowKind, amount: &str, at: Timestamp, id: &str) -> CashFlow {
    CashFlow {
        kind,
        amount: Amount::usdt(d(amount)),
        instrument: Some(btc()),
        venue_time: at,
        id: id.to_owned(),
    }
}

fn corrected(outcomes: &Outcomes) -> Vec<Difference> {
    let found = outcomes.decisions().filter_map(|decision| match decision {
        Decision::Corrected { difference } => Some(difference.clone()),
        _ => None,
    });
    found.collect()
}

/// What the venue says when this much is in the wallet and this has flowed.
fn read(rig: &mut Rig, wallet: &str, flows: Vec<CashFlow>) -> VenueSnapshot {
    let mut found = rig.agreeing_snapshot(&[]);
    found.account.balances[0].wallet = SignedAmount::parse(wallet).unwrap();
    found.flows = flows;
    found
}

#[test]
fn a_back_fill_reaches_back_to_the_last_comparison_not_to_the_last_thing_seen() {
    let mut rig = Rig::new();
    let compared_at = rig.now;
    let found = rig.agreeing_snapshot(&[]);
    rig.snapshot(found);
    // A settlement is lost; a fill an hour later is not.
    rig.wait(Duration::from_secs(3_600));
    rig.opened();
    let since = rig.book().back_fill_from();
    assert!(since <= compared_at && compared_at.since(since) <= Duration::from_secs(61), "{since}");
}

#[test]
fn lost_funding_is_found_as_what_it_is() {
    for (kind, pick) in [
        (CashFlowKind::Funding, "funding"),
        (CashFlowKind::Transfer, "transfers"),
        (CashFlowKind::Other("INSURANCE_CLEAR".to_owned()), "corrections"),
    ] {
        let mut rig = Rig::new();
        let at = rig.now;
        let lost = flow(kind, "-1.5", at, "lost");
        let found = read(&mut rig, "9998.5", vec![lost.clone()]);
        let outcomes = rig.snapshot(found.clone());
        assert_eq!(corrected(&outcomes), [Difference::Flow { flow: Box::new(lost) }], "named with its cause");
        let totals = rig.book().totals();
        let booked = match pick {
            "funding" => totals.funding,
            "transfers" => totals.transfers,
            _ => totals.corrections,
        };
        assert_eq!(booked, d("-1.5"), "{pick}");
        assert_eq!(rig.book().wallet(&Asset::usdt()), d("9998.5"));
        rig.identity_holds();
        assert!(corrected(&rig.snapshot(found)).is_empty(), "once");
    }
}

#[test]
fn what_the_stream_has_told_is_no_difference() {
    let mut rig = Rig::new();
    let told = flow(CashFlowKind::Funding, "2", rig.now, "told");
    rig.account(AccountEvent::CashFlow { flow: told.clone() });
    let found = read(&mut rig, "10002", vec![told]);
    assert!(corrected(&rig.snapshot(found)).is_empty());
}

#[test]
fn money_that_nothing_explained_becomes_the_flow_it_is_once_the_ledger_shows_it() {
    let mut rig = Rig::new();
    rig.wait(Duration::from_secs(1));
    let at = rig.now;
    // The wallet has moved twice over, the ledger is silent.
    for _ in 0..2 {
        let found = read(&mut rig, "9998.5", Vec::new());
        let outcomes = rig.snapshot(found);
        rig.wait(Duration::from_secs(6));
        if outcomes.corrections() > 0 {
            assert!(outcomes.alerts().concat().contains("no income explains"), "{:?}", outcomes.alerts());
        }
    }
    assert_eq!((rig.book().totals().corrections, rig.book().totals().funding), (d("-1.5"), d("0")));
    let late = flow(CashFlowKind::Funding, "-1.5", at, "late");
    let found = read(&mut rig, "9998.5", vec![late]);
    let outcomes = rig.snapshot(found);
    assert_eq!(corrected(&outcomes).len(), 1);
    assert_eq!((rig.book().totals().corrections, rig.book().totals().funding), (d("0"), d("-1.5")));
    assert_eq!(rig.book().wallet(&Asset::usdt()), d("9998.5"), "the wallet had it already");
    rig.identity_holds();
}

#[test]
fn what_flowed_before_the_first_look_is_in_the_start_already() {
    let mut rig = Rig::new();
    let early = flow(CashFlowKind::Funding, "-3", Timestamp::from_ms(START_MS - 1), "early");
    let found = read(&mut rig, "10000", vec![early]);
    assert!(corrected(&rig.snapshot(found)).is_empty());
    assert_eq!(rig.book().wallet(&Asset::usdt()), d("10000"));
}

#[test]
fn a_fee_that_was_charged_otherwise_is_corrected_once() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.ack(&entry);
    let mut fill = rig.fill_of(&entry, "1", "100");
    fill.fee = Amount::usdt(d("0.05"));
    rig.account(AccountEvent::Fill { fill: fill.clone() });
    let fee = CashFlow {
        kind: CashFlowKind::Fee,
        ..flow(CashFlowKind::Fee, "-0.04", fill.venue_time, &CashFlow::fee_id(&btc(), fill.trade_id))
    };
    let mut found = read(&mut rig, "9999.96", vec![fee.clone()]);
    found.fills = vec![fill.clone()];
    let outcomes = rig.snapshot(found.clone());
    let expected = Difference::Fee { flow: Box::new(fee.clone()), book: d("0.05") };
    assert!(corrected(&outcomes).contains(&expected), "{:?}", corrected(&outcomes));
    assert_eq!(rig.book().totals().fees, d("0.04"));
    assert_eq!(rig.book().wallet(&Asset::usdt()), d("9999.96"));
    rig.identity_holds();
    assert!(corrected(&rig.snapshot(found)).is_empty(), "once");
    // One that agrees is no difference.
    let agreeing = CashFlow { amount: Amount::usdt(d("-0.05")), ..fee };
    let mut other = Rig::new();
    let mut found = read(&mut other, "10000", vec![agreeing]);
    found.fills = vec![fill];
    assert!(reconcile(other.book(), &found).is_empty());
}

/// A book keeps sums of fees, not the fee of each execution: the wallet tells what the stream told otherwise than the ledger.
#[test]
fn a_fee_that_the_stream_told_otherwise_than_every_read_is_found_in_the_wallet_and_said() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.ack(&entry);
    let mut fill = rig.fill_of(&entry, "1", "100");
    fill.fee = Amount::usdt(d("0.05"));
    rig.account(AccountEvent::Fill { fill: fill.clone() });
    fill.fee = Amount::usdt(d("0.04"));
    let fee = flow(CashFlowKind::Fee, "-0.04", fill.venue_time, &CashFlow::fee_id(&btc(), fill.trade_id));
    for look in 0..2 {
        let mut found = read(&mut rig, "9999.96", vec![fee.clone()]);
        found.fills = vec![fill.clone()];
        let outcomes = rig.snapshot(found);
        assert_eq!(corrected(&outcomes).len(), look, "one read may race with what is on its way");
        assert_eq!(outcomes.alerts().concat().contains("no income explains"), look == 1);
        rig.wait(Duration::from_secs(6));
    }
    let totals = rig.book().totals();
    assert_eq!((totals.fees, totals.corrections), (d("0.05"), d("0.01")));
    assert_eq!(rig.book().wallet(&Asset::usdt()), d("9999.96"));
    rig.identity_holds();
}
