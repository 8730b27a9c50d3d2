#![doc = include_str!("../README.md")]

pub mod control;
mod disk;
mod file;
#[cfg(feature = "firestore")]
pub mod firestore;
mod journal;
mod line;
mod lock;
mod memory;
mod pack;
mod segment;
mod space;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod state_dir;
pub mod tee;
mod view;
mod writer;

pub use control::{ControlDir, ControlError, FenceAck, FenceRecord, PanicGuard, Publication};
pub use file::{Durability, FileOptions, FileStore};
pub use journal::{FileJournal, Records};
pub use line::{Chain, LONGEST_LINE, decode_next as decode_line, encode as encode_line, read_line};
pub use memory::MemoryStore;
pub use pack::Packed;
pub use segment::{Repair, Tear};
pub use space::free_mb;
pub use state_dir::{Owner, Resolved, StateDir, StateDirError};
pub use view::ahead_of_journal;
