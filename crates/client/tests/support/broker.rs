//! One suite, two brokers: each test runs on real Kafka and on the embedded broker. Where the embedded one is known to
//! differ, `differences.tsv` names the test and the reason; the test runs all the same, and fails once it passes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ottla_broker::Settings;
use ottla_broker::serve::{ServeOptions, Server};

/// The variable with the address of real Kafka.
const VARIABLE: &str = "OTTLA_TEST_BOOTSTRAP";
const DIFFERENCES: &str = include_str!("../differences.tsv");

/// What a test runs on.
pub struct Broker {
    pub bootstrap: String,
    /// The embedded one, for as long as the test runs.
    _server: Option<Server>,
}

/// Which kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Real,
    Embedded,
}

impl Broker {
    pub fn start(kind: Kind) -> Self {
        if kind == Kind::Real {
            let bootstrap = std::env::var(VARIABLE).unwrap_or_else(|_| {
                panic!("{VARIABLE} is not set: run `python3 -m tests.realkafka run -- cargo test -p ottla`")
            });
            return Self { bootstrap, _server: None };
        }
        let settings = Settings { default_partitions: 4, group_min_session_timeout_ms: 1_000, ..Settings::default() };
        let server = Server::start(settings, ServeOptions::default()).unwrap();
        Self { bootstrap: server.bootstrap_servers(), _server: Some(server) }
    }
}

/// Runs one test on one broker; `name` is `program::test`.
pub fn run(kind: Kind, name: &str, test: impl FnOnce(&Broker)) {
    let known = differences().find(|(test, _)| kind == Kind::Embedded && *test == name);
    let outcome = catch_unwind(AssertUnwindSafe(|| test(&Broker::start(kind))));
    match (known, outcome) {
        (None, Err(panic)) => std::panic::resume_unwind(panic),
        (Some((_, reason)), Ok(())) => {
            panic!("{name} passes on the embedded broker: differences.tsv is stale ({reason})")
        }
        (None, Ok(())) | (Some(_), Err(_)) => {}
    }
}

/// Test and reason.
fn differences() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = DIFFERENCES.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once('\t').unwrap_or_else(|| panic!("no reason: {line:?}")))
}

/// Fails for a line of this program that names none of its tests.
pub fn check_differences(program: &str, tests: &[&str]) {
    for (test, _) in differences() {
        if let Some((_, name)) = test.split_once("::").filter(|(of, _)| *of == program) {
            assert!(tests.contains(&name), "differences.tsv names {test}, which does not exist");
        }
    }
}

/// Makes a test for each kind of broker of each function that takes a `&Broker`.
#[allow(unused_macros)] // Each test program uses its part.
macro_rules! on_both_brokers {
    ($($name:ident),* $(,)?) => {
        mod real {
            $(#[test] fn $name() {
                let name = concat!(env!("CARGO_CRATE_NAME"), "::", stringify!($name));
                $crate::support::broker::run($crate::support::broker::Kind::Real, name, super::$name);
            })*
        }
        mod embedded {
            $(#[test] fn $name() {
                let name = concat!(env!("CARGO_CRATE_NAME"), "::", stringify!($name));
                $crate::support::broker::run($crate::support::broker::Kind::Embedded, name, super::$name);
            })*
        }
        #[test]
        fn the_known_differences_exist() {
            $crate::support::broker::check_differences(env!("CARGO_CRATE_NAME"), &[$(stringify!($name)),*]);
        }
    };
}
#[allow(unused_imports)]
pub(crate) use on_both_brokers;
