//! The client against real sockets on loopback.
#![allow(clippy::unwrap_used, missing_docs, reason = "helpers of tests")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hedge_http::{HttpClient, HttpConfig, HttpError, Method, Request};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
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

/// Reads one request to the end of its head.
async fn head(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        let byte = stream.read_u8().await.unwrap();
        text.push(char::from(byte));
    }
    text
}

const SMALL_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

#[tokio::test]
async fn an_order_is_one_plain_request_and_says_that_it_has_no_body() {
    let (heads, mut seen) = mpsc::unbounded_channel();
    let url = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            heads.send(head(&mut stream).await).unwrap();
            stream.write_all(SMALL_ANSWER).await.unwrap();
        });
        format!("http://{address}{SIGNED}")
    };
    let response = client().send(Request::new(Method::Post, &url).header("X-MBX-APIKEY", "k")).await.unwrap();
    assert_eq!(response.body, b"{}");
    let head = seen.recv().await.unwrap();
    let mut lines: Vec<&str> = head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), format!("POST {SIGNED} HTTP/1.1"));
    lines.sort_unstable();
    let host = format!("host: {}", url.strip_prefix("http://").unwrap().split('/').next().unwrap());
    let agent = concat!("user-agent: hedge/", env!("CARGO_PKG_VERSION"));
    assert_eq!(lines, ["accept: */*", "content-length: 0", &host, agent, "x-mbx-apikey: k"]);
}

/// Answers the first request of each connection and does `then` with the second, counting both and the connections.
async fn server_whose_second<F, Fut>(then: F) -> (String, Arc<[AtomicUsize; 2]>)
where
    F: Fn(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{SIGNED}", listener.local_addr().unwrap());
    let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let counting = Arc::clone(&counts);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counting[0].fetch_add(1, Ordering::SeqCst);
            head(&mut stream).await;
            counting[1].fetch_add(1, Ordering::SeqCst);
            stream.write_all(SMALL_ANSWER).await.unwrap();
            then(stream).await;
        }
    });
    (url, counts)
}

fn counted(counts: &[AtomicUsize; 2]) -> [usize; 2] {
    [counts[0].load(Ordering::SeqCst), counts[1].load(Ordering::SeqCst)]
}

#[tokio::test]
async fn a_second_request_goes_over_the_same_connection() {
    let (url, counts) = server_whose_second(|mut stream| async move {
        head(&mut stream).await;
        stream.write_all(SMALL_ANSWER).await.unwrap();
    })
    .await;
    let client = client();
    for _ in 0..2 {
        client.send(Request::new(Method::Post, &url)).await.unwrap();
    }
    assert_eq!(counted(&counts), [1, 1], "the second request was read by what comes after the first");
}

#[tokio::test]
async fn a_request_that_was_read_on_a_kept_connection_is_not_sent_again() {
    let (reads, mut read) = mpsc::unbounded_channel();
    let (url, counts) = server_whose_second(move |mut stream| {
        let reads = reads.clone();
        async move {
            let _ = reads.send(head(&mut stream).await);
            drop(stream);
        }
    })
    .await;
    let client = client();
    client.send(Request::new(Method::Post, &url)).await.unwrap();
    let error = client.send(Request::new(Method::Post, &url)).await.unwrap_err();
    assert!(matches!(error, HttpError::Unknown { status: None, .. }), "{error}");
    assert!(read.recv().await.is_some());
    assert_eq!(counted(&counts), [1, 1]);
}

#[tokio::test]
async fn a_kept_connection_that_the_server_has_closed_is_replaced() {
    let (closed, mut is_closed) = mpsc::unbounded_channel();
    let (url, counts) = server_whose_second(move |stream| {
        let closed = closed.clone();
        async move {
            drop(stream);
            let _ = closed.send(());
        }
    })
    .await;
    let client = client();
    client.send(Request::new(Method::Post, &url)).await.unwrap();
    is_closed.recv().await.unwrap();
    // Our side of the connection hears of it when it is next woken.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    client.send(Request::new(Method::Post, &url)).await.unwrap();
    assert_eq!(counted(&counts), [2, 2]);
}

