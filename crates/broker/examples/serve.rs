//! Serves a cluster until standard input ends: `cargo run -p ottla-broker --example serve -- [BROKERS] [FIRST_PORT]`.
//! Prints what clients take as `bootstrap.servers`.

use std::io::{Read, Write};

use ottla_broker::{ServeOptions, Server, Settings};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let brokers = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let first_port: Option<u16> = arguments.next().and_then(|text| text.parse().ok());
    let ports = first_port.map(|first| (0..brokers as u16).map(|index| first + index).collect());
    let settings = Settings { brokers, max_bytes: 8 << 30, ..Settings::default() };
    let server = Server::start(settings, ServeOptions { ports, ..ServeOptions::default() })?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", server.bootstrap_servers())?;
    out.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    server.stop();
    Ok(())
}
