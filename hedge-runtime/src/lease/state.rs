//! What a process knows of its lease, for everybody who must ask.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use hedge_core::{Sending, Stance, Term};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::{Taken, Validity};

/// A store that was asked so recently, and did not answer, counts as asked. Longer than two questions in vain and the pause
/// between them.
const ASKED_LATELY: Duration = Duration::from_secs(15);

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `local` for the lock of a state directory, `firestore`.
    pub kind: &'static str,
    /// Host and process, for people.
    pub holder: String,
    /// A name of this start of the process, used by no other.
    pub boot_id: String,
}

/// A lease as a status shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseStatus {
    /// `local` for the lock of the state directory, `firestore`.
    pub kind: String,
    /// Host and process.
    pub holder: String,
    /// The start of the process.
    pub boot_id: String,
    /// The lease's term; none while no lease is held, and of a lock.
    pub term: Option<Term>,
    /// How long it is still good, less its margin; none where it has no end. Units: seconds.
    pub left_s: Option<u64>,
    /// `none` before it is taken, `lock` for that of the state directory, `exits` for that lock where somebody else may lead,
    /// `held`, `waits` before the first opening, `over`, `lost` when somebody else has it or it was given back.
    #[serde(default)]
    pub state: String,
    /// Whether the account's lease, or the lock where that is all, is this process's and not over.
    #[serde(default)]
    pub held: bool,
    /// How often the store was asked in vain since this process began, to take or to renew.
    #[serde(default)]
    pub renewals_failed_total: u64,
    /// Why nothing may be opened, or what else is worth knowing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The lease of this process. Shared between its [`Keeper`](super::Keeper) and everybody who asks.
#[derive(Debug)]
pub struct LeaseState {
    identity: Identity,
    /// How long the lease lasts at the store after its end here.
    margin: Duration,
    inner: Mutex<Inner>,
    /// Somebody cannot go on before the store was asked.
    pub(super) wanted: Notify,
}

#[derive(Debug)]
struct Inner {
    hold: Hold,
    /// Until when the store counts as asked in vain, after the lease's end.
    in_vain: Option<Validity>,
    /// How often time was lost, and what of it no renewal has made good since.
    losses: u64,
    lost: Option<Lost>,
    /// How often the store was asked in vain.
    failures: u64,
    /// Before that, nothing is opened, and why.
    first_opening: Option<(Instant, String)>,
    /// How the holder before left the account, until somebody has heeded it.
    left: Option<Stance>,
    /// How the next one shall find it, once that is known.
    stance: Option<Stance>,
}

/// Time that our clocks have not counted.
#[derive(Debug)]
struct Lost {
    /// At least so much, in all.
    by: Duration,
    /// How the last of it was noticed.
    how: String,
}

#[derive(Debug)]
enum Hold {
    /// Not asked for yet.
    None,
    /// The lock of the state directory, which ends with the process. With a note where a lease was wanted and not to be had.
    Lock { note: Option<String>, opens: bool },
    /// Until its end.
    Lease { term: Term, validity: Validity },
    /// For good, and why.
    Over(String),
}

/// One question to the store, from before it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    at: (Instant, SystemTime),
    is_past_end: bool,
    losses: u64,
}

impl LeaseState {
    /// Nothing is held yet, and nothing is admitted.
    pub fn new(identity: Identity) -> Self {
        let inner = Inner {
            hold: Hold::None,
            in_vain: None,
            losses: 0,
            lost: None,
            failures: 0,
            first_opening: None,
            left: None,
            stance: None,
        };
        Self { identity, margin: Duration::ZERO, inner: Mutex::new(inner), wanted: Notify::new() }
    }

    /// For a lease that lasts so much longer at the store than here: less time than that may be lost, and still nobody else
    /// leads.
    #[must_use]
    pub fn with_margin(self, margin: Duration) -> Self {
        Self { margin, ..self }
    }

