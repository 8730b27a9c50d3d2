//! What goes wrong on demand.

use std::time::Duration;

/// What the next call meets in place of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 503 `UNAVAILABLE`; nothing happens.
    Unavailable,
    /// 429 `RESOURCE_EXHAUSTED`; nothing happens.
    Exhausted,
    /// 409 `ABORTED`; nothing happens.
    Aborted,
    /// 500 `INTERNAL`; nothing happens.
    Internal,
    /// 401 `UNAUTHENTICATED`; nothing happens.
    Unauthenticated,
    /// 403 `PERMISSION_DENIED`; nothing happens.
    Denied,
    /// 404 `NOT_FOUND` about the whole database.
    NoDatabase,
    /// 504 `DEADLINE_EXCEEDED`; nothing happens.
    Deadline,
    /// 504 `DEADLINE_EXCEEDED`, but the call has done its work.
    DeadlineAfterApply,
    /// 499 `CANCELLED`, but the call has done its work.
    CancelledAfterApply,
    /// The call does its work and answers that much later.
    SlowAfterApply(Duration),
    /// 504 `DEADLINE_EXCEEDED`; the call does its work when [`FakeFirestore::apply_late`](super::FakeFirestore::apply_late)
    /// is called.
    LateApply,
    /// 200 with a text that is no JSON.
    Garbage,
    /// 502 with a page of some other server.
    BadGateway,
}
