//! What changes orders, settings or margin. Each is sent once, and only by a client that may.

use std::time::Duration;

use hedge_binance::MarginMove;
use hedge_core::{
    Approved, BrokerError, Brokerage, Exit, Leverage, MarginMode, Notional, Order, OrderRef, OrderReport,
    OrderSpaces, PositionKey, PositionMode, PositionSide, Price, VenueOrderId, order::Tif,
};
use serde_json::{Value, json};

use super::{
    orders,
    support::*,
    table::{Endpoint, Who},
};
use crate::done;

const ORDER: [u64; 5] = [0, 1, 1, 0, 0];
const BATCH: [u64; 5] = [5, 5, 1, 0, 0];
const CHEAP: [u64; 5] = [1, 0, 0, 0, 0];

fn limit() -> Approved<Order> {
    close(Exit::Limit { price: Price::parse("2511.5").unwrap(), tif: Tif::Gtc }).into()
}

/// The order of `orders::row`, as the client reports it.
pub(crate) fn resting() -> OrderReport {
    let row = serde_json::from_value(orders::row()).unwrap();
    hedge_binance::decode::order_report(&row).unwrap()
}

async fn only<T>(outcomes: Vec<Result<T, hedge_core::SubmitError>>) -> Result<T, BrokerError> {
    assert_eq!(outcomes.len(), 1);
    outcomes.into_iter().next().unwrap().map_err(|failed| failed.error)
}

fn long() -> PositionKey {
    PositionKey::new(eth(), PositionSide::Long)
}

fn ok() -> Value {
    json!({"code":200,"msg":"success"})
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    [placing(), cancelling(), settings()].into_iter().flatten().collect()
}

fn placing() -> Vec<Endpoint> {
    vec![
        Endpoint::change(
            "POST",
            "/fapi/v1/order",
            ORDER,
            "symbol=ETHUSDT&side=SELL&type=LIMIT&positionSide=LONG&quantity=0.25&price=2511.5&timeInForce=GTC\
             &newClientOrderId=h0sn8www00111c",
            order_row("NEW"),
            done!(c => async move { c.submit(&limit()).await.map_err(|failed| failed.error) }),
        ),
        Endpoint::change(
            "PUT",
            "/fapi/v1/order",
            ORDER,
            "symbol=ETHUSDT&orderId=70112233445&side=SELL&quantity=0.25&price=2511.5",
            orders::row(),
            done!(c => async move { c.modify(&resting(), &limit()).await.map_err(|failed| failed.error) }),
        ),
        Endpoint::change(
            "POST",
            "/fapi/v1/batchOrders",
            BATCH,
            "batchOrders=%5B%7B%22symbol%22%3A%22ETHUSDT%22%2C%22side%22%3A%22SELL%22%2C%22type%22%3A%22LIMIT%22%2C\
             %22positionSide%22%3A%22LONG%22%2C%22quantity%22%3A%220.25%22%2C%22price%22%3A%222511.5%22%2C\
             %22timeInForce%22%3A%22GTC%22%2C%22newClientOrderId%22%3A%22h0sn8www00111c%22%7D%5D",
            json!([order_row("NEW")]),
            done!(c => async move { only(c.submit_batch(&[&limit()]).await).await }),
        ),
        Endpoint::change(
            "PUT",
            "/fapi/v1/batchOrders",
            BATCH,
            "batchOrders=%5B%7B%22symbol%22%3A%22ETHUSDT%22%2C%22orderId%22%3A%2270112233445%22%2C\
             %22side%22%3A%22SELL%22%2C%22quantity%22%3A%220.25%22%2C%22price%22%3A%222511.5%22%7D%5D",
            json!([orders::row()]),
            done!(c => async move { only(c.modify_batch(&[(&resting(), &limit())]).await).await }),
        ),
        Endpoint::change(
            "POST",
            "/fapi/v1/algoOrder",
            ORDER,
            "algoType=CONDITIONAL&symbol=ETHUSDT&side=SELL&type=STOP_MARKET&positionSide=LONG&closePosition=true\
             &triggerPrice=2401&workingType=MARK_PRICE&clientAlgoId=h0sn8www00111c&newOrderRespType=RESULT",
            algo_row("NEW"),
            done!(c => async move { c.submit(&stop()).await.map_err(|failed| failed.error) }),
        ),
    ]
}

