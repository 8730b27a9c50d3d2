//! Every stream event and every frame of the WebSocket API, explained.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

use hedge_binance::decode::{ExplainError, Explained, Explainer, Source};
use proptest::prelude::*;
use serde_json::{Value, json};

/// One of each, invented; shapes of the fact sheet. Every field is one that is understood.
const EVENTS: &[&str] = &[
    r#"{"e":"aggTrade","E":1795168801003,"s":"ABCUSDT","a":91230001,"p":"1.2041","q":"310.0","nq":"300.0","f":200340,"l":200342,"T":1795168800950,"m":true,"st":1}"#,
    r#"{"e":"trade","E":1795168801003,"T":1795168801001,"s":"ABCUSDT","t":5,"p":"1.2041","q":"310.0","X":"MARKET","m":false}"#,
    r#"{"e":"bookTicker","u":880100219,"E":1795168801230,"T":1795168801227,"s":"ABCUSDT","ps":"ABCUSDT","b":"1.2040","B":"350.0","a":"1.2042","A":"90.5","st":1}"#,
    r#"{"e":"markPriceUpdate","E":1795168802000,"s":"ABCUSDT","p":"1.20411325","ap":"1.20405110","i":"1.20390000","P":"1.20377710","r":"0.00010000","T":1795190400000,"st":1}"#,
    r#"{"e":"kline","E":1795168801100,"s":"ABCUSDT","k":{"t":1795168800000,"T":1795168859999,"s":"ABCUSDT","i":"1m","f":200320,"L":200342,"o":"1.2038","c":"1.2041","h":"1.2043","l":"1.2037","v":"5120.0","n":23,"x":false,"q":"6164.88","V":"2110.0","Q":"2540.67","B":"0"}}"#,
    r#"{"e":"continuous_kline","E":1795168801100,"ps":"ABCUSDT","ct":"PERPETUAL","k":{"t":1795168800000,"T":1795168859999,"i":"1s","f":1,"L":2,"o":"1.2038","c":"1.2041","h":"1.2043","l":"1.2037","v":"5120.0","n":23,"x":true,"q":"6164.88","V":"2110.0","Q":"2540.67","B":"0"}}"#,
    r#"{"e":"24hrMiniTicker","E":1795168802000,"s":"ABCUSDT","ps":"ABCUSDT","c":"1.2041","o":"1.1800","h":"1.2300","l":"1.1705","v":"9034112.0","q":"10861234.5","st":1}"#,
    r#"{"e":"24hrTicker","E":1795168802000,"s":"ABCUSDT","ps":"ABCUSDT","p":"0.0241","P":"2.042","w":"1.2022","c":"1.2041","Q":"10.0","o":"1.1800","h":"1.2300","l":"1.1705","v":"9034112.0","q":"10861234.5","O":1795082402000,"C":1795168801999,"F":150000,"L":200342,"n":50343,"st":1}"#,
    r#"{"e":"depthUpdate","E":1795168801230,"T":1795168801227,"s":"ABCUSDT","ps":"ABCUSDT","st":1,"U":880100201,"u":880100219,"pu":880100200,"b":[["1.2040","350.0"],["1.2039","0"]],"a":[["1.2042","90.5"]]}"#,
    r#"{"e":"forceOrder","E":1795168803000,"ps":"ABCUSDT","st":1,"o":{"s":"ABCUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"820.0","p":"1.1930","ap":"1.2019","X":"FILLED","l":"120.0","z":"820.0","T":1795168802994}}"#,
    r#"{"e":"contractInfo","E":1795168800000,"s":"NEWUSDT","ct":"PERPETUAL","dt":4133404800000,"ot":1795172400000,"cs":"PENDING_TRADING","st":1,"bks":[{"bs":1,"bnf":0,"bnc":5000,"mmr":0.01,"cf":0,"mi":21,"ma":50}]}"#,
    r#"{"e":"assetIndexUpdate","E":1795168800000,"s":"ADAUSD","i":"0.27462452","b":"0.1","a":"0.1","B":"0.24716207","A":"0.30208698","q":"0.05","g":"0.05","Q":"0.2","G":"0.3"}"#,
    r#"{"e":"compositeIndex","E":1795168800000,"s":"DEFIUSDT","p":"554.41604065","C":"baseAsset","c":[{"b":"BAL","q":"USDT","w":"1.04884844","W":"0.01457800","i":"24.33521021"}]}"#,
    r#"{"e":"EquityUpdate","E":1795168800000,"t":1795168800000,"T":1795190400000,"S":"REGULAR"}"#,
    r#"{"e":"ORDER_TRADE_UPDATE","T":1795168800158,"E":1795168800161,"o":{"s":"ETHUSDT","c":"x1_close-long.7","S":"SELL","o":"MARKET","f":"GTC","q":"0.250","p":"0","ap":"2502.3400","sp":"0","x":"TRADE","X":"FILLED","i":70112233445,"l":"0.250","z":"0.250","L":"2502.34","n":"0.31279250","N":"USDT","T":1795168800158,"t":5511223344,"b":"0","a":"0","m":false,"R":true,"wt":"CONTRACT_PRICE","ot":"MARKET","ps":"LONG","cp":false,"rp":"5.46000000","pP":false,"si":0,"ss":0,"V":"EXPIRE_MAKER","pm":"NONE","gtd":0,"er":"0"}}"#,
    r#"{"e":"ORDER_TRADE_UPDATE","T":1795168800158,"E":1795168800161,"o":{"s":"ETHUSDT","c":"adl_autoclose","S":"BUY","o":"LIMIT","f":"IOC","q":"0.250","p":"2600","ap":"0","sp":"0","x":"NEW","X":"NEW","i":70112233446,"M":77,"l":"0","z":"0","L":"0","T":1795168800158,"t":0,"b":"0","a":"0","m":false,"R":true,"wt":"CONTRACT_PRICE","ot":"LIMIT","ps":"SHORT","cp":false,"AP":"1","cr":"0.5","rp":"0","pP":false,"si":0,"ss":0,"V":"NONE","pm":"NONE","gtd":0,"er":"0"}}"#,
    r#"{"e":"ALGO_UPDATE","T":1795168900000,"E":1795168900006,"o":{"caid":"sl-L-0007","aid":4000000987654321,"at":"CONDITIONAL","o":"STOP_MARKET","s":"ETHUSDT","S":"SELL","ps":"LONG","f":"GTC","q":"0.750","X":"TRIGGERED","ai":"70112299001","ap":"0.00000","aq":"0.00000","act":"MARKET","tp":"2401.00","p":"0","V":"EXPIRE_MAKER","wt":"MARK_PRICE","pm":"NONE","cp":false,"pP":true,"R":true,"tt":1795168899998,"gtd":0,"rm":"","ia":false}}"#,
    r#"{"e":"TRADE_LITE","E":1795168800159,"T":1795168800158,"s":"ETHUSDT","q":"0.250","p":"0","m":false,"c":"x1_close-long.7","S":"SELL","L":"2502.34","l":"0.250","t":5511223344,"i":70112233445}"#,
    r#"{"e":"ACCOUNT_UPDATE","T":1795168800158,"E":1795168800160,"a":{"m":"ORDER","B":[{"a":"USDT","wb":"10512.14823110","cw":"10512.14823110","bc":"0"}],"P":[{"s":"ETHUSDT","pa":"-0.500","ep":"2480.5","cr":"118.22","up":"10.92","mt":"cross","iw":"0","ps":"SHORT","bep":"2481.74"}],"S":""}}"#,
    r#"{"e":"ACCOUNT_UPDATE","T":1795190400007,"E":1795190400011,"a":{"m":"FUNDING_FEE","B":[{"a":"USDT","wb":"10511.96057285","cw":"10511.96057285","bc":"-0.18765825"}],"P":[],"S":"ETHUSDT"}}"#,
    r#"{"e":"ACCOUNT_CONFIG_UPDATE","E":1795168700010,"T":1795168700008,"ac":{"s":"ETHUSDT","l":10}}"#,
    r#"{"e":"ACCOUNT_CONFIG_UPDATE","E":1795168700010,"T":1795168700008,"ai":{"j":true}}"#,
    r#"{"e":"MARGIN_CALL","E":1795168990000,"cw":"412.10","p":[{"s":"ETHUSDT","ps":"LONG","pa":"0.750","mt":"CROSSED","iw":"0","mp":"2011.40","up":"-351.82","mm":"9.05"}]}"#,
    r#"{"e":"listenKeyExpired","E":"1795172400555","listenKey":"demoKeyDemoKey01"}"#,
    r#"{"e":"CONDITIONAL_ORDER_TRIGGER_REJECT","E":1795168900006,"T":1795168900000,"or":{"s":"ETHUSDT","i":70112233445,"r":"Due to the order could not be executed as reduce only"}}"#,
    r#"{"e":"STRATEGY_UPDATE","T":1795168900000,"E":1795168900006,"su":{"si":176054594,"st":"GRID","ss":"NEW","s":"BTCUSDT","ut":1795168900000,"c":8007}}"#,
    r#"{"e":"GRID_UPDATE","T":1795168900000,"E":1795168900006,"gu":{"si":176057039,"st":"GRID","ss":"WORKING","s":"BTCUSDT","r":"-0.00300716","up":"16720","uq":"-0.001","uf":"-0.00300716","mp":"0.0","ut":1795168900000}}"#,
    r#"{"result":null,"id":7}"#,
    r#"{"result":["abcusdt@aggTrade"],"id":"x"}"#,
];

