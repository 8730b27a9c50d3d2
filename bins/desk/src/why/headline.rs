//! The answer in a few sentences.

use std::collections::BTreeSet;

use hedge_core::{
    AccountEvent, Book, CheckVerdict, Decision, Envelope, Event, Fact, Fill, Intent, OrderPurpose,
    OrderRecord, OrderRef, OrderState, PositionKey, Posture, Seq, Verdict,
};

use super::{
    explain::{Seen, Why},
    tree::{Forest, record},
};
use crate::journal::{rule_meaning, veto_meaning};

/// Whether a record is an execution.
pub(super) fn is_fill(envelope: &Envelope) -> bool {
    matches!(&envelope.event, Event::Fact(Fact::Account { event }) if matches!(**event, AccountEvent::Fill { .. }))
}

/// The executions that a record tells of.
fn fills(envelope: &Envelope) -> &[Fill] {
    match &envelope.event {
        Event::Fact(Fact::Account { event }) => match &**event {
            AccountEvent::Fill { fill } => std::slice::from_ref(fill),
            _ => &[],
        },
        Event::Fact(Fact::Snapshot { snapshot }) => &snapshot.fills,
        Event::Fact(Fact::QueryAnswered { answer, .. }) => &answer.fills,
        _ => &[],
    }
}

pub(super) fn headline(
    why: &Why,
    book: &Book,
    key: &PositionKey,
    records: &[Envelope],
    forest: &Forest,
    openings: &[Seq],
) -> String {
    let told = Told { why, book, key, records, forest, openings };
    if why.leg.entry.is_some() { told.open() } else { told.flat() }
}

struct Told<'a> {
    why: &'a Why,
    book: &'a Book,
    key: &'a PositionKey,
    records: &'a [Envelope],
    forest: &'a Forest,
    openings: &'a [Seq],
}

