//! Decimals as the venue writes them: padded text, nothing ever cut off.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Number, Value};

use crate::venue::InstrumentRules;

/// Decimals of money amounts and marks.
const MONEY_PLACES: u32 = 8;

/// At least `places` decimals.
pub(crate) fn padded(value: Decimal, places: u32) -> String {
    let mut value = value.normalize();
    if value.scale() < places {
        value.rescale(places);
    }
    value.to_string()
}

/// Money, rates of money and mark prices: eight decimals.
pub(crate) fn money(value: Decimal) -> String {
    padded(value, MONEY_PLACES)
}

/// No padding.
pub(crate) fn plain(value: Decimal) -> String {
    value.normalize().to_string()
}

/// A JSON number; whole numbers without a point.
pub(crate) fn number(value: Decimal) -> Value {
    let value = value.normalize();
    match (value.scale(), value.to_i64(), value.to_f64().and_then(Number::from_f64)) {
        (0, Some(whole), _) => Value::from(whole),
        (_, _, Some(float)) => Value::Number(float),
        _ => Value::Null,
    }
}

/// How many decimals prices and quantities of an instrument are written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Places {
    price: u32,
    qty: u32,
}

impl Places {
    pub(crate) fn of(rules: &InstrumentRules) -> Self {
        Self { price: rules.tick.normalize().scale(), qty: rules.lot.step.normalize().scale() }
    }

    pub(crate) fn price(self, value: Decimal) -> String {
        padded(value, self.price)
    }

    pub(crate) fn qty(self, value: Decimal) -> String {
        padded(value, self.qty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_padded_and_never_cut() {
        let places = Places { price: 2, qty: 3 };
        assert_eq!(places.price(Decimal::new(25, 1)), "2.50");
        assert_eq!(places.qty(Decimal::new(12_345, 4)), "1.2345");
        assert_eq!(money(Decimal::ZERO), "0.00000000");
        assert_eq!(plain(Decimal::new(2500, 2)), "25");
    }

    #[test]
    fn brackets_are_numbers() {
        assert_eq!(number(Decimal::new(50_000, 0)).to_string(), "50000");
        assert_eq!(number(Decimal::new(4, 3)).to_string(), "0.004");
    }
}
