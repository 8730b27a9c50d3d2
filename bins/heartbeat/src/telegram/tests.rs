//! Every row of the error table, against a server.

use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_partial_json, method, path},
};

use super::*;

const TOKEN: &str = "5551234567:AAF-hush_hush";

fn quick() -> Patience {
    Patience {
        total: Duration::from_secs(20),
        attempt: Duration::from_secs(10),
        pause: Duration::from_millis(5),
    }
}

fn telegram_to(base: &str, patience: Patience) -> Telegram {
    let env = Env::from_pairs([("TELEGRAM_BOT_TOKEN", TOKEN), ("TELEGRAM_CHAT_ID", "-1001900500100")]);
    Telegram::from_env(&env, base, patience).unwrap()
}

fn answer(status: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

fn no(status: u16, description: &str) -> ResponseTemplate {
    answer(status, json!({"ok": false, "error_code": status, "description": description}))
}

fn yes() -> ResponseTemplate {
    answer(200, json!({"ok": true, "result": {"message_id": 502}}))
}

/// A bot that gives these answers one after the other, the last one for good.
async fn bot(answers: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    let last = answers.len() - 1;
    for (i, answer) in answers.into_iter().enumerate() {
        let mock = Mock::given(method("POST")).and(path(format!("/bot{TOKEN}/sendMessage")));
        let mock = mock.respond_with(answer);
        let mock = if i < last { mock.up_to_n_times(1) } else { mock };
        mock.mount(&server).await;
    }
    server
}

async fn send_to(server: &MockServer) -> Result<Sent, SendError> {
    telegram_to(&server.uri(), quick()).send("NAV: 1,000.00 USDT").await
}

async fn bodies(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    requests.iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

#[tokio::test]
async fn the_text_is_posted_once_as_plain_text_to_the_chat() {
    let server = bot(vec![yes()]).await;
    assert_eq!(send_to(&server).await.unwrap().to_string(), "sent to chat -1001900500100 at once");
    assert_eq!(
        bodies(&server).await,
        [json!({
            "chat_id": -1_001_900_500_100_i64,
            "text": "NAV: 1,000.00 USDT",
            "link_preview_options": {"is_disabled": true},
        })]
    );
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].headers["content-type"], "application/json");
}

