//! A status as a page that can be read at three in the morning: what matters first, both legs of a symbol on one line.

use std::{collections::BTreeMap, fmt, time::Duration};

use hedge_core::{Decimal, PositionSide, Posture, Timestamp};
use hedge_runtime::{
    StopFigures,
    control::{LegStatus, Status},
};
use hedge_store::tee::FollowerStatus;

use super::{NextStart, Said};
use crate::lease::OURS;

/// A status and what a page says besides.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// How things stand.
    pub status: &'a Status,
    /// Why the last process stopped, and when. Absent while one runs.
    pub stopped: Option<Said>,
    /// How the next executor starts, where somebody else than the journal says so.
    pub next_start: Option<NextStart>,
    /// The process that holds the journal and does not answer yet.
    pub starting: Option<u32>,
    /// How far the ledger and the mirror are.
    pub followers: &'a [FollowerStatus],
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.posture_lines(f)?;
        self.trouble(f)?;
        self.who(f)?;
        let status = self.status;
        writeln!(f, "equity    {} USDT", money(status.equity))?;
        self.legs(f)?;
        write!(f, "orders    {} live", status.live_orders)?;
        if status.unknown_orders > 0 {
            write!(f, ", {} OF UNKNOWN OUTCOME", status.unknown_orders)?;
            if let Some(age_s) = status.unknown_age_seconds {
                write!(f, " for {}", span(Duration::from_secs(age_s)))?;
            }
        }
        if status.foreign_orders > 0 {
            write!(f, ", {} of somebody else", status.foreign_orders)?;
        }
        writeln!(f)?;
        if let Some(words) = stop_words(&status.stops) {
            writeln!(f, "stops     {words}")?;
        }
        for leg in &status.halted_legs {
            let (symbol, side, forced) = (&leg.symbol, leg.side, leg.forced);
            writeln!(f, "halted    {symbol} {side} opens nothing: {forced} at {}", clock(leg.since))?;
        }
        if !status.halted_legs.is_empty() {
            writeln!(f, "          look at the account, then lift it with: hedgectl resume BECAUSE")?;
        }
        for mute in &status.mutes {
            writeln!(f, "muted     {} until {}", mute.symbol, clock(mute.until))?;
        }
        if let Some(alert) = &status.last_alert {
            writeln!(f, "alert     {alert}")?;
        }
        for follower in self.followers {
            writeln!(f, "follower  {follower}")?;
        }
        Ok(())
    }
}

