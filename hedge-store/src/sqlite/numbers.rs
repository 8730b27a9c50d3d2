//! Functions for queries: money is decimal text, and SQLite's own sum would make a float of it.

use std::panic::AssertUnwindSafe;

use hedge_core::{Decimal, Timestamp};
use rusqlite::{
    Connection, Error,
    functions::{Aggregate, Context, FunctionFlags},
    types::ValueRef,
};

/// Adds `decimal_sum(x)`, `decimal_mul(a, b)`, `decimal_add(a, b)` and `utc(ns)`.
pub(super) fn register(conn: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    conn.create_aggregate_function("decimal_sum", 1, flags, Sum)?;
    conn.create_scalar_function("decimal_mul", 2, flags, |ctx| both(ctx, Decimal::checked_mul))?;
    conn.create_scalar_function("decimal_add", 2, flags, |ctx| both(ctx, Decimal::checked_add))?;
    conn.create_scalar_function("utc", 1, flags, |ctx| {
        Ok(ctx.get::<Option<i64>>(0)?.map(|ns| Timestamp::from_ns(ns).to_string()))
    })
}

struct Sum;

impl Aggregate<AssertUnwindSafe<Decimal>, Option<String>> for Sum {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<AssertUnwindSafe<Decimal>> {
        Ok(AssertUnwindSafe(Decimal::ZERO))
    }
    fn step(&self, ctx: &mut Context<'_>, sum: &mut AssertUnwindSafe<Decimal>) -> rusqlite::Result<()> {
        if let Some(number) = number(ctx, 0)? {
            sum.0 = sum.0.checked_add(number).ok_or_else(|| wrong("the sum is too large for a decimal"))?;
        }
        Ok(())
    }
    fn finalize(
        &self,
        _: &mut Context<'_>,
        sum: Option<AssertUnwindSafe<Decimal>>,
    ) -> rusqlite::Result<Option<String>> {
        Ok(sum.map(|sum| sum.0.normalize().to_string()))
    }
}

fn both(
    ctx: &Context<'_>,
    calculate: impl Fn(Decimal, Decimal) -> Option<Decimal>,
) -> rusqlite::Result<Option<String>> {
    let (Some(a), Some(b)) = (number(ctx, 0)?, number(ctx, 1)?) else { return Ok(None) };
    let result = calculate(a, b).ok_or_else(|| wrong("the result is too large for a decimal"))?;
    Ok(Some(result.normalize().to_string()))
}

fn number(ctx: &Context<'_>, at: usize) -> rusqlite::Result<Option<Decimal>> {
    match ctx.get_raw(at) {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(whole) => Ok(Some(Decimal::from(whole))),
        ValueRef::Text(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| Decimal::from_str_exact(text).ok())
            .map(Some)
            .ok_or_else(|| wrong("expected decimal text such as 1.25")),
        ValueRef::Real(_) | ValueRef::Blob(_) => {
            Err(wrong("expected decimal text such as 1.25, not a float"))
        }
    }
}

fn wrong(why: &'static str) -> Error {
    Error::UserFunctionError(why.into())
}
