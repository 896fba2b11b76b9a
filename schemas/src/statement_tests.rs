use super::*;
use crate::body::{EventCode, InstanceStopped, SessionEvent, StopReason};

fn event() -> Statement {
    Statement {
        by: Seq::ZERO,
        n: Count::clamped(3),
        at: Millis::clamped(1_763_712_000_000),
        seen: Seen {
            size: Size::clamped(24),
            link: Link::from_bytes([7; 32]),
        },
        body: SessionEvent {
            code: EventCode::Warning,
            about: Some(Seq::clamped(5)),
            detail: None,
        }
        .into(),
        ext: None,
    }
}

#[test]
fn a_statement_survives_the_round_trip() -> Result<(), DecodeError> {
    let statement = event();
    assert_eq!(Statement::decode(&statement.encode())?, statement);
    Ok(())
}

#[test]
fn every_entry_a_body_names_is_listed() {
    let stop: Body = InstanceStopped {
        instance: Seq::clamped(4),
        reason: StopReason::Done,
        last_n: Count::clamped(9),
        last_seq: Seq::clamped(60),
    }
    .into();
    assert_eq!(stop.named_entries(), [Seq::clamped(4), Seq::clamped(60)]);
}

#[test]
fn an_unknown_kind_is_newer_not_malformed() {
    let mut bytes = event().encode();
    bytes.splice(2..3, [0x18, 40]);
    assert_eq!(
        Statement::decode(&bytes).map_err(|error| error.problem),
        Err(Problem::NewerKind(40))
    );
}

#[test]
fn a_byte_behind_the_statement_is_refused() {
    let mut bytes = event().encode();
    bytes.push(0);
    assert_eq!(
        Statement::decode(&bytes).map_err(|error| error.problem),
        Err(Problem::Trailing)
    );
}

#[test]
fn no_flipped_bit_decodes_to_the_same_statement() {
    let statement = event();
    let bytes = statement.encode();
    for position in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[position / 8] ^= 1 << (position % 8);
        assert_ne!(Statement::decode(&flipped), Ok(statement.clone()), "bit {position}");
    }
}

#[test]
fn an_unknown_kind_before_garbage_is_malformed_not_newer() {
    let mut bytes = event().encode();
    bytes.splice(2..3, [0x18, 40]);
    bytes.push(0);
    assert_eq!(
        Statement::decode(&bytes).map_err(|error| error.problem),
        Err(Problem::Trailing)
    );
    bytes.truncate(bytes.len() - 2);
    assert_eq!(
        Statement::decode(&bytes).map_err(|error| error.problem),
        Err(Problem::Truncated)
    );
}