impl Page<'_> {
    fn posture_lines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status;
        let word = match status.posture {
            Posture::Normal => "NORMAL",
            Posture::ExitOnly => "EXIT-ONLY: nothing is opened",
            Posture::Halted => "HALTED: nobody decides anything new; stops and closes still go out",
        };
        write!(f, "posture   {word}")?;
        writeln!(f)?;
        if status.posture != Posture::Normal {
            let since = self.since(status.posture_since.as_deref());
            writeln!(
                f,
                "          {}",
                [since, status.posture_because.clone()].join(": ").trim_matches([':', ' '])
            )?;
        }
        if status.operator != Posture::Normal {
            let order = if status.operator == Posture::Halted { "halt" } else { "exit-only" };
            let since = self.since(status.operator_since.as_deref());
            writeln!(f, "order     {order} {since}: {}", status.operator_because)?;
            // A resume would stand for a moment: the lease's guard gives its order again.
            if status.operator_because.starts_with(OURS) {
                writeln!(f, "          it is lifted by itself")?;
            } else {
                writeln!(f, "          lift it with: hedgectl resume BECAUSE")?;
            }
        }
        if let Some(next) = &self.next_start {
            let word = if next.posture == Posture::Halted { "halted" } else { "exit-only" };
            let since = self.since(Some(&next.at));
            writeln!(
                f,
                "next      the next executor starts {word}, {since}: {} ({})",
                next.because, next.by
            )?;
            writeln!(f, "          lift it with: hedgectl resume BECAUSE")?;
        }
        if let Some(hold) = &status.hold {
            writeln!(f, "hold      this process must not open: {hold}")?;
        }
        Ok(())
    }

    /// What a person should do something about.
    fn trouble(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status;
        for follower in self.followers.iter().filter(|follower| follower.is_alarming()) {
            writeln!(f, "WARNING   {} holds something else than the journal; see below", follower.name)?;
        }
        let bare = status.legs.iter().filter(|leg| !leg.stop.covered).count();
        if bare > 0 {
            writeln!(f, "WARNING   {bare} {} without a stop over the whole of it", plural(bare, "leg"))?;
        }
        if let (Some(starting), false) = (self.starting, status.legs.is_empty()) {
            writeln!(
                f,
                "WARNING   legs are open and process {starting} does not lead yet; until then their stops at the venue guard them"
            )?;
        } else if status.pid.is_none() && !status.legs.is_empty() {
            writeln!(
                f,
                "WARNING   legs are open and no executor runs; their stops at the venue are all that guards them"
            )?;
        } else if status.pid.is_some() && !status.connected {
            writeln!(f, "WARNING   the account stream is not connected")?;
        }
        Ok(())
    }

    fn who(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status;
        let simulated = if status.simulated { ", simulated" } else { "" };
        writeln!(f, "account   {} on {}{simulated}", status.profile, status.venue)?;
        match status.pid {
            Some(pid) => {
                let since = status.started_at.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
                let up = since.map(|at| format!(", for {}", span(status.at.since(at)))).unwrap_or_default();
                let connected = if status.connected { "connected" } else { "not connected" };
                let quiet = span(status.at.since(status.last_fact_at));
                writeln!(
                    f,
                    "executor  process {pid}, term {}{up}; {connected}, last fact {quiet} ago",
                    status.term.0
                )?;
                self.lease(f)
            }
            None => {
                let end = clock(status.last_fact_at);
                if let Some(starting) = self.starting {
                    writeln!(
                        f,
                        "executor  process {starting} starts, or waits for the exchange: its log says which; this is the \
                         journal's end, of {end}"
                    )?;
                    return Ok(());
                }
                write!(f, "executor  none runs; this is the journal's end, of {end}")?;
                match &self.stopped {
                    Some(said) => writeln!(f, " (stopped: {})", said.text),
                    None => writeln!(f, " (it did not stop on purpose)"),
                }
            }
        }
    }

    /// The lock of the state directory alone needs no word: a process that runs has it.
    fn lease(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lease = self.status.lease.as_ref();
        let Some(lease) = lease.filter(|lease| lease.left_s.is_some() || lease.note.is_some()) else {
            return Ok(());
        };
        match (lease.term, lease.left_s) {
            (Some(term), Some(left)) => {
                writeln!(f, "lease     {}, term {}, {left} s left; {}", lease.kind, term.0, lease.holder)?;
            }
            _ => writeln!(f, "lease     {}: not held; {}", lease.kind, lease.holder)?,
        }
        match &lease.note {
            Some(note) => writeln!(f, "          {note}"),
            None => Ok(()),
        }
    }

    fn legs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let legs = &self.status.legs;
        if legs.is_empty() {
            return writeln!(f, "legs      flat");
        }
        let mut symbols: BTreeMap<&str, Vec<&LegStatus>> = BTreeMap::new();
        for leg in legs {
            symbols.entry(&leg.symbol).or_default().push(leg);
        }
        let width = symbols.keys().map(|symbol| symbol.len()).max().unwrap_or(0);
        let mut head = "legs";
        for (symbol, mut legs) in symbols {
            legs.sort_by_key(|leg| leg.side);
            let hedged = if legs.len() == 2 { "  (hedged)" } else { "" };
            let both: Vec<String> = legs.into_iter().map(words).collect();
            writeln!(f, "{head:<8}  {symbol:<width$}  {}{hedged}", both.join("  |  "))?;
            head = "";
        }
        Ok(())
    }

    /// `since 2026-11-20 03:15:07 UTC (12 min 0 s ago)`; empty where it is not known.
    fn since(&self, at: Option<&str>) -> String {
        let at = at.and_then(|text| text.parse::<Timestamp>().ok());
        at.map(|at| format!("since {} ({} ago)", clock(at), span(self.status.at.since(at))))
            .unwrap_or_default()
    }
}

