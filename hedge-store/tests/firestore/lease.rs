//! Who may trade: two contenders, lost answers, expiry by the server's clock, and what a holder learns.

use std::time::{Duration, Instant};

use hedge_core::{Posture, Stance, Term, Timestamp};
use hedge_store::firestore::{
    Firestore, FirestoreConfig, FirestoreRetry, Grant, Lease, LeaseError, LeaseSettings,
};
use hedge_testkit::firestore::{FakeFirestore, Fault};

use crate::stage::{config, quick, store};

const DOCUMENT: &str = "hedge/paper/lease/main";
const TTL: Duration = Duration::from_secs(30);
const NOW: Timestamp = Timestamp::from_ms(1_795_165_200_000);

fn settings(boot_id: &str, ttl: Duration) -> LeaseSettings {
    LeaseSettings {
        account: "main".to_owned(),
        holder: format!("host of {boot_id}"),
        boot_id: boot_id.to_owned(),
        succeeds: None,
        is_told_by_journal: true,
        term_above: Term(0),
        ttl,
        margin: ttl / 6,
    }
}

pub(crate) fn lease(store: &Firestore, boot_id: &str, ttl: Duration) -> Lease {
    store.lease(settings(boot_id, ttl)).unwrap()
}

/// Whoever has the lock of that other one's state directory.
fn successor(fake: &FakeFirestore, boot_id: &str, of: &str) -> Lease {
    let settings = LeaseSettings { succeeds: Some(of.to_owned()), ..settings(boot_id, TTL) };
    store(fake).lease(settings).unwrap()
}

async fn stage() -> (FakeFirestore, Lease, Lease) {
    let fake = FakeFirestore::start().await;
    let store = store(&fake);
    let (a, b) = (lease(&store, "boot-a", TTL), lease(&store, "boot-b", TTL));
    (fake, a, b)
}

fn is_held_by(result: Result<Grant, LeaseError>, who: &str) -> Duration {
    match result {
        Err(LeaseError::Held { holder, left, .. }) if holder == format!("host of {who}") => left,
        other => panic!("expected the lease to be held by {who}: {other:?}"),
    }
}

#[tokio::test]
async fn of_two_contenders_one_gets_the_lease() {
    let (_fake, a, b) = stage().await;
    let (first, second) = tokio::join!(a.acquire(NOW), b.acquire(NOW));
    let (won, lost) = match (first, second) {
        (Ok(grant), lost) => (grant, lost),
        (lost, Ok(grant)) => (grant, lost),
        (first, second) => panic!("{first:?} {second:?}"),
    };
    assert_eq!(won.term(), Term(1));
    assert!(matches!(lost, Err(LeaseError::Held { .. })), "{lost:?}");
}

#[tokio::test]
async fn a_lease_is_a_document_that_people_can_read() {
    let (fake, a, b) = stage().await;
    a.acquire(NOW).await.unwrap();
    let fields = serde_json::Value::Object(fake.fields(DOCUMENT).unwrap());
    assert_eq!(fields["term"]["integerValue"], "1");
    assert_eq!(fields["holder"]["stringValue"], "host of boot-a");
    assert_eq!(fields["boot_id"]["stringValue"], "boot-a");
    assert_eq!(fields["expires_at"]["timestampValue"], "2026-11-20T09:00:30.000000Z");
    let error = b.acquire(NOW).await.unwrap_err().to_string();
    assert!(
        error.starts_with("the lease of main is held by host of boot-a (term 1) for another 29.9"),
        "{error}"
    );
}

#[tokio::test]
async fn a_grant_is_valid_from_before_it_was_sent_until_its_margin() {
    let (_fake, a, _) = stage().await;
    let before = Instant::now();
    let grant = a.acquire(NOW).await.unwrap();
    let after = Instant::now();
    assert!(grant.valid_until() >= before + TTL - TTL / 6 && grant.valid_until() <= after + TTL - TTL / 6);
    assert!(grant.is_valid(after) && !grant.is_valid(grant.valid_until()));
}

#[tokio::test]
async fn a_successor_waits_for_nobody_and_says_so() {
    let (fake, a, b) = stage().await;
    let grant = a.acquire(NOW).await.unwrap();
    assert!(!grant.is_succession(), "a document that is not there proves nothing");
    is_held_by(b.acquire(NOW).await, "boot-a");
    // The process that has the lock of boot-a's state directory.
    let c = successor(&fake, "boot-c", "boot-a");
    // The answer is lost, so that it finds itself as the holder.
    fake.fail_next(Fault::SlowAfterApply(Duration::ZERO)); // the look
    fake.fail_next(Fault::DeadlineAfterApply);
    let mut grant = c.acquire(NOW).await.unwrap();
    assert_eq!((grant.term(), grant.is_succession()), (Term(2), true));
    c.renew(&mut grant, NOW).await.unwrap();
    assert!(grant.is_succession());
    c.release(grant, NOW).await.unwrap();
    assert!(b.acquire(NOW).await.unwrap().is_succession(), "it was given back");
    fake.advance_clock(TTL);
    assert!(!a.acquire(NOW).await.unwrap().is_succession(), "it ran out");
}

