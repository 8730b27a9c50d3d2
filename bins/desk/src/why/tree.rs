//! Cause chains: what led to what, as a tree of records about one leg.

use std::collections::BTreeMap;

use hedge_core::{
    AccountEvent, Book, ClientOrderId, Decision, Envelope, Event, Fact, InstrumentId, Intent, OrderRecord,
    OrderRef, PositionKey, Seq, VenueOrderId,
};
use serde::Serialize;

use crate::journal::{Lines, check_words};

/// A record with everything that followed from it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Node {
    /// Its number.
    pub seq: Seq,
    /// When, in ISO form.
    pub at: String,
    /// What it says.
    pub text: String,
    /// Every gate check, for an assessment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    /// Where an order stands at the moment that was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fate: Option<String>,
    /// Whether it tells nothing that `fate` does not.
    #[serde(skip)]
    pub(super) is_routine: bool,
    /// The record as it stands in the journal.
    pub event: serde_json::Value,
    /// What followed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Node>,
}

/// The records about one leg and how they hang together.
#[derive(Debug, Default)]
pub(super) struct Forest {
    children: BTreeMap<Seq, Vec<Seq>>,
    /// Records about the leg that nothing about the leg led to, in order.
    roots: Vec<Seq>,
}

impl Forest {
    /// Records must be numbered from 0 without holes, as a journal is.
    pub(super) fn grow(records: &[Envelope], key: PositionKey) -> Self {
        let orders = Orders::of(records, key);
        let mut forest = Self::default();
        let mut about = vec![false; records.len()];
        for (i, envelope) in records.iter().enumerate() {
            let order = orders.about(envelope);
            if order.is_none() && !is_decision_about(&envelope.event, key) {
                continue;
            }
            about[i] = true;
            let cause = match order {
                // A fact about an order follows from the decision to send it.
                Some(approved) if matches!(envelope.event, Event::Fact(_)) => Some(approved),
                _ => envelope.cause,
            };
            let parent = cause.filter(|cause| {
                usize::try_from(cause.0).is_ok_and(|at| about.get(at) == Some(&true)) && *cause < envelope.seq
            });
            match parent {
                Some(parent) => forest.children.entry(parent).or_default().push(envelope.seq),
                None => forest.roots.push(envelope.seq),
            }
        }
        forest
    }
    /// The roots, oldest first.
    pub(super) fn roots(&self) -> &[Seq] {
        &self.roots
    }
    /// Every record under a root, the root first, in the order of the journal.
    pub(super) fn all_under(&self, root: Seq) -> Vec<Seq> {
        let mut found = vec![root];
        let mut i = 0;
        while let Some(seq) = found.get(i).copied() {
            found.extend(self.children.get(&seq).into_iter().flatten());
            i += 1;
        }
        found.sort_unstable();
        found
    }
    /// A root with all that followed. The record that led to it comes first, where there is one.
    pub(super) fn tree(&self, root: Seq, records: &[Envelope], lines: &Lines, book: &Book) -> Option<Node> {
        let whole = self.node(root, records, lines, book)?;
        let cause = record(records, root)?.cause.and_then(|cause| record(records, cause));
        Some(match cause {
            Some(cause) => Node { then: vec![whole], is_routine: false, ..leaf(cause, lines, book) },
            None => whole,
        })
    }
    fn node(&self, seq: Seq, records: &[Envelope], lines: &Lines, book: &Book) -> Option<Node> {
        let mut node = leaf(record(records, seq)?, lines, book);
        // Causes are always older than what they lead to, so this ends.
        node.then = self
            .children
            .get(&seq)
            .into_iter()
            .flatten()
            .filter_map(|child| self.node(*child, records, lines, book))
            .collect();
        Some(node)
    }
}

/// A record by its number.
pub(super) fn record(records: &[Envelope], seq: Seq) -> Option<&Envelope> {
    records.get(usize::try_from(seq.0).ok()?)
}

fn leaf(envelope: &Envelope, lines: &Lines, book: &Book) -> Node {
    let mut checks = Vec::new();
    let mut fate = None;
    let mut is_routine = false;
    match &envelope.event {
        Event::Decision(Decision::Assessed { checks: all, .. }) => {
            checks = all.iter().map(|check| check_words(&check)).collect();
        }
        Event::Decision(Decision::OrderApproved { client_id, .. }) => {
            fate = book.order(client_id).map(fate_words);
        }
        Event::Fact(Fact::SubmitAcked { .. } | Fact::CancelAcked { .. }) => is_routine = true,
        Event::Fact(Fact::Account { event }) => is_routine = matches!(**event, AccountEvent::Order { .. }),
        _ => {}
    }
    Node {
        seq: envelope.seq,
        at: envelope.at.to_string(),
        text: lines.text(envelope),
        checks,
        fate,
        is_routine,
        event: serde_json::to_value(&envelope.event).unwrap_or_default(),
        then: Vec::new(),
    }
}

