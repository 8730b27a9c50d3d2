//! An append-only journal with one writer, plus named views derived from it.

use std::{fmt, num::NonZeroU32};

use async_trait::async_trait;

use crate::{error::StoreError, event::Envelope, id::Seq};

/// Name of a view: `[a-z0-9_]`, 1 to 40.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewName(&'static str);

impl ViewName {
    /// A view name. `None` unless it is 1 to 40 characters `a-z 0-9 _`.
    pub const fn new(name: &'static str) -> Option<Self> {
        let bytes = name.as_bytes();
        if bytes.is_empty() || bytes.len() > 40 {
            return None;
        }
        let mut i = 0;
        while i < bytes.len() {
            if !(bytes[i].is_ascii_lowercase() || bytes[i].is_ascii_digit() || bytes[i] == b'_') {
                return None;
            }
            i += 1;
        }
        Some(Self(name))
    }
    /// The text.
    pub const fn as_str(&self) -> &'static str {
        self.0
    }
}

/// A view: JSON text derived from the journal up to `as_of`. Never read back as truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The last record it contains.
    pub as_of: Seq,
    /// JSON.
    pub json: String,
}

/// Some records and where to go on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Records in order.
    pub records: Vec<Envelope>,
    /// The next place to read from; `None` at the end.
    pub next: Option<Seq>,
}

/// An append-only journal with one writer, plus named views.
#[async_trait]
pub trait StateStore: fmt::Debug + Send + Sync + 'static {
    /// Appends durably. Fails with [`StoreError::Conflict`] unless the journal's next place is `expected_next`.
    /// Idempotent: the same batch at the same place after a time-out is success. Returns the next place.
    async fn append(&self, expected_next: Seq, batch: &[Envelope]) -> Result<Seq, StoreError>;
    /// Reads up to `limit` records from a place on.
    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Page, StoreError>;
    /// The place after the last record.
    async fn next_seq(&self) -> Result<Seq, StoreError>;
    /// Replaces a view atomically.
    async fn put_view(&self, name: &ViewName, view: &View) -> Result<(), StoreError>;
    /// Reads a view.
    async fn get_view(&self, name: &ViewName) -> Result<Option<View>, StoreError>;
}
