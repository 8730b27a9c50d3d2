//! Views from the journal, for a directory whose files are missing or damaged.

use std::path::Path;

use hedge_core::{Book, Seq, StoreError, View, ViewName};
use hedge_runtime::Views;
use hedge_store::FileJournal;

/// Folds the whole journal. `None` when there is no record.
pub(super) fn refold(dir: &Path) -> Result<Option<Vec<(ViewName, View)>>, StoreError> {
    let journal = FileJournal::open_read_only(dir)?;
    let (mut book, mut views, mut changes) = (Book::default(), Views::default(), Vec::new());
    let mut at = None;
    for record in journal.records(Seq(0)) {
        let record = record?;
        book.apply(&record, &mut changes);
        changes.clear();
        views.observe(&record, &book);
        at = Some(record.at);
    }
    Ok(at.map(|at| views.render(&book, at)))
}
