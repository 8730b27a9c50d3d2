//! The journal: appended in commits that also move the head, read in pages.
//!
//! One commit is atomic: all its records and the head, or nothing. A batch that does not fit into one commit is written as
//! several; the head says which batch that is, so that repeating the batch goes on where it stopped, and reading never shows
//! a gap. Until the repetition the journal ends inside the batch.

use std::num::NonZeroU32;

use hedge_core::{Envelope, Page, Seq, StoreError};
use serde_json::json;
use tokio::sync::Mutex;

use super::{
    client::{Client, Failure, QueryError},
    error::FirestoreError,
    head::Head,
    record::{self, Encoded, Stored, corrupt_at},
    wire::{Document, Write},
};
use crate::file::check_place;

/// Writes in one commit, the head among them. The service takes more; this is what the fact sheet advises ("services", a.6).
const COMMIT_WRITES: usize = 400;
/// Bytes in one commit. The service takes 10 MiB.
const COMMIT_BYTES: usize = 8_500_000;
/// Records in one page.
const PAGE: u32 = 300;

/// The journal of one installation.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Where it ended after the last append of this process. Held while appending.
    head: Mutex<Option<Head>>,
}

impl Journal {
    pub(super) async fn append(
        &self,
        client: &Client,
        expected_next: Seq,
        batch: &[Envelope],
    ) -> Result<Seq, StoreError> {
        let mut records = Vec::with_capacity(batch.len());
        let mut place = expected_next;
        for envelope in batch {
            check_place(envelope, place)?;
            records.push(record::encode(envelope, &client.paths)?);
            place = place.next();
        }
        let until = place;

        let mut cached = self.head.lock().await;
        let known = cached.take().filter(|head| head.next == expected_next);
        // Only a batch that begins at the end is taken on the word of this process; everything else is looked at first.
        let mut head = match known {
            Some(head) if !batch.is_empty() => head,
            _ => read_head(client).await?,
        };
        let done = already_there(client, &head, expected_next, until, &records).await?;
        let mut rest = &records[done..];
        while !rest.is_empty() {
            let (commit, after) = rest.split_at(fitting(rest));
            head = append_one(client, head, expected_next, until, commit).await?;
            rest = after;
        }
        *cached = Some(head);
        Ok(until)
    }

    pub(super) async fn next_seq(&self, client: &Client) -> Result<Seq, StoreError> {
        Ok(read_head(client).await?.next)
    }

    /// Begins an empty journal at a place after 0.
    pub(super) async fn start_at(&self, client: &Client, first: Seq) -> Result<(), StoreError> {
        let mut cached = self.head.lock().await;
        *cached = None;
        let doing = format!("beginning the journal at {first}");
        let head = Head { first, next: first, batch_from: first, batch_until: first, version: None };
        let mut attempt = 1;
        loop {
            let found = read_head(client).await?;
            if found.version.is_some() {
                let is_it = found.first == first && found.next == first;
                return if is_it {
                    Ok(())
                } else {
                    Err(StoreError::Conflict { expected: first, found: found.next })
                };
            }
            let writes = [head_write(client, &head, None)?];
            match client.commit_once(&writes).await {
                Ok(_) => return Ok(()),
                // Somebody was faster, or this one's answer was lost: the next look tells.
                Err(Failure::Precondition(_)) if attempt < client.retry.attempts.get() => {}
                Err(failure) => match client.wait(attempt, &failure) {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return Err(client.give_up(failure, attempt).while_doing(doing)),
                },
            }
            attempt += 1;
        }
    }

    pub(super) async fn read(
        &self,
        client: &Client,
        from: Seq,
        limit: NonZeroU32,
    ) -> Result<Page, StoreError> {
        let mut wanted = limit.get().min(PAGE);
        loop {
            match page(client, from, wanted).await {
                Err(PageError::TooLong) if wanted > 1 => wanted = (wanted / 4).max(1),
                Err(PageError::TooLong) => {
                    let detail = "the answer is longer than is read".to_owned();
                    return Err(
                        FirestoreError::Malformed { detail }.while_doing(format!("reading record {from}"))
                    );
                }
                Err(PageError::Failed(error)) => return Err(error),
                Ok(page) => return Ok(page),
            }
        }
    }
}

async fn read_head(client: &Client) -> Result<Head, StoreError> {
    let found = client.get(client.paths.head()).await;
    Head::read(found.map_err(|error| error.while_doing("reading where the journal ends"))?)
}

fn head_write(client: &Client, head: &Head, version: Option<&String>) -> Result<Write, StoreError> {
    let write = head.write(client.paths.head(), version);
    write.ok_or_else(|| StoreError::Encode { seq: head.next, source: "the place is too large".into() })
}