/// How well legs were protected since the last start; nothing where there was no leg.
pub(crate) fn stop_words(stops: &StopFigures) -> Option<String> {
    let coverage = (stops.stop_coverage? * Decimal::ONE_HUNDRED).round_dp(3).normalize();
    let millis = |ms: Option<u64>| ms.map_or_else(|| "never".to_owned(), |ms| format!("{ms} ms"));
    let mut text = format!(
        "covered {coverage} % of {} of open legs; bare {} at the median, {} at most; {} missing, {} repaired",
        span(Duration::from_secs(stops.leg_seconds)),
        millis(stops.unprotected_p50_ms),
        millis(stops.unprotected_max_ms),
        stops.stop_validator_missing_total,
        stops.stop_validator_repaired_total,
    );
    if stops.take_profit_missing_total > 0 {
        text.push_str(&format!(
            "; take-profits {} missing, {} repaired",
            stops.take_profit_missing_total, stops.take_profit_repaired_total
        ));
    }
    Some(text)
}

fn words(leg: &LegStatus) -> String {
    let side = match leg.side {
        PositionSide::Long => "LONG ",
        PositionSide::Short => "SHORT",
    };
    let number =
        |value: Option<Decimal>| value.map_or_else(|| "?".to_owned(), |value| value.normalize().to_string());
    let profit = leg.u_pnl.map_or_else(
        || "?".to_owned(),
        |value| {
            let sign = if value.is_sign_negative() { "" } else { "+" };
            format!("{sign}{}", value.round_dp(2))
        },
    );
    let stop = match (leg.stop.covered, leg.stop.trigger, leg.stop.unprotected_ms) {
        (true, Some(trigger), _) => format!("stop {}", trigger.normalize()),
        (true, None, _) => "stop of somebody else".to_owned(),
        (false, _, Some(ms)) => format!("NO STOP for {}", span(Duration::from_millis(ms))),
        (false, Some(trigger), None) => format!("stop {} NOT CONFIRMED", trigger.normalize()),
        (false, None, None) => "NO STOP".to_owned(),
    };
    let (qty, entry, mark) = (leg.qty.normalize(), number(leg.entry), number(leg.mark));
    format!("{side} {qty} @ {entry}  mark {mark}  uPnl {profit}  {stop}")
}

/// `2026-11-20 03:15:07 UTC`.
fn clock(at: Timestamp) -> String {
    let text = at.to_string();
    let seconds = text.get(..19).unwrap_or(&text);
    format!("{} UTC", seconds.replace('T', " "))
}

/// The two largest units.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds < 10 => format!("{}.{} s", seconds, duration.subsec_millis() / 100),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// With two decimals and thousands apart.
fn money(amount: Decimal) -> String {
    let text = format!("{:.2}", amount.round_dp(2));
    let (whole, cents) = text.split_once('.').unwrap_or((&text, "00"));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}.{cents}")
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

