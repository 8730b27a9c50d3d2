//! A journal record as a document: what people search for as fields, and the whole record as the text that the journal's
//! file holds, with a checksum.

use hedge_core::{BoxError, Envelope, Seq, StoreError};
use hedge_http::sign::sha256_hex;

use super::{
    error::FirestoreError,
    paths::Paths,
    value::{Fields, Value},
    wire::{Document, Precondition, Write},
};

/// Longest text in one document: a field takes 1,048,487 bytes and the document 1,048,576 with everything in it.
/// Source: fact sheet "services", section a.6.
const PART_BYTES: usize = 900_000;
/// Longest record: it goes into one request of at most 10 MiB, and every quote in it is escaped there.
const RECORD_BYTES: usize = 4_000_000;
/// Hex digits of the checksum: the first 64 bits of SHA-256.
const SUM_DIGITS: usize = 16;

/// A record ready to be written.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) seq: Seq,
    pub(super) sum: String,
    pub(super) writes: Vec<Write>,
    /// About how much it adds to a request. Units: bytes.
    pub(super) bytes: usize,
}

/// The record's documents, to be created and never replaced.
pub(super) fn encode(envelope: &Envelope, paths: &Paths) -> Result<Encoded, StoreError> {
    let seq = envelope.seq;
    let refused = |source: BoxError| StoreError::Encode { seq, source };
    let json = serde_json::to_string(envelope).map_err(|error| refused(error.into()))?;
    if json.len() > RECORD_BYTES {
        let what = "its text".to_owned();
        return Err(refused(
            FirestoreError::TooLarge { what, bytes: json.len(), limit: RECORD_BYTES }.into(),
        ));
    }
    let sum = checksum(&json);
    let mut fields = Fields::from([
        ("seq".to_owned(), number(seq).ok_or_else(|| refused("its place is too large".into()))?),
        ("at".to_owned(), Value::Time(envelope.at)),
        ("kind".to_owned(), kind_of(&json).into()),
        ("sum".to_owned(), sum.clone().into()),
    ]);
    if let Some(cause) = envelope.cause.and_then(number) {
        fields.insert("cause".to_owned(), cause);
    }
    // Escaping makes a text longer by about a quarter; twice is always enough for these.
    let bytes = json.len() * 2 + 1_000;
    let create = |name, fields| Write::replace(name, fields, Some(Precondition::Exists(false)));
    let mut writes = Vec::new();
    if json.len() <= PART_BYTES {
        fields.insert("json".to_owned(), json.into());
    } else {
        let parts = split(&json);
        fields.insert("parts".to_owned(), Value::Int(parts.len() as i64));
        writes.extend(parts.iter().enumerate().map(|(index, text)| {
            create(paths.part(seq, index), Fields::from([("text".to_owned(), Value::from(*text))]))
        }));
    }
    writes.push(create(paths.record(seq), fields));
    Ok(Encoded { seq, sum, writes, bytes })
}

/// What a document says before its parts are read.
#[derive(Debug)]
pub(super) enum Stored {
    Whole(Box<Envelope>),
    /// Its text is in that many other documents.
    InParts {
        seq: Seq,
        parts: usize,
        sum: String,
    },
}

/// Reads a document and checks it. Errors: [`StoreError::Corrupt`] naming the document.
pub(super) fn decode(document: &Document) -> Result<Stored, StoreError> {
    let seq = seq_of(document)?;
    let sum = document.text("sum").ok_or_else(|| corrupt(document, "it has no field sum"))?;
    if let Some(json) = document.text("json") {
        return Ok(Stored::Whole(Box::new(checked(document, seq, sum, json)?)));
    }
    match document.number("parts") {
        Some(parts @ 2..=999) => Ok(Stored::InParts { seq, parts: parts as usize, sum: sum.to_owned() }),
        _ => Err(corrupt(document, "it has neither a field json nor a number of parts")),
    }
}

/// Puts a record together from its parts, in order.
pub(super) fn join(
    document: &Document,
    seq: Seq,
    sum: &str,
    parts: &[Option<Document>],
) -> Result<Envelope, StoreError> {
    let mut json = String::new();
    for (index, part) in parts.iter().enumerate() {
        let text = part.as_ref().and_then(|part| part.text("text"));
        json.push_str(text.ok_or_else(|| corrupt(document, format!("its part {index} is missing")))?);
    }
    checked(document, seq, sum, &json)
}

/// The place that the document's name and its field agree on.
pub(super) fn seq_of(document: &Document) -> Result<Seq, StoreError> {
    let named: Option<u64> = document.id().parse().ok().filter(|_| document.id().len() == 20);
    match (named, document.number("seq")) {
        (Some(named), Some(stated)) if named == stated => Ok(Seq(named)),
        (_, stated) => {
            let stated = stated.map_or("nothing".to_owned(), |seq| seq.to_string());
            Err(corrupt(document, format!("its name and its field seq ({stated}) do not agree")))
        }
    }
}

fn checked(document: &Document, seq: Seq, sum: &str, json: &str) -> Result<Envelope, StoreError> {
    let computed = checksum(json);
    if computed != sum {
        return Err(corrupt(document, format!("its checksum is {sum} but its content gives {computed}")));
    }
    let envelope: Envelope = serde_json::from_str(json)
        .map_err(|error| corrupt(document, format!("its content cannot be read: {error}")))?;
    if envelope.seq != seq {
        return Err(corrupt(document, format!("it holds record {}", envelope.seq)));
    }
    Ok(envelope)
}

pub(super) fn corrupt(document: &Document, detail: impl Into<String>) -> StoreError {
    corrupt_at(&document.name, detail)
}

