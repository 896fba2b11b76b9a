//! Messages come back as they were, and nothing else is taken for one.

use super::*;

type Checked = Result<(), Box<dyn std::error::Error>>;

fn seen() -> Seen {
    Seen {
        size: Size::clamped(7),
        link: Link::from_bytes([9; 32]),
    }
}

fn submission() -> Submission {
    Submission {
        envelope: vec![1, 2, 3],
        payloads: vec![(Salt([4; 32]), vec![5; 300]), (Salt([6; 32]), Vec::new())],
    }
}

fn of_joiner() -> Vec<FromJoiner> {
    vec![
        FromJoiner::Hello(LedgerId::from_bytes([1; 32])),
        FromJoiner::Submit(SubmissionId(3), submission()),
        FromJoiner::AskTurn(SubmissionId(4)),
        FromJoiner::Pass(SubmissionId(5)),
        FromJoiner::Leave,
    ]
}

fn of_appender() -> Result<Vec<FromAppender>, Box<dyn std::error::Error>> {
    let slot = |slot| Slot::new(slot).ok_or("a slot below 8");
    let payloads = vec![
        (slot(0)?, Salt([1; 32]), vec![2; 40]),
        (slot(2)?, Salt([3; 32]), Vec::new()),
    ];
    Ok(vec![
        FromAppender::Welcome(LedgerId::from_bytes([1; 32]), seen()),
        FromAppender::Entry(Row::new(Seq::clamped(8), vec![7; 70], payloads)?),
        FromAppender::Durable(Size::clamped(9)),
        FromAppender::Admitted(SubmissionId(1), Seq::clamped(8)),
        FromAppender::Refused(SubmissionId(2), refusal("more", "less")),
        FromAppender::Turn(SubmissionId(3), seen()),
        FromAppender::Leaving(seen()),
        FromAppender::Gone(GoneReason::Slow),
    ])
}

fn refusal(expected: &str, found: &str) -> Refusal {
    Refusal {
        code: "I5".to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

#[test]
fn every_message_comes_back_as_it_was() -> Checked {
    for message in of_joiner() {
        assert!(FromJoiner::decode(&message.encode())? == message);
    }
    for message in of_appender()? {
        let bytes = message.encode();
        assert_eq!(FromAppender::decode(&bytes)?.encode(), bytes);
    }
    Ok(())
}

#[test]
fn no_message_is_cut_or_longer_than_it_is() -> Checked {
    let joiners = of_joiner().iter().map(FromJoiner::encode).collect::<Vec<_>>();
    let appenders = of_appender()?.iter().map(FromAppender::encode).collect::<Vec<_>>();
    for bytes in joiners.iter().chain(&appenders) {
        for end in 0..bytes.len() {
            let cut = &bytes[..end];
            assert!(FromJoiner::decode(cut).is_err() && FromAppender::decode(cut).is_err());
        }
        let longer = [&**bytes, &[0]].concat();
        assert!(FromJoiner::decode(&longer).is_err() && FromAppender::decode(&longer).is_err());
    }
    Ok(())
}

#[test]
fn neither_side_takes_what_only_the_other_may_say() -> Checked {
    for message in of_joiner() {
        assert!(FromAppender::decode(&message.encode()).is_err());
    }
    for message in of_appender()? {
        assert!(FromJoiner::decode(&message.encode()).is_err());
    }
    Ok(())
}

#[test]
fn another_version_is_told_from_rubbish() {
    let mut to = Encoder::new();
    begin(&mut to, 0, 2);
    to.uint(2);
    to.bytes(&[1; 32]);
    let refused = FromJoiner::decode(&to.finish());
    assert!(refused == Err(MessageError::Version { found: 2 }));
}

#[test]
fn nine_payloads_and_payloads_of_a_byte_too_many_are_refused() {
    let mut nine = submission();
    nine.payloads = vec![(Salt([0; 32]), Vec::new()); SLOTS_MAX + 1];
    let mut long = submission();
    long.payloads[0].1 = vec![0; PAYLOAD_BYTES_MAX + 1];
    let mut envelope = submission();
    envelope.envelope = vec![0; STATEMENT_BYTES_MAX + 1];
    for misfit in [nine, long, envelope] {
        let bytes = FromJoiner::Submit(SubmissionId(0), misfit).encode();
        assert!(matches!(FromJoiner::decode(&bytes), Err(MessageError::Malformed(_))));
    }
}

#[test]
fn a_reason_that_is_not_known_means_the_worst() -> Checked {
    let mut to = Encoder::new();
    begin(&mut to, 23, 1);
    to.text("moon");
    let gone = FromAppender::decode(&to.finish())?;
    assert!(matches!(gone, FromAppender::Gone(GoneReason::Failed)));
    Ok(())
}

#[test]
fn a_long_refusal_is_cut_between_characters() -> Checked {
    let long = "ä".repeat(TEXT_BYTES_MAX);
    let bytes = FromAppender::Refused(SubmissionId(1), refusal(&long, "x")).encode();
    let FromAppender::Refused(_, refusal) = FromAppender::decode(&bytes)? else {
        return Err("not a refusal".into());
    };
    assert_eq!(refusal.expected.len(), TEXT_BYTES_MAX);
    Ok(())
}
