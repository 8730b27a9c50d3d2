//! What comes over the control socket, from either end.

use hedge_runtime::control::{Answer, Request};

/// A line. What is understood is written and read back as the same.
pub(crate) fn control(bytes: &[u8]) {
    match Request::parse(bytes) {
        Err(why) => {
            assert!(why.len() <= 1_024 + 8 * bytes.len(), "{} bytes about {}", why.len(), bytes.len());
        }
        Ok(request) => {
            let text = request.to_text().unwrap();
            assert_eq!(Request::parse(text.as_bytes()).unwrap(), request);
        }
    }
    if let Ok(answer) = Answer::parse(bytes) {
        let text = Answer::to_text(&answer);
        assert_eq!(Answer::parse(text.as_bytes()).unwrap(), answer, "{text}");
    }
}