/// `Filled, 0.024 of 0.024`; with the venue's reason where it gave one.
fn fate_words(order: &OrderRecord) -> String {
    let filled = match (order.filled.is_zero(), order.is_close_all_stop()) {
        (true, _) => String::new(),
        (false, true) => format!(", filled {}", order.filled.normalize()),
        (false, false) => format!(", filled {} of {}", order.filled.normalize(), order.qty),
    };
    let refusal = order.refusal.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!("{:?}{filled}{refusal}", order.state)
}

fn is_decision_about(event: &Event, key: PositionKey) -> bool {
    let Event::Decision(decision) = event else { return false };
    match decision {
        Decision::Intended { intent, .. } => match intent {
            Intent::Open { position, .. }
            | Intent::Close { position, .. }
            | Intent::Protect { position, .. } => *position == key,
            Intent::Cancel { .. } => false,
        },
        Decision::Assessed { position, .. }
        | Decision::OrderApproved { position, .. }
        | Decision::LegHalted { position, .. }
        | Decision::StopMissing { position, .. }
        | Decision::StopRepaired { position, .. }
        | Decision::FlattenRequested { position, .. } => *position == key,
        Decision::Alert { position, .. } => *position == Some(key),
        Decision::Muted { instrument, .. } => *instrument == key.instrument,
        _ => false,
    }
}

/// The orders of one leg, by every name they have.
struct Orders {
    by_id: BTreeMap<ClientOrderId, Seq>,
    /// Fills of a back-fill name the venue's number only.
    by_number: BTreeMap<VenueOrderId, ClientOrderId>,
    instrument: InstrumentId,
}

impl Orders {
    fn of(records: &[Envelope], key: PositionKey) -> Self {
        let mut orders =
            Self { by_id: BTreeMap::new(), by_number: BTreeMap::new(), instrument: key.instrument };
        for envelope in records {
            match &envelope.event {
                Event::Decision(Decision::OrderApproved { client_id, position, .. }) if *position == key => {
                    orders.by_id.insert(*client_id, envelope.seq);
                }
                Event::Fact(Fact::SubmitAcked { order, venue, .. }) => orders.name(order, *venue),
                Event::Fact(Fact::QueryAnswered { order, answer }) => {
                    answer.report.iter().for_each(|report| orders.name(order, report.order));
                }
                Event::Fact(Fact::Account { event }) => {
                    if let AccountEvent::Order { report } = &**event
                        && let Some(id) = report.client_id.ours()
                    {
                        orders.name(id, report.order);
                    }
                }
                _ => {}
            }
        }
        orders
    }
    fn name(&mut self, id: &ClientOrderId, venue: OrderRef) {
        let number = match venue {
            OrderRef::Plain(number) | OrderRef::Algo { child: Some(number), .. } => number,
            OrderRef::Algo { child: None, .. } | OrderRef::Client { .. } => return,
        };
        if self.by_id.contains_key(id) {
            self.by_number.insert(number, *id);
        }
    }
    /// Where the order was decided that a record is about.
    fn about(&self, envelope: &Envelope) -> Option<Seq> {
        let id = match &envelope.event {
            Event::Fact(fact) => match fact {
                Fact::SubmitAcked { order, .. }
                | Fact::SubmitFailed { order, .. }
                | Fact::CancelAcked { order }
                | Fact::CancelFailed { order, .. }
                | Fact::QueryAnswered { order, .. }
                | Fact::QueryFailed { order, .. } => *order,
                Fact::Account { event } => match &**event {
                    AccountEvent::Order { report } => *report.client_id.ours()?,
                    AccountEvent::Fill { fill } if fill.instrument == self.instrument => {
                        match fill.client_id.as_ref().and_then(|id| id.ours()) {
                            Some(id) => *id,
                            None => *self.by_number.get(&fill.order)?,
                        }
                    }
                    _ => return None,
                },
                _ => return None,
            },
            Event::Decision(decision) => match decision {
                Decision::CancelRequested { order, .. }
                | Decision::QueryRequested { order }
                | Decision::AbsenceProven { order }
                | Decision::Intended { intent: Intent::Cancel { order, .. }, .. } => *order,
                _ => return None,
            },
        };
        self.by_id.get(&id).copied()
    }
}
