//! Orders and fills: questions only. The samples are invented; their shapes are the venue's.

use hedge_binance::{
    AutoClose, Span,
    encode::{NewOrder, OrderLeg, OrderType},
};
use hedge_core::{Action, OrderRef, OrderSpace, PositionSide, Qty, VenueOrderId};
use serde_json::{Value, json};

use super::{support::*, table::Endpoint};
use crate::typed;

pub(crate) const ORDER: OrderRef = OrderRef::Plain(VenueOrderId(70_112_233_445));
const ALGO: OrderRef = OrderRef::Algo { id: VenueOrderId(4_000_000_987_654_321), child: None };

fn by_client_id(space: OrderSpace) -> OrderRef {
    OrderRef::Client { space, id: id() }
}

/// A row as queries give it: acks lack some of it.
pub(crate) fn row() -> Value {
    json!({"orderId":70112233445_i64,"symbol":"ETHUSDT","status":"PARTIALLY_FILLED","clientOrderId":CLIENT_ID,
      "price":"2510.10","avgPrice":"2502.34","origQty":"0.250","executedQty":"0.100","cumQuote":"250.23",
      "timeInForce":"GTD","type":"LIMIT","reduceOnly":true,"closePosition":false,"side":"SELL","positionSide":"LONG",
      "stopPrice":"0","workingType":"CONTRACT_PRICE","priceProtect":false,"origType":"LIMIT","priceMatch":"NONE",
      "selfTradePreventionMode":"EXPIRE_MAKER","goodTillDate":1795172400000_i64,"time":1795168800158_i64,
      "updateTime":1795168800161_i64})
}

fn conditional() -> Value {
    json!({"algoId":4000000987654321_i64,"clientAlgoId":CLIENT_ID,"algoType":"CONDITIONAL","orderType":"STOP_MARKET",
      "symbol":"ETHUSDT","side":"SELL","positionSide":"LONG","timeInForce":"GTC","quantity":"0.750",
      "algoStatus":"TRIGGERED","actualOrderId":"70112299001","actualPrice":"2400.5","actualType":"MARKET",
      "actualQty":"0.750","triggerPrice":"2401.00","price":"0.00","icebergQuantity":null,
      "selfTradePreventionMode":"EXPIRE_MAKER","workingType":"MARK_PRICE","priceMatch":"NONE","closePosition":false,
      "priceProtect":true,"reduceOnly":false,"activatePrice":"","callbackRate":"","createTime":1795168805010_i64,
      "updateTime":1795168899998_i64,"triggerTime":1795168899998_i64,"goodTillDate":0})
}

fn fills() -> Value {
    json!([trade_row(5_511_223_344, 1_795_168_800_158)])
}

