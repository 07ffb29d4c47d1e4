//! The virtual network: connections between clients and brokers, with latency, losses and brokers that do not listen.
//!
//! Within a connection bytes keep their order, as TCP has it; between connections they do not. A connection may be cut
//! with requests and answers under way, turn silent until someone gives it up, or be slow. What the ends do with what
//! reaches them is theirs.
use std::collections::{BTreeMap, BTreeSet};

use ottla_broker::{Cluster, ConnectionId as BrokerConnection, Segment};
use ottla_machines::machine::{ConnectionId, DisconnectCause, OutgoingFrame};

use crate::agenda::{Happening, LinkId, News};
use crate::stage::Stage;

/// How the network behaves.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// One way, from a least to a most.
    pub(crate) latency_us: (u64, u64),
    /// How many messages in a thousand are late by up to `spike_us`.
    pub(crate) spikes: u32,
    pub(crate) spike_us: u64,
    /// How many requests in a thousand are lost, with their connection.
    pub(crate) lost_requests: u32,
    /// How many requests in a thousand are applied, and their connection ends before the answer comes.
    pub(crate) lost_answers: u32,
    /// How many attempts to connect in a thousand are refused.
    pub(crate) refusals: u32,
}

impl Weather {
    /// Nothing goes wrong.
    pub(crate) fn calm() -> Self {
        Self { latency_us: (60, 300), spikes: 0, spike_us: 0, lost_requests: 0, lost_answers: 0, refusals: 0 }
    }
}

/// One connection, or the attempt to make one.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: usize,
    pub(crate) connection: ConnectionId,
    pub(crate) node: i32,
    /// When the last bytes arrive that are under way, each way: what is sent later arrives later.
    up_us: u64,
    down_us: u64,
    client_open: bool,
    broker_open: bool,
    /// Nothing arrives any more, and nobody is told.
    silent: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Network {
    links: Vec<Link>,
    pub(crate) weather: Weather,
    listening: BTreeSet<i32>,
    /// Extra latency of a broker.
    pub(crate) slow: BTreeMap<i32, u64>,
    /// Clients and brokers that cannot reach each other.
    pub(crate) parted: BTreeSet<(usize, i32)>,
    ports: BTreeMap<u16, i32>,
}

impl Network {
    pub(crate) fn new(weather: Weather, ports: BTreeMap<u16, i32>) -> Self {
        Self {
            links: Vec::new(),
            weather,
            listening: BTreeSet::new(),
            slow: BTreeMap::new(),
            parted: BTreeSet::new(),
            ports,
        }
    }

    pub(crate) fn link(&self, link: LinkId) -> &Link {
        &self.links[link]
    }

    pub(crate) fn listen(&mut self, node: i32, listens: bool) {
        if listens {
            self.listening.insert(node);
        } else {
            self.listening.remove(&node);
        }
    }

    fn latency_us(&mut self, node: i32, stage: &mut Stage) -> u64 {
        let (least, most) = self.weather.latency_us;
        let mut latency_us = stage.draw.between(least, most);
        if stage.draw.chance(self.weather.spikes) {
            latency_us += stage.draw.between(1000, self.weather.spike_us.max(1000));
        }
        if let Some(slow_us) = self.slow.get(&node).copied() {
            latency_us += stage.draw.between(slow_us / 2, slow_us);
        }
        latency_us
    }

    /// A client connects.
    pub(crate) fn connect(&mut self, client: usize, connection: ConnectionId, port: u16, stage: &mut Stage) -> LinkId {
        let node = self.ports.get(&port).copied().unwrap_or_default();
        let link = self.links.len();
        let now_us = stage.agenda.now_us();
        let silent = self.parted.contains(&(client, node));
        self.links.push(Link {
            client,
            connection,
            node,
            up_us: now_us,
            down_us: now_us,
            client_open: true,
            broker_open: false,
            silent,
        });
        self.up(link, News::Knock, stage);
        link
    }

    /// Something goes to the broker.
    fn up(&mut self, link: LinkId, news: News, stage: &mut Stage) {
        let latency_us = self.latency_us(self.links[link].node, stage);
        let entry = &mut self.links[link];
        entry.up_us = (entry.up_us + 1).max(stage.agenda.now_us() + latency_us);
        stage.agenda.at(entry.up_us, Happening::Link { link, news });
    }

    /// Something goes to the client.
    fn down(&mut self, link: LinkId, news: News, stage: &mut Stage) {
        let latency_us = self.latency_us(self.links[link].node, stage);
        let entry = &mut self.links[link];
        entry.down_us = (entry.down_us + 1).max(stage.agenda.now_us() + latency_us);
        stage.agenda.at(entry.down_us, Happening::Link { link, news });
    }

    /// A client sends a request.
    pub(crate) fn send(&mut self, link: LinkId, request: &OutgoingFrame, stage: &mut Stage) {
        let mut frame = Vec::with_capacity(request.len());
        request.parts().for_each(|part| frame.extend_from_slice(part));
        // The length in front is the stream's; frames travel whole.
        frame.drain(..4);
        stage.ledger.sent(self.links[link].client, &frame);
        if request.is_unanswered() {
            let written_us = stage.agenda.now_us() + stage.draw.between(1, 500);
            stage.agenda.at(written_us, Happening::Link { link, news: News::Written });
        }
        if stage.draw.chance(self.weather.lost_requests) {
            // Only a part of it arrives.
            return self.up(link, News::Cut, stage);
        }
        let lost_answer = stage.draw.chance(self.weather.lost_answers);
        self.up(link, News::Request(frame), stage);
        if lost_answer {
            let entry = &mut self.links[link];
            entry.up_us += 1;
            stage.agenda.at(entry.up_us, Happening::Link { link, news: News::Cut });
        }
    }

