//! Openings that rest vanish at the venue by themselves: nobody may be there to cancel them.

use std::time::Duration;

use hedge_core::*;

use crate::rig::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn rig(entries_vanish_after: Option<Duration>) -> Rig {
    Rig::with(EngineConfig { entries_vanish_after, ..EngineConfig::default() }, Box::new(PermitAll), 0)
}

fn opening(tif: Tif) -> Intent {
    Intent::Open {
        position: long(),
        size: Size::Qty(q("1")),
        entry: Entry::Limit { price: px("98"), tif },
        protection: Protection::Stop { trigger: px("95"), take_profits: Vec::new() },
        because: "test".into(),
    }
}

fn sent_tif(rig: &mut Rig, tif: Tif) -> Tif {
    match rig.want(opening(tif)).only().leg {
        Leg::Open(Entry::Limit { tif, .. }) => tif,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_opening_until_cancelled_carries_an_end() {
    let mut rig = rig(Some(HOUR));
    let tif = sent_tif(&mut rig, Tif::Gtc);
    assert_eq!(tif, Tif::Gtd { until: rig.now.plus(HOUR) });
}

#[test]
fn where_nothing_is_configured_it_rests_as_the_strategy_says() {
    assert_eq!(sent_tif(&mut rig(None), Tif::Gtc), Tif::Gtc);
}

#[test]
fn what_never_rests_or_may_only_be_a_maker_stays_as_it_is() {
    for tif in [Tif::Ioc, Tif::Fok, Tif::PostOnly] {
        assert_eq!(sent_tif(&mut rig(Some(HOUR)), tif), tif);
    }
}

#[test]
fn an_end_of_the_strategys_own_is_kept_unless_it_is_later() {
    for (asked_s, kept_s) in [(900, 900), (3_600, 3_600), (7_200, 3_600)] {
        let mut rig = rig(Some(HOUR));
        let until = |rig: &Rig, s| rig.now.plus(Duration::from_secs(s));
        // The bar that asks comes a millisecond later.
        let asked = until(&rig, asked_s).plus(ms(1));
        let Tif::Gtd { until: kept } = sent_tif(&mut rig, Tif::Gtd { until: asked }) else {
            panic!("an end")
        };
        assert_eq!(kept, until(&rig, kept_s));
    }
}

#[test]
fn an_end_that_the_venue_would_refuse_is_refused_here_with_the_reason() {
    let mut rig = rig(None);
    let until = rig.now.plus(Duration::from_secs(600));
    let refused = rig.want(opening(Tif::Gtd { until }));
    refused.none();
    assert_eq!(refused.refused_by().as_deref(), Some("rests_s"));
}

#[test]
fn an_opening_that_has_vanished_leaves_the_leg_free() {
    let mut rig = rig(Some(HOUR));
    let entry = rig.want(opening(Tif::Gtc)).only();
    rig.ack(&entry);
    assert!(rig.book().has_live_entry(&long()));
    rig.report(&entry, ReportedState::Expired, "0").none();
    assert!(!rig.book().has_live_entry(&long()));
    rig.open(long(), "95").only();
}
