//! A lease on an account: one document, taken, renewed and given back under the precondition that nobody else has.
//!
//! Whether a lease has run out is judged by the server's clock alone: the time of a read minus the time of the last write,
//! both written by the server, against the life that the holder stated. The holder itself counts on its own monotonic clock
//! from *before* it sent the write, minus a margin, so it stops before anybody else may begin.
//!
//! A lease is no fence: a process that was paused may wake up after its end. Ask [`Grant::is_valid`] immediately before every
//! act, and give every order a short deadline at the venue. Source: fact sheet "services", sections a.4 and d.4.

use std::{
    borrow::Cow,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use hedge_core::{Posture, Stance, StoreError, Term, Timestamp};

use super::{
    client::{Client, Failure, ReadDocument},
    config::FirestoreConfigError,
    error::FirestoreError,
    paths::{Paths, is_document_id},
    time,
    value::{Fields, Value},
    wire::{Document, Found, Precondition, Write},
};

/// A reason that a person gave is kept up to here. Units: characters.
const LONGEST_REASON: usize = 500;

/// Whose lease, for whom, for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSettings {
    /// The account that is traded; the document's name.
    pub account: String,
    /// Who wants it, for people: host and process.
    pub holder: String,
    /// A name of this start of the process, used by no other.
    pub boot_id: String,
    /// The boot id of an earlier holder that is known to be gone, because this process has taken its lock: its lease is
    /// taken over at once, although it has not run out.
    pub succeeds: Option<String>,
    /// Whether that holder's journal, which is this process's, has what the document says of the account. It has not where the
    /// holder ended before it had taken over what the one before it left: then that is told again.
    pub is_told_by_journal: bool,
    /// A term that this process has used already, or its state directory: the lease's is greater, so that a copy of the
    /// directory never leads under one of the same number.
    pub term_above: Term,
    /// How long it lasts without renewal. 30 s is a good value: longer than any failover of the service.
    pub ttl: Duration,
    /// How long before its end the holder stops. At least two seconds and the longest round trip.
    pub margin: Duration,
}

/// A lease that can be taken. Cheap to keep; holds nothing.
#[derive(Debug)]
pub struct Lease {
    client: Client,
    settings: LeaseSettings,
    /// Grows with every write, so that each one changes the document: a write that changes nothing keeps the old version,
    /// and with it the age.
    beat: AtomicI64,
    /// What each write says of the account: what was found, until the holder says otherwise.
    stance: Mutex<Stance>,
}

/// A lease that was taken. Not `Clone`: there is one holder.
#[derive(Debug)]
pub struct Grant {
    term: Term,
    valid_until: Instant,
    valid_until_wall: SystemTime,
    version: String,
    is_succession: bool,
    left: Option<Stance>,
}

/// Both clocks before a request is sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Instant,
    wall: SystemTime,
}

impl Sent {
    fn now() -> Self {
        Self { at: Instant::now(), wall: SystemTime::now() }
    }
}

impl Grant {
    /// The term: grows with every change of the holder, never shrinks.
    pub const fn term(&self) -> Term {
        self.term
    }
    /// Until when this process may act.
    pub const fn valid_until(&self) -> Instant {
        self.valid_until
    }
    /// The same by the wall clock, which goes on while the machine sleeps.
    pub const fn valid_until_wall(&self) -> SystemTime {
        self.valid_until_wall
    }
    /// Whether the holder before is known to be gone: it gave the lease back, or it is the one that this process succeeds.
    pub const fn is_succession(&self) -> bool {
        self.is_succession
    }
    /// How the holder before left the account, if not as usual: halted, or to be closed only. `None` also where that holder is
    /// the one that this process succeeds and whose journal says it: whoever has that knows better.
    pub const fn left(&self) -> Option<&Stance> {
        self.left.as_ref()
    }
    /// Whether this process may act at that moment of its own monotonic clock.
    pub fn is_valid(&self, now: Instant) -> bool {
        now < self.valid_until
    }
}

/// Why there is no lease, or no longer one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// Somebody else holds it.
    #[error("the lease of {account} is held by {holder} (term {term}) for another {} s", .left.as_secs_f32())]
    Held {
        /// Which account.
        account: String,
        /// Who.
        holder: String,
        /// Their term.
        term: Term,
        /// How long, unless they renew it.
        left: Duration,
        /// Of the document: another one after each renewal.
        version: String,
    },
    /// Somebody else has taken it: stop at once.
    #[error("the lease of {account} is lost: {holder} holds it now (term {term}); stop")]
    Lost {
        /// Which account.
        account: String,
        /// Who.
        holder: String,
        /// Their term.
        term: Term,
    },
    /// Nobody knows: the lease is good until its end, and no longer.
    #[error("the lease of {account} could not be {what}: {source}")]
    Unreachable {
        /// Which account.
        account: String,
        /// `taken`, `renewed` or `released`.
        what: &'static str,
        /// Why.
        #[source]
        source: FirestoreError,
    },
    /// The document is not a lease.
    #[error(
        "the lease document {document} is damaged: {detail}; nobody can take it until a person has looked"
    )]
    Damaged {
        /// Which document.
        document: String,
        /// What is wrong.
        detail: String,
    },
}

