//! Client ids: kept inline, and found by their text.

use std::{fmt, ops::Deref};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::by_id::ById;
use super::order::Order;

/// More than the 36 characters that the exchange takes. Source: fact sheet 7.1.
const INLINE: usize = 38;

/// A client id. Only one that came from elsewhere can be too long to be kept inline.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ClientId(Text);

#[derive(Clone, PartialEq, Eq)]
enum Text {
    Inline { len: u8, bytes: [u8; INLINE] },
    Long(Box<str>),
}

impl From<&str> for ClientId {
    fn from(text: &str) -> Self {
        if text.len() > INLINE {
            return Self(Text::Long(text.into()));
        }
        let mut bytes = [0; INLINE];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Self(Text::Inline { len: text.len() as u8, bytes })
    }
}

impl ClientId {
    #[inline]
    fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Text::Long(text) => text.as_bytes(),
        }
    }
}

impl Deref for ClientId {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            // Only whole texts are ever put in, so the fallback is never taken.
            Text::Inline { len, bytes } => {
                std::str::from_utf8(&bytes[..usize::from(*len)]).unwrap_or_default()
            }
            Text::Long(text) => text,
        }
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &**self)
    }
}

impl Serialize for ClientId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::from(&*text))
    }
}

/// The newest order of each client id: a table of places probed one after the other, at most half full. It is asked and
/// never walked through.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ClientIndex {
    places: Vec<Place>,
    taken: usize,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Place {
    hash: u64,
    order_id: u64,
}

impl Place {
    const FREE: Self = Self { hash: 0, order_id: u64::MAX };

    fn is_free(self) -> bool {
        self.order_id == u64::MAX
    }
}

impl ClientIndex {
    /// The newest order with this client id.
    pub(super) fn newest(&self, text: &[u8], orders: &ById<Order>) -> Option<u64> {
        let place = *self.places.get(self.find(hash_of(text), |id| bears(orders, id, text))?)?;
        (!place.is_free()).then_some(place.order_id)
    }

    /// Enters an order; it takes the place of an older one with the same client id.
    pub(super) fn note(&mut self, order: &Order, orders: &ById<Order>) {
        if (self.taken + 1) * 2 > self.places.len() {
            self.grow();
        }
        let text = order.client_id.as_bytes();
        let hash = hash_of(text);
        let Some(at) = self.find(hash, |id| bears(orders, id, text)) else { return };
        self.taken += usize::from(self.places[at].is_free());
        self.places[at] = Place { hash, order_id: order.id };
    }

    /// The place of a hash whose order is the same, or the free one where it would be put.
    fn find(&self, hash: u64, is_same: impl Fn(u64) -> bool) -> Option<usize> {
        let mask = self.places.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        // A table that is half empty has a free place on the way.
        while !self.places[at].is_free() {
            if self.places[at].hash == hash && is_same(self.places[at].order_id) {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
        Some(at)
    }

    fn grow(&mut self) {
        let room = (self.places.len() * 2).max(16);
        let before = std::mem::replace(&mut self.places, vec![Place::FREE; room]);
        for place in before.into_iter().filter(|place| !place.is_free()) {
            if let Some(at) = self.find(place.hash, |_| false) {
                self.places[at] = place;
            }
        }
    }
}

fn bears(orders: &ById<Order>, id: u64, text: &[u8]) -> bool {
    orders.get(&id).is_some_and(|order| order.client_id.as_bytes() == text)
}

/// Eight bytes at a time through a mixer; the same everywhere.
fn hash_of(text: &[u8]) -> u64 {
    let (words, rest) = text.as_chunks::<8>();
    let mut tail = [0; 8];
    tail[..rest.len()].copy_from_slice(rest);
    let length = text.len() as u64;
    words
        .iter()
        .chain([&tail])
        .fold(length, |hash, word| super::market::mix(hash ^ u64::from_le_bytes(*word)))
}
