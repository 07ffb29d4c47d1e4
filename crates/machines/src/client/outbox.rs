//! Where components leave what they ask of the driver, in order.
use std::collections::VecDeque;

use super::command::{Event, Reply, RequestId};
use crate::error::Error;
use crate::job::Job;
use crate::machine::Output;

/// Outputs that wait to be polled.
#[derive(Debug, Default)]
pub struct Outbox(VecDeque<Output<Event>>);

impl Outbox {
    pub fn job(&mut self, job: Job) {
        self.0.push_back(Output::Compute(job));
    }

    /// For `error_cb`.
    pub fn error(&mut self, error: Error) {
        self.0.push_back(Output::Event(Event::Error(error)));
    }

    pub fn log(&mut self, level: u8, facility: &'static str, text: String) {
        self.0.push_back(Output::Event(Event::Log { level, facility, text }));
    }

    pub fn reply(&mut self, request: RequestId, result: Result<Reply, Error>) {
        self.0.push_back(Output::Event(Event::Reply { request, result }));
    }

    /// A buffer that nobody reads any more.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() > 0 {
            self.0.push_back(Output::Recycle(buffer));
        }
    }

    pub fn output(&mut self, output: Output<Event>) {
        self.0.push_back(output);
    }

    pub fn poll(&mut self) -> Option<Output<Event>> {
        self.0.pop_front()
    }
}
