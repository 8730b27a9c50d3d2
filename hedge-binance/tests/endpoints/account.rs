//! The account and its settings: questions only. The samples are invented; their shapes are the venue's.

use hedge_binance::{Span, wire::text::IncomeType};
use serde_json::{Value, json};

use super::{
    support::*,
    table::{Endpoint, Who},
};
use crate::typed;

fn account_v2() -> Value {
    let asset = json!({"asset":"USDT","walletBalance":"10512.1","unrealizedProfit":"16.2","marginBalance":"10528.3",
        "maintMargin":"9.3","initialMargin":"187.6","positionInitialMargin":"187.6","openOrderInitialMargin":"0",
        "crossWalletBalance":"10512.1","crossUnPnl":"16.2","availableBalance":"10340.6","maxWithdrawAmount":"10324.4",
        "marginAvailable":true,"updateTime":1795168800160_i64});
    let leg = json!({"symbol":"ETHUSDT","initialMargin":"187.6","maintMargin":"9.3","unrealizedProfit":"16.2",
        "positionInitialMargin":"187.6","openOrderInitialMargin":"0","leverage":"10","isolated":true,
        "entryPrice":"2480.5","maxNotional":"250000","bidNotional":"0","askNotional":"0","positionSide":"LONG",
        "positionAmt":"0.750","updateTime":1795168800160_i64});
    json!({"feeTier":0,"feeBurn":true,"canTrade":true,"canDeposit":true,"canWithdraw":false,"multiAssetsMargin":false,
        "tradeGroupId":-1,"totalInitialMargin":"187.6","totalMaintMargin":"9.3","totalWalletBalance":"10512.1",
        "totalUnrealizedProfit":"16.2","totalMarginBalance":"10528.3","totalPositionInitialMargin":"187.6",
        "totalOpenOrderInitialMargin":"0","totalCrossWalletBalance":"10512.1","totalCrossUnPnl":"16.2",
        "availableBalance":"10340.6","maxWithdrawAmount":"10324.4","assets":[asset],"positions":[leg]})
}

fn balances() -> Value {
    json!([{"accountAlias":"SgsR","asset":"USDT","balance":"122607.3","crossWalletBalance":"23.7",
        "crossUnPnl":"0.0","availableBalance":"23.7","maxWithdrawAmount":"23.7","marginAvailable":true,
        "updateTime":1795168800125_i64}])
}

fn positions_v2() -> Value {
    json!([{"symbol":"ETHUSDT","positionAmt":"-0.300","entryPrice":"2511.0","breakEvenPrice":"2509.74",
        "markPrice":"2502.11","unRealizedProfit":"2.66","liquidationPrice":"0","leverage":"10",
        "maxNotionalValue":"250000","marginType":"isolated","isolatedMargin":"75.1","isAutoAddMargin":"false",
        "positionSide":"SHORT","notional":"-750.6","isolatedWallet":"75.0","updateTime":1795168790021_i64}])
}

fn incomes() -> Value {
    json!([income_row("FUNDING_FEE", 9_689_322_392, 1_795_161_600_000)])
}

fn symbol_config() -> Value {
    json!([{"symbol":"ETHUSDT","marginType":"CROSSED","isAutoAddMargin":false,"leverage":21,
        "maxNotionalValue":"1000000"}])
}

fn brackets() -> Value {
    json!({"symbol":"ETHUSDT","notionalCoef":1.5,"brackets":[{"bracket":1,"initialLeverage":75,"notionalCap":5000,
        "notionalFloor":0,"maintMarginRatio":0.01,"cum":0},{"bracket":2,"initialLeverage":50,"notionalCap":25000,
        "notionalFloor":5000,"maintMarginRatio":0.015,"cum":25}]})
}

fn status() -> Value {
    json!({"indicators":{
        "ABCUSDT":[{"isLocked":true,"plannedRecoverTime":1795172400000_i64,"indicator":"UFR","value":0.05,
            "triggerValue":0.995}],
        "ACCOUNT":[{"isLocked":false,"plannedRecoverTime":0,"indicator":"TMV","value":1,"triggerValue":20}]},
        "updateTime":1795168800000_i64})
}

fn quantiles() -> Value {
    json!([{"symbol":"ETHUSDT","adlQuantile":{"LONG":3,"SHORT":3,"HEDGE":0}},
        {"symbol":"ABCUSDT","adlQuantile":{"LONG":1,"SHORT":2,"BOTH":0}}])
}

