use serde_json::{Map, Value, json};

use super::*;
use crate::model::{CallId, MalformedCall, ToolCall};

type Checked<T = ()> = Result<T, Box<dyn std::error::Error>>;

const FAILED: Fate = Fate::Ended(FinishOutcome::Error);
const DONE: Fate = Fate::Ended(FinishOutcome::Ok);

fn call(tool: &str, about: &str) -> Checked<Proposed> {
    let arguments = Map::from_iter([("path".to_owned(), Value::from(about))]);
    Ok(Proposed::Call(ToolCall::new(
        CallId::numbered(1, 1),
        tool,
        arguments,
        None,
    )?))
}

fn malformed() -> Proposed {
    Proposed::Malformed(MalformedCall {
        id: CallId::numbered(1, 1),
        tool: "read".to_owned(),
        raw: json!("{").to_string(),
        problem: "not JSON".to_owned(),
    })
}

/// Makes the answers, in which each call has its fate; gives the number of the one that trips, and what.
fn play(answers: &[&[(Proposed, Fate)]]) -> Option<(usize, Breaker)> {
    let mut breakers = Breakers::default();
    answers.iter().enumerate().find_map(|(number, answer)| {
        let made = answer.iter().map(|(call, fate)| (call, *fate));
        breakers.made(made).map(|trip| (number + 1, trip.breaker))
    })
}

fn times<'a>(count: u32, answers: &[&'a [(Proposed, Fate)]]) -> Vec<&'a [(Proposed, Fate)]> {
    (0..count).flat_map(|_| answers.to_vec()).collect()
}

#[test]
fn same_refused_call_trips_whatever_stands_between() -> Checked {
    let refused = [(call("bash", "a")?, Fate::Refused)];
    let changed = [(call("write", "b")?, DONE)];
    let tripped = play(&times(9, &[&refused, &changed]));
    assert_eq!(tripped, Some((9, Breaker::RefusedCall)));
    Ok(())
}

#[test]
fn refusals_of_different_calls_do_not_add_up() -> Checked {
    let mut breakers = Breakers::default();
    for number in 0..100 {
        let other = call("bash", &number.to_string())?;
        assert_eq!(breakers.made([(&other, Fate::Refused)].into_iter()), None);
    }
    let of_another_tool = [
        call("read", "0")?,
        call("list", "0")?,
        call("glob", "0")?,
        call("grep", "0")?,
    ];
    for other in &of_another_tool {
        assert_eq!(breakers.made([(other, Fate::Refused)].into_iter()), None);
    }
    Ok(())
}

#[test]
fn same_failing_call_trips_though_others_look_around() -> Checked {
    let (failing, looking) = ([(call("bash", "a")?, FAILED)], [(call("read", "b")?, DONE)]);
    assert_eq!(
        play(&times(10, &[&failing, &looking])),
        Some((19, Breaker::FailingCall))
    );
    Ok(())
}

#[test]
fn failing_call_counts_anew_once_something_was_changed_or_it_succeeded() -> Checked {
    let (failing, succeeding) = ([(call("bash", "a")?, FAILED)], [(call("bash", "a")?, DONE)]);
    let changed = [(call("write", "b")?, DONE)];
    let before = times(9, &[&failing]);
    for between in [&changed[..], &succeeding[..]] {
        let twice = [before.clone(), vec![between], before.clone()].concat();
        assert_eq!(play(&twice), None);
    }
    Ok(())
}

#[test]
fn interrupted_calls_count_for_nothing() -> Checked {
    let interrupted = [(call("bash", "a")?, Fate::Ended(FinishOutcome::Aborted))];
    assert_eq!(play(&times(100, &[&interrupted])), None);
    Ok(())
}

#[test]
fn answers_of_malformed_calls_trip_unless_one_call_among_them_is_sound() -> Checked {
    let bad = [(malformed(), FAILED), (malformed(), FAILED)];
    assert_eq!(play(&times(9, &[&bad])), Some((5, Breaker::MalformedAnswers)));
    let mixed = [(malformed(), FAILED), (call("read", "a")?, DONE)];
    assert_eq!(play(&times(9, &[&mixed])), None);
    assert_eq!(play(&times(9, &[&bad, &bad, &mixed])), None);
    Ok(())
}

#[test]
fn helpers_that_fail_side_by_side_count_once_and_one_that_helps_clears() -> Checked {
    let tasks = (0..100).map(|task| call("agent", &task.to_string()));
    let mut tasks = tasks.collect::<Checked<Vec<_>>>()?.into_iter();
    let mut answer = |fates: &[Fate]| -> Vec<(Proposed, Fate)> { tasks.by_ref().zip(fates.iter().copied()).collect() };
    let all_fail: Vec<_> = (0..5).map(|_| answer(&[FAILED; 4])).collect();
    let all_fail: Vec<&[_]> = all_fail.iter().map(Vec::as_slice).collect();
    assert_eq!(play(&all_fail), Some((5, Breaker::FailingHelpers)));
    let one_helps = answer(&[FAILED, DONE, FAILED]);
    let cleared = [&all_fail[..4], &[one_helps.as_slice()], &all_fail[..4]].concat();
    assert_eq!(play(&cleared), None);
    let advisor = [(call("advisor", "why")?, FAILED)];
    let other_advisor = [(call("advisor", "how")?, FAILED)];
    let tripped = play(&times(3, &[&advisor, &other_advisor]));
    assert_eq!(tripped, Some((5, Breaker::FailingHelpers)));
    Ok(())
}

#[test]
fn unfinished_answers_trip_in_a_row_only() -> Checked {
    let mut breakers = Breakers::default();
    let good = call("read", "a")?;
    for _ in 0..3 {
        for _ in 0..3 {
            assert_eq!(breakers.unfinished(), None);
        }
        assert_eq!(breakers.made([(&good, DONE)].into_iter()), None);
    }
    let tripped = (0..9).find_map(|_| breakers.unfinished());
    assert_eq!(tripped.map(|trip| trip.breaker), Some(Breaker::UnfinishedAnswers));
    Ok(())
}

#[test]
fn counts_take_bounded_memory() -> Checked {
    let mut breakers = Breakers::default();
    for number in 0..10 * CALLS_COUNTED_MAX {
        let other = call("bash", &number.to_string())?;
        breakers.made([(&other, FAILED), (&other, Fate::Refused)].into_iter());
    }
    assert!(breakers.failed.len() <= CALLS_COUNTED_MAX && breakers.refused.len() <= CALLS_COUNTED_MAX);
    Ok(())
}
