use hedge_sim::binance::{Fault, FaultKind};
use reqwest::Method;
use serde_json::{Value, json};

use super::{BUY, Ending, order_match};
use crate::kit::{Desk, config};

#[tokio::test]
async fn a_fault_is_answered_with_its_number_and_listed_until_it_is_cleared() {
    let desk = Desk::hedged(config()).await;
    let asked = json!({"fault": "accept_then_drop", "match": order_match(), "count": 1, "after_ms": 0, "for_ms": null});
    let armed = desk.arm(asked).await;
    assert_eq!(
        (&armed["id"], &armed["fault"], &armed["stage"]),
        (&json!(1), &json!("accept_then_drop"), &json!("active"))
    );
    assert_eq!(
        (&armed["hits"], &armed["remaining"], &armed["match"]),
        (&json!(0), &json!(1), &order_match())
    );
    assert!(matches!(desk.try_signed(Method::POST, "/fapi/v1/order", BUY).await, Ending::Cut));
    let row = desk.listed().await;
    assert_eq!((&row["hits"], &row["remaining"], &row["stage"]), (&json!(1), &json!(0), &json!("over")));
    assert!(row["last"].as_str().unwrap().contains("newClientOrderId=chaos-1"), "{row}");
    assert!(!row.to_string().contains("signature"), "{row}");
    assert_eq!(desk.sim(Method::DELETE, "/sim/faults?id=1", "").await, (200, json!({"cleared": 1})));
    assert_eq!(desk.sim(Method::GET, "/sim/faults", "").await.1["faults"], json!([]));
    assert_eq!(desk.sim(Method::DELETE, "/sim/faults", "").await, (200, json!({"cleared": 0})));
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_refused_in_one_line() {
    let desk = Desk::open(config()).await;
    for (body, status, said) in [
        ("{", 400, "not JSON"),
        ("[]", 400, "must be an object"),
        ("{}", 400, "\"fault\" is missing; it is one of accept_then_drop, drop"),
        (r#"{"fault":"explode"}"#, 400, "unknown fault \"explode\"; known are accept_then_drop, drop, delay"),
        (
            r#"{"fault":"drop","often":2}"#,
            400,
            "unknown field \"often\"; drop takes match, after_ms, for_ms, count",
        ),
        (
            r#"{"fault":"drop","match":{"url":"/"}}"#,
            400,
            "unknown field \"match.url\"; match takes method, path",
        ),
        (r#"{"fault":"drop","match":[]}"#, 400, "match must be an object"),
        (r#"{"fault":"drop","match":{"path":"fapi"}}"#, 400, "does not begin with a slash"),
        (
            r#"{"fault":"drop","match":{"event":"X"}}"#,
            400,
            "drop is matched by method, path, symbol and params",
        ),
        (
            r#"{"fault":"lose","match":{"path":"/private"}}"#,
            400,
            "lose is matched by event, stream and symbol",
        ),
        (r#"{"fault":"drop","count":0}"#, 400, "count is 0"),
        (r#"{"fault":"drop","count":"many"}"#, 400, "count is \"many\"; expected a whole number"),
        (r#"{"fault":"drop","after_ms":-1}"#, 400, "after_ms is -1"),
        (r#"{"fault":"drop","for_ms":0}"#, 400, "for_ms"),
        (r#"{"fault":"delay"}"#, 400, "delay needs \"delay_ms\""),
        (
            r#"{"fault":"delay","delay_ms":5,"when":"never"}"#,
            400,
            "when is \"never\"; expected before or after",
        ),
        (r#"{"fault":"http_429","pool":"x"}"#, 400, "expected weight or orders"),
        (r#"{"fault":"skew"}"#, 400, "skew needs \"skew_ms\""),
        (r#"{"fault":"cut","count":3}"#, 400, "cut is not counted"),
        (r#"{"fault":"listen_key_expired","for_ms":5}"#, 400, "leave for_ms out"),
        (r#"{"fault":"listen_key_expired"}"#, 409, "there is no listenKey"),
        (r#"{"fault":"filter_changed"}"#, 400, "needs \"symbol\""),
        (r#"{"fault":"filter_changed","symbol":"ETHUSDT"}"#, 400, "changes nothing"),
        (r#"{"fault":"filter_changed","symbol":"NOPE","tick":1}"#, 400, "NOPE is not listed"),
        (
            r#"{"fault":"filter_changed","symbol":"ETHUSDT","tick":0.003}"#,
            400,
            "tick must be a multiple of ETHUSDT's 0.01",
        ),
        (
            r#"{"fault":"filter_changed","symbol":"ETHUSDT","tick":"-1"}"#,
            400,
            "tick is -1; it must be positive",
        ),
        (
            r#"{"fault":"filter_changed","symbol":"ETHUSDT","status":"OPEN"}"#,
            400,
            "unknown status \"OPEN\"; known are",
        ),
    ] {
        let (got, answer) = desk.sim(Method::POST, "/sim/faults", body).await;
        let error = answer["error"].as_str().unwrap_or_else(|| panic!("{body}: {answer}")).to_owned();
        assert!(got == status && error.contains(said) && !error.contains('\n'), "{body}: {got} {error}");
    }
    let (status, answer) = desk.sim(Method::DELETE, "/sim/faults?id=7", "").await;
    assert_eq!((status, answer["error"].as_str().unwrap().contains("no fault 7")), (404, true));
    assert_eq!(desk.sim(Method::DELETE, "/sim/faults?which=7", "").await.0, 400);
    assert_eq!(desk.sim(Method::GET, "/sim/faults", "").await.1["faults"], json!([]), "nothing was armed");
}

#[tokio::test]
async fn count_null_lasts_until_cleared_and_a_time_ends_by_itself() {
    let desk = Desk::open(config()).await;
    let time = || desk.get("/fapi/v1/time", "");
    desk.arm(json!({"fault": "http_503_unavailable", "count": null})).await;
    for _ in 0..3 {
        time().await.refused(503, -1001);
    }
    assert_eq!((&desk.listed().await["hits"], &desk.listed().await["remaining"]), (&json!(3), &Value::Null));
    desk.exchange.clear_faults(None).unwrap();
    time().await.ok();
    // On the venue clock, which a fast venue brings soon.
    desk.arm(json!({"fault": "http_503_unavailable", "after_ms": 60_000, "for_ms": 60_000})).await;
    time().await.ok();
    assert_eq!(desk.listed().await["stage"], "waiting");
    desk.exchange.set_speed(3_000.0).unwrap();
    let mut refused = 0;
    while desk.listed().await["stage"] != "over" {
        refused += u32::from(time().await.status == 503);
    }
    assert!(refused > 0);
    time().await.ok();
}

#[tokio::test]
async fn faults_are_armed_and_told_in_process_as_well() {
    let desk = Desk::hedged(config()).await;
    let mut log = desk.exchange.fault_log();
    let fault = Fault::new(FaultKind::Drop).on("POST", "/fapi/v1/order").symbol("ETHUSDT").times(2);
    let id = desk.exchange.fault(fault.clone()).unwrap();
    assert!(matches!(desk.try_signed(Method::POST, "/fapi/v1/order", BUY).await, Ending::Cut));
    let [status] = &desk.exchange.faults()[..] else { panic!("one fault") };
    assert_eq!((status.id, &status.fault, status.hits, status.remaining), (id, &fault, 1, Some(1)));
    assert_eq!(log.next().await.unwrap(), "fault 1 drop: armed");
    let hit = "fault 1 drop: POST /fapi/v1/order symbol=ETHUSDT side=BUY positionSide=LONG type=MARKET newClientOrderId=chaos-1";
    assert_eq!(log.next().await.unwrap(), hit);
    assert_eq!(desk.exchange.clear_faults(Some(id)), Ok(1));
    assert_eq!(log.next().await.unwrap(), "fault 1 drop: cleared");
    assert!(desk.exchange.clear_faults(Some(id)).is_err());
}

#[test]
fn every_fault_has_its_row_in_the_documentation() {
    let page = include_str!("../../../../docs/simulator.md");
    for name in FaultKind::NAMES {
        assert!(page.contains(&format!("\n| `{name}` |")), "{name}");
    }
}

#[test]
fn every_documented_name_is_known() {
    for name in FaultKind::NAMES {
        let wrong = Fault::parse(&json!({"fault": name, "nonsense": 1}).to_string()).unwrap_err().to_string();
        assert!(!wrong.contains("unknown fault"), "{name}: {wrong}");
    }
}