pub(super) fn corrupt_at(name: &str, detail: impl Into<String>) -> StoreError {
    StoreError::Corrupt { place: format!("Firestore document {}", Paths::short(name)), detail: detail.into() }
}

pub(super) fn number(seq: Seq) -> Option<Value> {
    i64::try_from(seq.0).ok().map(Value::Int)
}

fn checksum(json: &str) -> String {
    let mut sum = sha256_hex(json.as_bytes());
    sum.truncate(SUM_DIGITS);
    sum
}

/// `fact.tick`, `decision.order_approved`, …: from the text, where both words lead their objects.
fn kind_of(json: &str) -> String {
    let word = |rest: &str, before: &str| -> Option<String> {
        let rest = &rest[rest.find(before)? + before.len()..];
        Some(rest[..rest.find('"')?].to_owned())
    };
    let kind = || {
        let family = word(json, "\"event\":{\"")?;
        let name = word(json, &format!("\"{family}\":{{\"{family}\":\""))?;
        Some(format!("{family}.{name}"))
    };
    kind().unwrap_or_else(|| "unknown".to_owned())
}

/// Pieces that each fit into a document, cut between characters.
fn split(json: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = json;
    while rest.len() > PART_BYTES {
        let mut cut = PART_BYTES;
        while !rest.is_char_boundary(cut) {
            cut -= 1;
        }
        let (part, after) = rest.split_at(cut);
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use hedge_core::{Event, Fact, OperatorCommand, Timestamp};

    use super::*;
    use crate::firestore::config::{Access, FirestoreConfig};

    fn paths() -> Paths {
        Paths::new(&FirestoreConfig::new("p", "paper", Access::Emulator))
    }

    fn said(seq: u64, because: &str) -> Envelope {
        let event =
            Event::Fact(Fact::Operator { command: OperatorCommand::Halt, because: because.to_owned() });
        Envelope {
            seq: Seq(seq),
            at: Timestamp::from_ns(1_795_165_200_123_456_789),
            cause: Some(Seq(3)),
            event,
        }
    }

    fn stored(write: &Write) -> Document {
        let (name, fields) = (write.update.name.clone(), write.update.fields.clone());
        Document { name, fields, update_time: "2026-11-20T09:00:00.000000Z".to_owned() }
    }

    #[test]
    fn a_record_is_a_document_with_fields_to_search_for_and_its_whole_text() {
        let record = said(7, "x");
        let encoded = encode(&record, &paths()).unwrap();
        let [write] = &encoded.writes[..] else { panic!("{encoded:?}") };
        assert_eq!(Paths::short(&write.update.name), "hedge/paper/journal/00000000000000000007");
        assert_eq!(write.current_document, Some(Precondition::Exists(false)));
        let fields = &write.update.fields;
        assert_eq!(fields["kind"], "fact.operator".into());
        assert_eq!((&fields["seq"], &fields["cause"]), (&Value::Int(7), &Value::Int(3)));
        assert_eq!(fields["at"].as_time().map(Timestamp::ns), Some(1_795_165_200_123_456_789));
        assert!(matches!(decode(&stored(write)).unwrap(), Stored::Whole(found) if *found == record));
    }

    #[test]
    fn a_record_that_fits_into_no_document_is_split_between_characters_and_joined_again() {
        let record = said(7, &"aä€😀".repeat(200_000));
        let encoded = encode(&record, &paths()).unwrap();
        assert_eq!(encoded.writes.len(), 4, "three parts and the record");
        let all: Vec<Document> = encoded.writes.iter().map(stored).collect();
        let (document, parts) = all.split_last().unwrap();
        let parts: Vec<Option<Document>> = parts.iter().cloned().map(Some).collect();
        let Stored::InParts { seq, parts: 3, sum } = decode(document).unwrap() else { panic!() };
        assert_eq!(join(document, seq, &sum, &parts).unwrap(), record);
        let error =
            join(document, seq, &sum, &[parts[0].clone(), None, parts[2].clone()]).unwrap_err().to_string();
        assert!(error.contains("journal/00000000000000000007 is corrupt: its part 1 is missing"), "{error}");
    }

    #[test]
    fn a_record_that_fits_into_no_request_is_refused_with_its_size() {
        let error = encode(&said(7, &"x".repeat(4_000_001)), &paths()).unwrap_err();
        assert!(matches!(FirestoreError::of(&error), Some(FirestoreError::TooLarge { .. })), "{error}");
        assert!(error.to_string().starts_with("record 7 cannot be encoded: its text has 4000"), "{error}");
    }

    #[test]
    fn a_changed_document_is_corrupt_and_named() {
        let good = stored(&encode(&said(7, "test"), &paths()).unwrap().writes[0]);
        let changed = |change: &dyn Fn(&mut Document)| {
            let mut document = good.clone();
            change(&mut document);
            decode(&document).unwrap_err().to_string()
        };
        for (change, expected) in [
            (
                &(|d: &mut Document| {
                    let json = d.text("json").unwrap().replace("test", "tesT");
                    d.fields.insert("json".to_owned(), json.into());
                }) as &dyn Fn(&mut Document),
                "its checksum is",
            ),
            (&|d| drop(d.fields.remove("json")), "neither a field json nor a number of parts"),
            (&|d| drop(d.fields.remove("sum")), "it has no field sum"),
            (&|d| drop(d.fields.insert("seq".to_owned(), Value::Int(8))), "do not agree"),
            (&|d| d.name = d.name.replace("07", "08"), "do not agree"),
        ] {
            let error = changed(change);
            assert!(error.starts_with("Firestore document hedge/paper/journal/"), "{error}");
            assert!(error.contains(expected), "{error}");
        }
    }
}