impl LeaseError {
    /// As a store's error, for callers that have one kind only.
    pub fn into_store_error(self) -> StoreError {
        match self {
            Self::Held { ref holder, .. } | Self::Lost { ref holder, .. } => {
                StoreError::Locked { what: "the account's lease".to_owned(), holder: holder.clone() }
            }
            Self::Damaged { document, detail } => StoreError::Corrupt { place: document, detail },
            other => StoreError::Io { doing: "using the account's lease".to_owned(), source: other.into() },
        }
    }
}

/// The document's content.
#[derive(Clone, Debug)]
struct Stored {
    term: Term,
    holder: String,
    boot_id: String,
    is_released: bool,
    ttl: Duration,
    /// Versions before it say nothing of it.
    stance: Stance,
    version: String,
    /// The server's time between the last write and this read.
    age: Duration,
}

impl Stored {
    fn left(&self) -> Duration {
        if self.is_released { Duration::ZERO } else { self.ttl.saturating_sub(self.age) }
    }
}

impl Lease {
    pub(super) fn new(client: Client, settings: LeaseSettings) -> Result<Self, FirestoreConfigError> {
        let refuse = |problem: String| FirestoreConfigError::Value { key: "lease", problem };
        if !is_document_id(&settings.account) {
            return Err(refuse(format!("account {:?} cannot be the name of a document", settings.account)));
        }
        if settings.boot_id.is_empty() {
            return Err(refuse("has no boot id".to_owned()));
        }
        if settings.margin >= settings.ttl {
            return Err(refuse(format!(
                "lasts {} s, which is not longer than its margin of {} s",
                settings.ttl.as_secs_f32(),
                settings.margin.as_secs_f32()
            )));
        }
        Ok(Self { client, settings, beat: AtomicI64::new(0), stance: Mutex::new(Stance::NORMAL) })
    }

    /// From here on each write says that of the account; the next holder reads it.
    pub fn stand(&self, stance: Stance) {
        *self.stance() = stance;
    }

    fn stance(&self) -> MutexGuard<'_, Stance> {
        // It is replaced as a whole, so a panic elsewhere leaves nothing half-done.
        self.stance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lease if nobody holds it, if its holder let it run out or gave it back, if it is the holder that this
    /// process succeeds, or if this very start of the process holds it already. `wall` is the time that people will read in the document; it decides nothing.
    ///
    /// # Errors
    /// [`LeaseError::Held`], [`LeaseError::Unreachable`], [`LeaseError::Damaged`].
    pub async fn acquire(&self, wall: Timestamp) -> Result<Grant, LeaseError> {
        let mut attempt = 1;
        // What the first look found; a later one may find what this process has written itself.
        let mut is_succession = None;
        let mut left = None;
        loop {
            let found = self.look("taken").await?;
            let is_predecessor = |stored: &Stored| Some(&stored.boot_id) == self.settings.succeeds.as_ref();
            let is_own = |stored: &Stored| stored.boot_id == self.settings.boot_id;
            let is_ours = found.as_ref().is_some_and(is_own);
            // Where the answer to an earlier take was lost, its document hands on what that one found.
            if !is_ours || is_succession.is_none() {
                let stance = found.as_ref().map_or(Stance::NORMAL, |stored| stored.stance.clone());
                let is_told = self.settings.is_told_by_journal && found.as_ref().is_some_and(is_predecessor);
                left = (stance.posture > Posture::Normal && !is_told).then(|| stance.clone());
                self.stand(stance);
            }
            if !is_ours {
                let is_gone = |stored: &Stored| stored.is_released || is_predecessor(stored);
                is_succession = Some(found.as_ref().is_some_and(is_gone));
            }
            let term = match &found {
                Some(stored) if is_own(stored) && !stored.is_released => stored.term,
                Some(stored) if !stored.left().is_zero() && !is_predecessor(stored) => {
                    return Err(self.held(stored));
                }
                Some(stored) => self.term_after(stored.term)?,
                None => self.term_after(Term(0))?,
            };
            let current = match found {
                Some(stored) => Precondition::UpdateTime(stored.version),
                None => Precondition::Exists(false),
            };
            let sent = Sent::now();
            match self.write(term, false, wall, current).await {
                Ok(version) => {
                    let grant = self.grant(term, sent, version, is_succession.unwrap_or(false));
                    return Ok(Grant { left, ..grant });
                }
                // Lost to somebody, or won without hearing of it: the next look tells.
                Err(Failure::Precondition(_)) if attempt < self.client.retry.attempts.get() => {}
                Err(failure) => self.wait(attempt, failure, "taken").await?,
            }
            attempt += 1;
        }
    }

