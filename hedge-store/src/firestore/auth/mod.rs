//! Tokens: from a service account's key file, from the machine's metadata server, or the emulator's fixed one.

mod cache;
mod metadata;
mod service_account;
mod token;

pub(super) use cache::Tokens;
pub use service_account::CredentialsError;
pub(super) use service_account::project_of;