#[tokio::test]
async fn a_lease_runs_out_by_the_servers_clock_and_a_renewal_puts_it_off() {
    let (fake, a, b) = stage().await;
    let mut grant = a.acquire(NOW).await.unwrap();
    fake.advance_clock(Duration::from_secs(20));
    assert!(is_held_by(b.acquire(NOW).await, "boot-a") <= Duration::from_secs(10));
    // The same time for people, so only the renewal itself can have put it off.
    a.renew(&mut grant, NOW).await.unwrap();
    fake.advance_clock(Duration::from_secs(20));
    assert!(is_held_by(b.acquire(NOW).await, "boot-a") <= Duration::from_secs(10));
    fake.advance_clock(Duration::from_secs(10));
    assert_eq!(b.acquire(NOW).await.unwrap().term(), Term(2));
    // The former holder learns it, whatever it tries.
    match a.renew(&mut grant, NOW).await {
        Err(LeaseError::Lost { holder, term: Term(2), .. }) => assert_eq!(holder, "host of boot-b"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(a.release(grant, NOW).await, Err(LeaseError::Lost { .. })));
    is_held_by(a.acquire(NOW).await, "boot-b");
}

#[tokio::test]
async fn a_host_whose_clock_is_wrong_takes_nothing_early_and_loses_nothing() {
    let (_fake, a, b) = stage().await;
    let mut grant = a.acquire(NOW).await.unwrap();
    let hour = Duration::from_secs(3_600);
    is_held_by(b.acquire(NOW.plus(hour)).await, "boot-a");
    a.renew(&mut grant, NOW.minus(hour)).await.unwrap();
    is_held_by(b.acquire(NOW).await, "boot-a");
    assert!(grant.is_valid(Instant::now()));
}

#[tokio::test]
async fn a_taking_whose_answer_was_lost_is_recognised_as_ones_own() {
    for fault in [Fault::DeadlineAfterApply, Fault::CancelledAfterApply, Fault::Garbage] {
        let (fake, a, b) = stage().await;
        fake.fail_next(Fault::SlowAfterApply(Duration::ZERO)); // the look
        fake.fail_next(fault);
        assert_eq!(a.acquire(NOW).await.unwrap().term(), Term(1), "{fault:?}");
        is_held_by(b.acquire(NOW).await, "boot-a");
    }
}

#[tokio::test]
async fn a_renewal_whose_answer_was_lost_is_recognised_as_ones_own() {
    let (fake, a, b) = stage().await;
    let mut grant = a.acquire(NOW).await.unwrap();
    let until = grant.valid_until();
    fake.fail_next(Fault::DeadlineAfterApply);
    let error = a.renew(&mut grant, NOW).await.unwrap_err();
    assert!(matches!(error, LeaseError::Unreachable { what: "renewed", .. }), "{error:?}");
    assert_eq!(grant.valid_until(), until, "what nobody confirmed lengthens nothing");
    a.renew(&mut grant, NOW).await.unwrap();
    assert!(grant.valid_until() > until);
    assert_eq!(grant.term(), Term(1));
    is_held_by(b.acquire(NOW).await, "boot-a");
}

#[tokio::test]
async fn while_the_service_is_down_a_grant_is_good_until_its_end_and_no_longer() {
    let (fake, a, _) = stage().await;
    let mut grant = a.acquire(NOW).await.unwrap();
    let until = grant.valid_until();
    fake.go_down();
    let before = fake.calls().len();
    for _ in 0..3 {
        assert!(matches!(a.renew(&mut grant, NOW).await, Err(LeaseError::Unreachable { .. })));
    }
    assert_eq!(fake.calls().len() - before, 3, "a renewal is one attempt, the caller keeps the beat");
    assert_eq!(grant.valid_until(), until);
    assert!(grant.is_valid(Instant::now()) && !grant.is_valid(until));
    assert!(matches!(a.acquire(NOW).await, Err(LeaseError::Unreachable { what: "taken", .. })));
    fake.come_back();
    a.renew(&mut grant, NOW).await.unwrap();
    assert!(grant.valid_until() > until);
}

#[tokio::test]
async fn a_quota_that_views_and_journal_have_exhausted_does_not_stop_a_renewal() {
    use hedge_core::{Seq, StateStore};

    let fake = FakeFirestore::start().await;
    let ten_minutes = Duration::from_secs(600);
    let retry = FirestoreRetry { quota_pause: ten_minutes, quota_pause_cap: ten_minutes, ..quick() };
    let store = Firestore::new(FirestoreConfig { retry, ..config(&fake.host(), "paper") }).unwrap();
    let a = lease(&store, "boot-a", TTL);
    let mut grant = a.acquire(NOW).await.unwrap();
    let until = grant.valid_until();
    fake.fail_times(5, Fault::Exhausted);
    store.append(Seq(0), &hedge_testkit::records::records(0..1)).await.unwrap_err();
    assert!(store.usage().paused_for.is_some());
    a.renew(&mut grant, NOW).await.unwrap();
    assert!(grant.valid_until() > until);
    assert_eq!(store.usage().writes_today, 2, "the lease counts into the same day");
}

#[tokio::test]
async fn a_lease_that_was_given_back_can_be_taken_at_once_and_its_term_goes_on() {
    let (fake, a, b) = stage().await;
    let grant = a.acquire(NOW).await.unwrap();
    // The answer is lost; giving back what is given back already is success.
    fake.fail_next(Fault::DeadlineAfterApply);
    a.release(grant, NOW).await.unwrap();
    assert_eq!(b.acquire(NOW).await.unwrap().term(), Term(2));
}

#[tokio::test]
async fn a_lease_that_was_given_back_is_not_renewed() {
    let (_fake, a, b) = stage().await;
    let mut kept = a.acquire(NOW).await.unwrap();
    let again = a.acquire(NOW).await.unwrap();
    a.release(again, NOW).await.unwrap();
    match a.renew(&mut kept, NOW).await {
        Err(LeaseError::Lost { holder, term, .. }) => {
            assert_eq!((holder.as_str(), term), ("nobody, it was given back", Term(1)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(b.acquire(NOW).await.unwrap().term(), Term(2), "it is free");
}

#[tokio::test]
async fn the_term_never_shrinks_over_a_hundred_changes() {
    let (_fake, a, b) = stage().await;
    for n in 0..50 {
        let grant = a.acquire(NOW).await.unwrap();
        assert_eq!(grant.term(), Term(2 * n + 1));
        a.release(grant, NOW).await.unwrap();
        let grant = b.acquire(NOW).await.unwrap();
        assert_eq!(grant.term(), Term(2 * n + 2));
        b.release(grant, NOW).await.unwrap();
    }
}

#[tokio::test]
async fn taking_ones_own_lease_again_keeps_the_term_and_another_start_of_the_process_waits() {
    let (fake, a, _) = stage().await;
    let first = a.acquire(NOW).await.unwrap();
    let again = a.acquire(NOW).await.unwrap();
    assert_eq!((first.term(), again.term()), (Term(1), Term(1)));
    let restarted = lease(&store(&fake), "boot-a2", TTL);
    is_held_by(restarted.acquire(NOW).await, "boot-a");
}

#[tokio::test]
async fn a_document_that_somebody_overwrote_deleted_or_damaged_is_not_ours() {
    let (fake, a, b) = stage().await;
    let mut grant = a.acquire(NOW).await.unwrap();
    fake.tamper(DOCUMENT, |mut fields| {
        fields["boot_id"]["stringValue"] = "somebody".into();
        fields["holder"]["stringValue"] = "somebody".into();
        Some(fields)
    });
    assert!(matches!(a.renew(&mut grant, NOW).await, Err(LeaseError::Lost { .. })));
    fake.tamper(DOCUMENT, |mut fields| {
        fields.remove("term");
        Some(fields)
    });
    let error = b.acquire(NOW).await.unwrap_err();
    assert!(matches!(error, LeaseError::Damaged { .. }), "{error:?}");
    assert!(
        error.to_string().contains("hedge/paper/lease/main is damaged: it has no usable field term"),
        "{error}"
    );
    assert!(matches!(a.renew(&mut grant, NOW).await, Err(LeaseError::Damaged { .. })));
    fake.tamper(DOCUMENT, |_| None);
    match a.renew(&mut grant, NOW).await {
        Err(LeaseError::Lost { holder, .. }) => assert_eq!(holder, "nobody, its document was deleted"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let fake = FakeFirestore::start().await;
    let good = settings("b", TTL);
    for (bad, expected) in [
        (LeaseSettings { account: "a/b".to_owned(), ..good.clone() }, "account \"a/b\""),
        (LeaseSettings { boot_id: String::new(), ..good.clone() }, "has no boot id"),
        (LeaseSettings { margin: TTL, ..good.clone() }, "is not longer than its margin"),
    ] {
        let error = store(&fake).lease(bad).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_term_is_above_the_stored_one_and_above_that_of_the_state_directory() {
    let fake = FakeFirestore::start().await;
    let of = |boot_id: &str, term_above| {
        let settings = LeaseSettings { term_above: Term(term_above), ..settings(boot_id, TTL) };
        store(&fake).lease(settings).unwrap()
    };
    // A directory that was led 40 times, a copy of it, and the first one again.
    let mut terms = Vec::new();
    for (boot_id, term_above) in [("a", 40), ("b", 40), ("c", 41), ("d", 50)] {
        let lease = of(boot_id, term_above);
        let grant = lease.acquire(NOW).await.unwrap();
        terms.push(grant.term().0);
        lease.release(grant, NOW).await.unwrap();
    }
    assert_eq!(terms, [41, 42, 43, 51]);
}

fn halted(because: &str) -> Stance {
    Stance { posture: Posture::Halted, because: because.to_owned().into() }
}

#[tokio::test]
async fn how_an_account_was_left_goes_to_the_next_holder_until_somebody_says_otherwise() {
    let (fake, a, b) = stage().await;
    let mut grant = a.acquire(NOW).await.unwrap();
    assert_eq!(grant.left(), None);
    a.stand(halted("ann: what is this?"));
    a.renew(&mut grant, NOW).await.unwrap();
    let fields = serde_json::Value::Object(fake.fields(DOCUMENT).unwrap());
    assert_eq!(fields["posture"]["stringValue"], "halted");
    assert_eq!(fields["because"]["stringValue"], "ann: what is this?");
    // Killed: what the last renewal said stands, and the next holder says it on before it knows more.
    fake.advance_clock(TTL);
    let mut grant = b.acquire(NOW).await.unwrap();
    assert_eq!(grant.left(), Some(&halted("ann: what is this?")));
    b.renew(&mut grant, NOW).await.unwrap();
    assert_eq!(grant.left(), Some(&halted("ann: what is this?")));
    drop(grant);
    // Its own successor has its journal, and says it on all the same.
    let c = successor(&fake, "boot-c", "boot-b");
    let grant = c.acquire(NOW).await.unwrap();
    assert_eq!(grant.left(), None);
    c.release(grant, NOW).await.unwrap();
    let grant = a.acquire(NOW).await.unwrap();
    assert_eq!(grant.left(), Some(&halted("ann: what is this?")));
    a.stand(Stance::NORMAL);
    a.release(grant, NOW).await.unwrap();
    assert_eq!(b.acquire(NOW).await.unwrap().left(), None);
}

#[tokio::test]
async fn what_was_left_is_told_again_to_whoever_succeeds_a_start_that_did_not_take_it_over() {
    let (fake, a, b) = stage().await;
    let grant = a.acquire(NOW).await.unwrap();
    a.stand(halted("ann: what is this?"));
    a.release(grant, NOW).await.unwrap();
    // It ends before its journal has the halt: given back, or killed.
    let grant = b.acquire(NOW).await.unwrap();
    assert_eq!(grant.left(), Some(&halted("ann: what is this?")));
    b.release(grant, NOW).await.unwrap();
    let settings = LeaseSettings {
        succeeds: Some("boot-b".to_owned()),
        is_told_by_journal: false,
        ..settings("c", TTL)
    };
    let c = store(&fake).lease(settings).unwrap();
    assert_eq!(c.acquire(NOW).await.unwrap().left(), Some(&halted("ann: what is this?")));
    // The answer to its take was lost: it finds its own document, and asks again.
    assert_eq!(c.acquire(NOW).await.unwrap().left(), Some(&halted("ann: what is this?")));
}

#[tokio::test]
async fn a_document_of_an_earlier_version_says_nothing_of_it_and_a_strange_word_counts_as_halted() {
    for (posture, expected) in [
        (None, None),
        (Some(serde_json::json!({"stringValue": "normal"})), None),
        (Some(serde_json::json!({"stringValue": "exit_only"})), Some((Posture::ExitOnly, "ann"))),
        (Some(serde_json::json!({"stringValue": "asleep"})), Some((Posture::Halted, "\"asleep\""))),
        (Some(serde_json::json!({"integerValue": "3"})), Some((Posture::Halted, "does not know: ann"))),
    ] {
        let (fake, a, b) = stage().await;
        a.acquire(NOW).await.unwrap();
        fake.tamper(DOCUMENT, |mut fields| {
            fields.retain(|name, _| name != "posture" && name != "because");
            if let Some(posture) = posture {
                fields.insert("posture".to_owned(), posture);
                fields.insert("because".to_owned(), serde_json::json!({"stringValue": "ann"}));
            }
            Some(fields)
        });
        fake.advance_clock(TTL);
        let grant = b.acquire(NOW).await.unwrap();
        let found = grant.left().map(|left| (left.posture, left.because.to_string()));
        assert_eq!(found.as_ref().map(|(posture, _)| *posture), expected.map(|(posture, _)| posture));
        let says = |because: &str| expected.is_none_or(|(_, part)| because.contains(part));
        assert!(found.as_ref().is_none_or(|(_, because)| says(because)), "{found:?}");
    }
}