    /// Makes a lease last longer. While it fails with [`LeaseError::Unreachable`] the grant stays good until its end; try
    /// again until then. One attempt only, so that the caller keeps its own beat.
    ///
    /// # Errors
    /// [`LeaseError::Lost`]: stop at once. [`LeaseError::Unreachable`], [`LeaseError::Damaged`].
    pub async fn renew(&self, grant: &mut Grant, wall: Timestamp) -> Result<(), LeaseError> {
        // A first refusal may be the echo of a renewal whose answer was lost; then the second try is made on its version.
        for _ in 0..2 {
            let sent = Sent::now();
            let current = Precondition::UpdateTime(grant.version.clone());
            match self.write(grant.term, false, wall, current).await {
                Ok(version) => {
                    let left = grant.left.take();
                    *grant = Grant { left, ..self.grant(grant.term, sent, version, grant.is_succession) };
                    return Ok(());
                }
                Err(Failure::Precondition(_)) => {
                    let found = self.look("renewed").await?;
                    let own = self.own(found, grant)?;
                    if own.is_released {
                        // Somebody may be taking it this very moment.
                        return Err(self.lost("nobody, it was given back", own.term));
                    }
                    grant.version = own.version;
                }
                Err(failure) => return Err(self.unreachable(self.client.give_up(failure, 1), "renewed")),
            }
        }
        let detail = "its document changes faster than it can be renewed".to_owned();
        Err(self.unreachable(FirestoreError::Precondition { detail }, "renewed"))
    }

    /// Gives the lease back, so that the next holder need not wait. The term stays in the document.
    ///
    /// # Errors
    /// [`LeaseError::Unreachable`]: it runs out by itself. [`LeaseError::Lost`]: it was somebody else's already.
    pub async fn release(&self, grant: Grant, wall: Timestamp) -> Result<(), LeaseError> {
        let mut version = grant.version.clone();
        let mut attempt = 1;
        loop {
            match self.write(grant.term, true, wall, Precondition::UpdateTime(version.clone())).await {
                Ok(_) => return Ok(()),
                Err(Failure::Precondition(_)) if attempt < self.client.retry.attempts.get() => {
                    let found = self.look("released").await?;
                    let own = self.own(found, &grant)?;
                    if own.is_released {
                        return Ok(());
                    }
                    version = own.version;
                }
                Err(failure) => self.wait(attempt, failure, "released").await?,
            }
            attempt += 1;
        }
    }

    fn term_after(&self, term: Term) -> Result<Term, LeaseError> {
        let greater = term.max(self.settings.term_above).0.checked_add(1);
        greater.map(Term).ok_or_else(|| LeaseError::Damaged {
            document: Paths::short(&self.document()).to_owned(),
            detail: "its term cannot grow".to_owned(),
        })
    }

    /// The stored lease if it is still this grant's.
    fn own(&self, found: Option<Stored>, grant: &Grant) -> Result<Stored, LeaseError> {
        match found {
            Some(stored) if stored.boot_id == self.settings.boot_id && stored.term == grant.term => {
                Ok(stored)
            }
            Some(stored) => Err(self.lost(&stored.holder, stored.term)),
            None => Err(self.lost("nobody, its document was deleted", grant.term)),
        }
    }

    fn lost(&self, holder: &str, term: Term) -> LeaseError {
        LeaseError::Lost { account: self.settings.account.clone(), holder: holder.to_owned(), term }
    }

