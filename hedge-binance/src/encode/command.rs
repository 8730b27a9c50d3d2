//! Cancels and settings as requests. Source: fact sheet 3, 4.4, 4.7, 5.1.

use std::fmt;

use hedge_core::{Leverage, MarginMode, OrderRef, OrderSpace, PositionMode};
use hedge_http::{Method, limiter::Priority};

use super::{ApiRequest, Params, VenueClientId};

fn command(method: Method, path: &'static str, params: Params) -> ApiRequest {
    ApiRequest::command(method, path, 1, Priority::Protect, params)
}

/// Parameters that name a plain order.
pub(crate) fn plain_ref(params: Params, order: &OrderRef) -> Params {
    match order {
        OrderRef::Plain(id) | OrderRef::Algo { child: Some(id), .. } => params.with("orderId", id),
        OrderRef::Algo { id, child: None } => params.with("orderId", id),
        OrderRef::Client { id, .. } => params.with("origClientOrderId", id),
    }
}

/// Parameters that name a conditional order.
pub(crate) fn algo_ref(params: Params, order: &OrderRef) -> Params {
    match order {
        OrderRef::Plain(id) | OrderRef::Algo { id, .. } => params.with("algoId", id),
        OrderRef::Client { id, .. } => params.with("clientAlgoId", id),
    }
}

/// Where an order is cancelled: one that has fired is cancelled as the plain order that it became.
pub(crate) const fn cancelled_in(order: &OrderRef) -> OrderSpace {
    match order {
        OrderRef::Plain(_)
        | OrderRef::Algo { child: Some(_), .. }
        | OrderRef::Client { space: OrderSpace::Plain, .. } => OrderSpace::Plain,
        OrderRef::Algo { child: None, .. } | OrderRef::Client { space: OrderSpace::Algo, .. } => {
            OrderSpace::Algo
        }
    }
}

/// Cancels one order in its own id space.
pub fn cancel(symbol: &str, order: &OrderRef) -> ApiRequest {
    match cancelled_in(order) {
        OrderSpace::Plain => {
            cancel_in(OrderSpace::Plain, |params| plain_ref(params.with("symbol", symbol), order))
        }
        OrderSpace::Algo => cancel_in(OrderSpace::Algo, |params| algo_ref(params, order)),
    }
}

/// Cancels one order by a client id that need not be ours.
pub fn cancel_named(symbol: &str, space: OrderSpace, id: &VenueClientId) -> ApiRequest {
    cancel_in(space, |params| match space {
        OrderSpace::Plain => params.with("symbol", symbol).with("origClientOrderId", id),
        OrderSpace::Algo => params.with("clientAlgoId", id),
    })
}

fn cancel_in(space: OrderSpace, name: impl FnOnce(Params) -> Params) -> ApiRequest {
    let path = match space {
        OrderSpace::Plain => "/fapi/v1/order",
        OrderSpace::Algo => "/fapi/v1/algoOrder",
    };
    command(Method::Delete, path, name(Params::new()))
}

/// Cancels every open order of a symbol in one id space.
pub fn cancel_all(symbol: &str, space: OrderSpace) -> ApiRequest {
    let path = match space {
        OrderSpace::Plain => "/fapi/v1/allOpenOrders",
        OrderSpace::Algo => "/fapi/v1/algoOpenOrders",
    };
    command(Method::Delete, path, Params::new().with("symbol", symbol))
}

/// Sets the leverage of both legs of a symbol.
pub fn set_leverage(symbol: &str, leverage: Leverage) -> ApiRequest {
    let params = Params::new().with("symbol", symbol).with("leverage", leverage.get());
    command(Method::Post, "/fapi/v1/leverage", params)
}

/// Sets the margin of both legs of a symbol.
pub fn set_margin_mode(symbol: &str, mode: MarginMode) -> ApiRequest {
    let word = match mode {
        MarginMode::Crossed => "CROSSED",
        MarginMode::Isolated => "ISOLATED",
    };
    let params = Params::new().with("symbol", symbol).with("marginType", word);
    command(Method::Post, "/fapi/v1/marginType", params)
}

/// Sets the position mode of the account, for every symbol.
pub fn set_position_mode(mode: PositionMode) -> ApiRequest {
    set_switch("/fapi/v1/positionSide/dual", "dualSidePosition", mode == PositionMode::Hedge)
}

/// A switch of the account.
pub(crate) fn set_switch(path: &'static str, name: &'static str, on: impl fmt::Display) -> ApiRequest {
    command(Method::Post, path, Params::new().with(name, on))
}

#[cfg(test)]
mod tests {
    use hedge_core::{ClientOrderId, VenueOrderId};

    use super::*;

    fn check(request: &ApiRequest, expected: &str) {
        let found = format!("{} {}?{}", request.method.as_str(), request.path, request.params.encoded());
        assert_eq!(found, expected);
    }

    #[test]
    fn an_order_is_cancelled_in_its_own_id_space() {
        let algo = OrderRef::Algo { id: VenueOrderId(7), child: None };
        check(&cancel("ETHUSDT", &algo), "DELETE /fapi/v1/algoOrder?algoId=7");
        let fired = OrderRef::Algo { id: VenueOrderId(7), child: Some(VenueOrderId(8)) };
        check(&cancel("ETHUSDT", &fired), "DELETE /fapi/v1/order?symbol=ETHUSDT&orderId=8");
        let ours = |space| OrderRef::Client { space, id: ClientOrderId::parse("h1").unwrap() };
        check(
            &cancel("ETHUSDT", &ours(OrderSpace::Plain)),
            "DELETE /fapi/v1/order?symbol=ETHUSDT&origClientOrderId=h1",
        );
        check(&cancel("ETHUSDT", &ours(OrderSpace::Algo)), "DELETE /fapi/v1/algoOrder?clientAlgoId=h1");
        let theirs = VenueClientId::parse("web_a:b").unwrap();
        check(
            &cancel_named("ETHUSDT", OrderSpace::Plain, &theirs),
            "DELETE /fapi/v1/order?symbol=ETHUSDT&origClientOrderId=web_a%3Ab",
        );
    }

    #[test]
    fn settings_are_the_venues_words() {
        check(
            &set_leverage("ETHUSDT", Leverage::new(7).unwrap()),
            "POST /fapi/v1/leverage?symbol=ETHUSDT&leverage=7",
        );
        check(
            &set_margin_mode("ETHUSDT", MarginMode::Isolated),
            "POST /fapi/v1/marginType?symbol=ETHUSDT&marginType=ISOLATED",
        );
        check(
            &set_position_mode(PositionMode::Net),
            "POST /fapi/v1/positionSide/dual?dualSidePosition=false",
        );
    }
}
