//! The file of public keys.

use std::path::Path;

use hedge_sim::binance::PublicKey;
use serde_json::Value;

/// Reads `[{"api_key":"…","public_key":"-----BEGIN PUBLIC KEY-----…"}, …]`.
///
/// # Errors
/// One line: the file, which entry, what is wrong with it.
pub(crate) fn read(path: &Path) -> Result<Vec<PublicKey>, String> {
    let fail = |what: String| format!("{}: {what}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| fail(format!("cannot be read: {error}")))?;
    let json: Value = serde_json::from_str(&text).map_err(|error| fail(format!("not JSON: {error}")))?;
    let entries = json.as_array().ok_or_else(|| fail("expected a list of keys".to_owned()))?;
    let key = |(at, entry): (usize, &Value)| {
        let place = |what: String| fail(format!("key {}: {what}", at + 1));
        let text = |name: &str| {
            let value = entry.get(name).and_then(Value::as_str);
            value.ok_or_else(|| place(format!("no text {name:?}; expected \"api_key\" and \"public_key\"")))
        };
        PublicKey::from_pem(text("api_key")?, text("public_key")?).map_err(place)
    };
    entries.iter().enumerate().map(key).collect()
}
