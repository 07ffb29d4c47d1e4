//! The engine's threads, shared by all clients of the process (E3): *io*, *work*, and *blocking* while it has something.
//!
//! Built when the first client is, and anew in a forked child. Nothing here knows what a client does.
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, PoisonError};

use ottla_machines::error::{Error, Kind};

use crate::blocking::Blocking;
use crate::fork::{self, PerProcess};
use crate::threads::Counted;
use crate::work::Work;

static RUNTIME: PerProcess<Arc<Runtime>> = PerProcess::new();

/// The engine's threads. Lives as long as the process.
pub(crate) struct Runtime {
    /// Where drivers run: thread *io*.
    pub(crate) io: tokio::runtime::Handle,
    pub(crate) work: Work,
    pub(crate) blocking: Blocking,
    /// The epoll descriptors' entries in the fork table.
    _descriptors: Vec<fork::Entry>,
}

impl Runtime {
    /// The process's engine, made when there is none. Fails when the system refuses a thread or a descriptor.
    pub(crate) fn shared() -> Result<Arc<Runtime>, Error> {
        fork::register();
        let mut runtime = RUNTIME.slot().lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.clone());
        }
        let fresh = Arc::new(Self::start().map_err(|error| {
            let text = format!("The client's engine cannot start: {error}; check the limits of threads and open files");
            Error::with_text(Kind::CriticalSystemResource, text)
        })?);
        Ok(runtime.insert(fresh).clone())
    }

    fn start() -> std::io::Result<Self> {
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::Builder::new().name("ottla-io".into()).spawn(move || io(&sender))?;
        let started = receiver.recv().map_err(|_| std::io::Error::other("thread io ended"))?;
        let (io, descriptors) = started?;
        // Behind what is refused more easily: a thread that waits for work never ends.
        let work = Work::start()?;
        Ok(Self { io, work, blocking: Blocking::default(), _descriptors: descriptors })
    }
}

type Started = std::io::Result<(tokio::runtime::Handle, Vec<fork::Entry>)>;

/// Thread *io*: drivers are spawned on its runtime from outside; it never ends.
fn io(started: &std::sync::mpsc::Sender<Started>) {
    let _counted = Counted::new();
    // A turn may take a millisecond, and a busy client always wants another: sockets and timers are asked after 16 turns at
    // the latest, clients that other threads woke have theirs after 8 (E4).
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_io().enable_time().event_interval(16).global_queue_interval(8).build();
    match runtime {
        Ok(runtime) => {
            let descriptors = runtime.block_on(async { descriptors() });
            let _ = started.send(Ok((runtime.handle().clone(), descriptors)));
            runtime.block_on(std::future::pending::<()>());
        }
        Err(error) => drop(started.send(Err(error))),
    }
}

/// Enters the runtime's own descriptors (epoll, and the event that wakes it) into the fork table. tokio does not tell them,
/// but the kernel tells which epoll watches a socket that we just registered. Elsewhere than on Linux a child keeps them.
fn descriptors() -> Vec<fork::Entry> {
    let Ok((probe, _peer)) = tokio::net::UnixStream::pair() else { return Vec::new() };
    let mut found: Vec<RawFd> = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten() {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if !links_to(number, "anon_inode:[eventpoll]") {
            continue;
        }
        let watched = watched_by(number);
        if watched.contains(&probe.as_raw_fd()) {
            found.push(number);
            found.extend(watched.into_iter().filter(|number| links_to(*number, "anon_inode:[eventfd]")));
        }
    }
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(fork::enter).collect()
}

fn links_to(descriptor: RawFd, target: &str) -> bool {
    std::fs::read_link(format!("/proc/self/fd/{descriptor}")).is_ok_and(|link| link.as_os_str() == target)
}

/// What an epoll watches: the lines `tfd: NUMBER events: ...` of its fdinfo.
fn watched_by(epoll: RawFd) -> Vec<RawFd> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{epoll}")).unwrap_or_default();
    text.lines().filter_map(|line| line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().ok()).collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_runtimes_own_descriptors_are_found() {
        let runtime = Runtime::shared().unwrap();
        // mio's epoll and its copy, and the event that wakes it.
        assert_eq!(runtime._descriptors.len(), 3, "{:?}", runtime._descriptors);
        assert!(Arc::ptr_eq(&runtime, &Runtime::shared().unwrap()));
    }
}
