//! What the venue closes by force: booked as what it is, named, and the leg opens nothing until a person resumes.

use hedge_core::*;

use crate::rig::*;

const PREFIXES: [(&str, ForcedClose); 4] = [
    ("autoclose-1732100000", ForcedClose::Liquidation),
    ("adl_autoclose", ForcedClose::Adl),
    ("settlement_autoclose-17", ForcedClose::Settlement),
    ("delivery_autoclose-17", ForcedClose::Delivery),
];

fn forced_fill(rig: &mut Rig, key: PositionKey, id: &str, qty: &str, price: &str) -> Fill {
    let mut fill = rig.strange_fill(key, Action::Close, qty, price);
    fill.client_id = Some(ReportedId::parse(id));
    fill
}

fn liquidate(rig: &mut Rig, qty: &str) -> Outcomes {
    let fill = forced_fill(rig, long(), "autoclose-1732100000", qty, "60");
    rig.account(AccountEvent::Fill { fill })
}

fn report(id: &str, order: i64, kind: ReportedKind) -> OrderReport {
    OrderReport {
        instrument: btc(),
        client_id: ReportedId::parse(id),
        order: OrderRef::Plain(VenueOrderId(order)),
        side: ReportedSide::Long,
        order_side: OrderSide::Sell,
        kind,
        price: Some(px("60")),
        trigger: None,
        qty: Some(q("1")),
        filled: d("0"),
        average: None,
        covers: Coverage::Qty,
        state: ReportedState::Working,
        reason: None,
        venue_time: Timestamp::from_ms(START_MS),
    }
}

fn halts(outcomes: &Outcomes) -> Vec<ForcedClose> {
    outcomes
        .decisions()
        .filter_map(|decision| match decision {
            Decision::LegHalted { forced, .. } => Some(*forced),
            _ => None,
        })
        .collect()
}

#[test]
fn a_liquidation_is_booked_as_what_it_is_and_never_as_somebody_s_fill() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    let outcomes = liquidate(&mut rig, "1");
    outcomes.none();
    assert_eq!(outcomes.cancels(), [stop.id]);
    assert_eq!(rig.leg(&long()).realized, d("-40"));
    assert_eq!(halts(&outcomes), [ForcedClose::Liquidation]);
    let alerts = outcomes.alerts();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!(
        alerts[0].contains("LIQUIDATED 1 of") && alerts[0].contains("autoclose-1732100000"),
        "{alerts:?}"
    );
    assert_eq!(outcomes.snapshots(), 1, "a fee of it may be named nowhere else");
    rig.identity_holds();
}

#[test]
fn a_halted_leg_opens_nothing_and_the_refusal_names_the_rule_while_the_other_leg_trades() {
    let mut rig = Rig::new();
    rig.opened();
    liquidate(&mut rig, "1");
    rig.mark("100");
    let refused = rig.open(long(), "95");
    refused.none();
    assert_eq!(refused.refused_by().as_deref(), Some("leg_halted"));
    rig.open(short(), "105").only();
}

#[test]
fn a_person_resumes_a_halted_leg_and_a_process_that_lifts_its_own_order_does_not() {
    let mut rig = Rig::new();
    rig.opened();
    liquidate(&mut rig, "1");
    rig.mark("100");
    rig.operator(OperatorCommand::Lift);
    assert_eq!(rig.open(long(), "95").refused_by().as_deref(), Some("leg_halted"));
    rig.operator(OperatorCommand::Halt);
    rig.operator(OperatorCommand::Resume);
    assert_eq!(rig.book().halted_legs().count(), 0);
    rig.open(long(), "95").only();
}

#[test]
fn every_id_that_only_the_venue_gives_is_known_by_its_kind() {
    for (id, forced) in PREFIXES {
        let mut rig = Rig::new();
        rig.opened();
        let fill = forced_fill(&mut rig, long(), id, "0.4", "60");
        let outcomes = rig.account(AccountEvent::Fill { fill });
        assert_eq!(halts(&outcomes), [forced], "{id}");
        assert_eq!(rig.book().leg_halt(&long()).map(|halt| halt.forced), Some(forced));
        assert_eq!(rig.leg(&long()).qty, d("0.6"));
    }
    assert_eq!(ReportedId::parse("autocloser").forced(), None);
    assert_eq!(ReportedId::parse("web_autoclose-1").forced(), None);
}

#[test]
fn what_a_deleveraging_leaves_keeps_its_stop_and_its_owner() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    let fill = forced_fill(&mut rig, long(), "adl_autoclose", "0.4", "110");
    let outcomes = rig.account(AccountEvent::Fill { fill });
    outcomes.none();
    assert!(outcomes.cancels().is_empty());
    assert!(rig.book().is_protected(&long()));
    assert_eq!(rig.book().stop_of(&long()).map(|order| order.client_id), Some(stop.id));
    rig.want(Intent::close(long(), "the rest")).only();
}