fn moved() -> Value {
    json!([{"symbol":"ETHUSDT","type":1,"deltaType":"USER_ADJUST","amount":"23.36332311","asset":"USDT",
        "time":1795168800047_i64,"positionSide":"LONG"}])
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::signed("/fapi/v2/account", 10, "", account_v2(), typed!(c => c.rest().account_v2())),
        Endpoint::signed("/fapi/v3/account", 5, "", account_v3(), typed!(c => c.rest().account_v3())),
        Endpoint::signed("/fapi/v2/balance", 5, "", balances(), typed!(c => c.rest().balance_v2())),
        Endpoint::signed("/fapi/v3/balance", 5, "", balances(), typed!(c => c.rest().balance_v3())),
        Endpoint::signed(
            "/fapi/v2/positionRisk",
            10,
            "symbol=ETHUSDT",
            positions_v2(),
            typed!(c => c.rest().position_risk_v2(Some("ETHUSDT"))),
        ),
        Endpoint::signed(
            "/fapi/v3/positionRisk",
            5,
            "",
            position_rows(),
            typed!(c => c.rest().position_risk_v3(None)),
        ),
        Endpoint::signed(
            "/fapi/v1/accountConfig",
            5,
            "",
            account_config(true),
            typed!(c => c.rest().account_config()),
        ),
        Endpoint::signed(
            "/fapi/v1/symbolConfig",
            5,
            "symbol=ETHUSDT",
            symbol_config(),
            typed!(c => c.rest().symbol_config(Some("ETHUSDT"))),
        ),
        Endpoint::signed(
            "/fapi/v1/leverageBracket",
            1,
            "",
            json!([brackets()]),
            typed!(c => c.rest().leverage_brackets(None)),
        ),
        Endpoint::signed(
            "/fapi/v1/leverageBracket",
            1,
            "symbol=ETHUSDT",
            brackets(),
            typed!(c => c.rest().leverage_brackets(Some("ETHUSDT"))),
        ),
        Endpoint::signed(
            "/fapi/v1/commissionRate",
            20,
            "symbol=ETHUSDT",
            json!({"symbol":"ETHUSDT","makerCommissionRate":"0.0002","takerCommissionRate":"0.0004",
                "rpiCommissionRate":"0.0001"}),
            typed!(c => c.rest().commission_rate("ETHUSDT")),
        ),
        Endpoint::signed(
            "/fapi/v1/income",
            30,
            "limit=1000",
            incomes(),
            typed!(c => c.rest().income(Span::default(), 1_000)),
        ),
        Endpoint::signed(
            "/fapi/v1/income",
            30,
            "symbol=ETHUSDT&incomeType=FUNDING_FEE&limit=100",
            incomes(),
            typed!(c => c.rest().income_of(Some("ETHUSDT"), Some(&IncomeType::FundingFee), Span::default(), 100)),
        ),
        Endpoint::signed(
            "/fapi/v1/apiTradingStatus",
            1,
            "symbol=ABCUSDT",
            status(),
            typed!(c => c.rest().api_trading_status(Some("ABCUSDT"))),
        ),
        Endpoint::signed(
            "/fapi/v1/apiTradingStatus",
            10,
            "",
            status(),
            typed!(c => c.rest().api_trading_status(None)),
        ),
        Endpoint::signed(
            "/fapi/v1/adlQuantile",
            5,
            "",
            quantiles(),
            typed!(c => c.rest().adl_quantile(None)),
        ),
        Endpoint::signed(
            "/fapi/v1/positionMargin/history",
            1,
            "symbol=ETHUSDT&limit=500",
            moved(),
            typed!(c => c.rest().position_margin_history("ETHUSDT", Span::default(), 500)),
        ),
        Endpoint::signed(
            "/fapi/v1/positionSide/dual",
            30,
            "",
            json!({"dualSidePosition":true}),
            typed!(c => c.rest().position_mode()),
        ),
        Endpoint::signed(
            "/fapi/v1/multiAssetsMargin",
            30,
            "",
            json!({"multiAssetsMargin":false}),
            typed!(c => c.rest().multi_assets_margin()),
        ),
        Endpoint::signed(
            "/fapi/v1/feeBurn",
            30,
            "",
            json!({"feeBurn":true}),
            typed!(c => c.rest().fee_burn()),
        ),
        listen_key(
            "POST",
            typed!(c => async move {
                let answer = c.rest().create_listen_key().await?;
                Ok::<_, hedge_core::BrokerError>(json!({"listenKey": answer.listen_key}))
            }),
        ),
        listen_key(
            "PUT",
            typed!(c => async move {
                let answer = c.rest().renew_listen_key().await?;
                Ok::<_, hedge_core::BrokerError>(json!({"listenKey": answer.listen_key}))
            }),
        ),
    ]
}

/// Both verbs only prolong a key, so they are repeated like questions.
fn listen_key(verb: &'static str, call: super::table::Call) -> Endpoint {
    let answer = json!({"listenKey":"pqia91ma19a5s61cv6a81va65sdf19v8a65a1"});
    Endpoint { verb, who: Who::Key, ..Endpoint::public("/fapi/v1/listenKey", 1, "", answer, call) }
}