/// How many records of a batch that should go to `from..until` are stored already.
///
/// All of them when it is the last batch again; some of them when its commits were interrupted; otherwise none, and then
/// `from` must be where the journal ends.
async fn already_there(
    client: &Client,
    head: &Head,
    from: Seq,
    until: Seq,
    records: &[Encoded],
) -> Result<usize, StoreError> {
    let conflict = || StoreError::Conflict { expected: from, found: head.next };
    if head.next == from {
        return Ok(0);
    }
    let is_last_again = head.next == until && !records.is_empty();
    let is_interrupted =
        head.batch_from == from && head.batch_until == until && head.next > from && head.next < until;
    if !(is_last_again || is_interrupted) || from < head.first {
        return Err(conflict());
    }
    let done = usize::try_from(head.next.0 - from.0).unwrap_or(usize::MAX).min(records.len());
    match compare(client, &records[..done]).await? {
        Comparison::Equal => Ok(done),
        Comparison::Different { .. } => Err(conflict()),
        Comparison::Missing { name } => {
            Err(corrupt_at(&name, format!("it is missing, though the journal goes on until {}", head.next)))
        }
    }
}

/// As many records as one commit takes beside the head; at least one.
fn fitting(records: &[Encoded]) -> usize {
    let (mut writes, mut bytes) = (1, 0);
    let fits = records.iter().take_while(|record| {
        writes += record.writes.len();
        bytes += record.bytes;
        writes <= COMMIT_WRITES && bytes <= COMMIT_BYTES
    });
    fits.count().max(1)
}

