//! The document that says where the journal ends. Every append changes it under the precondition that nobody else has.

use hedge_core::{Seq, StoreError};

use super::{
    client::ReadDocument,
    record::{corrupt, number},
    value::Fields,
    wire::{Precondition, Write},
};

/// Where the journal begins and ends, and which batch is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The first record's place.
    pub(super) first: Seq,
    /// The place after the last record.
    pub(super) next: Seq,
    /// The last batch, as its writer meant it. `until` is after `next` while commits of it are missing.
    pub(super) batch_from: Seq,
    pub(super) batch_until: Seq,
    /// The document's version; `None` while it does not exist.
    pub(super) version: Option<String>,
}

impl Head {
    /// An empty journal.
    pub(super) const EMPTY: Self =
        Self { first: Seq(0), next: Seq(0), batch_from: Seq(0), batch_until: Seq(0), version: None };

    pub(super) fn read(found: ReadDocument) -> Result<Self, StoreError> {
        let Some(document) = found.document else { return Ok(Self::EMPTY) };
        let place = |field: &str| {
            document
                .number(field)
                .map(Seq)
                .ok_or_else(|| corrupt(&document, format!("it has no place {field}")))
        };
        let head = Self {
            first: place("first")?,
            next: place("next")?,
            batch_from: place("batch_from")?,
            batch_until: place("batch_until")?,
            version: Some(document.update_time.clone()),
        };
        let is_ordered =
            head.first <= head.batch_from && head.batch_from <= head.next && head.next <= head.batch_until;
        if is_ordered {
            Ok(head)
        } else {
            Err(corrupt(&document, format!("its places are not in order: {head:?}")))
        }
    }

    /// Its replacement, if nobody has replaced it since it was read. `None` for places that no document can hold.
    pub(super) fn write(&self, name: String, version: Option<&String>) -> Option<Write> {
        let fields = Fields::from([
            ("first".to_owned(), number(self.first)?),
            ("next".to_owned(), number(self.next)?),
            ("batch_from".to_owned(), number(self.batch_from)?),
            ("batch_until".to_owned(), number(self.batch_until)?),
        ]);
        let current = match version {
            Some(version) => Precondition::UpdateTime(version.clone()),
            None => Precondition::Exists(false),
        };
        Some(Write::replace(name, fields, Some(current)))
    }
}
