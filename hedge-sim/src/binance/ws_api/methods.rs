//! The methods and what they are over REST.
//!
//! Source: fact sheet 10 (table).

/// What a method does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// What this REST call does.
    Twin {
        /// Its HTTP method, or [`ONLY_HERE`].
        method: &'static str,
        /// Its path.
        path: &'static str,
    },
    /// Something about the connection itself.
    Session(Session),
}

/// What can be done about a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Session {
    LogOn,
    Status,
    LogOut,
}

/// The HTTP method, so to speak, of what REST does not have.
pub(super) const ONLY_HERE: &str = "WSAPI";

const TWINS: [(&str, &str, &str); 20] = [
    ("order.place", "POST", "/fapi/v1/order"),
    ("order.modify", "PUT", "/fapi/v1/order"),
    ("order.cancel", "DELETE", "/fapi/v1/order"),
    ("order.status", "GET", "/fapi/v1/order"),
    ("algoOrder.place", "POST", "/fapi/v1/algoOrder"),
    ("algoOrder.cancel", "DELETE", "/fapi/v1/algoOrder"),
    ("account.position", "GET", "/fapi/v2/positionRisk"),
    ("v2/account.position", "GET", "/fapi/v3/positionRisk"),
    ("account.balance", "GET", "/fapi/v2/balance"),
    ("v2/account.balance", "GET", "/fapi/v3/balance"),
    ("account.status", "GET", "/fapi/v2/account"),
    ("v2/account.status", "GET", "/fapi/v3/account"),
    ("depth", "GET", "/fapi/v1/depth"),
    ("ticker.price", "GET", "/fapi/v1/ticker/price"),
    ("v2/ticker.price", "GET", "/fapi/v2/ticker/price"),
    ("ticker.book", ONLY_HERE, "ticker.book"),
    ("userDataStream.start", "POST", "/fapi/v1/listenKey"),
    ("userDataStream.ping", "PUT", "/fapi/v1/listenKey"),
    ("userDataStream.stop", "DELETE", "/fapi/v1/listenKey"),
    ("ping", "GET", "/fapi/v1/ping"),
];

impl Method {
    /// The method of that name; `v1/` before it says nothing.
    pub(super) fn find(name: &str) -> Option<Self> {
        let name = name.strip_prefix("v1/").unwrap_or(name);
        let session = match name {
            "session.logon" => Some(Session::LogOn),
            "session.status" => Some(Session::Status),
            "session.logout" => Some(Session::LogOut),
            _ => None,
        };
        let twin = TWINS.iter().find(|(known, ..)| *known == name);
        session.map(Self::Session).or_else(|| twin.map(|(_, method, path)| Self::Twin { method, path }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::routes::Call;
    use super::*;

    #[test]
    fn every_method_has_a_call_behind_it() {
        for (name, method, path) in TWINS {
            assert!(Call::find(method, path).is_some(), "{name}");
            assert_eq!(Method::find(name), Some(Method::Twin { method, path }), "{name}");
        }
        assert_eq!(Method::find("v1/order.place"), Method::find("order.place"));
        assert_eq!(Method::find("order.dance"), None);
        assert_eq!(Method::find("session.logon"), Some(Method::Session(Session::LogOn)));
    }
}