fn explain(source: &str, text: &str) -> Result<Vec<Explained>, ExplainError> {
    Explainer::new(Source::parse(source).unwrap()).line(text)
}

fn one(text: &str) -> Explained {
    let mut rows = explain("ws", text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(rows.len(), 1, "{text}");
    rows.remove(0)
}

fn samples() -> impl Iterator<Item = Value> {
    EVENTS.iter().map(|text| serde_json::from_str(text).unwrap())
}

#[test]
fn every_event_is_shown_in_full_and_nothing_else_is() {
    for text in EVENTS {
        let mut sample: Value = serde_json::from_str(text).unwrap();
        let row = one(text);
        assert_eq!(row.venue, sample, "{text}");
        assert_eq!(row.not_a_fact, None);
        let kind = sample["e"].as_str().unwrap_or("response").to_owned();
        assert_eq!(row.kind, kind);
        for place in ["", "/o", "/k", "/a", "/a/B/0", "/p/0", "/bks/0", "/su"] {
            if let Some(Value::Object(fields)) = sample.pointer_mut(place) {
                fields.insert("never_heard_of".to_owned(), json!([1, {"x": null}]));
            }
        }
        assert_eq!(one(&sample.to_string()).venue, row.venue, "an unknown field changes nothing");
    }
}

#[test]
fn a_bare_event_a_combined_frame_and_an_array_say_the_same() {
    for text in EVENTS.iter().filter(|text| text.contains("\"e\":")) {
        let bare = one(text);
        let combined = one(&format!(r#"{{"stream":"abcusdt@x","data":{text}}}"#));
        assert_eq!(combined.stream.as_deref(), Some("abcusdt@x"));
        assert_eq!(Explained { stream: None, ..combined }, bare);
        let both = explain("ws", &format!("[{text},{text}]")).unwrap();
        assert_eq!(both, [bare.clone(), bare]);
    }
}

#[test]
fn our_fields_have_our_names_and_the_engine_s_facts_stand_beside_them() {
    let book = one(EVENTS[2]);
    assert_eq!((&book.fields["bid"], &book.fields["ask_qty"]), (&json!("1.2040"), &json!("90.5")));
    assert!(book.facts.is_empty());
    let candle = one(EVENTS[4]);
    assert_eq!((&candle.fields["close"], &candle.fields["closed"]), (&json!("1.2041"), &json!(false)));
    let fill = one(EVENTS[14]);
    assert_eq!(fill.fields["realized"], "5.46000000");
    let kinds: Vec<&Value> = fill.facts.iter().map(|fact| &fact["kind"]).collect();
    assert_eq!(kinds, [&json!("fill"), &json!("order")]);
    let forced = one(EVENTS[15]);
    assert_eq!(forced.facts[0]["report"]["client_id"]["venue"]["forced"], "adl");
}

#[test]
fn an_unknown_word_is_shown_as_unknown_and_the_rest_is_kept() {
    for (sample, pointer) in [
        (14, "/o/X"),
        (14, "/o/x"),
        (14, "/o/S"),
        (14, "/o/ps"),
        (14, "/o/f"),
        (16, "/o/X"),
        (16, "/o/o"),
        (18, "/a/m"),
        (18, "/a/P/0/mt"),
        (9, "/o/X"),
        (10, "/cs"),
        (10, "/ct"),
        (13, "/S"),
    ] {
        let mut event: Value = serde_json::from_str(EVENTS[sample]).unwrap();
        let mut expected = event.clone();
        *event.pointer_mut(pointer).unwrap() = json!("NEVER_HEARD");
        *expected.pointer_mut(pointer).unwrap() = json!({"unknown": "NEVER_HEARD"});
        assert_eq!(one(&event.to_string()).venue, expected, "{pointer} of {event}");
    }
    let side = one(&EVENTS[14].replace("\"ps\":\"LONG\"", "\"ps\":\"UP\""));
    assert!(side.facts.is_empty());
    assert!(side.not_a_fact.unwrap().contains("UP"));
}

#[test]
fn one_way_rows_are_read() {
    for (sample, word) in [(14, "\"ps\":\"LONG\""), (16, "\"ps\":\"LONG\""), (18, "\"ps\":\"SHORT\"")] {
        assert!(EVENTS[sample].contains(word));
        let row = one(&EVENTS[sample].replace(word, "\"ps\":\"BOTH\""));
        assert!(!row.facts.is_empty() && row.not_a_fact.is_none(), "{row:?}");
    }
}

/// Every place of a value: as a JSON pointer, and as the tool names it.
fn places(value: &Value, pointer: &str, path: &str, found: &mut Vec<(String, String)>) {
    let mut add = |name: &str, value: &Value, path: String| {
        let pointer = format!("{pointer}/{name}");
        found.push((pointer.clone(), path.clone()));
        places(value, &pointer, &path, found);
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                add(name, value, if path.is_empty() { name.clone() } else { format!("{path}.{name}") });
            }
        }
        Value::Array(rows) => {
            for (number, value) in rows.iter().enumerate() {
                add(&number.to_string(), value, format!("{path}[{number}]"));
            }
        }
        _ => {}
    }
}

#[test]
fn a_field_that_is_damaged_or_missing_is_either_harmless_or_named() {
    let (mut damaged, mut missing) = (0, 0);
    for sample in samples() {
        let mut found = Vec::new();
        places(&sample, "", "", &mut found);
        for (pointer, path) in found {
            let mut event = sample.clone();
            let place = event.pointer_mut(&pointer).unwrap();
            *place =
                if place.is_object() || place.is_array() { json!(true) } else { json!({"surprise": []}) };
            if let Err(ExplainError::Field(error)) = explain("ws", &event.to_string()) {
                damaged += 1;
                assert_eq!(error.path, path, "{event}: {error}");
            }
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let mut event = sample.clone();
            let Some(fields) = event.pointer_mut(parent).unwrap().as_object_mut() else { continue };
            fields.remove(name);
            if let Err(ExplainError::Field(error)) = explain("ws", &event.to_string()) {
                missing += 1;
                assert_eq!(
                    error.path,
                    if path == "result" { "e" } else { path.as_str() },
                    "{event}: {error}"
                );
            }
        }
    }
    assert!(damaged > 200 && missing > 100, "{damaged} {missing}");
}

#[test]
fn a_place_inside_an_array_is_named_with_its_number() {
    let bad = EVENTS[3].replace("\"1.20411325\"", "false");
    let error = explain("ws", &format!("[{},{bad}]", EVENTS[3])).unwrap_err();
    assert!(error.to_string().starts_with("[1].p: "), "{error}");
    let error = explain("ws", &format!(r#"{{"stream":"!x","data":{bad}}}"#)).unwrap_err();
    assert!(error.to_string().starts_with("p: "), "the envelope is not part of the event: {error}");
}

#[test]
fn what_is_no_event_is_refused_and_what_is_not_known_is_named() {
    assert!(matches!(explain("ws", "{"), Err(ExplainError::NotJson(_))));
    assert!(matches!(explain("ws", "7"), Err(ExplainError::Field(_))));
    assert!(matches!(explain("ws", "{}"), Err(ExplainError::Field(_))));
    assert_eq!(
        explain("ws", r#"{"e":"moonPhase"}"#).unwrap_err(),
        ExplainError::UnknownKind { kind: "moonPhase".to_owned() }
    );
    for error in [
        r#"{"error":{"code":2,"msg":"Invalid request"},"id":1}"#,
        r#"{"code":2,"msg":"Invalid request: unknown variant","id":1}"#,
    ] {
        assert_eq!(one(error).kind, "error");
    }
}

const ACK: &str = r#"{"orderId":70112240001,"symbol":"ETHUSDT","status":"NEW","clientOrderId":"auto22charsxxxxxxxxxxx","price":"2500.00","origQty":"0.250","executedQty":"0.000","cumQty":"0.000","timeInForce":"GTC","type":"LIMIT","reduceOnly":false,"closePosition":false,"side":"BUY","positionSide":"LONG","stopPrice":"0.00","workingType":"CONTRACT_PRICE","priceProtect":false,"origType":"LIMIT","priceMatch":"NONE","selfTradePreventionMode":"NONE","goodTillDate":0,"updateTime":1795168800801}"#;
const LIMITS: &str =
    r#"[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":300,"count":1}]"#;

#[test]
fn a_response_is_read_by_its_request_or_by_its_shape() {
    let response = format!(r#"{{"id":"b7","status":200,"result":{ACK},"rateLimits":{LIMITS}}}"#);
    let alone = explain("wsapi", &response).unwrap().remove(0);
    let sample: Value = serde_json::from_str(&response).unwrap();
    assert_eq!(
        (alone.kind.as_str(), alone.fields.get("method")),
        ("order", None),
        "nobody has said what was asked"
    );
    assert_eq!(alone.venue, sample);
    assert_eq!(alone.fields["response_status"], 200);
    let mut explainer = Explainer::new(Source::WsApi);
    let request = r#"{"id":"b7","method":"order.place","params":{"apiKey":"k","symbol":"ETHUSDT","signature":"s","timestamp":1}}"#;
    let asked = explainer.line(request).unwrap().remove(0);
    assert_eq!(
        (asked.kind.as_str(), &asked.venue["params"]),
        ("request", &json!({"symbol":"ETHUSDT","timestamp":1}))
    );
    assert_eq!(explainer.line(&response).unwrap()[0].fields["method"], "order.place");
}

#[test]
fn a_lean_acknowledgement_is_one_and_says_what_it_leaves_out() {
    let lean = r#"{"id":"b7","status":200,"result":{"orderId":1,"status":"NEW","executedQty":"0","symbol":"ETHUSDT","clientOrderId":"web_1","side":"BUY","positionSide":"LONG","updateTime":1}}"#;
    let row = explain("wsapi", lean).unwrap().remove(0);
    assert_eq!((row.kind.as_str(), row.facts.len(), &row.fields["executed_qty"]), ("order", 0, &json!("0")));
    assert_eq!(row.not_a_fact.unwrap(), "the answer leaves out origQty; its request says more");
    let row =
        explain("rest:POST /fapi/v1/order", r#"{"orderId":1,"status":"NEW","executedQty":"0"}"#).unwrap();
    let why = row[0].not_a_fact.as_deref().unwrap();
    assert!(why.contains("symbol, clientOrderId, side, positionSide, origQty, updateTime"), "{why}");
    let error =
        explain("rest:GET /fapi/v1/order", r#"{"orderId":1,"status":"NEW","executedQty":"0"}"#).unwrap_err();
    assert!(matches!(error, ExplainError::Field(_)), "a question does not say the leg");
}

#[test]
fn a_method_is_shown_only_where_somebody_has_asked_for_it() {
    let session = r#"{"id":3,"status":200,"result":{"apiKey":"k","authorizedSince":1,"connectedSince":1,"serverTime":2}}"#;
    assert_eq!(explain("wsapi", session).unwrap()[0].fields.get("method"), None);
    let mut explainer = Explainer::new(Source::WsApi);
    explainer.line(r#"{"id":3,"method":"session.logon","params":{}}"#).unwrap();
    assert_eq!(explainer.line(session).unwrap()[0].fields["method"], "session.logon");
}

#[test]
fn a_quantity_below_zero_is_malformed_wherever_it_is_one() {
    for (event, field, path) in [
        (0, "q", "q"),
        (1, "q", "q"),
        (2, "B", "B"),
        (2, "A", "A"),
        (4, "k.v", "k.v"),
        (14, "o.z", "o.z"),
        (14, "o.l", "o.l"),
        (17, "l", "l"),
    ] {
        let mut sample: Value = serde_json::from_str(EVENTS[event]).unwrap();
        let pointer = format!("/{}", field.replace('.', "/"));
        let value = sample.pointer_mut(&pointer).unwrap();
        *value = json!(format!("-{}", value.as_str().unwrap()));
        let error = explain("ws", &sample.to_string()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{path}: -")) && error.contains("negative"), "{error}");
    }
    let mut book: Value = serde_json::from_str(EVENTS[8]).unwrap();
    book["b"][1][1] = json!("-1");
    assert!(explain("ws", &book.to_string()).is_err());
    assert!(
        explain("rest:GET /fapi/v1/depth", r#"{"lastUpdateId":1,"bids":[["1","-2"]],"asks":[]}"#).is_err()
    );
}

#[test]
fn a_forced_execution_without_its_fee_is_a_fact_with_no_fee() {
    let text = EVENTS[14]
        .replace(r#""x":"TRADE""#, r#""x":"CALCULATED""#)
        .replace("x1_close-long.7", "autoclose-1795168800158")
        .replace(r#""n":"0.31279250","N":"USDT","#, "");
    let row = one(&text);
    assert_eq!((row.facts.len(), row.fields.get("fee")), (1, None), "{:?}", row.facts);
    assert!(row.facts[0].to_string().contains("liquidation"), "{:?}", row.facts);
    assert_eq!(row.not_a_fact.unwrap(), "the fee of the execution is not stated; it is read from userTrades");
}

#[test]
fn results_of_every_shape_and_errors_are_read() {
    for (result, kind) in [
        (r#"{"algoId":4000000987654321,"clientAlgoId":"sl","code":"200","msg":"success"}"#, "algoCancel"),
        (r#"{"lastUpdateId":7,"E":1,"T":1,"bids":[["1","2"]],"asks":[["3","4"]]}"#, "depth"),
        (r#"{"symbol":"ABCUSDT","price":"1.2","time":1}"#, "priceTicker"),
        (
            r#"{"symbol":"ABCUSDT","bidPrice":"1.2","bidQty":"1","askPrice":"1.3","askQty":"2","time":1}"#,
            "bookTicker",
        ),
        (
            r#"{"lastUpdateId":7,"symbol":"ABCUSDT","bidPrice":"1.2","bidQty":"1","askPrice":"1.3","askQty":"2","time":1}"#,
            "bookTicker",
        ),
        (r#"{"listenKey":"abc"}"#, "listenKey"),
        (
            r#"{"apiKey":"abc","authorizedSince":1,"connectedSince":1,"returnRateLimits":true,"serverTime":2}"#,
            "session",
        ),
    ] {
        let row =
            explain("wsapi", &format!(r#"{{"id":1,"status":200,"result":{result}}}"#)).unwrap().remove(0);
        assert_eq!(row.kind, kind, "{result}");
        assert_eq!(row.venue["result"], serde_json::from_str::<Value>(result).unwrap(), "{result}");
    }
    let text =
        r#"{"id":1,"status":400,"error":{"code":-2019,"msg":"Margin is insufficient."},"rateLimits":[]}"#;
    let row = explain("wsapi", text).unwrap().remove(0);
    assert_eq!((row.kind.as_str(), &row.fields["outcome"]), ("error", &json!("rejected")));
    assert_eq!(row.venue["error"]["code"], -2019);
    let row = explain("wsapi", r#"{"id":1,"status":408,"error":{"code":-1007,"msg":"Timeout"}}"#).unwrap();
    assert_eq!(row[0].fields["outcome"], "unknown");
    let error = explain("wsapi", r#"{"id":1,"status":200,"result":{"orderId":1}}"#).unwrap_err();
    assert!(error.to_string().starts_with("result."), "{error}");
    let error = explain("wsapi", r#"{"id":1,"result":{}}"#).unwrap_err();
    assert_eq!(error.to_string(), "status: missing");
    let error = explain("wsapi", r#"{"id":1,"status":200,"result":{"moon":1}}"#).unwrap_err();
    assert!(matches!(error, ExplainError::UnknownKind { .. }));
    let error = explain("wsapi", r#"{"id":1,"method":"order.guess","params":{}}"#).unwrap_err();
    assert_eq!(error, ExplainError::UnknownKind { kind: "order.guess".to_owned() });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_damage_makes_it_panic(
        which in 0..EVENTS.len(),
        source in 0..3_usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = EVENTS[which].as_bytes().to_vec();
        for (place, byte) in damage {
            let at = place.index(bytes.len());
            match byte {
                0..=120 => bytes[at] = b"0123456789.-eE\"{},:[]\\ntf"[usize::from(byte) % 25],
                121..=190 => { bytes.remove(at); }
                _ => bytes.insert(at, byte & 0x7f),
            }
        }
        let source = ["ws", "wsapi", "rest:GET /fapi/v1/order"][source];
        if let Ok(text) = String::from_utf8(bytes) {
            let _ = explain(source, &text);
        }
    }
}
