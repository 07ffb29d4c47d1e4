//! What tidy allows and forbids, as tables. A new crate, a file with `unsafe`, or a generated folder gets a row here,
//! in the commit that brings it.

/// What a crate may use of ours, other than for its tests: DESIGN section 2.
pub(super) const LAYERS: [(&str, &[&str]); 9] = [
    ("ottla-protocol", &[]),
    ("ottla-machines", &["ottla-protocol"]),
    ("ottla", &["ottla-machines", "ottla-protocol"]),
    ("ottla-broker", &["ottla-protocol"]),
    ("ottla-sim", &["ottla-machines", "ottla-broker", "ottla-protocol"]),
    ("ottla-registry", &[]),
    ("ottla-python", &["ottla", "ottla-registry", "ottla-broker", "ottla-protocol", "ottla-machines"]),
    ("ottla-cli", &["ottla", "ottla-registry", "ottla-broker", "ottla-protocol", "ottla-machines"]),
    ("xtask", &[]),
];

/// Crates that may not use, even by way of another crate, what waits, logs, draws lots or tells the time.
pub(super) const PURE: [&str; 2] = ["ottla-protocol", "ottla-machines"];

/// What the pure crates may not use.
pub(super) const IMPURE: [&str; 16] = [
    "tokio",
    "mio",
    "socket2",
    "async-std",
    "smol",
    "futures",
    "futures-util",
    "crossbeam-channel",
    "parking_lot",
    "log",
    "tracing",
    "rand",
    "fastrand",
    "chrono",
    "time",
    "libc",
];

/// Of a pure crate's own dependencies, those that reach one of [`IMPURE`] for a reason: crate, impure crate, why.
pub(super) const IMPURE_BY_WAY: [(&str, &str, &str); 0] = [];

/// What the broker's machine may not contain: it is driven in virtual time too.
const WAITING_WORDS: &[&str] =
    &["std::net", "std::thread", "Mutex", "Instant::now", "SystemTime", "async fn", "tokio::", "HashMap"];
const BROKER_WAITS: &str = "the embedded broker is a machine: clocks, sockets, threads and locks are those of `serve`";

/// What no face needs.
const FACE_WORDS: &[&str] = &["threading.Thread(", "ThreadPoolExecutor", "time.sleep("];

/// Words that the sources below a folder may not contain, with the reason. Tests are no exception: virtual time is
/// the point of the machines.
pub(super) const FORBIDDEN_WORDS: [(&str, &[&str], &str); 10] = [
    (
        "crates/protocol/src/",
        &["std::time", "std::net", "std::thread", "std::fs", "tokio::"],
        "protocol is bytes to values: no time, no IO",
    ),
    (
        "crates/machines/src/",
        &[
            "std::net::Tcp",
            "std::net::Udp",
            "std::thread",
            "std::sync::mpsc",
            "std::fs",
            "Mutex",
            "RwLock",
            "Condvar",
            "Instant::now",
            "SystemTime",
            "async fn",
            "tokio::",
        ],
        "machines decide and never wait: clocks, sockets, threads, channels and locks are the client's",
    ),
    ("crates/broker/src/cluster/", WAITING_WORDS, BROKER_WAITS),
    ("crates/broker/src/control/", WAITING_WORDS, BROKER_WAITS),
    ("crates/broker/src/groups/", WAITING_WORDS, BROKER_WAITS),
    ("crates/broker/src/handlers/", WAITING_WORDS, BROKER_WAITS),
    ("crates/broker/src/log/", WAITING_WORDS, BROKER_WAITS),
    ("crates/client/src/", &["retriable"], "the client waits; whether to try again is decided in the machines"),
    ("python/ottla/confluent_kafka/", FACE_WORDS, "a face hands on: threads and waiting are the client's"),
    ("python/ottla/kafka/", FACE_WORDS, "a face hands on: threads and waiting are the client's"),
];

/// Crates that may use of the machines only some modules: folder and modules.
pub(super) const PARTS_OF_MACHINES: [(&str, &[&str]); 2] = [
    ("crates/python/src/", &["config", "error", "producer::partitioner"]),
    ("crates/cli/src/", &["config", "error", "producer::partitioner"]),
];

/// The two faces may not use each other: folder and what it may not import.
pub(super) const FACES: [(&str, &[&str]); 2] = [
    ("python/ottla/confluent_kafka/", &["ottla.kafka", "..kafka"]),
    ("python/ottla/kafka/", &["ottla.confluent_kafka", "..confluent_kafka"]),
];

/// Folders and files that codegen writes, and nothing else may stand in.
pub(super) const GENERATED: [&str; 3] =
    ["crates/protocol/src/messages/", "crates/protocol/src/api/table.rs", "crates/protocol/src/error_codes/table.rs"];

/// The files with `unsafe`, each with what for.
pub(super) const UNSAFE: &[(&str, &str)] = &[
    ("crates/client/src/fork.rs", "what a forked child does with the parent's engine"),
    ("crates/client/src/lock.rs", "the one lock of a client"),
    ("crates/client/src/memory.rs", "the pages of fresh chunks, asked for in one call"),
    ("crates/client/src/timestamp.rs", "the processor's cycle counter"),
    ("crates/protocol/src/fuzz/allocation.rs", "the counting allocator of tests"),
    ("crates/python/src/confluent/consumer/class.rs", "the engine behind one pointer"),
    ("crates/python/src/confluent/consumer/take.rs", "raw `poll` and `consume`"),
    ("crates/python/src/confluent/message/class.rs", "the type object of `Message` over the C interface"),
    ("crates/python/src/confluent/message/methods.rs", "its slots and methods"),
    ("crates/python/src/confluent/message/object.rs", "its memory and free list"),
    ("crates/python/src/confluent/produce_arguments.rs", "pointers to the arguments of `produce`"),
    ("crates/python/src/confluent/producer/class.rs", "the engine behind one pointer"),
    ("crates/python/src/confluent/producer/poll.rs", "raw `poll`"),
    ("crates/python/src/confluent/producer/produce.rs", "raw `produce`"),
    ("crates/python/src/confluent/producer/reports.rs", "messages that borrow their record while a callback runs"),
    ("crates/python/src/floor.rs", "the same without a client, as the benchmark's floor"),
    ("crates/python/src/raw/arguments.rs", "CPython's own argument parser"),
    ("crates/python/src/raw/attached.rs", "state under the lock of the interpreter"),
    ("crates/python/src/raw/fastcall.rs", "the calling convention of hot methods"),
    ("crates/python/src/raw/guard.rs", "the way from C into a safe body"),
    ("crates/python/src/raw/text.rs", "text that PyO3 would copy"),
    ("crates/python/src/raw/thread.rs", "the number of the calling thread"),
];

/// The most lines of a file that a person reads.
pub(super) const MOST_LINES: usize = 600;

/// Names that say nothing of what is inside.
pub(super) const EMPTY_NAMES: [&str; 7] = ["util", "utils", "common", "helper", "helpers", "manager", "misc"];
