//! What many drills wait for and check in the same way.

use std::time::{Duration, Instant};

use hedge_store::FileJournal;

use super::{
    audit::{Findings, look},
    error::{Halt, Step},
    exchange::{Account, legs_words},
    history::lost_stops,
    record::Check,
    scene::{Mark, PATIENCE, Scene},
};

/// How long a leg may be bare: `engine.protect_within_ms`, and a second for the close that follows.
pub(super) const PROTECT_WITHIN_S: f64 = 4.0;
/// Within what time the comparison with the account finds what nobody tells: three times `reconcile.interval_s`. One passes at
/// most until it begins; what it takes, and the question that follows, are a matter of the machine. Units: venue seconds.
pub(super) const FOUND_WITHIN_S: f64 = 3.0 * 60.0;
/// Openings and covered legs that say that it trades.
const TRADES: (usize, usize) = (4, 2);

impl Scene {
    /// Waits until it trades: legs come and go, and some are open and covered.
    pub(super) fn until_trading(&mut self) -> Step {
        let from = self.tail.openings();
        let there = self.until(PATIENCE, |scene| {
            let account = scene.exchange.account();
            let opened = scene.tail.openings() - from;
            let covered = account.legs.len() - account.bare.len();
            Ok((opened >= TRADES.0 && covered >= TRADES.1).then_some((opened, covered)))
        })?;
        match there {
            Some((opened, covered)) => {
                self.record.moment(format!("it trades: {opened} openings, {covered} legs open and covered"));
                Ok(())
            }
            None => {
                let account = self.exchange.account();
                let found = format!("{} openings, {} legs", self.tail.openings() - from, account.legs.len());
                let expected = format!("{} openings, {} covered legs within 60 s", TRADES.0, TRADES.1);
                self.record.check("it trades", expected, found, false);
                Err(Halt::Failed)
            }
        }
    }

    /// Waits for a moment in which every open leg is covered and nothing is unsettled, with some legs open.
    pub(super) fn until_covered(&mut self) -> Step {
        let there = self.until(PATIENCE, |scene| {
            let account = scene.exchange.account();
            let settled = scene.tail.book.doubtful_orders() == 0 && account.bare.is_empty();
            Ok((settled && account.legs.len() >= TRADES.1).then_some(()))
        })?;
        if there.is_none() {
            let found = legs_words(self.exchange.account().bare.iter());
            self.record.check("every open leg is covered", "within 60 s", format!("bare: {found}"), false);
            return Err(Halt::Failed);
        }
        Ok(())
    }

    /// Waits until no open leg is without a stop; `None` when one still is.
    pub(super) fn until_none_bare(&mut self, within: Duration) -> Step<Option<()>> {
        self.until(within, |scene| Ok(scene.exchange.account().bare.is_empty().then_some(())))
    }

    /// Checks that openings are sent again.
    pub(super) fn check_opens_again(&mut self, within: Duration) -> Step {
        let (from, since) = (self.tail.openings(), Instant::now());
        let again = self.until(within, |scene| Ok((scene.tail.openings() > from).then_some(())))?;
        let took_s = since.elapsed().as_secs_f64();
        let found = match again {
            Some(()) => format!("after {took_s:.1} s"),
            None => "nothing was opened".to_owned(),
        };
        let expected = format!("within {} s", within.as_secs());
        self.record.check("it opens again", expected, found, again.is_some());
        if again.is_some() {
            self.record.figure("end of the trouble to the next opening", took_s, "s");
        }
        Ok(())
    }

    /// Checks how long legs were bare since then.
    pub(super) fn check_bare(&mut self, from: Mark, at_most_s: f64) {
        let stretches = self.watch.since(from.at_s);
        let longest = stretches.iter().max_by(|one, other| one.seconds().total_cmp(&other.seconds()));
        let found = longest.map_or_else(
            || "no leg was seen bare, looking every 10 ms".to_owned(),
            |bare| format!("{} for {:.2} s at most", legs_words([&bare.leg]), bare.seconds()),
        );
        let longest_s = longest.map_or(0.0, |bare| bare.seconds());
        self.record.figure("longest time that a leg was bare at the exchange", longest_s, "s");
        let expected = format!("bare for {at_most_s:.1} s at most");
        self.record.check("no leg is left without a stop", expected, found, longest_s <= at_most_s);
    }

    /// Nobody runs: checks after that time that every leg that had a stop still has it.
    pub(super) fn check_stops_rest(&mut self, time: Duration) -> Step {
        let before = self.exchange.account();
        self.pause(time)?;
        self.record.add(stops_rest(&before, &self.exchange.account()));
        Ok(())
    }