#[cfg(test)]
mod tests {
    use hedge_core::{ForcedClose, Seq, Term};
    use hedge_runtime::{
        LeaseStatus,
        control::{HaltedLeg, Mute, StopStatus},
    };

    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_795_168_800_000);

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn leg(symbol: &str, side: PositionSide, qty: &str, profit: &str, stop: Option<&str>) -> LegStatus {
        LegStatus {
            symbol: symbol.into(),
            side,
            qty: dec(qty),
            entry: Some(dec("60000.5")),
            mark: Some(dec("60100")),
            u_pnl: Some(dec(profit)),
            stop: StopStatus {
                covered: stop.is_some(),
                trigger: stop.map(dec),
                unprotected_ms: stop.is_none().then_some(2_100),
            },
        }
    }

    fn status() -> Status {
        Status {
            profile: "testnet".into(),
            simulated: false,
            run: "r1".into(),
            term: Term(7),
            pid: Some(4711),
            started_at: Some(NOW.minus(Duration::from_secs(3 * 3_600 + 720)).to_string()),
            as_of: Seq(9),
            at: NOW,
            posture: Posture::Normal,
            posture_because: String::new(),
            posture_since: None,
            operator: Posture::Normal,
            operator_because: String::new(),
            operator_since: None,
            hold: None,
            connected: true,
            venue: "binance testnet".into(),
            lease: None,
            equity: dec("10123.456"),
            legs: vec![
                leg("ETHUSDT", PositionSide::Short, "0.5", "-3.1", Some("2600")),
                leg("BTCUSDT", PositionSide::Short, "0.05", "-5.125", None),
                leg("BTCUSDT", PositionSide::Long, "0.100", "12", Some("58000.0")),
            ],
            live_orders: 3,
            unknown_orders: 0,
            unknown_age_seconds: None,
            foreign_orders: 0,
            stops: StopFigures::default(),
            halted_legs: Vec::new(),
            mutes: Vec::new(),
            last_fact_at: NOW.minus(Duration::from_millis(1_250)),
            last_alert: None,
        }
    }

    fn page(status: &Status) -> Page<'_> {
        Page { status, stopped: None, next_start: None, starting: None, followers: &[] }
    }

    #[test]
    fn a_lease_is_shown_with_what_is_left_of_it_and_what_is_to_know_of_it() {
        let lease = LeaseStatus {
            kind: "firestore".into(),
            holder: "host-a pid 4711".into(),
            boot_id: "b".into(),
            term: Some(Term(3)),
            left_s: Some(14),
            ..LeaseStatus::default()
        };
        let with = |lease| page(&Status { lease: Some(lease), ..status() }).to_string();
        let held = with(lease.clone());
        assert!(held.contains("\nlease     firestore, term 3, 14 s left; host-a pid 4711\nequity"), "{held}");
        let note = Some("it could not be renewed and is over".to_owned());
        let over = with(LeaseStatus { left_s: Some(0), note: note.clone(), ..lease.clone() });
        assert!(over.contains(", 0 s left; host-a pid 4711\n          it could not be renewed"), "{over}");
        let alone = with(LeaseStatus { term: None, left_s: None, note, ..lease.clone() });
        assert!(alone.contains("lease     firestore: not held; host-a"), "{alone}");
        let local = LeaseStatus { kind: "local".into(), term: None, left_s: None, ..lease };
        assert!(!with(local).contains("lease"));
    }

    #[test]
    fn a_page_has_both_legs_of_a_symbol_on_one_line_and_names_the_bare_one() {
        let status = status();
        assert_eq!(
            page(&status).to_string(),
            "posture   NORMAL\n\
             WARNING   1 leg without a stop over the whole of it\n\
             account   testnet on binance testnet\n\
             executor  process 4711, term 7, for 3 h 12 min; connected, last fact 1.2 s ago\n\
             equity    10,123.46 USDT\n\
             legs      BTCUSDT  LONG  0.1 @ 60000.5  mark 60100  uPnl +12  stop 58000  |  SHORT 0.05 @ 60000.5  mark 60100  uPnl -5.12  NO STOP for 2.1 s  (hedged)\n\
             \x20         ETHUSDT  SHORT 0.5 @ 60000.5  mark 60100  uPnl -3.1  stop 2600\n\
             orders    3 live\n"
        );
    }

    #[test]
    fn a_halt_says_why_since_when_and_how_it_is_lifted() {
        let since = NOW.minus(Duration::from_secs(2_880));
        let status = Status {
            posture: Posture::Halted,
            operator: Posture::Halted,
            operator_because: "odd fills (ann)".into(),
            posture_because: "operator: odd fills (ann)".into(),
            posture_since: Some(since.to_string()),
            operator_since: Some(since.to_string()),
            legs: Vec::new(),
            unknown_orders: 1,
            unknown_age_seconds: Some(75),
            stops: StopFigures {
                leg_seconds: 11_520,
                stop_coverage: Some(dec("0.99987")),
                unprotected_p50_ms: Some(120),
                unprotected_max_ms: Some(1_400),
                stop_validator_missing_total: 2,
                stop_validator_repaired_total: 1,
                ..StopFigures::default()
            },
            halted_legs: vec![HaltedLeg {
                symbol: "BTCUSDT".into(),
                side: PositionSide::Long,
                forced: ForcedClose::Liquidation,
                since: NOW.minus(Duration::from_secs(60)),
            }],
            mutes: vec![Mute { symbol: "ETHUSDT".into(), until: NOW.plus(Duration::from_secs(900)) }],
            last_alert: Some("a stop vanished".into()),
            ..status()
        };
        let text = page(&status).to_string();
        for line in [
            "posture   HALTED: nobody decides anything new; stops and closes still go out",
            "          since 2026-11-20 09:12:00 UTC (48 min 0 s ago): operator: odd fills (ann)",
            "order     halt since 2026-11-20 09:12:00 UTC (48 min 0 s ago): odd fills (ann)",
            "          lift it with: hedgectl resume BECAUSE",
            "legs      flat",
            "orders    3 live, 1 OF UNKNOWN OUTCOME for 1 min 15 s",
            "stops     covered 99.987 % of 3 h 12 min of open legs; bare 120 ms at the median, 1400 ms at most; 2 missing, 1 repaired",
            "halted    BTCUSDT LONG opens nothing: liquidation at 2026-11-20 09:59:00 UTC",
            "          look at the account, then lift it with: hedgectl resume BECAUSE",
            "muted     ETHUSDT until 2026-11-20 10:15:00 UTC",
            "alert     a stop vanished",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn open_legs_without_an_executor_are_a_warning() {
        let status = Status { pid: None, connected: false, ..status() };
        let stopped = Some(Said { at: NOW.to_string(), text: "SIGTERM".into() });
        let text = Page { stopped, ..page(&status) }.to_string();
        assert!(text.contains("WARNING   legs are open and no executor runs"), "{text}");
        assert!(text.contains("executor  none runs; this is the journal's end, of 2026-11-20 09:59:58 UTC (stopped: SIGTERM)"), "{text}");
        assert!(!text.contains("account stream"), "{text}");
    }

    #[test]
    fn a_process_that_holds_the_journal_and_does_not_lead_yet_is_named() {
        let status = Status { pid: None, connected: false, ..status() };
        let text = Page { starting: Some(4_711), ..page(&status) }.to_string();
        let line = "executor  process 4711 starts, or waits for the exchange: its log says which; this is the journal's end, \
                    of 2026-11-20 09:59:58 UTC";
        assert!(text.lines().any(|found| found == line), "{text}");
        assert!(text.contains("WARNING   legs are open and process 4711 does not lead yet"), "{text}");
        assert!(!text.contains("no executor runs"), "{text}");
    }

    #[test]
    fn a_start_that_a_panic_close_has_halted_is_announced() {
        let status = Status { pid: None, connected: false, ..status() };
        let next_start = Some(NextStart {
            posture: Posture::Halted,
            because: "panic close of all symbols".into(),
            by: "hedge-panic-close".into(),
            at: NOW.to_string(),
        });
        let text = Page { next_start, ..page(&status) }.to_string();
        let line = "next      the next executor starts halted, since 2026-11-20 10:00:00 UTC (0.0 s ago): panic close of all symbols (hedge-panic-close)";
        assert!(text.lines().any(|found| found == line), "{text}");
    }

    #[test]
    fn amounts_are_grouped_and_spans_have_two_units() {
        assert_eq!(money(dec("-1234567.005")), "-1,234,567.00");
        assert_eq!(money(dec("12.3")), "12.30");
        assert_eq!(span(Duration::from_millis(950)), "0.9 s");
        assert_eq!(span(Duration::from_secs(59)), "59 s");
        assert_eq!(span(Duration::from_secs(3_599)), "59 min 59 s");
        assert_eq!(span(Duration::from_secs(90_000)), "1 d 1 h");
    }
}
