//! What the service refuses in a document.

use serde_json::{Map, Value};

/// Largest document. Units: bytes.
const DOCUMENT_BYTES: usize = 1_048_576;
/// Largest text. Units: bytes.
const TEXT_BYTES: usize = 1_048_487;

/// Checks the fields of a document. The text is what the service would say.
pub(super) fn fields(fields: &Map<String, Value>) -> Result<(), String> {
    for (name, field) in fields {
        let is_reserved = name.len() >= 4 && name.starts_with("__") && name.ends_with("__");
        if name.is_empty() || is_reserved || name.len() > 1_500 {
            return Err(format!("Invalid field name {name:?}."));
        }
        value(field, name, false)?;
    }
    let size = serde_json::to_string(fields).map_or(0, |text| text.len());
    // The text of the JSON is a little longer than what the service counts.
    if size > DOCUMENT_BYTES * 5 / 4 {
        return Err(format!("Document cannot be written because its size ({size}) exceeds the maximum."));
    }
    Ok(())
}

fn value(value: &Value, name: &str, is_in_list: bool) -> Result<(), String> {
    let invalid = || "Payload isn't valid for request.".to_owned();
    let object = value.as_object().filter(|object| object.len() == 1).ok_or_else(invalid)?;
    let (kind, content) = object.iter().next().ok_or_else(invalid)?;
    let is_right = match kind.as_str() {
        "nullValue" => content.is_null(),
        "booleanValue" => content.is_boolean(),
        "integerValue" => {
            content.as_str().is_some_and(|text| text.parse::<i64>().is_ok()) || content.is_i64()
        }
        "doubleValue" => {
            content.is_number() || ["NaN", "Infinity", "-Infinity"].iter().any(|text| content == text)
        }
        "timestampValue" => content.as_str().is_some_and(|text| text.len() >= 20 && text.ends_with('Z')),
        "bytesValue" | "referenceValue" => content.is_string(),
        "stringValue" => match content.as_str() {
            Some(text) if text.len() > TEXT_BYTES => {
                return Err(format!("The value of property \"{name}\" is longer than {TEXT_BYTES} bytes."));
            }
            text => text.is_some(),
        },
        "arrayValue" if is_in_list => {
            return Err("Cannot convert an array value in an array value.".to_owned());
        }
        "arrayValue" => {
            for element in content.get("values").and_then(Value::as_array).into_iter().flatten() {
                self::value(element, name, true)?;
            }
            content.is_object()
        }
        "mapValue" => {
            if let Some(inner) = content.get("fields").and_then(Value::as_object) {
                fields(inner)?;
            }
            content.is_object()
        }
        _ => false,
    };
    if is_right { Ok(()) } else { Err(invalid()) }
}
