//! The few messages of the REST interface that this store uses. Source: fact sheet "services", sections a.3 and a.4.

use serde::{Deserialize, Serialize};

use super::value::{Fields, Value};

/// A document as the service returns it. One without fields has no `fields` at all.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    pub(super) name: String,
    #[serde(default)]
    pub(super) fields: Fields,
    /// An opaque word for preconditions, and the server's time of the last change.
    pub(super) update_time: String,
}

impl Document {
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_text()
    }
    pub(super) fn number(&self, field: &str) -> Option<u64> {
        u64::try_from(self.fields.get(field)?.as_int()?).ok()
    }
    /// The last segment of its name.
    pub(super) fn id(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }
}

/// One document of a batch read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Found {
    pub(super) found: Option<Document>,
    pub(super) missing: Option<String>,
    /// The server's clock.
    pub(super) read_time: Option<String>,
}

/// One row of a query. The last one may carry no document.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    pub(super) document: Option<Document>,
}

/// What must hold for a write.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Precondition {
    Exists(bool),
    UpdateTime(String),
}

/// One write of a commit.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Write {
    pub(super) update: Update,
    /// Without a mask the whole document is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) update_mask: Option<Mask>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) update_transforms: Vec<Transform>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) current_document: Option<Precondition>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Update {
    pub(super) name: String,
    pub(super) fields: Fields,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mask {
    pub(super) field_paths: Vec<&'static str>,
}

/// Adds those elements to a list that are not in it yet: repeating it changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transform {
    pub(super) field_path: &'static str,
    pub(super) append_missing_elements: Elements,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Elements {
    pub(super) values: Vec<Value>,
}

impl Write {
    /// Replaces a document as a whole, creating it if need be.
    pub(super) fn replace(name: String, fields: Fields, current: Option<Precondition>) -> Self {
        Self {
            update: Update { name, fields },
            update_mask: None,
            update_transforms: Vec::new(),
            current_document: current,
        }
    }
}

/// The answer to a commit.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Committed {
    #[serde(default)]
    pub(super) write_results: Vec<WriteResult>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WriteResult {
    pub(super) update_time: Option<String>,
}
