//! What a seed stands for: the cluster, the applications with their settings, the network's weather, and what goes wrong.
use std::sync::Arc;

use ottla_machines::config::confluent::{Config, Role};
use ottla_machines::config::{ConsumerSettings, ProducerSettings};

use crate::chaos::{Chaos, draw_chaos, draw_metadata_fault, draw_session_fault};
use crate::draw::Draw;
use crate::driver::Disturbance;
use crate::group_plan::{draw_callbacks, draw_members, draw_subscriptions};
use crate::ledger::Place;
use crate::member::MemberPlan;
use crate::network::Weather;
use crate::producer::ProducerPlan;
use crate::reader::ReaderPlan;

/// When a run begins, in microseconds of its clock.
pub(crate) const BEGIN_US: u64 = 1_000_000;

/// What goes wrong in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Nothing, but for threads that come late.
    Calm,
    /// The network.
    Stormy,
    /// Brokers that end and come back, leaders and coordinators that move.
    Shaky,
    /// Brokers that answer with errors.
    Faulty,
    /// All of it.
    Wild,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) mood: Mood,
    pub(crate) brokers: u32,
    /// Names and numbers of partitions.
    pub(crate) topics: Vec<(Arc<str>, i32)>,
    pub(crate) producers: Vec<ProducerPlan>,
    pub(crate) readers: Vec<ReaderPlan>,
    pub(crate) members: Vec<MemberPlan>,
    pub(crate) weather: Weather,
    pub(crate) disturbance: Disturbance,
    pub(crate) chaos: Vec<(u64, Chaos)>,
    /// Nothing goes wrong any more from then on.
    pub(crate) heal_us: u64,
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut draw = Draw::new(seed, 1);
        let mood = draw.one_of(&[
            Mood::Calm,
            Mood::Stormy,
            Mood::Stormy,
            Mood::Shaky,
            Mood::Shaky,
            Mood::Faulty,
            Mood::Faulty,
            Mood::Wild,
            Mood::Wild,
            Mood::Wild,
        ]);
        let brokers = draw.between(1, 3) as u32;
        let topics: Vec<(Arc<str>, i32)> = (0..draw.between(1, 2))
            .map(|number| (format!("topic-{number}").into(), draw.between(1, 4) as i32))
            .collect();
        let heal_us = BEGIN_US + draw.between(500_000, 6_000_000);
        let producers = (0..draw.between(1, 3)).map(|_| draw_producer(&mut draw, brokers, mood, heal_us)).collect();
        let mut readers: Vec<_> = (0..draw.between(0, 2)).map(|_| draw_reader(&mut draw, brokers, &topics)).collect();
        draw_parts(&mut Draw::new(seed, 7), &mut readers);
        let mut members = draw_members(&mut draw, brokers, mood, heal_us, &topics);
        draw_callbacks(&mut Draw::new(seed, 3), &mut members);
        draw_subscriptions(&mut Draw::new(seed, 6), &mut members);
        let weather = draw_weather(&mut draw, mood);
        let disturbance = Disturbance {
            refused_exchanges: draw.one_of(&[0, 20, 200]),
            late_turns: draw.one_of(&[0, 5, 30]),
            late_us: draw.one_of(&[2000, 20_000]),
            job_us: draw.one_of(&[50, 3000]),
        };
        let mut plan = Self {
            seed,
            mood,
            brokers,
            topics,
            producers,
            readers,
            members,
            weather,
            disturbance,
            chaos: Vec::new(),
            heal_us,
        };
        plan.chaos = draw_chaos(&mut draw, &plan);
        plan.chaos.extend(draw_session_fault(&mut Draw::new(seed, 4), &plan));
        plan.chaos.extend(draw_metadata_fault(&mut Draw::new(seed, 5), &plan));
        plan
    }

    /// All partitions of all topics.
    pub(crate) fn places(&self) -> Vec<Place> {
        places(&self.topics)
    }
}

fn places(topics: &[(Arc<str>, i32)]) -> Vec<Place> {
    let of = |(topic, (_, partitions)): (usize, &(Arc<str>, i32))| (0..*partitions).map(move |one| (topic as u32, one));
    topics.iter().enumerate().flat_map(of).collect()
}

/// Where a broker listens.
pub(crate) fn address(node: u32) -> (String, u16) {
    (format!("broker{node}"), 9000 + node as u16)
}

fn draw_weather(draw: &mut Draw, mood: Mood) -> Weather {
    let rough = matches!(mood, Mood::Stormy | Mood::Wild);
    let most_us = draw.one_of(&[200, 1000, 20_000]);
    if !rough {
        return Weather { latency_us: (50, most_us), ..Weather::calm() };
    }
    Weather {
        latency_us: (50, most_us),
        spikes: draw.one_of(&[0, 10, 50]),
        spike_us: draw.one_of(&[20_000, 400_000]),
        lost_requests: draw.one_of(&[0, 5, 30]),
        lost_answers: draw.one_of(&[0, 5, 30]),
        refusals: draw.one_of(&[0, 100]),
    }
}

/// Keys that every client has.
pub(crate) fn client_keys(draw: &mut Draw, brokers: u32) -> Vec<(&'static str, String)> {
    let bootstrap: Vec<String> = (1..=brokers).map(address).map(|(host, port)| format!("{host}:{port}")).collect();
    vec![
        ("bootstrap.servers", bootstrap.join(",")),
        ("socket.timeout.ms", draw.one_of(&["1500", "5000"]).to_owned()),
        ("socket.connection.setup.timeout.ms", "1000".to_owned()),
        ("api.version.request.timeout.ms", "1000".to_owned()),
        ("reconnect.backoff.ms", draw.one_of(&["10", "100"]).to_owned()),
        ("reconnect.backoff.max.ms", draw.one_of(&["100", "1000"]).to_owned()),
        ("connections.max.idle.ms", draw.one_of(&["0", "0", "1000"]).to_owned()),
    ]
}

