use super::kit::*;
use crate::venue::*;
use PositionSide::Long;

/// Moves 200,000 times inside half a percent and returns how many were eventful.
fn wander(desk: &mut Desk) -> usize {
    let mut events = Vec::new();
    let mut eventful = 0;
    for n in 0i64..200_000 {
        let to = 500_000 + (n * 7_919) % 2_500 - 1_250;
        let moved = desk.venue.move_price(desk.now_ms + n, BTC, to, None, &mut events).unwrap();
        assert_eq!(moved.last, to);
        eventful += usize::from(moved.eventful);
    }
    assert!(events.is_empty());
    eventful
}

#[test]
fn quiet_moves_touch_nothing() {
    let mut desk = hedge_desk();
    assert_eq!(wander(&mut desk), 0);
}

#[test]
fn a_protected_leg_far_from_its_stop_is_quiet_too() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    desk.place_algo(NewAlgo { working_type: Some(WorkingType::Mark), ..stop_all(Long, "45000") });
    desk.move_to(BTC, "50000.1");
    assert_eq!(wander(&mut desk), 0);
    assert_eq!(desk.qty("BTCUSDT", Long), d("0.1"));
}