#[tokio::test]
async fn a_429_is_obeyed_with_a_tenth_more_and_the_message_arrives() {
    let busy = json!({"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 1",
        "parameters": {"retry_after": 1}});
    let server = bot(vec![answer(429, busy), yes()]).await;
    let started = Instant::now();
    assert_eq!(send_to(&server).await.unwrap().attempts, 2);
    assert!(started.elapsed() >= Duration::from_millis(1_100), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_wait_longer_than_patience_is_not_begun() {
    let busy = json!({"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 3600",
        "parameters": {"retry_after": 3600}});
    let server = bot(vec![answer(429, busy)]).await;
    let started = Instant::now();
    let error = send_to(&server).await.unwrap_err().to_string();
    let wanted = "given up after 1 attempts in 20 s: too many messages (status 429: Too Many Requests: retry after 3600)";
    assert_eq!(error, wanted);
    assert!(started.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn a_failing_server_is_tried_again() {
    let server = bot(vec![no(502, "Bad Gateway"), ResponseTemplate::new(500), yes()]).await;
    assert_eq!(send_to(&server).await.unwrap().to_string(), "sent to chat -1001900500100 with attempt 3");
}

#[tokio::test]
async fn what_is_wrong_for_good_is_not_repeated_and_says_what_to_do() {
    for (status, description, advice) in [
        (400, "Bad Request: chat not found", "check TELEGRAM_CHAT_ID"),
        (401, "Unauthorized", "check TELEGRAM_BOT_TOKEN"),
        (403, "Forbidden: bot was blocked by the user", "start it in the chat"),
        (404, "Not Found", "check TELEGRAM_BOT_TOKEN"),
        (302, "Found", "unexpected status 302"),
    ] {
        let server = bot(vec![no(status, description)]).await;
        let error = send_to(&server).await.unwrap_err();
        assert!(matches!(error, SendError::Refused(_)), "{error}");
        let text = error.to_string();
        assert!(text.contains(description) && text.contains(advice), "{text}");
        assert_eq!(bodies(&server).await.len(), 1, "{text}");
    }
}

#[tokio::test]
async fn a_group_that_became_a_supergroup_gets_it_and_the_new_number_is_told() {
    let moved = json!({"ok": false, "error_code": 400,
        "description": "Bad Request: group chat was upgraded to a supergroup chat",
        "parameters": {"migrate_to_chat_id": -100_777}});
    let server = MockServer::start().await;
    let to = |chat: i64| Mock::given(method("POST")).and(body_partial_json(json!({"chat_id": chat})));
    to(-1_001_900_500_100).respond_with(answer(400, moved)).mount(&server).await;
    to(-100_777).respond_with(yes()).mount(&server).await;
    let sent = send_to(&server).await.unwrap().to_string();
    assert!(sent.ends_with("; the group has moved: set TELEGRAM_CHAT_ID=-100777"), "{sent}");
}

#[tokio::test]
async fn an_answer_that_is_not_telegrams_is_not_taken_for_success_nor_repeated() {
    for answer in [ResponseTemplate::new(200).set_body_string("<html>"), answer(200, json!({"ok": false}))] {
        let server = bot(vec![answer]).await;
        let error = send_to(&server).await.unwrap_err().to_string();
        assert!(error.contains("the message may have been sent"), "{error}");
        assert_eq!(bodies(&server).await.len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_hangs_costs_no_more_than_patience() {
    let server = bot(vec![yes().set_delay(Duration::from_secs(600))]).await;
    let patience = Patience {
        total: Duration::from_millis(500),
        attempt: Duration::from_millis(200),
        pause: Duration::from_millis(5),
    };
    let started = Instant::now();
    let error = telegram_to(&server.uri(), patience).send("text").await.unwrap_err().to_string();
    assert!(error.contains("may have reached the server"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[tokio::test]
async fn no_text_shows_the_token_even_when_the_server_sends_it_back() {
    let echo = format!("Not Found: /bot{TOKEN}/sendMessage");
    let server = bot(vec![no(404, &echo)]).await;
    let telegram = telegram_to(&server.uri(), quick());
    let error = telegram.send("text").await.unwrap_err();
    let mut shown = vec![format!("{telegram:?}"), format!("{error:?}"), error.to_string()];
    // Nobody listens there.
    let closed = telegram_to("http://127.0.0.1:9", Patience { total: Duration::from_millis(20), ..quick() });
    let error = closed.send("text").await.unwrap_err();
    shown.extend([format!("{error:?}"), error.to_string()]);
    // Refused before it is sent.
    let error = telegram_to("http://telegram.example", quick()).send("text").await.unwrap_err();
    shown.extend([format!("{error:?}"), error.to_string()]);
    for text in shown {
        assert!(!text.contains("hush") && !text.contains("5551234567"), "{text}");
    }
}

#[test]
fn what_is_missing_or_unusable_is_named_and_not_shown() {
    let open = |pairs: &[(&str, &str)]| {
        let env = Env::from_pairs(pairs.iter().copied());
        Telegram::from_env(&env, "https://api.telegram.org", quick()).map(|_| ()).unwrap_err().to_string()
    };
    let chat = ("TELEGRAM_CHAT_ID", "1");
    assert!(open(&[chat]).starts_with("TELEGRAM_BOT_TOKEN is not set"));
    assert!(open(&[("TELEGRAM_BOT_TOKEN", TOKEN)]).starts_with("TELEGRAM_CHAT_ID is not set"));
    let text = open(&[chat, ("TELEGRAM_BOT_TOKEN", "1:hush/../x")]);
    assert!(text.contains("letters, digits") && !text.contains("hush"), "{text}");
    let text = open(&[("TELEGRAM_BOT_TOKEN", TOKEN), ("TELEGRAM_CHAT_ID", "my chat")]);
    assert!(text.contains("expected a number"), "{text}");
}

#[test]
fn a_chat_is_a_number_or_the_name_of_a_channel() {
    assert_eq!(chat("-1001900500100").unwrap(), Chat::Number(-1_001_900_500_100));
    assert_eq!(chat("@hedge_ops").unwrap(), Chat::Name("@hedge_ops".into()));
    assert!(chat("hedge_ops").is_err() && chat("@").is_err());
}
