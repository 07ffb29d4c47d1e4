//! What the user is told when a connection fails: the text says what happened and what to check.
use crate::error::{Error, Kind};
use crate::machine::{DisconnectCause, Endpoint, NodeId};

/// An error for `error_cb` and a line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub error: Error,
    /// As the original names it in a log line: `FAIL`, `ERROR`.
    pub facility: &'static str,
    /// Syslog's: 3 is an error, 6 is information.
    pub level: u8,
}

/// The state's name in the original's texts.
pub fn state_name(connecting: bool, ready: bool) -> &'static str {
    match (connecting, ready) {
        (true, _) => "CONNECT",
        (_, true) => "UP",
        _ => "APIVERSION_QUERY",
    }
}

/// A connection to `endpoint` ended `elapsed_ms` after it entered the state.
pub fn disconnected(
    endpoint: &Endpoint,
    node: NodeId,
    cause: &DisconnectCause,
    elapsed_ms: u64,
    state: &str,
) -> Report {
    let Endpoint { host, port } = endpoint;
    let name = if node.is_bootstrap() { "bootstrap".to_owned() } else { node.0.to_string() };
    let setting = if node.is_bootstrap() { "bootstrap.servers" } else { "the broker's advertised.listeners" };
    let (kind, what) = match cause {
        DisconnectCause::Closed => (
            Kind::Transport,
            format!(
                "Disconnected by the broker: check its log, and that security.protocol fits its listener on port {port}"
            ),
        ),
        DisconnectCause::Refused(text) => (
            Kind::Transport,
            format!("Connect to {host}:{port} failed: {text}: check that a broker listens there and {setting}"),
        ),
        DisconnectCause::Resolve(text) => {
            (Kind::Resolve, format!("Failed to resolve '{host}:{port}': {text}: check the host name in {setting}"))
        }
        DisconnectCause::Io(text) => (Kind::Transport, format!("Connection lost: {text}")),
        DisconnectCause::ConnectTimeout => (
            Kind::Transport,
            format!("Connection setup timed out: check {setting}, firewalls and socket.connection.setup.timeout.ms"),
        ),
        DisconnectCause::RequestTimeout => {
            (Kind::TimedOut, "A request timed out: check the broker's load and socket.timeout.ms".to_owned())
        }
        DisconnectCause::BadFrame(text) => (
            Kind::BadMessage,
            format!(
                "Connection closed, for the broker sent {text}: check that port {port} is a listener of Kafka for this security.protocol"
            ),
        ),
        DisconnectCause::Idle => (Kind::Transport, "Closed after connections.max.idle.ms".to_owned()),
        DisconnectCause::ByUs => (Kind::Destroy, "Closed by the client".to_owned()),
    };
    let text = format!("{host}:{port}/{name}: {what} (after {elapsed_ms}ms in state {state})");
    Report { error: Error::with_text(kind, text), facility: "FAIL", level: 3 }
}

/// Not one broker can be reached.
pub fn all_brokers_down(down: usize, all: usize) -> Report {
    let text = format!("{down}/{all} brokers are down");
    Report { error: Error::with_text(Kind::AllBrokersDown, text), facility: "ERROR", level: 3 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_code_and_says_what_to_check() {
        let endpoint = Endpoint { host: "kafka".into(), port: 9092 };
        let words = || std::sync::Arc::from("words");
        for (cause, code, text, check) in [
            (DisconnectCause::Closed, "_TRANSPORT", "Disconnected by the broker", "security.protocol"),
            (
                DisconnectCause::Refused(words()),
                "_TRANSPORT",
                "Connect to kafka:9092 failed: words",
                "bootstrap.servers",
            ),
            (
                DisconnectCause::Resolve(words()),
                "_RESOLVE",
                "Failed to resolve 'kafka:9092': words",
                "bootstrap.servers",
            ),
            (DisconnectCause::Io(words()), "_TRANSPORT", "Connection lost: words", ""),
            (DisconnectCause::ConnectTimeout, "_TRANSPORT", "Connection setup timed out", "firewalls"),
            (DisconnectCause::RequestTimeout, "_TIMED_OUT", "A request timed out", "socket.timeout.ms"),
            (DisconnectCause::BadFrame(words()), "_BAD_MSG", "the broker sent words", "a listener of Kafka"),
        ] {
            let error = disconnected(&endpoint, NodeId(-1), &cause, 7, "CONNECT").error;
            let shown = error.message();
            assert_eq!(error.kind.name(), code, "{shown}");
            assert!(
                shown.starts_with("kafka:9092/bootstrap: ") && shown.ends_with("(after 7ms in state CONNECT)"),
                "{shown}"
            );
            assert!(shown.contains(text) && shown.contains(check), "{shown}");
        }
        let error = disconnected(&endpoint, NodeId(3), &DisconnectCause::Refused(words()), 7, "UP").error;
        assert!(
            error.message().contains("kafka:9092/3: ") && error.message().contains("advertised.listeners"),
            "{error}"
        );
    }

    #[test]
    fn brokers_down_are_counted() {
        let error = all_brokers_down(2, 3).error;
        assert_eq!((error.code(), error.message().as_ref()), (-187, "2/3 brokers are down"));
    }
}
