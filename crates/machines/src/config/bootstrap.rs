//! Reads `bootstrap.servers`: hosts and ports from text. Looking hosts up, and what to do when none answers, is left to the client.
use super::BootstrapServer;

/// Kafka's port, taken where an address has none.
const DEFAULT_PORT: u16 = 9092;

/// The one scheme that is served; the others come with TLS and SASL.
const PLAINTEXT: &str = "PLAINTEXT";

/// Splits a list of addresses with commas between. A bad one does not spoil the others: it is returned apart, as a text that says what to check.
pub(super) fn parse(list: &str) -> (Vec<BootstrapServer>, Vec<String>) {
    let mut servers = Vec::new();
    let mut refused = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match server(name) {
            Ok(server) => servers.push(server),
            Err(because) => refused.push(format!("Broker name \"{name}\" parse error: {because}")),
        }
    }
    (servers, refused)
}

fn server(name: &str) -> Result<BootstrapServer, String> {
    let address = match name.split_once("://") {
        None => name,
        Some((scheme, address)) if scheme.eq_ignore_ascii_case(PLAINTEXT) => address,
        Some((scheme, _)) => {
            let scheme = scheme.to_ascii_uppercase();
            return Err(match scheme.as_str() {
                "SSL" | "SASL_PLAINTEXT" | "SASL_SSL" => {
                    format!("protocol \"{scheme}\" does not match security.protocol setting \"plaintext\"")
                }
                _ => format!("unsupported protocol \"{scheme}\""),
            });
        }
    };
    let (host, port) = if let Some(rest) = address.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("the bracket of the IPv6 address is not closed")?;
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err("after the bracket a port is expected, as in [::1]:9092".to_owned()),
        }
    } else {
        match address.split_once(':') {
            // Two colons and no bracket: an IPv6 address without a port.
            Some((_, rest)) if rest.contains(':') => (address, None),
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        }
    };
    if host.contains('/') || host.chars().any(char::is_whitespace) {
        return Err(format!("\"{host}\" is not a host name"));
    }
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => port
            .parse()
            .ok()
            .filter(|&port| port != 0)
            .ok_or_else(|| format!("port \"{port}\" is not a number from 1 to 65535"))?,
    };
    // As in the original an empty host is this machine.
    let host = if host.is_empty() { "localhost" } else { host };
    Ok(BootstrapServer { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(list: &str) -> Vec<String> {
        parse(list).0.into_iter().map(|server| format!("{} {}", server.host, server.port)).collect()
    }

    #[test]
    fn reads_hosts_ports_and_brackets() {
        assert_eq!(shown("a"), ["a 9092"]);
        assert_eq!(shown("a:1, b:2 ,,c"), ["a 1", "b 2", "c 9092"]);
        assert_eq!(shown("plaintext://a:1"), ["a 1"]);
        assert_eq!(shown("[::1]:9093,[::1],fe80::1"), ["::1 9093", "::1 9092", "fe80::1 9092"]);
        assert_eq!(shown(":9093"), ["localhost 9093"]);
        assert_eq!(shown(" , "), [""; 0]);
    }

    #[test]
    fn a_bad_one_is_named_and_the_others_stay() {
        for (name, because) in [
            ("a:b", "port \"b\" is not a number"),
            ("a:99999", "port \"99999\" is not a number"),
            ("a:0", "port \"0\""),
            ("a:", "port \"\""),
            ("[::1", "not closed"),
            ("[::1]9092", "a port is expected"),
            ("SSL://a:1", "protocol \"SSL\" does not match security.protocol setting \"plaintext\""),
            ("foo://a:1", "unsupported protocol \"FOO\""),
            ("http:/a", "port \"/a\""),
            ("a b:1", "\"a b\" is not a host name"),
        ] {
            let (servers, refused) = parse(&format!("good:1,{name}"));
            assert_eq!(servers.len(), 1, "{name}");
            assert!(refused[0].starts_with(&format!("Broker name \"{name}\" parse error: ")), "{}", refused[0]);
            assert!(refused[0].contains(because), "{}", refused[0]);
        }
    }
}
