//! The same journal and views in Google's Firestore, for people and programs elsewhere.
//!
//! Feature `firestore`. The layout, what it costs, and what happens during an outage are in the project's `docs/stores.md`.
//!
//! ```text
//! hedge/{env}/journal/{seq:020}      one document per record, never replaced
//! hedge/{env}/head/journal           where the journal ends
//! hedge/{env}/state/{view}           nav, positions, health, …: replaced, newest wins
//! hedge/{env}/nav_series/{yyyymmdd}  the points of a day
//! hedge/{env}/lease/{account}        who may trade
//! ```
//!
//! ```no_run
//! use hedge_core::StateStore;
//! use hedge_store::firestore::{Access, Firestore, FirestoreConfig};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let key = Access::ServiceAccount("/etc/hedge/firestore-key.json".into());
//! let store = Firestore::new(FirestoreConfig::new("my-project", "prod", key))?;
//! println!("{}", store.describe());
//! println!("{}", store.budget(8));
//! println!("the journal ends at {}", store.next_seq().await?);
//! # Ok(())
//! # }
//! ```

mod auth;
mod client;
mod config;
mod error;
mod head;
mod journal;
mod json;
mod lease;
mod nav_series;
mod paths;
mod quota;
mod record;
mod store;
mod time;
mod value;
mod views;
mod wire;

pub use auth::CredentialsError;
pub use config::{
    Access, DEFAULT_DATABASE, FirestoreConfig, FirestoreConfigError, FirestoreRetry, FirestoreValues,
    METADATA_HOST, PRODUCTION_URL,
};
pub use error::FirestoreError;
#[doc(hidden)]
pub use lease::read_lease;
pub use lease::{Grant, Lease, LeaseError, LeaseSettings};
pub use nav_series::NavPoint;
pub use quota::{Usage, WriteBudget};
pub use store::Firestore;
pub use value::{Fields, Value};
