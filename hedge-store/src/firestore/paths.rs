//! Names of documents. Source of the rules for names: fact sheet "services", section a.1.

use hedge_core::Seq;

use super::config::FirestoreConfig;

/// Names of everything of one installation.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    /// `projects/…/databases/…/documents`.
    documents: String,
    /// `…/hedge/{env}`.
    root: String,
}

impl Paths {
    pub(super) fn new(config: &FirestoreConfig) -> Self {
        let documents = format!("projects/{}/databases/{}/documents", config.project, config.database);
        let root = format!("{documents}/hedge/{}", config.env);
        Self { documents, root }
    }
    pub(super) fn documents(&self) -> &str {
        &self.documents
    }
    /// The parent of every collection of the installation.
    pub(super) fn root(&self) -> &str {
        &self.root
    }
    pub(super) fn view(&self, name: &str) -> String {
        format!("{}/state/{name}", self.root)
    }
    /// Twenty digits, so that names sort like places.
    pub(super) fn record(&self, seq: Seq) -> String {
        format!("{}/journal/{:020}", self.root, seq.0)
    }
    /// A piece of a record that does not fit into one document.
    pub(super) fn part(&self, seq: Seq, part: usize) -> String {
        format!("{}/journal_parts/{:020}-{part:03}", self.root, seq.0)
    }
    /// Where the journal ends. In a collection of its own: views may have any name.
    pub(super) fn head(&self) -> String {
        format!("{}/head/journal", self.root)
    }
    /// `day` is `yyyymmdd`.
    pub(super) fn nav_day(&self, day: &str) -> String {
        format!("{}/nav_series/{day}", self.root)
    }
    pub(super) fn lease(&self, account: &str) -> String {
        format!("{}/lease/{account}", self.root)
    }
    /// A name without project and database, for people.
    pub(super) fn short(name: &str) -> &str {
        name.split_once("/documents/").map_or(name, |(_, short)| short)
    }
}

/// Whether a text can be the id of a document.
pub(super) fn is_document_id(id: &str) -> bool {
    (1..=1_500).contains(&id.len())
        && !id.contains('/')
        && id != "."
        && id != ".."
        && !(id.len() >= 4 && id.starts_with("__") && id.ends_with("__"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firestore::config::Access;

    #[test]
    fn documents_are_where_the_operators_look_for_them() {
        let paths = Paths::new(&FirestoreConfig::new("fund", "prod", Access::Emulator));
        let short = |name: String| Paths::short(&name).to_owned();
        assert_eq!(paths.view("nav"), "projects/fund/databases/(default)/documents/hedge/prod/state/nav");
        assert_eq!(short(paths.record(Seq(42))), "hedge/prod/journal/00000000000000000042");
        assert_eq!(short(paths.nav_day("20261120")), "hedge/prod/nav_series/20261120");
        assert_eq!(short(paths.lease("main")), "hedge/prod/lease/main");
    }

    #[test]
    fn ids_that_the_service_refuses_are_not_ids() {
        for id in ["", "a/b", ".", "..", "__a__", "____"] {
            assert!(!is_document_id(id), "{id}");
        }
        assert!(is_document_id("binance-usdm_1") && is_document_id("__"));
    }
}
