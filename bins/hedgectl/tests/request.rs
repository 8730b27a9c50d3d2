//! What would be sent, as text.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use support::{Run, hedgectl};

fn request(line: &str) -> Run {
    let mut args = vec!["request", "binance"];
    args.extend(line.split(' '));
    hedgectl(&args)
}

/// What a request is shown as, with a fixed id and time where the line has none.
fn check(line: &str, expected: &str) {
    let run = request(&format!("{line} --timestamp 1795168800123"));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{line}");
    assert_eq!(run.stdout.trim_end(), expected, "{line}");
}

const ORDER: &str = "order --symbol BTCUSDT --client-id x1_close-long.7";

#[test]
fn a_market_order_names_its_leg_and_never_a_reduce_flag() {
    check(
        &format!("{ORDER} --leg long --open --qty 0.250"),
        r#"{"method":"POST","path":"/fapi/v1/order","parameters":{"symbol":"BTCUSDT","side":"BUY","type":"MARKET","positionSide":"LONG","quantity":"0.25","newClientOrderId":"x1_close-long.7","newOrderRespType":"RESULT","recvWindow":"3000","timestamp":"1795168800123"},"signature_payload":"symbol=BTCUSDT&side=BUY&type=MARKET&positionSide=LONG&quantity=0.25&newClientOrderId=x1_close-long.7&newOrderRespType=RESULT&recvWindow=3000&timestamp=1795168800123"}"#,
    );
    check(
        &format!("{ORDER} --leg SHORT --close --qty 3"),
        r#"{"method":"POST","path":"/fapi/v1/order","parameters":{"symbol":"BTCUSDT","side":"BUY","type":"MARKET","positionSide":"SHORT","quantity":"3","newClientOrderId":"x1_close-long.7","newOrderRespType":"RESULT","recvWindow":"3000","timestamp":"1795168800123"},"signature_payload":"symbol=BTCUSDT&side=BUY&type=MARKET&positionSide=SHORT&quantity=3&newClientOrderId=x1_close-long.7&newOrderRespType=RESULT&recvWindow=3000&timestamp=1795168800123"}"#,
    );
}

#[test]
fn a_limit_order_carries_price_and_time_in_force() {
    check(
        &format!("{ORDER} --leg short --open --qty 0.1 --limit 60000.5 --tif gtx"),
        r#"{"method":"POST","path":"/fapi/v1/order","parameters":{"symbol":"BTCUSDT","side":"SELL","type":"LIMIT","positionSide":"SHORT","quantity":"0.1","price":"60000.5","timeInForce":"GTX","newClientOrderId":"x1_close-long.7","recvWindow":"3000","timestamp":"1795168800123"},"signature_payload":"symbol=BTCUSDT&side=SELL&type=LIMIT&positionSide=SHORT&quantity=0.1&price=60000.5&timeInForce=GTX&newClientOrderId=x1_close-long.7&recvWindow=3000&timestamp=1795168800123"}"#,
    );
}

#[test]
fn a_closing_stop_without_a_quantity_closes_the_whole_leg() {
    check(
        &format!("{ORDER} --leg long --close --stop 58000"),
        r#"{"method":"POST","path":"/fapi/v1/algoOrder","parameters":{"algoType":"CONDITIONAL","symbol":"BTCUSDT","side":"SELL","type":"STOP_MARKET","positionSide":"LONG","closePosition":"true","triggerPrice":"58000","workingType":"MARK_PRICE","clientAlgoId":"x1_close-long.7","newOrderRespType":"RESULT","recvWindow":"3000","timestamp":"1795168800123"},"signature_payload":"algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=STOP_MARKET&positionSide=LONG&closePosition=true&triggerPrice=58000&workingType=MARK_PRICE&clientAlgoId=x1_close-long.7&newOrderRespType=RESULT&recvWindow=3000&timestamp=1795168800123"}"#,
    );
}

#[test]
fn take_profits_and_trailing_stops_are_conditional_too() {
    check(
        &format!("{ORDER} --leg long --close --take 70000 --qty 0.5 --by last"),
        r#"{"method":"POST","path":"/fapi/v1/algoOrder","parameters":{"algoType":"CONDITIONAL","symbol":"BTCUSDT","side":"SELL","type":"TAKE_PROFIT_MARKET","positionSide":"LONG","quantity":"0.5","triggerPrice":"70000","workingType":"CONTRACT_PRICE","clientAlgoId":"x1_close-long.7","newOrderRespType":"RESULT","recvWindow":"3000","timestamp":"1795168800123"},"signature_payload":"algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=TAKE_PROFIT_MARKET&positionSide=LONG&quantity=0.5&triggerPrice=70000&workingType=CONTRACT_PRICE&clientAlgoId=x1_close-long.7&newOrderRespType=RESULT&recvWindow=3000&timestamp=1795168800123"}"#,
    );
    check(
        &format!("{ORDER} --leg short --close --trail 1.50 --qty 0.5"),
        r#"{"method":"POST","path":"/fapi/v1/algoOrder","parameters":{"algoType":"CONDITIONAL","symbol":"BTCUSDT","side":"BUY","type":"TRAILING_STOP_MARKET","positionSide":"SHORT","quantity":"0.5","callbackRate":"1.5","workingType":"MARK_PRICE","clientAlgoId":"x1_close-long.7","newOrderRespType":"RESULT","recvWindow":"3000","timestamp":"1795168800123"},"signature_payload":"algoType=CONDITIONAL&symbol=BTCUSDT&side=BUY&type=TRAILING_STOP_MARKET&positionSide=SHORT&quantity=0.5&callbackRate=1.5&workingType=MARK_PRICE&clientAlgoId=x1_close-long.7&newOrderRespType=RESULT&recvWindow=3000&timestamp=1795168800123"}"#,
    );
}

