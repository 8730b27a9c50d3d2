use reqwest::Method;

use crate::kit::{Desk, config, number};

#[tokio::test]
async fn position_mode_is_read_switched_and_guarded() {
    let desk = Desk::open(config()).await;
    let mode = || desk.signed(Method::GET, "/fapi/v1/positionSide/dual", "");
    let switch = |to: &'static str| desk.signed(Method::POST, "/fapi/v1/positionSide/dual", to);
    assert_eq!(mode().await.ok()["dualSidePosition"], false);
    let done = switch("dualSidePosition=true").await.ok();
    assert_eq!((&done["code"], &done["msg"]), (&200.into(), &"success".into()));
    assert_eq!(mode().await.ok()["dualSidePosition"], true);
    switch("dualSidePosition=true").await.refused(400, -4059);
    switch("dualSidePosition=maybe").await.refused(400, -1102);
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.5").await.ok();
    switch("dualSidePosition=false").await.refused(400, -4068);
}

#[tokio::test]
async fn leverage_and_margin_type_are_set_per_symbol() {
    let desk = Desk::open(config()).await;
    let reply = desk.signed(Method::POST, "/fapi/v1/leverage", "symbol=ETHUSDT&leverage=7").await.ok();
    assert_eq!((&reply["leverage"], &reply["symbol"]), (&7.into(), &"ETHUSDT".into()));
    assert!(reply["maxNotionalValue"].is_string());
    desk.signed(Method::POST, "/fapi/v1/leverage", "symbol=ETHUSDT&leverage=500").await.refused(400, -4028);
    desk.signed(Method::POST, "/fapi/v1/marginType", "symbol=ETHUSDT&marginType=CROSSED")
        .await
        .refused(400, -4046);
    desk.signed(Method::POST, "/fapi/v1/marginType", "symbol=ETHUSDT&marginType=ISOLATED").await.ok();
    let config = desk.signed(Method::GET, "/fapi/v1/symbolConfig", "symbol=ETHUSDT").await.ok();
    let row = &config[0];
    assert_eq!(
        (&row["leverage"], &row["marginType"], &row["isAutoAddMargin"]),
        (&7.into(), &"ISOLATED".into(), &false.into())
    );
}

#[tokio::test]
async fn version_2_has_every_row_and_version_3_only_active_ones() {
    let desk = Desk::hedged(config()).await;
    desk.order("symbol=ETHUSDT&side=SELL&positionSide=SHORT&type=MARKET&quantity=0.5").await.ok();
    let v2 = desk.signed(Method::GET, "/fapi/v2/positionRisk", "").await.ok();
    assert_eq!(v2.as_array().unwrap().len(), 4, "two symbols, two legs: {v2}");
    assert_eq!((&v2[0]["isAutoAddMargin"], &v2[0]["marginType"]), (&"false".into(), &"cross".into()));
    assert!(v2[0]["leverage"].is_string() && v2[0]["unRealizedProfit"].is_string());
    let v3 = desk.signed(Method::GET, "/fapi/v3/positionRisk", "").await.ok();
    assert_eq!(v3.as_array().unwrap().len(), 1);
    assert_eq!((number(&v3[0]["positionAmt"]), &v3[0]["positionSide"]), (-0.5, &"SHORT".into()));
    assert!(v3[0].get("leverage").is_none() && v3[0]["adl"].is_i64());
    let account = desk.signed(Method::GET, "/fapi/v3/account", "").await.ok();
    assert_eq!(account["positions"].as_array().unwrap().len(), 1);
    assert!(account.get("canTrade").is_none() && account["assets"][0]["updateTime"].as_i64().unwrap() > 0);
    assert!(account["positions"][0].get("unrealizedProfit").is_some());
    let account = desk.signed(Method::GET, "/fapi/v2/account", "").await.ok();
    assert_eq!(account["positions"].as_array().unwrap().len(), 4);
    assert_eq!(
        (&account["canTrade"], &account["assets"][0]["marginAvailable"]),
        (&true.into(), &true.into())
    );
}

#[tokio::test]
async fn a_one_way_account_has_one_row_per_symbol() {
    let desk = Desk::open(config()).await;
    let v2 = desk.signed(Method::GET, "/fapi/v2/positionRisk", "symbol=BTCUSDT").await.ok();
    assert_eq!((v2.as_array().unwrap().len(), &v2[0]["positionSide"]), (1, &"BOTH".into()));
}

#[tokio::test]
async fn balances_settings_and_brackets_have_the_venues_types() {
    let desk = Desk::open(config()).await;
    for path in ["/fapi/v2/balance", "/fapi/v3/balance"] {
        let balance = desk.signed(Method::GET, path, "").await.ok();
        assert_eq!(
            (&balance[0]["asset"], number(&balance[0]["availableBalance"])),
            (&"USDT".into(), 10_000.0)
        );
    }
    let brackets = desk.signed(Method::GET, "/fapi/v1/leverageBracket", "symbol=BTCUSDT").await.ok();
    let first = &brackets[0]["brackets"][0];
    assert!(
        first["notionalCap"].is_number()
            && first["maintMarginRatio"].is_f64()
            && first["initialLeverage"].is_i64()
    );
    let fees = desk.signed(Method::GET, "/fapi/v1/commissionRate", "symbol=BTCUSDT").await.ok();
    assert_eq!(
        (number(&fees["makerCommissionRate"]), number(&fees["takerCommissionRate"])),
        (0.0002, 0.0005)
    );
    assert_eq!(desk.signed(Method::GET, "/fapi/v1/feeBurn", "").await.ok()["feeBurn"], false);
    assert_eq!(
        desk.signed(Method::GET, "/fapi/v1/multiAssetsMargin", "").await.ok()["multiAssetsMargin"],
        false
    );
    let config = desk.signed(Method::GET, "/fapi/v1/accountConfig", "").await.ok();
    assert_eq!((&config["dualSidePosition"], &config["canTrade"]), (&false.into(), &true.into()));
}

#[tokio::test]
async fn fees_and_profit_are_in_the_ledger() {
    let desk = Desk::hedged(config()).await;
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.5").await.ok();
    desk.order("symbol=ETHUSDT&side=SELL&positionSide=LONG&type=MARKET&quantity=0.5").await.ok();
    let commissions = desk.signed(Method::GET, "/fapi/v1/income", "incomeType=COMMISSION").await.ok();
    assert_eq!(commissions.as_array().unwrap().len(), 2);
    assert!(number(&commissions[0]["income"]) < 0.0 && commissions[0]["tranId"].is_i64());
    let realized =
        desk.signed(Method::GET, "/fapi/v1/income", "incomeType=REALIZED_PNL&symbol=ETHUSDT").await.ok();
    assert_eq!(realized.as_array().unwrap().len(), 1);
    desk.signed(Method::GET, "/fapi/v1/income", "incomeType=GIFT").await.refused(400, -1130);
    assert_eq!(
        desk.signed(Method::GET, "/fapi/v1/income", "incomeType=API_REBATE").await.ok(),
        serde_json::json!([])
    );
}
