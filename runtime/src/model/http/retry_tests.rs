use std::sync::Mutex;

use super::*;

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// No randomness: every pause is its ceiling.
const STEADY: RetryPolicy = RetryPolicy {
    jitter: |ceiling| ceiling,
    ..RetryPolicy::STANDARD
};

fn status(status: u16, kind: Option<&str>, retry_after: Option<Duration>) -> HttpError {
    HttpError::Status {
        status,
        kind: kind.map(str::to_owned),
        message: String::new(),
        request_id: None,
        retry_after,
        should_retry: None,
    }
}

fn overloaded(retry_after_ms: Option<u64>) -> HttpError {
    status(529, None, retry_after_ms.map(Duration::from_millis))
}

/// Plays these errors one after the other, then succeeds with the number of the attempt.
async fn play(policy: &RetryPolicy, errors: Vec<HttpError>) -> (Tried<u32, HttpError>, Vec<Attempt>) {
    let errors = Mutex::new(errors.into_iter());
    let told = Mutex::new(Vec::new());
    let next = || errors.lock().ok().and_then(|mut errors| errors.next());
    let on_pause = |attempt: &Attempt| told.lock().iter_mut().for_each(|told| told.push(attempt.clone()));
    let tried = with_retries(policy, on_pause, |number| {
        let error = next();
        async move { error.map_or(Ok(number), Err) }
    })
    .await;
    (tried, told.into_inner().unwrap_or_default())
}

fn waits(tried: &Tried<u32, HttpError>) -> Vec<u64> {
    tried.failed.iter().map(|attempt| attempt.waited_ms).collect()
}

#[tokio::test(start_paused = true)]
async fn what_succeeds_at_once_is_done_once() {
    let (tried, told) = play(&STEADY, Vec::new()).await;
    assert!(matches!(tried.result, Ok(1)));
    assert_eq!((tried.failed, told), (Vec::new(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn pauses_double_and_every_failure_is_recorded() {
    let started = Instant::now();
    let (tried, told) = play(
        &STEADY,
        vec![overloaded(None), overloaded(None), HttpError::Cut { source: None }],
    )
    .await;
    assert!(matches!(tried.result, Ok(4)));
    assert_eq!(waits(&tried), [500, 1000, 2000]);
    assert_eq!(started.elapsed(), Duration::from_millis(3500));
    assert_eq!(tried.failed, told);
    let problems: Vec<_> = tried.failed.iter().map(|attempt| attempt.problem.as_str()).collect();
    assert_eq!(
        problems,
        [
            "the server answers 529",
            "the server answers 529",
            "the connection ended before the answer did"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn sixth_attempt_is_the_last() {
    let (tried, told) = play(&STEADY, (0..9).map(|_| overloaded(None)).collect()).await;
    assert!(matches!(tried.result, Err(HttpError::Status { status: 529, .. })));
    assert_eq!(waits(&tried), [500, 1000, 2000, 4000, 8000, 0]);
    assert_eq!(told.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn no_pause_is_longer_than_its_cap() {
    let policy = RetryPolicy {
        attempts_max: 60,
        total: Duration::from_secs(24 * 3600),
        ..STEADY
    };
    let (tried, _) = play(&policy, (0..50).map(|_| overloaded(None)).collect()).await;
    assert!(matches!(tried.result, Ok(51)));
    assert_eq!(waits(&tried).iter().max(), Some(&30_000));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_pass_is_not_tried_again() {
    for error in [
        status(400, None, None),
        status(401, None, None),
        status(429, Some("insufficient_quota"), Some(Duration::from_secs(1))),
        HttpError::NotEvents {
            content_type: String::new(),
        },
    ] {
        let (tried, told) = play(&STEADY, vec![overloaded(None), error]).await;
        assert!(tried.result.is_err());
        assert_eq!((waits(&tried), told.len()), (vec![500, 0], 1));
    }
}

#[tokio::test(start_paused = true)]
async fn servers_wish_is_granted_if_it_is_longer() {
    let (tried, _) = play(
        &STEADY,
        vec![overloaded(Some(700)), overloaded(Some(3)), overloaded(Some(120_000))],
    )
    .await;
    assert!(matches!(tried.result, Ok(4)));
    assert_eq!(waits(&tried), [700, 1000, 120_000]);
}

#[tokio::test(start_paused = true)]
async fn server_that_wants_too_long_a_rest_is_given_up_and_told_so() -> TestResult {
    for wish in [Duration::from_millis(120_001), Duration::MAX] {
        let started = Instant::now();
        let (tried, told) = play(&STEADY, vec![status(429, None, Some(wish))]).await;
        assert_eq!(
            (waits(&tried), told.len(), started.elapsed()),
            (vec![0], 0, Duration::ZERO)
        );
        let error = tried.result.err().ok_or("an error")?.to_string();
        assert!(error.contains("; it asks to wait "), "{error}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_after_the_total() {
    let minutes = |_| overloaded(Some(100_000));
    let (tried, _) = play(&STEADY, (0..5).map(minutes).collect()).await;
    assert_eq!(waits(&tried), [100_000, 100_000, 100_000, 0]);
    let slow = with_retries(
        &STEADY,
        |_| {},
        |number| async move {
            sleep(Duration::from_secs(299)).await;
            Err::<(), _>(overloaded(Some(u64::from(number))))
        },
    )
    .await;
    assert_eq!(slow.failed.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn dropping_it_ends_the_pause() {
    let calls = Mutex::new(0);
    let call = with_retries(
        &STEADY,
        |_| {},
        |_| {
            calls.lock().iter_mut().for_each(|calls| **calls += 1);
            async { Err::<(), _>(overloaded(Some(60_000))) }
        },
    );
    assert!(tokio::time::timeout(Duration::from_secs(1), call).await.is_err());
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(calls.into_inner().ok(), Some(1));
}

#[test]
fn jitter_stays_under_its_ceiling_and_differs() {
    let ceiling = Duration::from_secs(30);
    let drawn: Vec<_> = (0..64).map(|_| full_jitter(ceiling)).collect();
    assert!(drawn.iter().all(|pause| *pause < ceiling));
    assert!(drawn.iter().any(|pause| *pause > ceiling / 2) && drawn.iter().any(|pause| *pause < ceiling / 2));
    assert_eq!(full_jitter(Duration::ZERO), Duration::ZERO);
}

#[test]
fn recorded_problem_is_cut_between_characters() {
    let error = HttpError::Malformed {
        problem: "\u{20ac}".repeat(PROBLEM_LEN_BYTES_MAX),
    };
    let recorded = text(&error);
    assert!(recorded.len() <= PROBLEM_LEN_BYTES_MAX && recorded.len() > PROBLEM_LEN_BYTES_MAX - 3);
}
