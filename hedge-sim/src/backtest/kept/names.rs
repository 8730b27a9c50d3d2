//! What repeats from record to record, by a small number.

use std::collections::BTreeMap;

use hedge_core::{
    Asset, ClientOrderId, Coverage, InstrumentId, PositionKey, PositionSide, ReportedKind, ReportedState,
};

use super::forms::{IntentForm, OrderForm};

/// So many of a kind are remembered; what comes later is kept whole.
const MOST: usize = 16;

/// A short list of things that come again and again.
#[derive(Debug)]
pub(super) struct Few<T>(Vec<T>);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Few<T> {
    /// The number of a thing, a new one where there is room.
    #[inline]
    pub(super) fn number(&mut self, is_it: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> Option<u8> {
        let place = match self.0.iter().position(is_it) {
            Some(place) => place,
            None if self.0.len() < MOST => {
                self.0.push(make());
                self.0.len() - 1
            }
            None => return None,
        };
        u8::try_from(place).ok()
    }
    pub(super) fn get(&self, number: u8) -> Option<&T> {
        self.0.get(usize::from(number))
    }
}

impl<T: PartialEq + Clone> Few<T> {
    #[inline]
    pub(super) fn number_of(&mut self, thing: &T) -> Option<u8> {
        self.number(|known| known == thing, || thing.clone())
    }
}

/// A leg: the instrument's number, doubled, and one more for SHORT.
pub(super) type LegNumber = u16;

/// Everything that repeats.
#[derive(Debug, Default)]
pub(super) struct Names {
    instruments: Vec<InstrumentId>,
    by_id: BTreeMap<InstrumentId, u16>,
    /// The instrument that was named last.
    last: u16,
    /// How the ids of orders begin.
    head: Option<[u8; HEAD]>,
    pub(super) intents: Few<IntentForm>,
    pub(super) orders: Few<OrderForm>,
    pub(super) kinds: Few<(ReportedKind, Coverage)>,
    pub(super) states: Few<ReportedState>,
    pub(super) assets: Few<Asset>,
}

/// `h`, run and term of an id that the engine derives.
const HEAD: usize = 11;

impl Names {
    #[inline]
    pub(super) fn instrument_number(&mut self, id: &InstrumentId) -> Option<u16> {
        if self.instruments.get(usize::from(self.last)) == Some(id) {
            return Some(self.last);
        }
        self.last = match self.by_id.get(id) {
            Some(number) => *number,
            None => {
                // The number of a leg is twice as large.
                let number = u16::try_from(self.instruments.len()).ok().filter(|number| *number < 1 << 15)?;
                self.instruments.push(*id);
                self.by_id.insert(*id, number);
                number
            }
        };
        Some(self.last)
    }
    pub(super) fn instrument(&self, number: u16) -> Option<InstrumentId> {
        self.instruments.get(usize::from(number)).copied()
    }

    #[inline]
    pub(super) fn leg_number(&mut self, leg: &PositionKey) -> Option<LegNumber> {
        Some(self.instrument_number(&leg.instrument)? << 1 | u16::from(leg.side == PositionSide::Short))
    }
    pub(super) fn leg(&self, number: LegNumber) -> Option<PositionKey> {
        let side = if number & 1 == 0 { PositionSide::Long } else { PositionSide::Short };
        Some(PositionKey::new(self.instrument(number >> 1)?, side))
    }

    /// The end of an id whose beginning all orders of the run share. No byte of an id is zero, so the zeros say how
    /// long it is.
    #[inline]
    pub(super) fn tail(&mut self, id: &ClientOrderId) -> Option<u64> {
        let (head, rest) = id.as_bytes().split_first_chunk::<HEAD>()?;
        if *self.head.get_or_insert(*head) != *head || rest.len() > 8 {
            return None;
        }
        let mut tail = [0; 8];
        tail[..rest.len()].copy_from_slice(rest);
        Some(u64::from_le_bytes(tail))
    }
    pub(super) fn id(&self, tail: u64) -> Option<ClientOrderId> {
        let mut text = self.head?.to_vec();
        text.extend(tail.to_le_bytes().into_iter().take_while(|byte| *byte != 0));
        ClientOrderId::parse(std::str::from_utf8(&text).ok()?).ok()
    }
}
