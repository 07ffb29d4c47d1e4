//! From a host to addresses. A literal address needs no look-up; a name is looked up by the system's own call, which
//! blocks: on thread *blocking* alone.
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use ottla_machines::config::AddressFamily;
use ottla_machines::machine::{DisconnectCause, Endpoint};

/// The address that `endpoint` is, when its host is no name.
pub(crate) fn literal(endpoint: &Endpoint) -> Option<SocketAddr> {
    endpoint.host.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, endpoint.port))
}

/// The addresses of `endpoint`'s host in the family that is allowed, in the system's order. Blocks.
pub(crate) fn look_up(endpoint: &Endpoint, family: AddressFamily) -> Result<Vec<SocketAddr>, DisconnectCause> {
    let found = (&*endpoint.host, endpoint.port).to_socket_addrs();
    let found = found.map_err(|error| DisconnectCause::Resolve(words(&error).into()))?;
    let mut addresses: Vec<SocketAddr> = found.filter(|address| allowed(address, family)).collect();
    addresses.dedup();
    if addresses.is_empty() {
        let text = "it has no address of the family that broker.address.family allows";
        return Err(DisconnectCause::Resolve(text.into()));
    }
    Ok(addresses)
}

fn allowed(address: &SocketAddr, family: AddressFamily) -> bool {
    match family {
        AddressFamily::Any => true,
        AddressFamily::V4 => address.is_ipv4(),
        AddressFamily::V6 => address.is_ipv6(),
    }
}

/// The system's words for an error, without std's number behind them and the resolver's prefix before them.
pub(crate) fn words(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.strip_prefix("failed to lookup address information: ").unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: &str) -> Endpoint {
        Endpoint { host: host.into(), port: 9092 }
    }

    #[test]
    fn literals_need_no_look_up() {
        assert_eq!(literal(&endpoint("127.0.0.1")), Some("127.0.0.1:9092".parse().unwrap()));
        assert_eq!(literal(&endpoint("::1")), Some("[::1]:9092".parse().unwrap()));
        assert_eq!(literal(&endpoint("localhost")), None);
    }

    #[test]
    fn the_family_filters_and_an_empty_rest_says_so() {
        let v4 = endpoint("127.0.0.1");
        assert_eq!(look_up(&v4, AddressFamily::Any).unwrap().len(), 1);
        let Err(DisconnectCause::Resolve(text)) = look_up(&v4, AddressFamily::V6) else { panic!("an address") };
        assert!(text.contains("broker.address.family"));
    }

    #[test]
    fn the_systems_words_stand_alone() {
        let error = std::io::Error::from_raw_os_error(libc::ECONNREFUSED);
        assert_eq!(words(&error), "Connection refused");
    }
}