fn market_order() -> NewOrder {
    NewOrder {
        symbol: eth().symbol,
        leg: OrderLeg::Hedge { side: PositionSide::Long, action: Action::Open },
        order_type: OrderType::Market(Qty::parse("0.25").unwrap()),
        client_id: id(),
    }
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let forced = json!([{"orderId":6071832819_i64,"symbol":"ETHUSDT","pair":"ETHUSDT","status":"FILLED",
        "clientOrderId":"autoclose-1596107620040000020","price":"2400.9","avgPrice":"2400.65","origQty":"0.014",
        "executedQty":"0.014","cumQuote":"33.609","timeInForce":"IOC","type":"LIMIT","reduceOnly":false,
        "closePosition":false,"side":"SELL","positionSide":"LONG","stopPrice":"0","workingType":"CONTRACT_PRICE",
        "origType":"LIMIT","time":1795168820044_i64,"updateTime":1795168820087_i64}]);
    let amended = json!([{"amendmentId":5363,"symbol":"ETHUSDT","pair":"ETHUSDT","orderId":70112233445_i64,
        "clientOrderId":CLIENT_ID,"time":1795168860899_i64,"priceMatch":"NONE","amendment":{
            "price":{"before":"2504","after":"2503.2"},"origQty":{"before":"1","after":"0.9"},"count":3,
            "modifyId":123}}]);
    let limits = json!([{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":300},
        {"rateLimitType":"ORDERS","interval":"MINUTE","intervalNum":1,"limit":1200}]);
    vec![
        Endpoint {
            verb: "POST",
            answers_anything: true,
            ..Endpoint::signed(
                "/fapi/v1/order/test",
                1,
                "symbol=ETHUSDT&side=BUY&type=MARKET&positionSide=LONG&quantity=0.25\
                 &newClientOrderId=h0sn8www00111c&newOrderRespType=RESULT",
                json!({}),
                crate::done!(c => async move { c.rest().test_order(&market_order()).await }),
            )
        },
        Endpoint::signed(
            "/fapi/v1/order",
            1,
            "symbol=ETHUSDT&orderId=70112233445",
            row(),
            typed!(c => c.rest().order("ETHUSDT", &ORDER)),
        ),
        Endpoint::signed(
            "/fapi/v1/openOrder",
            1,
            "symbol=ETHUSDT&origClientOrderId=h0sn8www00111c",
            row(),
            typed!(c => async move { c.rest().open_order("ETHUSDT", &by_client_id(OrderSpace::Plain)).await }),
        ),
        Endpoint::signed(
            "/fapi/v1/openOrders",
            1,
            "symbol=ETHUSDT",
            json!([row()]),
            typed!(c => c.rest().open_orders(Some("ETHUSDT"))),
        ),
        Endpoint::signed(
            "/fapi/v1/openOrders",
            40,
            "",
            json!([row()]),
            typed!(c => c.rest().open_orders(None)),
        ),
        Endpoint::signed(
            "/fapi/v1/allOrders",
            5,
            "startTime=1000&limit=500",
            json!([row()]),
            typed!(c => c.rest().all_orders(None, Span::since(hedge_core::Timestamp::from_ms(1_000)), 500)),
        ),
        Endpoint::signed(
            "/fapi/v1/allOrders",
            5,
            "symbol=ETHUSDT&orderId=7&limit=500",
            json!([row()]),
            typed!(c => c.rest().all_orders_from("ETHUSDT", 7, 500)),
        ),
        Endpoint::signed(
            "/fapi/v1/orderAmendment",
            1,
            "symbol=ETHUSDT&orderId=70112233445&limit=50",
            amended,
            typed!(c => c.rest().order_amendments("ETHUSDT", &ORDER, Span::default(), 50)),
        ),
        Endpoint::signed(
            "/fapi/v1/forceOrders",
            20,
            "symbol=ETHUSDT&autoCloseType=LIQUIDATION&limit=50",
            forced.clone(),
            typed!(c => c.rest().force_orders(Some("ETHUSDT"), Some(AutoClose::Liquidation), Span::default(), 50)),
        ),
        Endpoint::signed(
            "/fapi/v1/forceOrders",
            50,
            "autoCloseType=ADL&limit=50",
            forced,
            typed!(c => c.rest().force_orders(None, Some(AutoClose::Adl), Span::default(), 50)),
        ),
        Endpoint::signed(
            "/fapi/v1/rateLimit/order",
            1,
            "",
            limits,
            typed!(c => c.rest().order_rate_limits()),
        ),
        Endpoint::signed(
            "/fapi/v1/userTrades",
            5,
            "symbol=ETHUSDT&limit=1000",
            fills(),
            typed!(c => c.rest().user_trades("ETHUSDT", Span::default(), 1_000)),
        ),
        Endpoint::signed(
            "/fapi/v1/userTrades",
            5,
            "symbol=ETHUSDT&fromId=9&limit=1000",
            fills(),
            typed!(c => c.rest().user_trades_from("ETHUSDT", 9, 1_000)),
        ),
        Endpoint::signed(
            "/fapi/v1/userTrades",
            5,
            "symbol=ETHUSDT&orderId=70112233445&limit=1000",
            fills(),
            typed!(c => c.rest().user_trades_of("ETHUSDT", 70_112_233_445, 1_000)),
        ),
        Endpoint::signed(
            "/fapi/v1/algoOrder",
            1,
            "algoId=4000000987654321",
            conditional(),
            typed!(c => c.rest().algo_order(&ALGO)),
        ),
        Endpoint::signed(
            "/fapi/v1/algoOrder",
            1,
            "clientAlgoId=h0sn8www00111c",
            conditional(),
            typed!(c => async move { c.rest().algo_order(&by_client_id(OrderSpace::Algo)).await }),
        ),
        Endpoint::signed(
            "/fapi/v1/openAlgoOrders",
            1,
            "symbol=ETHUSDT",
            json!([conditional()]),
            typed!(c => c.rest().open_algo_orders(Some("ETHUSDT"))),
        ),
        Endpoint::signed(
            "/fapi/v1/openAlgoOrders",
            40,
            "",
            json!([conditional()]),
            typed!(c => c.rest().open_algo_orders(None)),
        ),
        Endpoint::signed(
            "/fapi/v1/allAlgoOrders",
            5,
            "symbol=ETHUSDT",
            json!([conditional()]),
            typed!(c => c.rest().all_algo_orders("ETHUSDT", Span::default())),
        ),
        Endpoint::signed(
            "/fapi/v1/allAlgoOrders",
            5,
            "symbol=ETHUSDT&algoId=7&limit=500",
            json!([conditional()]),
            typed!(c => c.rest().all_algo_orders_from("ETHUSDT", 7, 500)),
        ),
    ]
}
