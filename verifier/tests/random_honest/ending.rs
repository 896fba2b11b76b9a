//! How a ledger ends.

use countersign_schemas::body::{LedgerClosed, Role, RunEndReason};
use countersign_schemas::number::{Count, Seq, Size};
use countersign_verifier::law::Stop;

use super::command::{Ending, Pick};
use super::world::World;

impl World {
    pub(super) fn end(&mut self, ending: &Ending) {
        if ending.tidy {
            self.tidy();
        }
        let closer = ending.closer.and_then(|choice| self.runtime(choice));
        let Some(closer) = closer else { return };
        if ending.tidy {
            while let Some(other) = self.pick(0, |seq, party| {
                party.role == Role::Runtime && seq != closer && self.can_speak(seq)
            }) {
                self.leave_one(other);
            }
        }
        self.close(closer, ending.sealed);
    }

    /// Everybody who lives ends what can be ended, in the order of a good end.
    fn tidy(&mut self) {
        while self.decide(0, u8::MAX, 4).is_some() {}
        while self.expire(0).is_some() {}
        while self.answer(0, 0, 1, 0).is_some() {}
        while self.finish(0, 0, 1).is_some() {}
        while self.stop_one(0).is_some() {}
        while self.end_run(0, RunEndReason::Done.code() as Pick).is_some() {}
    }

    fn close(&mut self, by: Seq, sealed: bool) {
        self.catch_up();
        let open_items = Count::clamped(self.open().len() as u64);
        let (size, root) = (Size::clamped(self.writer.next_seq().get()), self.writer.root());
        let seq = self.say(by, &[], |_| LedgerClosed { size, root, open_items }.into());
        self.closed = Some(seq);
        if let Some(closer) = self.parties.get_mut(&by) {
            closer.stop = Stop::Own;
            if closer.line.len() > 1 {
                self.lasting.insert(("C1", seq));
            }
        }
        if sealed {
            let checkpoint = self.writer.checkpoint();
            self.writer.checkpoints.push(checkpoint);
        } else {
            self.lasting.insert(("C1", seq));
        }
    }
}