impl Told<'_> {
    fn open(&self) -> String {
        let leg = &self.why.leg;
        let mut text = format!(
            "{} is open: {} at {} since {}.",
            self.key,
            leg.qty.normalize(),
            leg.entry.unwrap_or_default().round_dp(8).normalize(),
            leg.opened_at.as_deref().unwrap_or("an unknown time")
        );
        match self.opening_that_filled() {
            Some((seq, strategy, because)) => {
                text.push_str(&format!(" {strategy} opened it: {because} (record #{seq})."));
            }
            None => text
                .push_str(" No opening of this journal filled: it was there before, or a person opened it."),
        }
        match (&leg.unprotected_since, &leg.stop) {
            (Some(since), _) => text.push_str(&format!(" It has had NO confirmed stop since {since}.")),
            (None, Some(stop)) => {
                let trigger = stop.trigger.map_or_else(|| "-".to_owned(), |at| at.normalize().to_string());
                text.push_str(&format!(" Stop {} stands at {trigger}.", stop.order));
            }
            (None, None) => {}
        }
        if let Some(halt) = &self.why.halt {
            let words =
                format!(" The venue closed a part of it by force ({} at {}):", halt.forced, halt.since);
            text.push_str(&words);
            text.push_str(" nothing is added until a person resumes.");
        }
        text
    }

    fn flat(&self) -> String {
        let mut text = format!("{} is flat.", self.key);
        if let Some(closed) = self.last_close() {
            text.push_str(&format!(" {closed}"));
        }
        text.push(' ');
        text.push_str(&self.why_not());
        text
    }

    fn opening_that_filled(&self) -> Option<(Seq, String, String)> {
        self.openings.iter().find_map(|root| {
            let filled = self
                .forest
                .all_under(*root)
                .iter()
                .any(|seq| record(self.records, *seq).is_some_and(is_fill));
            match &record(self.records, *root)?.event {
                Event::Decision(Decision::Intended { strategy, intent: Intent::Open { because, .. } })
                    if filled =>
                {
                    Some((*root, strategy.to_string(), because.to_string()))
                }
                _ => None,
            }
        })
    }

    /// `It was last closed at … by its stop h…s (record #…).`
    fn last_close(&self) -> Option<String> {
        let mut seen = BTreeSet::new();
        let mut last = None;
        for envelope in self.records {
            for fill in fills(envelope) {
                let ours = fill.instrument == self.key.instrument && fill.side.leg() == Some(self.key.side);
                // A later read of the account tells of the same executions again.
                if ours && seen.insert(fill.trade_id) && fill.is_close() == Some(true) {
                    last = Some((envelope.seq, fill));
                }
            }
        }
        let (seq, fill) = last?;
        let order = self.order_of(fill);
        let by = order.map_or("an order that is not of this journal", |order| match order.purpose {
            OrderPurpose::Stop => "its stop",
            OrderPurpose::TakeProfit => "its take-profit",
            OrderPurpose::Close | OrderPurpose::Entry => "a close",
        });
        let id = order.map(|order| format!(" {}", order.client_id)).unwrap_or_default();
        Some(format!("It was last closed at {} by {by}{id} (record #{seq}).", fill.venue_time))
    }

    /// Fills of a back-fill do not name our id; the venue's number of the order, or of a fired stop's child, does.
    fn order_of(&self, fill: &Fill) -> Option<&OrderRecord> {
        if let Some(id) = fill.client_id.as_ref().and_then(|id| id.ours()) {
            return self.book.order(id);
        }
        let is_it = |order: &&OrderRecord| match order.venue {
            Some(OrderRef::Plain(number)) => number == fill.order,
            Some(OrderRef::Algo { child, .. }) => child == Some(fill.order),
            Some(OrderRef::Client { .. }) | None => false,
        };
        self.book.orders().filter(|order| order.position == *self.key).find(is_it)
    }

    /// What keeps the leg from being open now.
    fn why_not(&self) -> String {
        let entry = self.book.live_orders_of(self.key).find(|order| order.purpose == OrderPurpose::Entry);
        if let Some(order) = entry {
            return match order.state {
                OrderState::Unknown => format!(
                    "Nobody knows whether the venue took opening {}; nothing more is opened until that is known.",
                    order.client_id
                ),
                state => format!("An opening is on its way: {} is {state:?}.", order.client_id),
            };
        }
        if let Some(halt) = &self.why.halt {
            return format!(
                "Nothing is opened: the venue closed {} by force ({} at {}); look at the account, then hedgectl resume BECAUSE.",
                self.key, halt.forced, halt.since
            );
        }
        let posture = &self.why.posture;
        if posture.posture != Posture::Normal {
            return format!(
                "Nothing is opened: the posture is {} since {}: {}.",
                posture.posture,
                posture.since.as_deref().unwrap_or("the start"),
                posture.because
            );
        }
        if let Some(mute) = self.why.mute.as_ref().filter(|mute| mute.holds) {
            let symbol = &self.why.symbol;
            return format!("Nothing is opened: {symbol} is muted until {}: {}.", mute.until, mute.because);
        }
        let newest = self.why.readings.iter().max_by_key(|seen| seen.seq);
        let last_opening = self.openings.first().and_then(|root| record(self.records, *root));
        match (last_opening, newest) {
            // Readings are written just before the intents of the same bar.
            (Some(opening), seen) if seen.is_none_or(|seen| seen.at <= opening.at.to_string()) => {
                self.fate_of(opening.seq)
            }
            (_, Some(_)) => self.why.readings.iter().map(said).collect::<Vec<_>>().join(" "),
            (_, None) => format!(
                "Nothing was wanted: no strategy has decided on a bar of {} up to here, so none trades it, or it is still warming up.",
                self.why.symbol
            ),
        }
    }

    /// What became of an opening that was wanted on the last bar.
    fn fate_of(&self, root: Seq) -> String {
        let all = self.forest.all_under(root);
        let events = || all.iter().filter_map(|seq| record(self.records, *seq));
        let (who, at) = match record(self.records, root) {
            Some(Envelope { event: Event::Decision(Decision::Intended { strategy, .. }), at, .. }) => {
                (strategy.to_string(), at.to_string())
            }
            _ => ("A strategy".to_owned(), String::new()),
        };
        let refused = events().find_map(|envelope| match &envelope.event {
            Event::Decision(Decision::Assessed { checks, verdict: Verdict::Refuse { rule }, .. }) => {
                Some((checks, rule))
            }
            _ => None,
        });
        if let Some((checks, rule)) = refused {
            let numbers = checks
                .iter()
                .find(|check| check.rule == *rule && check.verdict == CheckVerdict::Refuse)
                .map(|check| {
                    let note = check.note.as_deref().map(|note| format!(", {note}")).unwrap_or_default();
                    format!(" (value {}, limit {}{note})", check.value.normalize(), check.limit.normalize())
                })
                .unwrap_or_default();
            let meaning = rule_meaning(rule).map(|meaning| format!(": {meaning}")).unwrap_or_default();
            return format!(
                "{who} wanted to open it at {at} and was refused by {rule}{numbers}{meaning} (record #{root})."
            );
        }
        let order = events().find_map(|envelope| match &envelope.event {
            Event::Decision(Decision::OrderApproved { client_id, purpose: OrderPurpose::Entry, .. }) => {
                Some(*client_id)
            }
            _ => None,
        });
        match order.and_then(|id| self.book.order(&id)) {
            Some(order) if order.filled.is_zero() => {
                let why = order.refusal.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                format!(
                    "{who} opened it at {at}, but order {} ended as {:?} without a fill{why} (record #{root}).",
                    order.client_id, order.state
                )
            }
            Some(order) => {
                format!(
                    "The opening of {at} by {who}, order {}, filled and is closed again.",
                    order.client_id
                )
            }
            None => format!("{who} wanted to open it at {at}; no order followed (record #{root})."),
        }
    }
}

fn said(seen: &Seen) -> String {
    let reading = &seen.reading;
    if reading.emitted {
        let side = reading.side.map_or_else(|| "a".to_owned(), |side| format!("the {side}"));
        return format!("On its last bar ({}) {} wanted {side} leg.", seen.at, seen.strategy);
    }
    let words: Vec<String> = reading
        .veto
        .iter()
        .map(|word| {
            veto_meaning(word).map_or_else(|| word.to_string(), |meaning| format!("{word} ({meaning})"))
        })
        .collect();
    let words = if words.is_empty() { "it said no reason".to_owned() } else { words.join(", ") };
    format!("Nothing was wanted: on its last bar ({}) {} said {words}.", seen.at, seen.strategy)
}