fn cancelling() -> Vec<Endpoint> {
    vec![
        Endpoint::change(
            "DELETE",
            "/fapi/v1/order",
            CHEAP,
            "symbol=ETHUSDT&orderId=70112233445",
            order_row("CANCELED"),
            done!(c => async move { c.cancel(&eth(), &orders::ORDER).await }),
        ),
        Endpoint::change(
            "DELETE",
            "/fapi/v1/batchOrders",
            CHEAP,
            "symbol=ETHUSDT&orderIdList=%5B70112233445%5D",
            json!([order_row("CANCELED")]),
            done!(c => async move { c.cancel_batch(&eth(), &[orders::ORDER]).await.remove(0) }),
        ),
        Endpoint::change(
            "DELETE",
            "/fapi/v1/allOpenOrders",
            CHEAP,
            "symbol=ETHUSDT",
            json!({"code":200,"msg":"The operation of cancel all open order is done."}),
            done!(c => async move { c.cancel_all(&eth(), OrderSpaces::Plain).await }),
        ),
        Endpoint::change(
            "DELETE",
            "/fapi/v1/algoOrder",
            CHEAP,
            "algoId=4000000987654321",
            json!({"algoId":4000000987654321_i64,"clientAlgoId":CLIENT_ID,"code":"200","msg":"success"}),
            done!(c => async move {
                let order = OrderRef::Algo { id: VenueOrderId(4_000_000_987_654_321), child: None };
                c.cancel(&eth(), &order).await
            }),
        ),
        Endpoint::change(
            "DELETE",
            "/fapi/v1/algoOpenOrders",
            CHEAP,
            "symbol=ETHUSDT",
            json!({"code":200,"msg":"The operation of cancel all open order is done."}),
            done!(c => async move { c.cancel_all(&eth(), OrderSpaces::Algo).await }),
        ),
        Endpoint::change(
            "POST",
            "/fapi/v1/countdownCancelAll",
            [10, 0, 0, 0, 0],
            "symbol=ETHUSDT&countdownTime=120000",
            json!({"symbol":"ETHUSDT","countdownTime":"120000"}),
            done!(c => async move { c.dead_man(&eth(), Some(Duration::from_secs(120))).await }),
        ),
        Endpoint {
            who: Who::Key,
            answers_anything: true,
            ..Endpoint::change(
                "DELETE",
                "/fapi/v1/listenKey",
                CHEAP,
                "",
                json!({}),
                done!(c => c.close_listen_key()),
            )
        },
    ]
}

fn settings() -> Vec<Endpoint> {
    let symbol_config = json!([{"symbol":"ETHUSDT","marginType":"CROSSED","isAutoAddMargin":false,"leverage":21,
        "maxNotionalValue":"1000000"}]);
    vec![
        Endpoint::change(
            "POST",
            "/fapi/v1/positionSide/dual",
            CHEAP,
            "dualSidePosition=true",
            ok(),
            done!(c => async move { c.ensure_position_mode(PositionMode::Hedge).await }),
        )
        .after("/fapi/v1/accountConfig", 5, account_config(false)),
        Endpoint::change(
            "POST",
            "/fapi/v1/leverage",
            CHEAP,
            "symbol=ETHUSDT&leverage=7",
            json!({"leverage":7,"maxNotionalValue":"1000000","symbol":"ETHUSDT"}),
            done!(c => async move { c.ensure_leverage(&eth(), Leverage::new(7).unwrap()).await }),
        )
        .after("/fapi/v1/symbolConfig", 5, symbol_config.clone()),
        Endpoint::change(
            "POST",
            "/fapi/v1/marginType",
            CHEAP,
            "symbol=ETHUSDT&marginType=ISOLATED",
            ok(),
            done!(c => async move { c.ensure_margin_mode(&eth(), MarginMode::Isolated).await }),
        )
        .after("/fapi/v1/symbolConfig", 5, symbol_config),
        Endpoint::change(
            "POST",
            "/fapi/v1/positionMargin",
            CHEAP,
            "symbol=ETHUSDT&positionSide=LONG&amount=100.5&type=2",
            json!({"amount":100.5,"code":200,"msg":"Successfully modify position margin.","type":2}),
            done!(c => async move {
                c.change_position_margin(&long(), Notional::parse("100.50").unwrap(), MarginMove::Remove).await
            }),
        ),
        Endpoint::change(
            "POST",
            "/fapi/v1/multiAssetsMargin",
            CHEAP,
            "multiAssetsMargin=true",
            ok(),
            done!(c => c.ensure_multi_assets_margin(true)),
        )
        .after("/fapi/v1/multiAssetsMargin", 30, json!({"multiAssetsMargin":false})),
        Endpoint::change(
            "POST",
            "/fapi/v1/feeBurn",
            CHEAP,
            "feeBurn=false",
            ok(),
            done!(c => c.ensure_fee_burn(false)),
        )
        .after("/fapi/v1/feeBurn", 30, json!({"feeBurn":true})),
    ]
}