/// One commit: those records and the head. Finds out what happened where no answer tells.
async fn append_one(
    client: &Client,
    head: Head,
    from: Seq,
    until: Seq,
    records: &[Encoded],
) -> Result<Head, StoreError> {
    let next = records.last().map_or(head.next, |record| record.seq.next());
    let moved = Head { first: head.first, next, batch_from: from, batch_until: until, version: None };
    let mut writes: Vec<Write> = records.iter().flat_map(|record| record.writes.iter().cloned()).collect();
    writes.push(head_write(client, &moved, head.version.as_ref())?);
    let doing = || format!("appending records {} to {next} to the journal", head.next);
    let mut is_in_doubt = false;
    let mut attempt = 1;
    loop {
        let failure = match client.commit_once(&writes).await {
            Ok(committed) => {
                let version = committed.write_results.last().and_then(|result| result.update_time.clone());
                let version = version.ok_or_else(|| {
                    let detail = "a committed write has no updateTime".to_owned();
                    FirestoreError::Malformed { detail }.while_doing(doing())
                })?;
                return Ok(Head { version: Some(version), ..moved });
            }
            Err(failure) => failure,
        };
        let is_refused = matches!(failure, Failure::Precondition(_));
        is_in_doubt |= matches!(failure, Failure::InDoubt(_));
        if is_refused || matches!(failure, Failure::InDoubt(_)) {
            match look(client, &head, &moved, is_in_doubt, records).await {
                Ok(Some(head)) => return Ok(head),
                Ok(None) if is_refused => {
                    // The head is unchanged and still the service refuses: a record stands behind the end.
                    let name =
                        records.first().map_or_else(|| client.paths.head(), |r| client.paths.record(r.seq));
                    return Err(corrupt_at(
                        &name,
                        format!("it exists, though the journal ends at {}", head.next),
                    ));
                }
                Ok(None) => {}
                // The look itself was refused for good, or shows another writer.
                Err(error) if FirestoreError::of(&error).is_none_or(|error| !error.is_retryable()) => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        match client.wait(attempt, &failure) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => {
                let failure = match failure {
                    Failure::Transient(detail) if is_in_doubt => Failure::InDoubt(detail),
                    other => other,
                };
                return Err(client.give_up(failure, attempt).while_doing(doing()));
            }
        }
        attempt += 1;
    }
}

/// What became of a commit whose answer did not come, or came as a refusal: the new head if it happened, `None` if not.
async fn look(
    client: &Client,
    before: &Head,
    moved: &Head,
    is_in_doubt: bool,
    records: &[Encoded],
) -> Result<Option<Head>, StoreError> {
    let now = read_head(client).await?;
    if now == *before {
        return Ok(None);
    }
    let conflict = StoreError::Conflict { expected: before.next, found: now.next };
    if now.next < moved.next {
        return Err(conflict);
    }
    match compare(client, records).await? {
        // Only a commit that holds every record and the head can have stored them.
        Comparison::Equal if now.next == moved.next => Ok(Some(now)),
        Comparison::Equal => Err(conflict),
        Comparison::Different { name, stored, ours } if is_in_doubt => Err(corrupt_at(
            &name,
            format!(
                "after a commit whose answer was lost it holds another record (checksum {stored}, ours {ours}): another writer \
                 is alive, or somebody edited it"
            ),
        )),
        Comparison::Different { .. } => Err(conflict),
        Comparison::Missing { name } => {
            Err(corrupt_at(&name, format!("it is missing, though the journal goes on until {}", now.next)))
        }
    }
}

enum Comparison {
    Equal,
    Different { name: String, stored: String, ours: String },
    Missing { name: String },
}

/// Compares records with what is stored at their places, by checksum of the content that is really there.
async fn compare(client: &Client, records: &[Encoded]) -> Result<Comparison, StoreError> {
    let mut rest = records;
    while let Some(first) = rest.first() {
        let (some, after) = rest.split_at(fitting(rest));
        rest = after;
        let names: Vec<String> = some.iter().map(|record| client.paths.record(record.seq)).collect();
        let found = client.get_all(&names).await;
        let found =
            found.map_err(|error| error.while_doing(format!("reading records from {} on", first.seq)))?;
        for (record, found) in some.iter().zip(found) {
            let Some(document) = found.document else {
                return Ok(Comparison::Missing { name: client.paths.record(record.seq) });
            };
            // A damaged document must not pass for an equal one, so its content is checked too.
            let envelope = whole(client, &document).await?;
            let stored = record::encode(&envelope, &client.paths)?.sum;
            if stored != record.sum {
                return Ok(Comparison::Different { name: document.name, stored, ours: record.sum.clone() });
            }
        }
    }
    Ok(Comparison::Equal)
}

enum PageError {
    TooLong,
    Failed(StoreError),
}

async fn page(client: &Client, from: Seq, wanted: u32) -> Result<Page, PageError> {
    let query = json!({"structuredQuery": {
        "from": [{"collectionId": "journal"}],
        "orderBy": [{"field": {"fieldPath": "__name__"}, "direction": "ASCENDING"}],
        "startAt": {"values": [{"referenceValue": client.paths.record(from)}], "before": true},
        // One more than wanted, to know whether the journal goes on.
        "limit": wanted + 1,
    }});
    let documents = client.query(client.paths.root(), &query).await.map_err(|error| match error {
        QueryError::TooLong => PageError::TooLong,
        QueryError::Failed(error) => {
            PageError::Failed(error.while_doing(format!("reading records from {from} on")))
        }
    })?;
    if let Some(first) = documents.first()
        && record::seq_of(first).map_err(PageError::Failed)? != from
    {
        let head = read_head(client).await.map_err(PageError::Failed)?;
        if from < head.first {
            return Box::pin(page(client, head.first, wanted)).await;
        }
    }
    let mut goes_on = documents.len() > wanted as usize;
    let mut records = Vec::with_capacity(documents.len().min(wanted as usize));
    let mut place = from;
    for document in documents.iter().take(wanted as usize) {
        let found = record::seq_of(document).map_err(PageError::Failed)?;
        if found != place {
            let name = client.paths.record(place);
            let detail = format!("it is missing; the next record there is {found}");
            return Err(PageError::Failed(corrupt_at(&name, detail)));
        }
        records.push(whole(client, document).await.map_err(PageError::Failed)?);
        place = place.next();
    }
    if !goes_on {
        goes_on = goes_on_after_all(client, place).await.map_err(PageError::Failed)?;
    }
    Ok(Page { records, next: goes_on.then_some(place) })
}

/// Whether there is a record at a place where a page ended, because it came after the page was read.
///
/// # Errors
/// The head says that the journal is longer, and still there is none: somebody has deleted its end.
async fn goes_on_after_all(client: &Client, place: Seq) -> Result<bool, StoreError> {
    let head = read_head(client).await?;
    // Before its first record there is nothing to miss.
    let place = place.max(head.first);
    if place >= head.next {
        return Ok(false);
    }
    let name = client.paths.record(place);
    let found = client.get(name.clone()).await;
    let found = found.map_err(|error| error.while_doing(format!("reading record {place}")))?;
    if found.document.is_some() {
        return Ok(true);
    }
    Err(corrupt_at(&name, format!("it is missing, though the journal goes on until {}", head.next)))
}

/// A document's record, with its parts where it has any.
async fn whole(client: &Client, document: &Document) -> Result<Envelope, StoreError> {
    match record::decode(document)? {
        Stored::Whole(envelope) => Ok(*envelope),
        Stored::InParts { seq, parts, sum } => {
            let names: Vec<String> = (0..parts).map(|index| client.paths.part(seq, index)).collect();
            let found = client.get_all(&names).await;
            let found =
                found.map_err(|error| error.while_doing(format!("reading the parts of record {seq}")))?;
            let found: Vec<Option<Document>> = found.into_iter().map(|read| read.document).collect();
            record::join(document, seq, &sum, &found)
        }
    }
}
