//! An error answer: HTTP status, the venue's code and its sentence.

use std::fmt;

/// What a refused request is answered with: `{"code":…,"msg":…}` under an HTTP status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: i64,
    pub(crate) msg: String,
    pub(crate) retry_after_s: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: i64, msg: impl Into<String>) -> Self {
        Self { status, code, msg: msg.into(), retry_after_s: None }
    }

    /// HTTP 400 with the given code.
    pub(crate) fn bad(code: i64, msg: impl Into<String>) -> Self {
        Self::new(400, code, msg)
    }

    /// A parameter that must be there is absent, empty or not of its type.
    pub(crate) fn missing(name: &str) -> Self {
        Self::bad(-1102, format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."))
    }

    /// A parameter has a value that cannot be used.
    pub(crate) fn invalid(name: &str) -> Self {
        Self::bad(-1130, format!("Data sent for parameter '{name}' is not valid."))
    }

    /// No or a malformed key on a call that needs one.
    pub(crate) fn key_format() -> Self {
        Self::new(401, -2014, "API-key format invalid.")
    }

    /// A well-formed key that this venue does not know.
    pub(crate) fn key_unknown() -> Self {
        Self::new(401, -2015, "Invalid API-key, IP, or permissions for action.")
    }

    pub(crate) fn signature() -> Self {
        Self::bad(-1022, "Signature for this request is not valid.")
    }

    pub(crate) fn bad_symbol() -> Self {
        Self::bad(-1121, "Invalid symbol.")
    }

    /// The request was not performed. Source: fact sheet 6.2 (the 503 that is a failure).
    pub(crate) fn internal() -> Self {
        Self::new(503, -1001, "Internal error; unable to process your request. Please try again.")
    }

    pub(crate) fn body(&self) -> String {
        serde_json::json!({"code": self.code, "msg": self.msg}).to_string()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.msg)
    }
}
