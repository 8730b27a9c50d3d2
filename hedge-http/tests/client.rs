//! The client against real sockets on loopback.
#![allow(clippy::unwrap_used, missing_docs, reason = "helpers of tests")]

use std::time::Duration;

use hedge_http::{HttpClient, HttpConfig, HttpError, Method, Request};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_string, header, method, path, query_param},
};

const SIGNED: &str = "/v1/order?symbol=ABCUSDT&signature=deadbeef";

fn client() -> HttpClient {
    HttpClient::new(&HttpConfig {
        timeout: Duration::from_millis(300),
        max_body_bytes: 1_000,
        ..HttpConfig::default()
    })
    .unwrap()
}

#[tokio::test]
async fn a_request_travels_as_written_and_the_answer_comes_back_whole() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/order"))
        .and(query_param("signature", "deadbeef"))
        .and(header("X-MBX-APIKEY", "k"))
        .and(body_string("a=1"))
        .respond_with(ResponseTemplate::new(418).insert_header("Retry-After", "7").set_body_string("teapot"))
        .expect(1)
        .mount(&server)
        .await;
    let request = Request::new(Method::Post, format!("{}{SIGNED}", server.uri()))
        .header("X-MBX-APIKEY", "k")
        .body("application/x-www-form-urlencoded", b"a=1".to_vec());
    let response = client().send(request).await.unwrap();
    assert_eq!((response.status, response.body.as_slice()), (418, b"teapot".as_slice()));
    assert_eq!(response.retry_after(), Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_closed_port_means_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error =
        client().send(Request::new(Method::Post, format!("http://{address}{SIGNED}"))).await.unwrap_err();
    assert!(matches!(error, HttpError::NotSent { .. }), "{error}");
    assert!(!error.may_have_been_sent());
    assert!(!format!("{error} {error:?}").contains("deadbeef"));
}

/// Accepts one connection, reads the request, does `then` with it.
async fn server_that<F, Fut>(then: F) -> String
where
    F: FnOnce(tokio::net::TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        then(stream).await;
    });
    format!("http://{address}{SIGNED}")
}

#[tokio::test]
async fn a_connection_cut_after_the_request_is_unknown() {
    let url = server_that(|stream| async move { drop(stream) }).await;
    let error = client().send(Request::new(Method::Post, url)).await.unwrap_err();
    assert!(matches!(error, HttpError::Unknown { status: None, .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("deadbeef"));
}

#[tokio::test]
async fn a_server_that_never_answers_is_unknown() {
    let url = server_that(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let error = client().send(Request::new(Method::Post, url)).await.unwrap_err();
    assert!(error.may_have_been_sent());
    assert!(!format!("{error} {error:?}").contains("deadbeef"));
}

#[tokio::test]
async fn a_body_cut_in_the_middle_is_unknown_with_its_status() {
    let url = server_that(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"orderId\":").await;
    })
    .await;
    let error = client().send(Request::new(Method::Post, url)).await.unwrap_err();
    assert!(matches!(error, HttpError::Unknown { status: Some(200), .. }), "{error}");
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_string("x".repeat(1_001)))
        .mount(&server)
        .await;
    let error = client().send(Request::new(Method::Get, server.uri())).await.unwrap_err();
    assert!(matches!(error, HttpError::BodyTooLarge { status: 200, limit: 1_000, .. }), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(302).insert_header("location", "/elsewhere"))
        .expect(1)
        .mount(&server)
        .await;
    assert_eq!(client().send(Request::new(Method::Get, server.uri())).await.unwrap().status, 302);
}

#[tokio::test]
async fn plain_http_to_a_stranger_is_refused_before_sending() {
    let error =
        client().send(Request::new(Method::Get, "http://192.0.2.1/x?signature=deadbeef")).await.unwrap_err();
    assert!(matches!(error, HttpError::Refused { .. }), "{error}");
    assert!(!error.to_string().contains("deadbeef"));
}

#[tokio::test]
async fn a_body_is_read_piece_by_piece_and_a_part_says_where_it_begins() {
    let server = MockServer::start().await;
    let part = ResponseTemplate::new(206)
        .set_body_bytes(b"world".to_vec())
        .insert_header("content-range", "bytes 6-10/11");
    Mock::given(method("GET")).and(header("range", "bytes=6-")).respond_with(part).mount(&server).await;
    let client = HttpClient::new(&HttpConfig::default()).unwrap();
    let request = Request::new(Method::Get, format!("{}/file", server.uri())).header("range", "bytes=6-");
    let mut answer = client.open(request, Duration::from_secs(5)).await.unwrap();
    assert_eq!((answer.status, answer.body_bytes, answer.first_byte), (206, Some(5), Some(6)));
    let mut body = Vec::new();
    while let Some(piece) = answer.piece().await.unwrap() {
        body.extend_from_slice(piece.as_ref());
    }
    assert_eq!(body, b"world");
}