    /// Who this process is.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each change is one assignment, so a panic elsewhere leaves nothing half-done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock of the state directory is all that this process has; `note` says why where a lease was wanted.
    pub fn lock_alone(&self, note: Option<String>) {
        self.inner().hold = Hold::Lock { note, opens: true };
    }

    /// The same, where somebody else may lead: closes, stops and cancels leave, nothing else.
    pub fn exits_alone(&self, note: String) {
        self.inner().hold = Hold::Lock { note: Some(note), opens: false };
    }

    /// The lease is this process's. Its first opening waits for so long, unless it succeeds a process that is known to send
    /// nothing any more.
    pub fn taken(&self, taken: &Taken, wait: Duration) {
        let mut inner = self.inner();
        let first = (!taken.is_succession).then(|| {
            let because = format!(
                "it was taken from nobody who gave it back, so nothing is opened for {} s after that (fence.ttl_s and the \
                 venue's window): a process that led before may not know yet",
                wait.as_secs_f32()
            );
            (Instant::now() + wait, because)
        });
        inner.hold = Hold::Lease { term: taken.term, validity: taken.validity };
        inner.first_opening = first;
        inner.in_vain = None;
        if taken.left.is_some() {
            // What was to be stored before is no word on that.
            inner.stance = None;
        }
        inner.left.clone_from(&taken.left);
    }

    /// How the holder before left the account, until [`heeded`](Self::heeded): halted, or to be closed only.
    pub fn left(&self) -> Option<Stance> {
        self.inner().left.clone()
    }

    /// The own journal has at least that by now.
    pub fn heeded(&self) {
        self.inner().left = None;
    }

    /// How the next holder shall find the account. It is stored at once where that is news.
    pub fn leave(&self, stance: Stance) {
        let mut inner = self.inner();
        if inner.stance.as_ref().unwrap_or(&Stance::NORMAL) != &stance {
            self.wanted.notify_one();
        }
        inner.stance = Some(stance);
    }

    /// The same, for whoever stores it; `None` while it is not known.
    pub(super) fn stance(&self) -> Option<Stance> {
        self.inner().stance.clone()
    }

    /// The store is going to be asked now.
    pub fn asking(&self) -> Asking {
        let inner = self.inner();
        let at = (Instant::now(), SystemTime::now());
        Asking { at, is_past_end: inner.is_past_end(self.margin), losses: inner.losses }
    }

    /// It lasts longer, by the answer to that question.
    pub fn renewed(&self, asking: Asking, longer: Validity) {
        let mut inner = self.inner();
        if inner.losses != asking.losses {
            // Sent before time was lost: how much of it is left, nobody knows.
            drop(inner);
            self.wanted.notify_one();
            return;
        }
        inner.in_vain = None;
        inner.lost = None;
        if let Hold::Lease { validity, .. } = &mut inner.hold {
            *validity = longer;
        }
    }

    /// The store was asked that and did not answer. It says something only if the lease was past its end when it was asked.
    pub fn asked_in_vain(&self, asking: Asking) {
        let mut inner = self.inner();
        inner.failures += 1;
        if asking.is_past_end && asking.losses == inner.losses {
            let (monotonic, wall) = asking.at;
            inner.in_vain = Some(Validity::new(monotonic + ASKED_LATELY, wall + ASKED_LATELY));
        }
    }

    /// The venue's clock has moved away from ours by so much, and how: this process may have stood still, and its clocks with
    /// it. A lease counts as over until one renewal has succeeded, which is asked for at once. Exits go on unless so much time
    /// was lost that somebody else may lead: more than the margin.
    pub fn time_was_lost(&self, by: Duration, how: &str) {
        let mut inner = self.inner();
        if matches!(inner.hold, Hold::Lease { .. }) {
            inner.losses += 1;
            let before = inner.lost.take().map_or(Duration::ZERO, |lost| lost.by);
            let by = before.saturating_add(by);
            inner.lost = Some(Lost { by, how: how.to_owned() });
            if by > self.margin {
                inner.in_vain = None;
            }
            drop(inner);
            self.wanted.notify_one();
        }
    }