    /// A broker sends an answer.
    pub(crate) fn answer(&mut self, connection: BrokerConnection, segments: &[Segment], stage: &mut Stage) {
        let link = connection.0 as usize;
        if !self.links[link].broker_open {
            return;
        }
        let mut bytes = Vec::with_capacity(segments.iter().map(Segment::len).sum());
        segments.iter().for_each(|segment| bytes.extend_from_slice(segment.as_slice()));
        let length = bytes.first_chunk::<4>().map_or(0, |length| i32::from_be_bytes(*length) as usize);
        if length + 4 != bytes.len() {
            // A part of a frame, and then the end: the client never sees a whole one.
            return;
        }
        bytes.drain(..4);
        stage.ledger.answered(link, &bytes);
        self.down(link, News::Response(bytes), stage);
    }

    /// A broker closes a connection, behind what it sent.
    pub(crate) fn closed_by_broker(&mut self, connection: BrokerConnection, stage: &mut Stage) {
        let link = connection.0 as usize;
        if std::mem::take(&mut self.links[link].broker_open) {
            self.down(link, News::Ended(DisconnectCause::Closed), stage);
        }
    }

    /// A client closes a connection; it has forgotten it.
    pub(crate) fn closed_by_client(&mut self, link: LinkId, stage: &mut Stage) {
        if std::mem::take(&mut self.links[link].client_open) {
            self.up(link, News::Hangup, stage);
        }
    }

    /// The line breaks: what is under way is lost. Either end learns of it, one of them perhaps much later.
    pub(crate) fn cut(&mut self, link: LinkId, stage: &mut Stage) {
        let entry = &mut self.links[link];
        if entry.silent || !(entry.client_open || entry.broker_open) {
            return;
        }
        entry.silent = true;
        let now_us = stage.agenda.now_us();
        let late = stage.draw.chance(200);
        let to_client_us = now_us + stage.draw.between(10, 2000);
        let to_broker_us = now_us + if late { stage.draw.between(1000, 500_000) } else { stage.draw.between(10, 2000) };
        let ended = News::Ended(DisconnectCause::Io("Connection reset by peer".into()));
        stage.agenda.at(to_client_us, Happening::Link { link, news: ended });
        stage.agenda.at(to_broker_us, Happening::Link { link, news: News::Hangup });
    }

    /// Links that are open at an end, of a client or to a broker.
    pub(crate) fn open_links(&self, of: impl Fn(&Link) -> bool) -> Vec<LinkId> {
        let open = |link: &Link| (link.client_open || link.broker_open) && of(link);
        self.links.iter().enumerate().filter(|(_, link)| open(link)).map(|(id, _)| id).collect()
    }

    /// Whether neither end of any connection is open.
    pub(crate) fn all_closed(&self) -> bool {
        self.links.iter().all(|link| !link.client_open && !link.broker_open)
    }

    /// Nothing arrives any more on these connections; nobody is told.
    pub(crate) fn silence(&mut self, links: &[LinkId]) {
        links.iter().for_each(|link| self.links[*link].silent = true);
    }

    /// Everyone reaches everyone again; the ends of connections that fell silent learn that they are over.
    pub(crate) fn heal(&mut self, stage: &mut Stage) {
        self.parted.clear();
        self.slow.clear();
        self.weather = Weather::calm();
        let now_us = stage.agenda.now_us();
        for (link, entry) in self.links.iter().enumerate() {
            if entry.silent && (entry.client_open || entry.broker_open) {
                let news = News::Ended(DisconnectCause::Io("Connection reset by peer".into()));
                stage.agenda.at(now_us + 100, Happening::Link { link, news });
                stage.agenda.at(now_us + 100, Happening::Link { link, news: News::Hangup });
            }
        }
    }

    /// Something arrives. What is for the client is returned.
    pub(crate) fn arrived(
        &mut self,
        link: LinkId,
        news: News,
        cluster: &mut Cluster,
        stage: &mut Stage,
    ) -> Option<News> {
        let now = stage.agenda.broker_now();
        let id = BrokerConnection(link as u64);
        let entry = &mut self.links[link];
        match news {
            News::Knock if entry.silent || !entry.client_open => None,
            News::Knock => {
                let refused = stage.draw.chance(self.weather.refusals);
                if refused || !self.listening.contains(&entry.node) {
                    let refused = News::Ended(DisconnectCause::Refused("Connection refused".into()));
                    self.down(link, refused, stage);
                } else {
                    entry.broker_open = true;
                    cluster.connected(now, entry.node, id);
                    self.down(link, News::Opened, stage);
                }
                None
            }
            News::Request(frame) => {
                if entry.broker_open && !entry.silent {
                    stage.ledger.arrived(link, &frame);
                    cluster.request(now, id, ottla_broker::Frame::new(frame));
                }
                None
            }
            News::Hangup => {
                if std::mem::take(&mut entry.broker_open) {
                    cluster.disconnected(now, id);
                }
                None
            }
            News::Cut => {
                self.cut(link, stage);
                None
            }
            News::Ended(_) if entry.client_open => {
                entry.client_open = false;
                Some(news)
            }
            News::Opened | News::Response(_) if entry.client_open && !entry.silent => Some(news),
            News::Written if entry.client_open => Some(news),
            News::Ended(_) | News::Opened | News::Written | News::Response(_) => None,
        }
    }
}
