//! The benchmark's work from Rust: `bench produce|fetch BOOTSTRAP TOPIC COUNT` prints records per second, CPU nanoseconds
//! per record of all threads and growth of resident memory, as JSON. The same records as the Python rows: 100 bytes of
//! value, 8 of key, 1,000 keys over 12 partitions; a fetch reads the whole topic.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla::{AppendError, Consumer, Contention, NoticeOptions, Producer, record_timestamp_ms};
use ottla_machines::config::confluent::{Config, ConfigValue, Role};
use ottla_machines::consumer::{Assigned, RecordRun, StartOffset};
use ottla_machines::producer::NewRecord;
use ottla_protocol::records::EncodedHeaders;

type Failure = Box<dyn Error + Send + Sync>;

const KEYS: usize = 1_000;
const PARTITIONS: i32 = 12;
/// Connections, metadata, every partition once; not measured.
const WARM_UP: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [side, bootstrap, topic, count] = arguments.as_slice() else {
        return Err("usage: bench produce|fetch BOOTSTRAP TOPIC COUNT".into());
    };
    let count = count.parse::<usize>()?;
    match side.as_str() {
        "produce" => produce(bootstrap, topic, count),
        "fetch" => fetch(bootstrap, topic, count),
        other => Err(format!("{other} is neither produce nor fetch").into()),
    }
}

fn configured(role: Role, bootstrap: &str, more: &[(&str, &str)]) -> Result<Config, Failure> {
    let mut config = Config::new(role);
    config.set("bootstrap.servers", ConfigValue::from(bootstrap))?;
    for (name, value) in more {
        config.set(name, ConfigValue::from(*value))?;
    }
    Ok(config)
}

fn produce(bootstrap: &str, topic: &str, count: usize) -> Result<(), Failure> {
    let room = [("queue.buffering.max.messages", "10000000"), ("queue.buffering.max.kbytes", "2000000")];
    let settings = configured(Role::Producer, bootstrap, &room)?.producer()?.settings;
    let producer = Producer::<()>::new(settings, NoticeOptions::default())?;
    let pairs: Vec<_> = (0..KEYS).map(|number| (format!("key{number:05}"), format!("{number:0100}"))).collect();
    append(&producer, topic, &pairs, WARM_UP)?;
    measure(count, || append(&producer, topic, &pairs, count))
}

fn append(producer: &Producer<()>, topic: &str, pairs: &[(String, String)], count: usize) -> Result<(), Failure> {
    for (key, value) in pairs.iter().cycle().take(count) {
        let record = NewRecord {
            topic,
            partition: -1,
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            headers: EncodedHeaders::default(),
            timestamp_ms: record_timestamp_ms(),
        };
        while let Err((error, _)) = producer.append(&record, None, &mut Contention::wait) {
            match error {
                AppendError::Full { .. } => drop(producer.wait_for_reports(Instant::now() + Duration::from_millis(1))),
                other => return Err(format!("{other:?}").into()),
            }
        }
    }
    producer.start_flush();
    if producer.wait_until_drained(Instant::now() + PATIENCE) {
        Ok(())
    } else {
        Err(format!("{} records were not delivered", producer.outstanding()).into())
    }
}

fn fetch(bootstrap: &str, topic: &str, count: usize) -> Result<(), Failure> {
    let settings = configured(Role::Consumer, bootstrap, &[("group.id", "bench")])?.consumer()?.settings;
    let consumer = Consumer::new(settings, NoticeOptions::default())?;
    let name: Arc<str> = Arc::from(topic);
    let assigned = |partition| Assigned { topic: name.clone(), partition, start: StartOffset::Beginning };
    let mut run = RecordRun::new();
    let mut bytes = 0_u64;
    let result = measure(count, || {
        consumer.assign((0..PARTITIONS).map(assigned).collect())?;
        let (mut taken, deadline) = (0, Instant::now() + PATIENCE);
        while taken < count {
            let records = consumer.take_many(count - taken, &mut run, &mut Contention::wait);
            if let Some(error) = &run.error {
                return Err(format!("{error:?}").into());
            }
            if records == 0 && !consumer.wait_for_records(deadline) {
                return Err(format!("{taken} of {count} records came").into());
            }
            taken += records;
            for record in run.records() {
                let (key, value) = (run.key(record).unwrap_or_default(), run.value(record).unwrap_or_default());
                bytes += u64::from(key[0]) + u64::from(value[value.len() - 1]);
            }
            run.clear();
        }
        Ok(())
    });
    std::hint::black_box(bytes);
    result
}

fn measure(count: usize, work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    let resident = status("VmRSS")?;
    let (cpu, begun) = (process_cpu()?, Instant::now());
    work()?;
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), process_cpu()? - cpu);
    let (cpu_ns, rate) = (cpu as f64 / count as f64, count as f64 / seconds);
    let growth = (status("VmHWM")? - resident) / 1024.0;
    let figures =
        format!("{{\"cpu_ns\": {cpu_ns:.2}, \"records_per_second\": {rate:.0}, \"growth_mib\": {growth:.1}}}");
    writeln!(std::io::stdout(), "{figures}")?;
    Ok(())
}

/// CPU nanoseconds of all threads so far, by the kernel's scheduler: `schedstat` of each thread begins with them. (The
/// clock of the process is not reachable without `unsafe`.)
fn process_cpu() -> Result<u64, Failure> {
    let mut total = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        total += text.split_whitespace().next().ok_or("no schedstat")?.parse::<u64>()?;
    }
    Ok(total)
}

/// KiB from `/proc/self/status`.
fn status(name: &str) -> Result<f64, Failure> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(line.and_then(|line| line.split_whitespace().next()).ok_or("no such status")?.parse()?)
}
