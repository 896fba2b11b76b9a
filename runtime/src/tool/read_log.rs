//! Which agent has seen which content of which file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use countersign_schemas::digest::Digest;
use countersign_schemas::number::Seq;

/// Remembers, for a session, agent by agent (by the `seq` of its introduction), the digest of the content each agent last saw in full. An edit on anything else would be
/// made blind.
#[derive(Debug, Default)]
pub struct ReadLog(Mutex<HashMap<(Seq, PathBuf), Digest>>);

/// How the present content of a file compares with what an agent has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knowledge {
    Unread,
    Outdated,
    Current,
}

impl ReadLog {
    /// Notes that `agent` has seen, or written, all of `content` at the canonical path `path`.
    pub(super) fn note(&self, agent: Seq, path: &Path, content: &str) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert((agent, path.to_owned()), digest(content));
    }

    /// Compares the present `content` with what `agent` last saw at `path`.
    pub(super) fn knowledge(&self, agent: Seq, path: &Path, content: &str) -> Knowledge {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get(&(agent, path.to_owned())) {
            None => Knowledge::Unread,
            Some(known) if *known == digest(content) => Knowledge::Current,
            Some(_) => Knowledge::Outdated,
        }
    }

    /// Forgets everything about an agent that has stopped.
    pub fn forget(&self, agent: Seq) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|(reader, _), _| *reader != agent);
    }
}

fn digest(content: &str) -> Digest {
    Digest::sha256(content.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knowledge_is_per_agent_and_per_content() {
        let log = ReadLog::default();
        let (lead, scout) = (Seq::clamped(1), Seq::clamped(2));
        let path = Path::new("/w/a");
        assert_eq!(log.knowledge(lead, path, "x"), Knowledge::Unread);
        log.note(lead, path, "x");
        assert_eq!(log.knowledge(lead, path, "x"), Knowledge::Current);
        assert_eq!(log.knowledge(lead, path, "y"), Knowledge::Outdated);
        assert_eq!(log.knowledge(scout, path, "x"), Knowledge::Unread);
        assert_eq!(log.knowledge(lead, Path::new("/w/b"), "x"), Knowledge::Unread);
        log.forget(lead);
        assert_eq!(log.knowledge(lead, path, "x"), Knowledge::Unread);
    }
}