    /// Nothing leaves any more, and why: somebody else holds it, or it was given back.
    pub fn over(&self, because: impl Into<String>) {
        self.inner().hold = Hold::Over(because.into());
    }

    /// The term of the lease that this process holds, whether or not it is over.
    pub fn term(&self) -> Option<Term> {
        match self.inner().hold {
            Hold::Lease { term, .. } => Some(term),
            _ => None,
        }
    }

    /// Whether the wait before the first opening lasts: until it is over, this process is not known to be the only one.
    pub fn waits_for_first_opening(&self) -> bool {
        let inner = self.inner();
        matches!(inner.hold, Hold::Lease { .. })
            && inner.first_opening.as_ref().is_some_and(|(at, _)| Instant::now() < *at)
    }

    /// Whether all is held that was wanted, so that what the want of it has stopped may go on.
    pub fn is_complete(&self) -> bool {
        match &self.inner().hold {
            Hold::Lock { note, .. } => note.is_none(),
            Hold::Lease { .. } => true,
            Hold::None | Hold::Over(_) => false,
        }
    }

    /// Whether this process may go on at all. Errors: nothing may be written any more, and why.
    pub fn stands(&self) -> Result<(), String> {
        match &self.inner().hold {
            Hold::Over(because) => Err(because.clone()),
            Hold::None | Hold::Lock { .. } | Hold::Lease { .. } => Ok(()),
        }
    }

    /// Whether something of that kind may leave now. Errors: why not.
    pub fn admits(&self, what: Sending) -> Result<(), String> {
        let inner = self.inner();
        match &inner.hold {
            Hold::None => return Err("this process does not hold the account's lease yet".to_owned()),
            Hold::Over(because) => return Err(because.clone()),
            // Without them a start could not come back to its legs.
            Hold::Lock { .. } if what != Sending::Opening => return Ok(()),
            Hold::Lock { .. } => return inner.opens(),
            Hold::Lease { .. } => {}
        }
        match what {
            Sending::Opening => inner.opens(),
            Sending::Setting if inner.is_over() => inner.opens(),
            Sending::Setting => Ok(()),
            Sending::Exit if !inner.is_past_end(self.margin) => Ok(()),
            Sending::Exit if inner.in_vain.is_some_and(|until| !until.left().is_zero()) => Ok(()),
            Sending::Exit => {
                drop(inner);
                self.wanted.notify_one();
                Err("the lease is over, and the store must be asked first who leads".to_owned())
            }
        }
    }

    /// Whether anything may be opened now. Errors: why not, for people.
    pub fn opens(&self) -> Result<(), String> {
        self.inner().opens()
    }

    /// Whether a timer at the venue that cancels orders may be set: by whoever leads, and not where that is not known. Errors:
    /// why not.
    pub fn sets_timers(&self) -> Result<(), String> {
        let inner = self.inner();
        match &inner.hold {
            Hold::Lease { .. } if !inner.is_over() => Ok(()),
            _ => inner.opens(),
        }
    }

    /// As a status shows it.
    pub fn status(&self) -> LeaseStatus {
        let inner = self.inner();
        let Identity { kind, holder, boot_id } = &self.identity;
        let (term, left_s, note) = match &inner.hold {
            Hold::None => (None, None, Some("not taken yet".to_owned())),
            Hold::Lock { note, .. } => (None, None, note.clone()),
            Hold::Lease { term, validity } => {
                let left = if inner.is_over() { Duration::ZERO } else { validity.left() };
                (Some(*term), Some(left.as_secs()), inner.opens().err())
            }
            Hold::Over(because) => (None, Some(0), Some(because.clone())),
        };
        let text = |text: &str| text.to_owned();
        let (state, held) = inner.word();
        LeaseStatus {
            kind: text(kind),
            holder: text(holder),
            boot_id: text(boot_id),
            term,
            left_s,
            state: text(state),
            held,
            renewals_failed_total: inner.failures,
            note,
        }
    }
}