#[test]
fn a_cancel_looks_in_the_id_space_that_is_meant() {
    check(
        "cancel --symbol BTCUSDT --client-id web_a:b",
        r#"{"method":"DELETE","path":"/fapi/v1/order","parameters":{"symbol":"BTCUSDT","origClientOrderId":"web_a:b","recvWindow":"3000","timestamp":"1795168800123"},"signature_payload":"symbol=BTCUSDT&origClientOrderId=web_a%3Ab&recvWindow=3000&timestamp=1795168800123"}"#,
    );
    check(
        "cancel --symbol BTCUSDT --order-id 4000000987654321 --algo",
        r#"{"method":"DELETE","path":"/fapi/v1/algoOrder","parameters":{"algoId":"4000000987654321","recvWindow":"3000","timestamp":"1795168800123"},"signature_payload":"algoId=4000000987654321&recvWindow=3000&timestamp=1795168800123"}"#,
    );
    check(
        "cancel --symbol BTCUSDT --all",
        r#"{"method":"DELETE","path":"/fapi/v1/allOpenOrders","parameters":{"symbol":"BTCUSDT","recvWindow":"3000","timestamp":"1795168800123"},"signature_payload":"symbol=BTCUSDT&recvWindow=3000&timestamp=1795168800123"}"#,
    );
}

#[test]
fn settings_are_shown_in_the_exchanges_words() {
    check(
        "leverage --symbol BTCUSDT --leverage 5",
        r#"{"method":"POST","path":"/fapi/v1/leverage","parameters":{"symbol":"BTCUSDT","leverage":"5","recvWindow":"3000","timestamp":"1795168800123"},"signature_payload":"symbol=BTCUSDT&leverage=5&recvWindow=3000&timestamp=1795168800123"}"#,
    );
    check(
        "margin-type --symbol BTCUSDT --margin-type isolated",
        r#"{"method":"POST","path":"/fapi/v1/marginType","parameters":{"symbol":"BTCUSDT","marginType":"ISOLATED","recvWindow":"3000","timestamp":"1795168800123"},"signature_payload":"symbol=BTCUSDT&marginType=ISOLATED&recvWindow=3000&timestamp=1795168800123"}"#,
    );
    check(
        "position-mode --mode hedge",
        r#"{"method":"POST","path":"/fapi/v1/positionSide/dual","parameters":{"dualSidePosition":"true","recvWindow":"3000","timestamp":"1795168800123"},"signature_payload":"dualSidePosition=true&recvWindow=3000&timestamp=1795168800123"}"#,
    );
}

#[test]
fn without_an_id_and_a_time_both_are_made() {
    let run = request("order --symbol BTCUSDT --leg long --open --qty 1");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let shown: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let time = shown["parameters"]["timestamp"].as_str().unwrap();
    assert_eq!(shown["parameters"]["newClientOrderId"], format!("manual{time}"));
    assert!(time.len() == 13 && time.starts_with('1'), "{time}");
}

#[test]
fn a_wrong_argument_is_one_line_and_exit_code_2() {
    for (line, expected) in [
        ("order --symbol BTCUSDT --leg long --open", "--qty is missing"),
        ("order --symbol BTCUSDT --leg long --open --stop 60000", "--qty is missing"),
        ("order --symbol BTCUSDT --leg long --close --trail 1", "--qty is missing"),
        ("order --symbol BTCUSDT --leg long --close --trail 0.05 --qty 1", "expected 0.1 to 20"),
        ("order --symbol BTCUSDT --leg long --close --trail 21 --qty 1", "expected 0.1 to 20"),
        ("order --symbol BTCUSDT --leg both --open --qty 1", "expected long or short"),
        ("order --symbol BTCUSDT --leg long --qty 1", "--open"),
        ("order --symbol BTCUSDT --leg long --open --close --qty 1", "--close"),
        ("order --symbol BTCUSDT --leg long --open --qty 0", "qty"),
        ("order --symbol BTCUSDT --leg long --open --qty 1e3", "qty"),
        ("order --symbol BTCUSDT --leg long --open --qty 1 --limit -5", "-5"),
        ("order --symbol BTCUSDT --leg long --open --qty 1 --limit 5 --stop 4", "--stop"),
        ("order --symbol BTCUSDT --leg long --open --qty 1 --tif IOC", "--limit"),
        (
            "order --symbol BTCUSDT --leg long --open --qty 1 --limit 5 --tif DAY",
            "expected GTC, IOC, FOK or GTX",
        ),
        ("order --symbol BTCUSDT --leg long --open --qty 1 --client-id autoclose-1", "the venue's own"),
        ("cancel --symbol BTCUSDT", "--order-id"),
        ("leverage --symbol BTCUSDT --leverage 126", "126"),
        ("margin-type --symbol BTCUSDT --margin-type both", "expected crossed or isolated"),
        ("position-mode --mode net", "expected hedge or one-way"),
    ] {
        let run = request(line);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{line}: {}", run.stderr);
        assert_eq!(run.stderr.trim_end().lines().count(), 1, "{line}: {}", run.stderr);
        assert!(run.stderr.contains(expected), "{line}: {}", run.stderr);
    }
}
