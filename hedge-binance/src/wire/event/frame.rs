//! What is read before an event is known.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A frame of a combined connection.
#[derive(Debug, Deserialize)]
pub struct Combined<'a> {
    /// Which stream.
    #[serde(borrow)]
    pub stream: Cow<'a, str>,
    /// Its event.
    #[serde(borrow)]
    pub data: &'a RawValue,
}

/// The kind of an event, read before the rest.
#[derive(Debug, Deserialize)]
pub struct Kind<'a> {
    /// Event name.
    #[serde(rename = "e", borrow)]
    pub name: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_combined_frame_gives_its_stream_and_raw_event() {
        let text = r#"{"stream":"abcusdt@kline_1m","data":{"e":"kline","E":1}}"#;
        let frame: Combined<'_> = serde_json::from_str(text).unwrap();
        assert_eq!((&*frame.stream, frame.data.get()), ("abcusdt@kline_1m", r#"{"e":"kline","E":1}"#));
    }
}