#[test]
fn a_liquidation_order_halts_its_leg_before_it_fills_and_its_fills_without_an_id_are_recognised() {
    let mut rig = Rig::new();
    rig.opened();
    let standing = report("autoclose-9", 77, ReportedKind::Liquidation);
    let outcomes = rig.account(AccountEvent::Order { report: standing.clone() });
    assert_eq!(halts(&outcomes), [ForcedClose::Liquidation]);
    assert!(rig.book().foreign_orders().is_empty(), "it is no order of somebody else");
    // A back-fill of executions names the venue's number only.
    let mut fill = rig.strange_fill(long(), Action::Close, "1", "60");
    (fill.client_id, fill.order) = (None, VenueOrderId(77));
    let outcomes = rig.account(AccountEvent::Fill { fill: fill.clone() });
    assert!(outcomes.alerts()[0].contains("LIQUIDATED 1"), "{:?}", outcomes.alerts());
    assert!(halts(&outcomes).is_empty(), "it is halted already");
    assert!(rig.account(AccountEvent::Fill { fill }).alerts().is_empty(), "the same execution counts once");
    // What is said again about an order that a person has dealt with halts nothing again.
    rig.operator(OperatorCommand::Resume);
    let done = OrderReport { state: ReportedState::Filled, filled: d("1"), ..standing };
    assert!(halts(&rig.account(AccountEvent::Order { report: done })).is_empty());
    assert_eq!(rig.book().leg_halt(&long()), None);
}

#[test]
fn a_liquidation_that_was_booked_without_its_name_halts_its_leg_once_it_is_named() {
    let mut rig = Rig::new();
    rig.opened();
    let mut fill = rig.strange_fill(long(), Action::Close, "1", "60");
    fill.client_id = None;
    assert!(halts(&rig.account(AccountEvent::Fill { fill: fill.clone() })).is_empty(), "it may be anybody's");
    fill.client_id = Some(ReportedId::parse("autoclose-9"));
    let named = rig.account(AccountEvent::Fill { fill: fill.clone() });
    assert_eq!(halts(&named), [ForcedClose::Liquidation]);
    assert_eq!(rig.leg(&long()).qty, d("0"), "it is not booked twice");
    assert!(halts(&rig.account(AccountEvent::Fill { fill })).is_empty(), "it is halted already");
}

#[test]
fn an_order_of_kind_liquidation_is_forced_whatever_its_id_is() {
    let mut rig = Rig::new();
    rig.opened();
    let outcomes = rig.account(AccountEvent::Order { report: report("odd", 78, ReportedKind::Liquidation) });
    assert_eq!(halts(&outcomes), [ForcedClose::Liquidation]);
    let other = rig.account(AccountEvent::Order { report: report("web_1", 79, ReportedKind::Limit) });
    assert!(halts(&other).is_empty());
}

#[test]
fn an_opening_that_rests_on_a_halted_leg_is_withdrawn() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    rig.ack(&entry);
    let outcomes =
        rig.account(AccountEvent::Order { report: report("adl_autoclose", 80, ReportedKind::Limit) });
    assert_eq!(outcomes.cancels(), [entry.id]);
}

#[test]
fn an_opening_that_is_confirmed_after_the_halt_is_withdrawn_then() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let outcomes =
        rig.account(AccountEvent::Order { report: report("adl_autoclose", 80, ReportedKind::Limit) });
    assert!(outcomes.cancels().is_empty(), "nobody knows yet whether the venue has it");
    assert_eq!(rig.ack(&entry).cancels(), [entry.id]);
}

#[test]
fn a_snapshot_that_lists_a_liquidation_order_halts_the_leg() {
    let mut rig = Rig::new();
    rig.opened();
    let mut found = snapshot();
    found.orders.push(report("autoclose-9", 81, ReportedKind::Liquidation));
    let outcomes = rig.snapshot(found);
    assert_eq!(halts(&outcomes), [ForcedClose::Liquidation]);
    assert!(
        !outcomes.alerts().iter().any(|text| text.contains("not in this journal")),
        "{:?}",
        outcomes.alerts()
    );
}

#[test]
fn a_halt_survives_a_restart() {
    let mut rig = Rig::new();
    rig.opened();
    liquidate(&mut rig, "1");
    let text = serde_json::to_string(rig.book()).unwrap();
    let read: Book = serde_json::from_str(&text).unwrap();
    assert_eq!(read.leg_halt(&long()), rig.book().leg_halt(&long()));
    assert!(read.leg_halt(&long()).is_some());
    assert_eq!(&read, rig.book());
}

#[test]
fn what_earlier_journals_say_about_ids_reads_as_it_was_written() {
    for (id, text) in [
        (ReportedId::Foreign(ForeignId("autoclose-1".into())), r#"{"foreign":"autoclose-1"}"#),
        (ReportedId::parse("h0sn8www00111s"), r#"{"ours":"h0sn8www00111s"}"#),
        (ReportedId::parse("adl_autoclose"), r#"{"venue":{"forced":"adl","id":"adl_autoclose"}}"#),
    ] {
        assert_eq!(serde_json::to_string(&id).unwrap(), text);
        assert_eq!(serde_json::from_str::<ReportedId>(text).unwrap(), id);
    }
}