#[tokio::test]
async fn a_handshake_that_nobody_answers_means_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}{SIGNED}", listener.local_addr().unwrap());
    let connect_timeout = Duration::from_millis(50);
    let client = HttpClient::new(&HttpConfig { connect_timeout, ..HttpConfig::default() }).unwrap();
    let error = client.send(Request::new(Method::Post, url)).await.unwrap_err();
    assert!(matches!(error, HttpError::NotSent { .. }), "{error}");
    assert!(error.to_string().ends_with("no connection within 50ms"), "{error}");
    drop(listener);
}

#[tokio::test]
async fn a_request_whose_time_is_over_before_its_connection_stands_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}{SIGNED}", listener.local_addr().unwrap());
    let client = HttpClient::new(&HttpConfig::default()).unwrap();
    let request = Request::new(Method::Post, url).timeout(Duration::from_millis(60));
    let error = client.send(request).await.unwrap_err();
    assert!(matches!(error, HttpError::NotSent { .. }), "{error}");
    assert!(error.to_string().ends_with("no connection within 60ms"), "{error}");
    drop(listener);
}

#[tokio::test]
async fn a_request_whose_time_is_over_behind_its_connection_is_unknown() {
    // Taken and never answered, both on a new connection and on the one that is kept.
    let url = server_that(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let client = HttpClient::new(&HttpConfig::default()).unwrap();
    for _ in 0..2 {
        let request = Request::new(Method::Post, &url).timeout(Duration::from_millis(60));
        let error = client.send(request).await.unwrap_err();
        assert!(matches!(error, HttpError::Unknown { status: None, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_means_not_sent() {
    let url = server_that(|mut stream| async move {
        let _ = stream.write_all(SMALL_ANSWER).await;
    })
    .await;
    let error =
        client().send(Request::new(Method::Post, url.replace("http://", "https://"))).await.unwrap_err();
    assert!(matches!(error, HttpError::NotSent { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("deadbeef"));
}

#[tokio::test]
async fn a_body_that_never_ends_in_time_is_unknown_with_its_status() {
    let url = server_that(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"orderId\":").await;
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let request = Request::new(Method::Post, url).timeout(Duration::from_millis(60));
    let error = client().send(request).await.unwrap_err();
    assert!(matches!(error, HttpError::Unknown { status: Some(201), .. }), "{error}");
    assert!(error.to_string().ends_with("it did not arrive within 60ms"), "{error}");
}

#[tokio::test]
async fn an_answer_in_pieces_is_whole_and_its_length_is_bounded_too() {
    for (repeats, fits) in [(1, true), (60, false)] {
        let url = server_that(move |mut stream| async move {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
            for _ in 0..repeats {
                let _ = stream.write_all(b"5\r\nhello\r\n10\r\n, world, goodbye\r\n").await;
            }
            let _ = stream.write_all(b"0\r\nx-trailer: 1\r\n\r\n").await;
        })
        .await;
        let answer = client().send(Request::new(Method::Get, url)).await;
        if fits {
            assert_eq!(answer.unwrap().body, b"hello, world, goodbye");
        } else {
            assert!(matches!(answer, Err(HttpError::BodyTooLarge { status: 200, limit: 1_000, .. })));
        }
    }
}

#[tokio::test]
async fn an_empty_answer_is_an_answer() {
    let url = server_that(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    })
    .await;
    let response = client().send(Request::new(Method::Delete, url)).await.unwrap();
    assert_eq!((response.status, response.body.len()), (204, 0));
}

#[tokio::test]
async fn a_header_that_cannot_travel_is_not_sent_and_not_shown() {
    let request = Request::new(Method::Post, "https://h.example/x").header("x-key", "secret\r\nx: y");
    let error = client().send(request).await.unwrap_err();
    assert!(matches!(error, HttpError::NotSent { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"));
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