    async fn wait(&self, attempt: u32, failure: Failure, what: &'static str) -> Result<(), LeaseError> {
        match self.client.wait(attempt, &failure) {
            Some(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            None => Err(self.unreachable(self.client.give_up(failure, attempt), what)),
        }
    }

    fn grant(&self, term: Term, sent: Sent, version: String, is_succession: bool) -> Grant {
        let used = self.settings.ttl.saturating_sub(self.settings.margin);
        let (valid_until, valid_until_wall) = (sent.at + used, sent.wall + used);
        Grant { term, valid_until, valid_until_wall, version, is_succession, left: None }
    }

    fn document(&self) -> String {
        self.client.paths.lease(&self.settings.account)
    }

    async fn write(
        &self,
        term: Term,
        is_released: bool,
        wall: Timestamp,
        current: Precondition,
    ) -> Result<String, Failure> {
        let settings = &self.settings;
        let ttl_ms = i64::try_from(settings.ttl.as_millis()).unwrap_or(i64::MAX);
        let ends = if is_released { wall } else { wall.plus(settings.ttl) };
        let Stance { posture, because } = self.stance().clone();
        let fields = Fields::from([
            ("term".to_owned(), Value::Int(i64::from(term.0))),
            ("holder".to_owned(), settings.holder.as_str().into()),
            ("boot_id".to_owned(), settings.boot_id.as_str().into()),
            ("ttl_ms".to_owned(), Value::Int(ttl_ms)),
            ("released".to_owned(), Value::Bool(is_released)),
            ("posture".to_owned(), word(posture).into()),
            ("because".to_owned(), because.chars().take(LONGEST_REASON).collect::<String>().as_str().into()),
            ("beat".to_owned(), Value::Int(self.beat.fetch_add(1, Ordering::Relaxed))),
            // For people. The server's own times decide, see above.
            ("expires_at".to_owned(), Value::Time(ends)),
            ("written_at".to_owned(), Value::Time(wall)),
        ]);
        let writes = [Write::replace(self.document(), fields, Some(current))];
        let committed = self.client.commit_once(&writes).await?;
        let version = committed.write_results.into_iter().next().and_then(|result| result.update_time);
        version.ok_or_else(|| {
            Failure::Final(FirestoreError::Malformed {
                detail: "a committed write has no updateTime".to_owned(),
            })
        })
    }

    async fn look(&self, what: &'static str) -> Result<Option<Stored>, LeaseError> {
        let read = self.client.get(self.document()).await.map_err(|error| self.unreachable(error, what))?;
        let ReadDocument { document: Some(document), read_time } = read else { return Ok(None) };
        stored(&document, read_time.as_deref()).map(Some).map_err(|detail| LeaseError::Damaged {
            document: Paths::short(&document.name).to_owned(),
            detail,
        })
    }

    fn held(&self, stored: &Stored) -> LeaseError {
        LeaseError::Held {
            account: self.settings.account.clone(),
            holder: stored.holder.clone(),
            term: stored.term,
            left: stored.left(),
            version: stored.version.clone(),
        }
    }

    fn unreachable(&self, source: FirestoreError, what: &'static str) -> LeaseError {
        LeaseError::Unreachable { account: self.settings.account.clone(), what, source }
    }
}

const fn word(posture: Posture) -> &'static str {
    match posture {
        Posture::Normal => "normal",
        Posture::ExitOnly => "exit_only",
        Posture::Halted => "halted",
    }
}

/// Documents of versions before it have none. One that this version does not know counts as the strictest.
fn stance(document: &Document) -> Stance {
    let because = document.text("because").unwrap_or_default().to_owned();
    let posture = match document.fields.get("posture").map(Value::as_text) {
        None | Some(Some("normal")) => return Stance::NORMAL,
        Some(Some("exit_only")) => Posture::ExitOnly,
        Some(Some("halted")) => Posture::Halted,
        Some(other) => {
            let because = format!("the lease says {other:?}, which this version does not know: {because}");
            return Stance { posture: Posture::Halted, because: Cow::Owned(because) };
        }
    };
    Stance { posture, because: Cow::Owned(because) }
}

/// Term, holder and what is left of a lease, from one row of a batch read; for tests of what a store may answer.
#[doc(hidden)]
pub fn read_lease(row: &[u8]) -> Result<Option<(Term, String, Duration)>, String> {
    let row: Found = serde_json::from_slice(row).map_err(|error| error.to_string())?;
    let Some(document) = &row.found else { return Ok(None) };
    let stored = stored(document, row.read_time.as_deref())?;
    let left = stored.left();
    Ok(Some((stored.term, stored.holder, left)))
}

fn stored(document: &Document, read_time: Option<&str>) -> Result<Stored, String> {
    let missing = |name: &str| format!("it has no usable field {name}");
    let text = |name: &str| document.text(name).map(str::to_owned).ok_or_else(|| missing(name));
    let at = |text: Option<&str>, name: &str| {
        text.and_then(time::parse).ok_or_else(|| format!("the server's {name} cannot be read"))
    };
    let written = at(Some(&document.update_time), "updateTime")?;
    let read = at(read_time, "readTime")?;
    Ok(Stored {
        term: document
            .number("term")
            .and_then(|term| u32::try_from(term).ok())
            .map(Term)
            .ok_or_else(|| missing("term"))?,
        holder: text("holder")?,
        boot_id: text("boot_id")?,
        is_released: match document.fields.get("released") {
            Some(Value::Bool(is)) => *is,
            _ => return Err(missing("released")),
        },
        ttl: document.number("ttl_ms").map(Duration::from_millis).ok_or_else(|| missing("ttl_ms"))?,
        stance: stance(document),
        version: document.update_time.clone(),
        age: read.since(written),
    })
}