impl Inner {
    /// Whether a lease that was held may be somebody else's by now, for all that is known of the time.
    fn is_past_end(&self, margin: Duration) -> bool {
        match &self.hold {
            Hold::Lease { validity, .. } => {
                self.lost.as_ref().is_some_and(|lost| lost.by > margin) || validity.left().is_zero()
            }
            Hold::None | Hold::Lock { .. } | Hold::Over(_) => true,
        }
    }

    /// For a status: one word, and whether whoever has that leads.
    fn word(&self) -> (&'static str, bool) {
        match &self.hold {
            Hold::None => ("none", false),
            // A note: a lease was wanted.
            Hold::Lock { opens: true, note } => ("lock", note.is_none()),
            Hold::Lock { .. } => ("exits", false),
            Hold::Over(_) => ("lost", false),
            Hold::Lease { .. } if self.is_over() => ("over", false),
            Hold::Lease { .. } if self.opens().is_err() => ("waits", true),
            Hold::Lease { .. } => ("held", true),
        }
    }

    /// Whether a lease that was held is to be renewed before anything is opened.
    fn is_over(&self) -> bool {
        match &self.hold {
            Hold::Lease { validity, .. } => self.lost.is_some() || validity.left().is_zero(),
            Hold::None | Hold::Lock { .. } | Hold::Over(_) => true,
        }
    }