    /// Waits until exchange and journal agree in everything, and says so check by check.
    pub(super) fn settle(&mut self) -> Step {
        let since = Instant::now();
        let mut last = Findings::default();
        let agreed = self.until(PATIENCE, |scene| {
            let findings = look(&scene.exchange, &mut scene.tail);
            let is_agreed = findings.is_agreed();
            if !findings.is_moving || is_agreed {
                last = findings;
            }
            Ok(is_agreed.then_some(()))
        })?;
        if agreed.is_some() {
            let took_s = since.elapsed().as_secs_f64();
            self.record.figure("time to full agreement of journal and exchange", took_s, "s");
        }
        let Findings { orders, executions, records, .. } = last;
        let bare: Vec<String> = last.bare.iter().map(|leg| legs_words([leg])).collect();
        let fine = [
            format!("{orders} orders at the exchange, each once, none larger than decided"),
            format!("{orders} orders and {executions} executions, all in the journal"),
            "every open leg has a stop over all of it".to_owned(),
            "legs, wallet to the last digit, open orders, no order in doubt".to_owned(),
            format!("{records} records, each once, in order"),
        ];
        let lists = [&last.twice, &last.lost, &bare, &last.books, &last.journal];
        let names =
            ["nothing twice", "nothing lost", "no leg bare in the end", "books equal", "no record missing"];
        for ((name, list), fine) in names.into_iter().zip(lists).zip(fine) {
            self.record.check(name, "holds within 60 s", Findings::or(list, &fine), list.is_empty());
        }
        if agreed.is_none() && last.is_agreed() {
            self.record.check("the account comes to rest", "within 60 s", "it never stood still", false);
        }
        Ok(())
    }

    /// What every drill ends with, where the executor still runs: agreement, and a stop on request. Returns how long the stop
    /// took. Units: seconds.
    pub(super) fn finish(&mut self) -> Step<f64> {
        self.settle()?;
        self.stop()
    }

    /// Asks the executor to stop. Returns how long that took. Units: seconds.
    pub(super) fn stop(&mut self) -> Step<f64> {
        let since = Instant::now();
        self.executor()?.signal("TERM")?;
        self.check_end(Duration::from_secs(20), 0, "stops on request")?;
        Ok(since.elapsed().as_secs_f64())
    }

    /// When nobody writes any more: the journal as the product reads it, line by line, each linked to the one before.
    pub(super) fn check_journal(&mut self) {
        self.tail.follow();
        let read = FileJournal::open_read_only(self.path("state"));
        let read = read.map(|journal| journal.next_seq().0).map_err(|error| error.to_string());
        self.record.add(journal_whole(read, self.tail.records, &self.tail.wrong));
    }
}

fn stops_rest(before: &Account, after: &Account) -> Check {
    let lost = lost_stops(before, after);
    let covered = before.legs.len() - before.bare.len();
    let found = format!("{covered} legs were open and had one, lost theirs: {}", legs_words(&lost));
    let passed = covered > 0 && lost.is_empty();
    Check::new(
        "no stop is lost while nobody runs",
        "1 covered leg at least, none loses its stop",
        found,
        passed,
    )
}

fn journal_whole(read: Result<u64, String>, followed: u64, wrong: &[String]) -> Check {
    let (found, passed) = match (read, wrong) {
        (Err(error), _) => (error, false),
        (Ok(_), [first, ..]) => (first.clone(), false),
        (Ok(records), []) if records == followed && records > 0 => {
            (format!("{records} records, the chain through all of them holds"), true)
        }
        (Ok(records), []) => {
            (format!("{records} records, and {followed} were seen while it was written"), false)
        }
    };
    Check::new("journal whole", "every record, each linked to the one before", found, passed)
}

#[cfg(test)]
mod tests {
    use hedge_sim::venue::PositionSide;
    use rust_decimal::Decimal;

    use super::*;

    fn account(legs: &[&str], bare: &[&str]) -> Account {
        let leg = |symbol: &&str| ((*symbol).to_owned(), PositionSide::Long);
        Account {
            legs: legs.iter().map(|symbol| (leg(symbol), Decimal::ONE)).collect(),
            bare: bare.iter().map(leg).collect(),
            ..Account::default()
        }
    }

    #[test]
    fn stops_rest_only_where_there_were_some_and_none_is_gone() {
        assert!(stops_rest(&account(&["A", "B"], &["B"]), &account(&["A", "B"], &["B"])).passed);
        assert!(!stops_rest(&account(&["A"], &[]), &account(&["A"], &["A"])).passed);
        assert!(!stops_rest(&account(&[], &[]), &account(&[], &[])).passed, "nothing of nothing is no proof");
        assert!(!stops_rest(&account(&["A"], &["A"]), &account(&["A"], &["A"])).passed);
    }

    #[test]
    fn a_journal_is_whole_if_it_can_be_read_to_its_end_and_nothing_is_missing() {
        assert!(journal_whole(Ok(7), 7, &[]).passed);
        assert!(!journal_whole(Ok(7), 8, &[]).passed, "a record was there and is gone");
        assert!(!journal_whole(Ok(0), 0, &[]).passed);
        assert!(!journal_whole(Ok(7), 7, &["record 3 stands where 2 should".to_owned()]).passed);
        assert!(!journal_whole(Err("record 3 is not linked".to_owned()), 7, &[]).passed);
    }
}
