//! What happened in a run: a hash over all of it, and the last events in words when a run is told again.
use std::collections::VecDeque;

/// Events that a report shows.
const KEPT: usize = 60;

/// See the module.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    events: u64,
    /// `None` in a run that keeps no words: words cost more than the run.
    words: Option<VecDeque<String>>,
    /// Every event is printed as it happens.
    all: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(words: Words) -> Self {
        Self {
            hash: 0xCBF2_9CE4_8422_2325,
            events: 0,
            words: (words == Words::Last).then(VecDeque::new),
            all: (words == Words::All).then(Vec::new),
        }
    }

    /// Notes an event: its name, whom it is about, and a number that tells it from others; `words` describe it.
    pub(crate) fn note(&mut self, now_us: u64, name: &str, who: u64, what: u64, words: impl FnOnce() -> String) {
        self.events += 1;
        let name_hash = name.bytes().fold(0u64, |hash, byte| hash.wrapping_mul(131).wrapping_add(u64::from(byte)));
        for number in [now_us, name_hash, who, what] {
            self.hash = (self.hash ^ number).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(23);
        }
        if self.keeps_words() {
            self.say(now_us, name, words());
        }
    }

    /// Keeps words that are no event.
    pub(crate) fn say(&mut self, now_us: u64, name: &str, words: String) {
        let line = format!("{:>12.6} s  {name} {words}", now_us as f64 / 1e6);
        if let Some(all) = &mut self.all {
            all.push(line);
        } else if let Some(kept) = &mut self.words {
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(line);
        }
    }

    /// Whether words are kept: who would have to look for them need not otherwise.
    pub(crate) fn keeps_words(&self) -> bool {
        self.words.is_some() || self.all.is_some()
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// The words that were kept, oldest first.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        match (self.all.take(), self.words.take()) {
            (Some(all), _) => all,
            (None, words) => words.into_iter().flatten().collect(),
        }
    }
}

/// Which words a trace keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// None: the fastest.
    None,
    /// Those of the last events.
    Last,
    /// All of them.
    All,
}

/// The name of a request's API, its version and correlation id.
pub(crate) fn request_name(bytes: &[u8]) -> String {
    let number = |at: usize| bytes.get(at..at + 2).map_or(-1, |two| i16::from_be_bytes([two[0], two[1]]));
    let correlation_id = bytes.get(8..12).map_or(-1, |four| i32::from_be_bytes([four[0], four[1], four[2], four[3]]));
    match ottla_protocol::api::ApiKey::from_i16(number(4)) {
        Some(api) => format!("{api:?} v{} #{correlation_id}", number(6)),
        None => format!("API {} #{correlation_id}", number(4)),
    }
}
