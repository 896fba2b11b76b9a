//! The honest story is verified, and says what it should.

use countersign_verifier::audit::Verdict;

use crate::support::story::tell;
use crate::support::writer::Twist;
use crate::support::{anchored, audit, codes};

#[test]
fn the_story_is_verified() {
    let writer = tell(Twist::honest());
    assert_eq!(writer.findings, []);
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), []);
    assert_eq!(report.unproven, []);
    assert_eq!(report.verdict(), Verdict::Verified);
    assert_eq!(report.verdict().exit_code(), 0);
}
