//! What orders and intents of one form differ in: prices and quantities.

use hedge_core::{
    Decimal, Entry, Exit, Intent, Leg, Notional, OrderPurpose, Portion, PositionKey, Price, Protection, Qty,
    Ratio, Size, StrategyId,
};

/// An order's form: everything but its id, leg, quantity and prices.
#[derive(Debug)]
pub(super) struct OrderForm {
    pub(super) strategy: Option<StrategyId>,
    pub(super) leg: Leg,
    pub(super) purpose: OrderPurpose,
    pub(super) protection: Option<Protection>,
}

impl OrderForm {
    /// Whether an order with these parts has this form.
    #[inline]
    pub(super) fn fits(&self, leg: &Leg, protection: Option<&Protection>) -> bool {
        leg_at(self.leg, price_of(leg)) == *leg
            && match (&self.protection, protection) {
                (None, None) => true,
                (Some(known), Some(protection)) => are_alike(known, protection),
                _ => false,
            }
    }
}

/// An intent's form: everything but its leg and its numbers.
#[derive(Debug)]
pub(super) struct IntentForm {
    pub(super) strategy: StrategyId,
    pub(super) intent: Intent,
}

impl IntentForm {
    #[inline]
    pub(super) fn fits(&self, intent: &Intent) -> bool {
        match (&self.intent, intent) {
            (
                Intent::Open { size: a, entry: b, protection: c, because: d, .. },
                Intent::Open { size, entry, protection, because, .. },
            ) => {
                matches!((a, size), (Size::Qty(_), Size::Qty(_)) | (Size::Notional(_), Size::Notional(_)))
                    && entry_at(*b, entry_price(entry)) == *entry
                    && are_alike(c, protection)
                    && d == because
            }
            (
                Intent::Close { portion: a, exit: b, because: c, .. },
                Intent::Close { portion, exit, because, .. },
            ) => {
                std::mem::discriminant(a) == std::mem::discriminant(portion)
                    && exit_at(*b, exit_price(exit)) == *exit
                    && c == because
            }
            (Intent::Protect { because: a, .. }, Intent::Protect { because, .. }) => a == because,
            _ => false,
        }
    }

    /// The intent of this form with its leg and its numbers. `None` for numbers of another form.
    pub(super) fn with(&self, position: PositionKey, numbers: [Option<Decimal>; 3]) -> Option<Intent> {
        let [amount, price, stop] = numbers;
        let (price, stop) = (price.and_then(Price::of), stop.and_then(Price::of));
        Some(match &self.intent {
            Intent::Open { size, entry, protection, because, .. } => Intent::Open {
                position,
                size: match size {
                    Size::Qty(_) => Size::Qty(Qty::of(amount?)?),
                    Size::Notional(_) => Size::Notional(Notional::of(amount?)?),
                },
                entry: entry_at(*entry, price),
                protection: protected_at(protection, stop),
                because: because.clone(),
            },
            Intent::Close { portion, exit, because, .. } => Intent::Close {
                position,
                portion: match portion {
                    Portion::All => Portion::All,
                    Portion::Qty(_) => Portion::Qty(Qty::of(amount?)?),
                    Portion::Fraction(_) => Portion::Fraction(Ratio::of(amount?)?),
                },
                exit: exit_at(*exit, price),
                because: because.clone(),
            },
            Intent::Protect { because, .. } => {
                Intent::Protect { position, trigger: price?, because: because.clone() }
            }
            Intent::Cancel { .. } => return None,
        })
    }
}

/// The leg and the numbers of an intent: amount, price, stop. `None` where it is about no leg.
#[inline]
pub(super) fn numbers_of(intent: &Intent) -> Option<(&PositionKey, [Option<Decimal>; 3])> {
    let number = |price: Price| price.get();
    match intent {
        Intent::Open { position, size, entry, protection, .. } => {
            let amount = match size {
                Size::Qty(qty) => qty.get(),
                Size::Notional(notional) => notional.get(),
            };
            let numbers = [Some(amount), entry_price(entry).map(number), stop_of(protection).map(number)];
            Some((position, numbers))
        }
        Intent::Close { position, portion, exit, .. } => {
            let amount = match portion {
                Portion::All => None,
                Portion::Qty(qty) => Some(qty.get()),
                Portion::Fraction(ratio) => Some(ratio.get()),
            };
            Some((position, [amount, exit_price(exit).map(number), None]))
        }
        Intent::Protect { position, trigger, .. } => Some((position, [None, Some(trigger.get()), None])),
        Intent::Cancel { .. } => None,
    }
}

/// The price in which orders of one form differ.
#[inline]
pub(super) const fn price_of(leg: &Leg) -> Option<Price> {
    match leg {
        Leg::Open(entry) => entry_price(entry),
        Leg::Close(exit, _) => exit_price(exit),
    }
}

/// The same with another price.
#[inline]
pub(super) fn leg_at(leg: Leg, price: Option<Price>) -> Leg {
    match leg {
        Leg::Open(entry) => Leg::Open(entry_at(entry, price)),
        Leg::Close(exit, covers) => Leg::Close(exit_at(exit, price), covers),
    }
}

const fn entry_price(entry: &Entry) -> Option<Price> {
    match entry {
        Entry::Limit { price, .. } => Some(*price),
        Entry::Market => None,
    }
}

fn entry_at(entry: Entry, price: Option<Price>) -> Entry {
    match (entry, price) {
        (Entry::Limit { tif, .. }, Some(price)) => Entry::Limit { price, tif },
        (entry, _) => entry,
    }
}

const fn exit_price(exit: &Exit) -> Option<Price> {
    match exit {
        Exit::Limit { price, .. } => Some(*price),
        Exit::StopMarket { trigger, .. } | Exit::TakeProfitMarket { trigger, .. } => Some(*trigger),
        Exit::Market | Exit::TrailingStop { .. } => None,
    }
}

fn exit_at(exit: Exit, price: Option<Price>) -> Exit {
    match (exit, price) {
        (Exit::Limit { tif, .. }, Some(price)) => Exit::Limit { price, tif },
        (Exit::StopMarket { by, .. }, Some(trigger)) => Exit::StopMarket { trigger, by },
        (Exit::TakeProfitMarket { by, .. }, Some(trigger)) => Exit::TakeProfitMarket { trigger, by },
        (exit, _) => exit,
    }
}

/// The stop of a protection that is nothing else.
#[inline]
pub(super) fn stop_of(protection: &Protection) -> Option<Price> {
    match protection {
        Protection::Stop { trigger, take_profits } if take_profits.is_empty() => Some(*trigger),
        _ => None,
    }
}

/// The same with another stop.
pub(super) fn protected_at(protection: &Protection, stop: Option<Price>) -> Protection {
    match (stop_of(protection), stop) {
        (Some(_), Some(trigger)) => Protection::Stop { trigger, take_profits: Vec::new() },
        _ => protection.clone(),
    }
}

/// Whether two protections differ in their stop at most.
#[inline]
fn are_alike(known: &Protection, protection: &Protection) -> bool {
    match (stop_of(known), stop_of(protection)) {
        (Some(_), Some(_)) => true,
        _ => known == protection,
    }
}