    fn opens(&self) -> Result<(), String> {
        match &self.hold {
            Hold::None => Err("it is not held yet".to_owned()),
            Hold::Over(because) => Err(because.clone()),
            Hold::Lock { opens: true, .. } => Ok(()),
            Hold::Lock { note, .. } => Err(note.clone().unwrap_or_default()),
            Hold::Lease { .. } if self.is_over() => Err(match &self.lost {
                Some(Lost { how, .. }) => format!("{how}; nothing is opened before it is renewed"),
                None => "it could not be renewed and is over, so somebody else may lead; closes and stops still go out"
                    .to_owned(),
            }),
            Hold::Lease { .. } => match &self.first_opening {
                Some((at, because)) if Instant::now() < *at => Err(because.clone()),
                _ => Ok(()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    fn state() -> LeaseState {
        LeaseState::new(Identity { kind: "firestore", holder: "a".to_owned(), boot_id: "b".to_owned() })
    }

    fn taken(left: Duration, is_succession: bool) -> Taken {
        let validity = Validity::until(Instant::now() + left);
        Taken { term: Term(3), validity, is_succession, left: None }
    }

    fn admitted(state: &LeaseState) -> [bool; 2] {
        [Sending::Opening, Sending::Exit].map(|what| state.admits(what).is_ok())
    }

    fn longer() -> Validity {
        Validity::until(Instant::now() + LONG)
    }

    #[test]
    fn nothing_leaves_before_the_lease_is_taken_and_everything_while_it_is_held() {
        let state = state();
        assert_eq!(admitted(&state), [false, false]);
        state.taken(&taken(LONG, true), LONG);
        assert_eq!((admitted(&state), state.term()), ([true, true], Some(Term(3))));
        let status = state.status();
        assert!(status.left_s > Some(3_590) && status.note.is_none(), "{status:?}");
    }

    #[test]
    fn a_new_leader_closes_at_once_and_opens_after_its_wait() {
        let state = state();
        state.taken(&taken(LONG, false), LONG);
        assert_eq!(admitted(&state), [false, true]);
        assert_eq!(state.admits(Sending::Setting), Ok(()), "leverage is set before the first opening");
        assert!(state.waits_for_first_opening());
        assert!(state.status().note.unwrap().contains("nothing is opened for 3600 s"));
        state.taken(&taken(LONG, false), Duration::ZERO);
        assert_eq!(admitted(&state), [true, true]);
    }

    #[test]
    fn over_and_not_asked_nothing_leaves_and_asked_in_vain_exits_do() {
        let state = state();
        state.taken(&taken(Duration::ZERO, true), LONG);
        assert_eq!(admitted(&state), [false, false], "it may have slept for an hour");
        state.asked_in_vain(state.asking());
        assert_eq!(admitted(&state), [false, true], "the store is down, the venue is not");
        assert!(state.admits(Sending::Setting).is_err(), "leverage is the leader's");
        assert_eq!(state.stands(), Ok(()));
        state.renewed(state.asking(), longer());
        assert_eq!(admitted(&state), [true, true]);
    }

    #[test]
    fn a_question_from_before_the_end_says_nothing_about_who_leads_after_it() {
        let state = state();
        state.taken(&taken(LONG, true), LONG);
        let asking = state.asking();
        state.taken(&taken(Duration::ZERO, true), LONG);
        state.asked_in_vain(asking);
        assert_eq!(admitted(&state), [false, false]);
        // Nor does one from before a sleep, which only the wall clock has counted.
        let asking = state.asking();
        let slept = Asking { at: (asking.at.0, asking.at.1 - Duration::from_secs(3_600)), ..asking };
        state.asked_in_vain(slept);
        assert_eq!(admitted(&state), [false, false]);
    }

    #[test]
    fn an_answer_that_comes_after_a_sleep_is_not_good_for_what_the_sleep_took() {
        let sent = (Instant::now(), SystemTime::now() - Duration::from_secs(120));
        let validity = Validity::new(sent.0 + Duration::from_secs(15), sent.1 + Duration::from_secs(15));
        assert_eq!(validity.left(), Duration::ZERO);
    }

    #[test]
    fn where_time_was_lost_the_lease_is_over_until_a_renewal_that_was_sent_later() {
        let state = state();
        state.taken(&taken(LONG, true), LONG);
        let before = state.asking();
        state.time_was_lost(Duration::from_secs(120), "the clocks have moved apart by 120000 ms");
        assert_eq!(admitted(&state), [false, false]);
        assert!(state.admits(Sending::Setting).unwrap_err().contains("moved apart by 120000 ms"));
        assert_eq!(state.status().left_s, Some(0));
        state.renewed(before, longer());
        state.asked_in_vain(before);
        assert_eq!(admitted(&state), [false, false], "an answer from before");
        state.renewed(state.asking(), longer());
        assert_eq!(admitted(&state), [true, true]);
        state.lock_alone(None);
        state.time_was_lost(Duration::from_secs(120), "no lease, nothing lost");
        assert_eq!(admitted(&state), [true, true]);
    }

    #[test]
    fn less_lost_time_than_the_margin_stops_openings_and_no_exit() {
        let margin = Duration::from_secs(15);
        let state = state().with_margin(margin);
        state.taken(&taken(LONG, true), LONG);
        let before = state.asking();
        // How much is not known yet; then it is.
        state.time_was_lost(Duration::ZERO, "the venue refused the timestamp of an opening");
        assert_eq!(admitted(&state), [false, true]);
        assert!(state.admits(Sending::Setting).is_err() && state.sets_timers().is_err());
        state.time_was_lost(margin, "the clocks have moved apart by 15000 ms");
        assert_eq!(admitted(&state), [false, true]);
        state.renewed(before, longer());
        assert_eq!(admitted(&state), [false, true], "an answer from before opens nothing");
        // What was lost adds up until a renewal makes it good.
        state.time_was_lost(Duration::from_millis(1), "the clocks have moved apart");
        assert_eq!(admitted(&state), [false, false], "somebody else may lead");
        state.renewed(state.asking(), longer());
        assert_eq!(admitted(&state), [true, true]);
        state.time_was_lost(margin, "the clocks have moved apart again");
        assert_eq!(admitted(&state), [false, true]);
    }

    #[test]
    fn a_store_that_was_asked_in_vain_after_the_end_counts_as_asked_although_a_timestamp_is_refused() {
        let state = state().with_margin(Duration::from_secs(15));
        state.taken(&taken(Duration::ZERO, true), LONG);
        state.asked_in_vain(state.asking());
        state.time_was_lost(Duration::ZERO, "the venue refused the timestamp of an opening");
        assert_eq!(admitted(&state), [false, true]);
        state.time_was_lost(Duration::from_secs(16), "the clocks have moved apart by 16000 ms");
        assert_eq!(admitted(&state), [false, false], "that may be longer ago than anybody counted");
    }

    #[test]
    fn a_question_before_the_end_says_nothing_also_where_a_timestamp_was_refused() {
        let state = state().with_margin(Duration::from_secs(15));
        state.taken(&taken(LONG, true), LONG);
        state.time_was_lost(Duration::ZERO, "the venue refused the timestamp of an opening");
        state.asked_in_vain(state.asking());
        state.inner().hold = Hold::Lease { term: Term(3), validity: Validity::until(Instant::now()) };
        assert_eq!(admitted(&state), [false, false], "nobody has asked since the end");
    }

    #[test]
    fn a_status_says_in_one_word_how_it_stands_and_how_often_the_store_was_asked_in_vain() {
        let state = state();
        let is = |word: &str, held, failed| {
            let status = state.status();
            let found = (status.state.as_str(), status.held, status.renewals_failed_total);
            assert_eq!(found, (word, held, failed), "{status:?}");
        };
        is("none", false, 0);
        state.exits_alone("the store did not answer".to_owned());
        is("exits", false, 0);
        state.lock_alone(None);
        is("lock", true, 0);
        state.taken(&taken(LONG, false), LONG);
        is("waits", true, 0);
        state.taken(&taken(LONG, true), LONG);
        is("held", true, 0);
        state.asked_in_vain(state.asking());
        is("held", true, 1);
        state.taken(&taken(Duration::ZERO, true), LONG);
        state.asked_in_vain(state.asking());
        is("over", false, 2);
        state.over("b holds it");
        is("lost", false, 2);
    }

    #[test]
    fn a_timer_is_set_by_whoever_leads_and_not_where_that_is_not_known() {
        let state = state();
        assert!(state.sets_timers().is_err());
        state.lock_alone(None);
        assert_eq!(state.sets_timers(), Ok(()));
        state.exits_alone("the store did not answer".to_owned());
        assert!(state.sets_timers().unwrap_err().contains("did not answer"));
        state.taken(&taken(LONG, false), LONG);
        assert_eq!(state.sets_timers(), Ok(()), "it leads, although it opens nothing yet");
        state.taken(&taken(Duration::ZERO, true), LONG);
        assert!(state.sets_timers().unwrap_err().contains("could not be renewed"));
    }

    #[test]
    fn once_somebody_else_has_it_nothing_leaves_and_the_process_ends() {
        let state = state();
        state.taken(&taken(LONG, true), LONG);
        state.over("b holds it");
        assert_eq!(admitted(&state), [false, false]);
        assert_eq!(state.stands(), Err("b holds it".to_owned()));
        state.renewed(state.asking(), longer());
        assert_eq!(admitted(&state), [false, false], "a late renewal gives nothing back");
    }

    #[test]
    fn the_lock_alone_has_no_end() {
        let state = state();
        state.lock_alone(Some("the store did not answer".to_owned()));
        assert_eq!(admitted(&state), [true, true]);
        let status = state.status();
        assert_eq!((status.left_s, status.note.as_deref()), (None, Some("the store did not answer")));
        assert!(!state.is_complete());
    }

    #[test]
    fn where_somebody_else_may_lead_the_lock_alone_lets_out_exits_only() {
        let state = state();
        state.exits_alone("the store did not answer".to_owned());
        assert_eq!(admitted(&state), [false, true]);
        assert_eq!(state.admits(Sending::Setting), Ok(()), "a start must come through to its legs");
        assert!(state.stands().is_ok() && !state.is_complete());
        state.taken(&taken(LONG, true), LONG);
        assert_eq!(admitted(&state), [true, true]);
    }
}
