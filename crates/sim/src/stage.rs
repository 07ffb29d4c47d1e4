//! What everyone in a run shares: the clock, the draws, the trace, the model.
use crate::agenda::Agenda;
use crate::draw::Draw;
use crate::ledger::Ledger;
use crate::trace::Trace;

/// See the module.
pub(crate) struct Stage {
    pub(crate) agenda: Agenda,
    pub(crate) draw: Draw,
    pub(crate) trace: Trace,
    pub(crate) ledger: Ledger,
}

impl Stage {
    /// Notes an event in the trace.
    pub(crate) fn note(&mut self, name: &str, who: u64, what: u64, words: impl FnOnce() -> String) {
        self.trace.note(self.agenda.now_us(), name, who, what, words);
    }
}
