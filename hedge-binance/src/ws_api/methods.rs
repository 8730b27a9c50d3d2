//! Which method is which REST endpoint. Source: fact sheet 10, the table.

use hedge_http::Method;

use crate::encode::ApiRequest;

/// A method, and verb and path of its twin.
pub(crate) const METHODS: &[(&str, &str, &str)] = &[
    ("order.place", "POST", "/fapi/v1/order"),
    ("order.modify", "PUT", "/fapi/v1/order"),
    ("order.cancel", "DELETE", "/fapi/v1/order"),
    ("order.status", "GET", "/fapi/v1/order"),
    ("algoOrder.place", "POST", "/fapi/v1/algoOrder"),
    ("algoOrder.cancel", "DELETE", "/fapi/v1/algoOrder"),
    ("account.balance", "GET", "/fapi/v2/balance"),
    ("v2/account.balance", "GET", "/fapi/v3/balance"),
    ("account.status", "GET", "/fapi/v2/account"),
    ("v2/account.status", "GET", "/fapi/v3/account"),
    ("account.position", "GET", "/fapi/v2/positionRisk"),
    ("v2/account.position", "GET", "/fapi/v3/positionRisk"),
    ("depth", "GET", "/fapi/v1/depth"),
    ("ticker.price", "GET", "/fapi/v2/ticker/price"),
    ("ticker.book", "GET", "/fapi/v1/ticker/bookTicker"),
    ("userDataStream.start", "POST", "/fapi/v1/listenKey"),
    ("userDataStream.ping", "PUT", "/fapi/v1/listenKey"),
    ("userDataStream.stop", "DELETE", "/fapi/v1/listenKey"),
];

/// The method that does what a REST request does, if there is one.
pub(crate) fn method_of(verb: Method, path: &str) -> Option<&'static str> {
    let verb = verb.as_str();
    METHODS.iter().find(|(_, twin, at)| *twin == verb && *at == path).map(|(method, ..)| *method)
}

/// What a method must be told so that it means what its REST twin means. The pages of `order.place` and of conditional orders
/// state another self-trade prevention where none is named (NONE) than REST's (EXPIRE_MAKER), so it is named: two legs of one
/// account must not meet each other. Source: fact sheet 4.5, 5.2, 7.4, 10.
const SAID_ALOUD: &[(&str, &[(&str, &str)])] = &[
    ("order.place", &[("selfTradePreventionMode", "EXPIRE_MAKER")]),
    ("algoOrder.place", &[("selfTradePreventionMode", "EXPIRE_MAKER")]),
];

/// The parameters of a request for a method.
pub(crate) fn params_of(method: &str, request: &ApiRequest) -> Vec<(String, String)> {
    let mut params = request.params.pairs();
    let added = SAID_ALOUD.iter().filter(|(of, _)| *of == method).flat_map(|(_, added)| *added);
    for (name, value) in added {
        if !params.iter().any(|(known, _)| known == name) {
            params.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
    params
}

/// The method for an order, a change or a cancel. There is none for lists of orders or for batches, and questions go by REST.
pub(crate) fn command_of(verb: Method, path: &str) -> Option<&'static str> {
    let is_command = verb != Method::Get && matches!(path, "/fapi/v1/order" | "/fapi/v1/algoOrder");
    method_of(verb, path).filter(|_| is_command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_order_request_has_its_method_and_there_is_none_for_a_conditional_query() {
        assert_eq!(method_of(Method::Post, "/fapi/v1/order"), Some("order.place"));
        assert_eq!(method_of(Method::Get, "/fapi/v1/order"), Some("order.status"));
        assert_eq!(command_of(Method::Delete, "/fapi/v1/algoOrder"), Some("algoOrder.cancel"));
        assert_eq!(
            command_of(Method::Get, "/fapi/v1/order"),
            None,
            "what is not known is asked by another way"
        );
        assert_eq!(
            command_of(Method::Get, "/fapi/v1/algoOrder"),
            None,
            "there is no algoOrder.status (fact sheet 5.1)"
        );
        assert_eq!(command_of(Method::Get, "/fapi/v3/balance"), None);
        assert_eq!(command_of(Method::Post, "/fapi/v1/batchOrders"), None);
    }
}
