//! Policies that the auditor wants in force at every decision (authority-v1 §6.4, `--policy`: G8).

use std::collections::{BTreeMap, BTreeSet};

use countersign_schemas::digest::Digest;
use countersign_schemas::number::Seq;

use crate::code::Code;
use crate::finding::Finding;
use crate::law::{Adopted, Law};

/// How a policy stood at the last decision; the order is that of gravity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    InForce,
    /// It is none of those that can be read, and one cannot.
    Unknown,
    Missing,
}

/// The policies that were asked for.
#[derive(Default)]
pub(super) struct PoliciesAsked {
    standing: BTreeMap<Digest, Standing>,
}

impl PoliciesAsked {
    pub(super) fn new(policies: &BTreeSet<Digest>) -> Self {
        let standing = policies.iter().map(|policy| (*policy, Standing::InForce));
        Self {
            standing: standing.collect(),
        }
    }

    /// Looks at the policies in force at a decision: names each that is not, once as long as it is not.
    pub(super) fn look_at(&mut self, law: &Law, decision: Seq, findings: &mut impl Extend<Finding>) {
        // Behind a damaged entry the policies in force are not known.
        if self.standing.is_empty() || law.is_damaged_anywhere() {
            return;
        }
        let in_force: Vec<Option<Digest>> = law.layers_in_force().map(Adopted::digest).collect();
        for (policy, standing) in &mut self.standing {
            let now = standing_of(policy, &in_force);
            let was = std::mem::replace(
                standing,
                if now == Standing::InForce {
                    now
                } else {
                    now.max(*standing)
                },
            );
            findings.extend((now > was).then(|| finding(decision, policy, now)));
        }
    }
}

fn standing_of(policy: &Digest, in_force: &[Option<Digest>]) -> Standing {
    if in_force.contains(&Some(*policy)) {
        Standing::InForce
    } else if in_force.contains(&None) {
        Standing::Unknown
    } else {
        Standing::Missing
    }
}

fn finding(decision: Seq, policy: &Digest, standing: Standing) -> Finding {
    let expected = format!("policies with SHA-256 {policy} in force");
    if standing == Standing::Unknown {
        Finding::unproven(Code::G8, decision, expected, "a layer whose text is absent")
    } else {
        Finding::new(Code::G8, decision, expected, "others")
    }
}