fn configured(role: Role, keys: &[(&'static str, String)]) -> Config {
    let mut config = Config::new(role);
    for (key, value) in keys {
        if let Err(error) = config.set(key, value.as_str().into()) {
            panic!("a plan's settings are right: {key}={value}: {error}");
        }
    }
    config
}

pub(crate) fn configured_consumer(keys: &[(&'static str, String)]) -> ConsumerSettings {
    match configured(Role::Consumer, keys).consumer() {
        Ok(parsed) => parsed.settings,
        Err(error) => panic!("a plan's settings are right: {error}"),
    }
}

fn draw_producer(draw: &mut Draw, brokers: u32, mood: Mood, heal_us: u64) -> ProducerPlan {
    let mut keys = client_keys(draw, brokers);
    let idempotent = draw.chance(600);
    keys.extend([
        ("enable.idempotence", idempotent.to_string()),
        ("linger.ms", draw.one_of(&["0", "5", "50"]).to_owned()),
        ("batch.num.messages", draw.one_of(&["1", "3", "10", "10000"]).to_owned()),
        ("batch.size", draw.one_of(&["1000", "16384", "1000000"]).to_owned()),
        ("compression.type", draw.one_of(&["none", "none", "none", "lz4", "snappy", "gzip"]).to_owned()),
        ("queue.buffering.max.messages", draw.one_of(&["20", "100000", "100000"]).to_owned()),
        ("sticky.partitioning.linger.ms", draw.one_of(&["0", "10"]).to_owned()),
        ("max.in.flight", if idempotent { "5" } else { draw.one_of(&["1", "1000000"]) }.to_owned()),
    ]);
    if matches!(mood, Mood::Stormy | Mood::Shaky | Mood::Wild) && draw.chance(150) {
        keys.push(("message.timeout.ms", "1500".to_owned()));
        // A record in flight may not outlive its time by much.
        keys.push(("retry.backoff.max.ms", "200".to_owned()));
    }
    if !idempotent && draw.chance(150) {
        keys.push(("acks", draw.one_of(&["0", "1"]).to_owned()));
    }
    let settings: ProducerSettings = match configured(Role::Producer, &keys).producer() {
        Ok(parsed) => parsed.settings,
        Err(error) => panic!("a plan's settings are right: {error}"),
    };
    let records = draw.between(5, 120) as u32;
    let burst = draw.one_of(&[1, 5, 30]);
    let bursts = u64::from(records) * 2 / (burst + 1) + 1;
    let killed = draw.chance(60);
    ProducerPlan {
        settings,
        begin_us: BEGIN_US + draw.between(0, 500_000),
        records,
        burst,
        // So that the records last about as long as the disturbances.
        pause_us: (heal_us - BEGIN_US) * 2 / bursts,
        attached: draw.one_of(&[1000, 1000, 500, 0]),
        keyed: draw.one_of(&[0, 500, 1000]),
        placed: draw.one_of(&[0, 500, 1000]),
        flushes: draw.one_of(&[0, 100, 1000]),
        large: draw.one_of(&[0, 0, 100]),
        killed_us: killed.then(|| draw.between(BEGIN_US, heal_us)),
    }
}

/// Keys of everyone who reads.
pub(crate) fn reading_keys(draw: &mut Draw) -> Vec<(&'static str, String)> {
    vec![
        ("auto.offset.reset", "earliest".to_owned()),
        ("isolation.level", draw.one_of(&["read_committed", "read_uncommitted"]).to_owned()),
        ("check.crcs", draw.one_of(&["true", "false"]).to_owned()),
        ("enable.partition.eof", draw.one_of(&["true", "false"]).to_owned()),
        ("fetch.wait.max.ms", draw.one_of(&["50", "500"]).to_owned()),
        ("fetch.error.backoff.ms", "50".to_owned()),
        ("fetch.message.max.bytes", draw.one_of(&["300", "5000", "1048576"]).to_owned()),
        ("queued.max.messages.kbytes", draw.one_of(&["1", "65536"]).to_owned()),
    ]
}

fn draw_reader(draw: &mut Draw, brokers: u32, topics: &[(Arc<str>, i32)]) -> ReaderPlan {
    let mut keys = client_keys(draw, brokers);
    keys.extend(reading_keys(draw));
    keys.extend([
        // One of its own: readers begin anew behind what they have committed.
        ("group.id", format!("reader-{}", draw.number())),
        ("enable.auto.commit", draw.one_of(&["true", "false"]).to_owned()),
        ("auto.commit.interval.ms", draw.one_of(&["50", "5000"]).to_owned()),
    ]);
    let settings = configured_consumer(&keys);
    let mut places = places(topics);
    while places.len() > 1 && draw.chance(200) {
        places.swap_remove(draw.below(places.len()));
    }
    ReaderPlan {
        settings,
        places,
        many: draw.one_of(&[0, 500, 1000]),
        seeks: draw.one_of(&[0, 0, 30]),
        pauses: draw.one_of(&[0, 0, 50]),
        assigns: draw.one_of(&[0, 0, 10]),
        parts: false,
        pause_us: draw.one_of(&[200, 20_000]),
    }
}

/// Who assigns now these of its partitions, now those. Drawn by itself, so that each seed keeps the rest of its plan.
fn draw_parts(draw: &mut Draw, readers: &mut [ReaderPlan]) {
    for reader in readers {
        if draw.chance(300) {
            (reader.parts, reader.assigns) = (true, draw.one_of(&[10, 100, 500]));
        }
    }
}
