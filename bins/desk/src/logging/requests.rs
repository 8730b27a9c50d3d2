//! Turns the client's request events into operators' lines.

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use super::{lines, sink::Sink};

const ANSWERED: &str = "hedge::order_req";
const FAILED: &str = "hedge::order_err";

/// Sees `hedge::order_req` and `hedge::order_err` with the fields `path`, `status` and `body`.
#[derive(Debug)]
pub(super) struct Requests(Sink);

impl Requests {
    pub(super) const fn new(sink: Sink) -> Self {
        Self(sink)
    }
}

fn is_request(metadata: &Metadata<'_>) -> bool {
    matches!(metadata.target(), ANSWERED | FAILED)
}

impl<S: Subscriber> Layer<S> for Requests {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !is_request(event.metadata()) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let is_error = event.metadata().target() == FAILED;
        self.0.line(&lines::request(is_error, &fields.path, &fields.status, &fields.body));
    }
}

#[derive(Default)]
struct Fields {
    path: String,
    status: String,
    body: String,
}

impl Fields {
    fn put(&mut self, field: &Field, text: String) {
        match field.name() {
            "path" => self.path = text,
            "status" => self.status = text,
            "body" => self.body = text,
            _ => {}
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.to_string());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.to_string());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::logging::Format;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_answered_request_becomes_an_operators_line() {
        let buffer = Buffer::default();
        let sink = Sink::to(Format::Text, buffer.clone());
        let subscriber = tracing_subscriber::registry().with(Requests::new(sink));
        tracing::subscriber::with_default(subscriber, || {
            let body = r#"{"status":"NEW"}"#;
            tracing::info!(target: ANSWERED, path = "/fapi/v1/order", status = 200_u16, body, "order request");
            tracing::warn!(target: FAILED, path = "/fapi/v1/order", status = 400_u16, body = %body, "order request");
            tracing::info!("something else");
        });
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            text,
            "[executor] ORDER_REQ /fapi/v1/order 200 {\"status\":\"NEW\"}\n\
             [executor] ORDER_ERR /fapi/v1/order 400 {\"status\":\"NEW\"}\n"
        );
    }
}
