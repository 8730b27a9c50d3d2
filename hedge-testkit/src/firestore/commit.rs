//! `documents:commit`: all writes or none.

use serde_json::{Map, Value, json};

use super::{
    check,
    clock::ServerClock,
    documents::{Answer, Documents, Stored, error, invalid},
};

/// Applies a commit, or leaves everything as it was.
pub(super) fn commit(documents: &mut Documents, clock: &mut ServerClock, body: &Value) -> Answer {
    let Some(writes) = body["writes"].as_array() else { return invalid() };
    let at = clock.tick();
    let mut after = documents.clone();
    let mut results = Vec::new();
    for write in writes {
        if let Err(answer) = apply(&mut after, write, &at) {
            return answer;
        }
        results.push(json!({"updateTime": at}));
    }
    *documents = after;
    (200, json!({"writeResults": results, "commitTime": at}))
}

fn apply(documents: &mut Documents, write: &Value, at: &str) -> Result<(), Answer> {
    let known = ["update", "updateMask", "updateTransforms", "currentDocument", "delete"];
    let object = write.as_object().filter(|object| object.keys().all(|key| known.contains(&key.as_str())));
    let object = object.ok_or_else(invalid)?;
    let name = object.get("delete").or_else(|| object.get("update")?.get("name"));
    let name = name.and_then(Value::as_str).filter(|name| is_document(name)).ok_or_else(invalid)?;
    if let Some(condition) = object.get("currentDocument") {
        holds(documents.get(name), condition, name)?;
    }
    if object.contains_key("delete") {
        documents.remove(name);
        return Ok(());
    }
    let before = documents.get(name);
    let given = write["update"]["fields"].as_object().cloned().unwrap_or_default();
    let mut fields = masked(before, given, object.get("updateMask"))?;
    for transform in write["updateTransforms"].as_array().into_iter().flatten() {
        append_missing(&mut fields, transform)?;
    }
    check::fields(&fields).map_err(|message| error(400, "INVALID_ARGUMENT", &message))?;
    let create_time = before.map_or_else(|| at.to_owned(), |before| before.create_time.clone());
    documents.insert(name.to_owned(), Stored { fields, create_time, update_time: at.to_owned() });
    Ok(())
}

/// `projects/p/databases/d/documents/` and then collections and documents in turn, ending with a document.
fn is_document(name: &str) -> bool {
    let segments: Vec<&str> = name.split('/').collect();
    segments.len() >= 7
        && segments.len() % 2 == 1
        && segments[0] == "projects"
        && segments[2] == "databases"
        && segments[4] == "documents"
        && segments.iter().all(|segment| !segment.is_empty())
}

fn holds(stored: Option<&Stored>, condition: &Value, name: &str) -> Result<(), Answer> {
    let id = name.rsplit('/').next().unwrap_or_default();
    if let Some(exists) = condition["exists"].as_bool() {
        return match (exists, stored) {
            (false, Some(_)) => Err(error(409, "ALREADY_EXISTS", &format!("entity already exists: {id}"))),
            (true, None) => Err(error(404, "NOT_FOUND", &format!("Document ({name}) not found."))),
            _ => Ok(()),
        };
    }
    let Some(wanted) = condition["updateTime"].as_str() else { return Err(invalid()) };
    let found = stored.map_or("0", |stored| stored.update_time.as_str());
    if found == wanted {
        return Ok(());
    }
    let message = format!("the stored version ({found}) does not match the required base version ({wanted})");
    Err(error(400, "FAILED_PRECONDITION", &message))
}

/// Without a mask the given fields are the document; with one only the named fields change, and one that is named but not
/// given is deleted.
fn masked(
    before: Option<&Stored>,
    mut given: Map<String, Value>,
    mask: Option<&Value>,
) -> Result<Map<String, Value>, Answer> {
    let Some(mask) = mask else { return Ok(given) };
    let paths = mask["fieldPaths"].as_array().ok_or_else(invalid)?;
    let mut fields = before.map(|before| before.fields.clone()).unwrap_or_default();
    for path in paths {
        let path = path.as_str().ok_or_else(invalid)?;
        match given.remove(path) {
            Some(value) => fields.insert(path.to_owned(), value),
            None => fields.remove(path),
        };
    }
    Ok(fields)
}

fn append_missing(fields: &mut Map<String, Value>, transform: &Value) -> Result<(), Answer> {
    let path = transform["fieldPath"].as_str().ok_or_else(invalid)?;
    let new = transform["appendMissingElements"]["values"].as_array().ok_or_else(invalid)?;
    let field = fields.entry(path).or_insert_with(|| json!({"arrayValue": {}}));
    let list =
        field.as_object_mut().and_then(|field| field.get_mut("arrayValue")).and_then(Value::as_object_mut);
    let values = list.ok_or_else(invalid)?.entry("values").or_insert_with(|| json!([]));
    let values = values.as_array_mut().ok_or_else(invalid)?;
    for value in new {
        if !values.contains(value) {
            values.push(value.clone());
        }
    }
    Ok(())
}
