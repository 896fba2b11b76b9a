use std::error::Error as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use super::super::base_url::BaseUrlError;
use super::super::limits::Limits;
use super::super::test_server::{Reply, TestServer, answer, end, events, until_closed};
use super::*;
use zeroize::Zeroizing;

type TestResult = Result<(), Box<dyn std::error::Error>>;

const SHORT: Duration = Duration::from_millis(150);

fn key(text: &str) -> ApiKey {
    ApiKey::new(Zeroizing::new(text.to_owned())).unwrap_or_else(|error| panic!("{error}"))
}

fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(5),
        head: Duration::from_secs(5),
        silence: Duration::from_secs(5),
        ..Limits::STANDARD
    }
}

fn endpoint(server: &TestServer, limits: Limits) -> Endpoint {
    Endpoint::new(server.url()).with_clients(Clients::new(limits))
}

/// Asks a server that replies like this and reads its events to their end.
async fn ask(limits: Limits, reply: Reply) -> Result<Vec<String>, HttpError> {
    let server = TestServer::start(vec![reply]).map_err(|error| HttpError::Malformed {
        problem: error.to_string(),
    })?;
    let mut stream = endpoint(&server, limits).post("/x", b"{}".to_vec()).await?;
    let mut all = Vec::new();
    while let Some(event) = stream.next().await? {
        all.push(event.data);
    }
    Ok(all)
}

#[tokio::test]
async fn request_carries_exactly_these_bytes_and_headers() -> TestResult {
    let server = TestServer::start(vec![events(vec![b"data: x\n\n".to_vec()], end)])?;
    let endpoint = endpoint(&server, limits())
        .with_header("anthropic-version", "2023-06-01")
        .with_key(KeyHeader::XApiKey, key("sk-1"), PlainHttp::Refused)?;
    let json = b"{ \"exact\" : 1.0}".to_vec();
    let mut stream = endpoint.post("/messages", json.clone()).await?;
    assert_eq!(stream.request_id(), Some("req_1"));
    assert_eq!(stream.next().await?.map(|event| event.data), Some("x".to_owned()));
    assert_eq!(stream.next().await?, None);
    let request = server.request()?;
    assert!(
        request.head.starts_with("POST /v1/messages HTTP/1.1\r\n"),
        "{}",
        request.head
    );
    assert_eq!(request.body, json);
    for (name, value) in [
        ("content-type", "application/json"),
        ("accept", "text/event-stream"),
        ("anthropic-version", "2023-06-01"),
        ("x-api-key", "sk-1"),
        ("content-length", "16"),
    ] {
        assert_eq!(request.header(name), [value], "{name}");
    }
    let agent = format!("countersign/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(request.header("user-agent"), [agent]);
    assert_eq!(request.header("authorization"), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn document_is_got_whole_and_within_its_limit() -> TestResult {
    let body = "x".repeat(100);
    for (limit, fits) in [(100, true), (99, false)] {
        let server = TestServer::start(vec![answer("200 OK", "", body.clone())])?;
        let limits = Limits {
            document_len_bytes: limit,
            ..limits()
        };
        let got = endpoint(&server, limits).get("/models").await;
        assert_eq!(got.is_ok(), fits);
        assert!(fits || matches!(got, Err(HttpError::TooLarge { limit: 99, .. })));
        assert!(server.request()?.head.starts_with("GET /v1/models HTTP/1.1\r\n"));
    }
    Ok(())
}

#[tokio::test]
async fn error_answer_is_told_with_all_it_says() -> TestResult {
    let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"Over\u001bloaded"}}"#;
    let headers = "request-id: req_9\r\nretry-after: 7\r\nx-should-retry: true\r\n";
    let refused = ask(limits(), answer("529 ", headers, body))
        .await
        .err()
        .ok_or("refused")?;
    let HttpError::Status {
        status,
        kind,
        message,
        request_id,
        retry_after,
        should_retry,
    } = refused
    else {
        return Err(refused.into());
    };
    assert_eq!((status, kind.as_deref()), (529, Some("overloaded_error")));
    assert_eq!(message, "Over\\u{1b}loaded");
    assert_eq!(request_id.as_deref(), Some("req_9"));
    assert_eq!((retry_after, should_retry), (Some(Duration::from_secs(7)), Some(true)));
    Ok(())
}

#[tokio::test]
async fn endless_error_answer_is_read_to_its_limit_only() -> TestResult {
    let flood: Reply = Box::new(|stream| {
        stream.write_all(b"HTTP/1.1 500 Oops\r\n\r\n")?;
        while stream.write_all(&[b'x'; 1024]).is_ok() {}
        Ok(())
    });
    let refused = ask(limits(), flood).await;
    let Err(HttpError::Status {
        status: 500, message, ..
    }) = refused
    else {
        return Err(format!("{refused:?}").into());
    };
    assert_eq!(message.chars().count(), 501);
    Ok(())
}

#[tokio::test]
async fn error_answer_that_breaks_off_is_still_an_error_answer() -> TestResult {
    let broken: Reply = Box::new(|stream| stream.write_all(b"HTTP/1.1 503 X\r\ncontent-length: 99\r\n\r\n"));
    let refused = ask(limits(), broken).await.err().ok_or("refused")?;
    assert_eq!(refused.to_string(), "the server answers 503: Service Unavailable");
    assert!(refused.is_transient());
    Ok(())
}

#[tokio::test]
async fn redirect_is_not_followed() -> TestResult {
    let (server, other) = (TestServer::start(vec![answer("200 OK", "", "")])?, "location: ");
    let to = format!("{other}{}\r\n", server.url());
    let refused = ask(limits(), answer("307 Elsewhere", &to, "")).await;
    assert!(
        matches!(refused, Err(HttpError::Status { status: 307, .. })),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test]
async fn what_is_no_stream_of_events_is_refused() {
    for (headers, told) in [
        ("content-type: application/json\r\n", "application/json"),
        ("content-type: text/event-streams\r\n", "text/event-streams"),
        ("content-type: \u{1b}[2J\r\n", ""),
        ("", ""),
    ] {
        let refused = ask(limits(), answer("200 OK", headers, "data: x\n\n")).await;
        match refused {
            Err(HttpError::NotEvents { content_type }) => assert_eq!(content_type, told),
            // A header with a control character does not even come through the parser.
            other => assert!(headers.contains('\u{1b}') && other.is_err(), "{other:?}"),
        }
    }
}

#[tokio::test]
async fn stream_that_is_cut_is_no_end() -> TestResult {
    let cuts: [fn(&mut std::net::TcpStream) -> std::io::Result<()>; 3] = [
        |_| Ok(()),
        |stream| stream.write_all(b"ff\r\ndata: half"),
        |stream| stream.write_all(b"zz\r\n"),
    ];
    for cut in cuts {
        let server = TestServer::start(vec![events(vec![b"data: x\n\n".to_vec()], cut)])?;
        let mut stream = endpoint(&server, limits()).post("/x", b"{}".to_vec()).await?;
        assert_eq!(stream.next().await?.map(|event| event.data), Some("x".to_owned()));
        let refused = stream.next().await;
        assert!(
            matches!(refused, Err(HttpError::Cut { source: Some(_) })),
            "{refused:?}"
        );
        assert!(matches!(stream.next().await, Ok(None)));
    }
    Ok(())
}

#[tokio::test]
async fn server_that_hangs_up_without_an_answer_is_cut() {
    let refused = ask(limits(), Box::new(|_| Ok(()))).await;
    assert!(
        matches!(refused, Err(HttpError::Cut { source: Some(_) })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn answer_that_does_not_begin_is_given_up() {
    let limits = Limits {
        head: SHORT,
        ..limits()
    };
    let refused = ask(limits, Box::new(until_closed)).await;
    assert!(
        matches!(
            refused,
            Err(HttpError::TimedOut {
                wait: Wait::Head,
                limit: SHORT
            })
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn silence_within_an_answer_is_given_up() {
    let limits = Limits {
        silence: SHORT,
        ..limits()
    };
    let refused = ask(limits, events(vec![b": ping\n\n".to_vec()], until_closed)).await;
    assert!(
        matches!(
            refused,
            Err(HttpError::TimedOut {
                wait: Wait::Bytes,
                limit: SHORT
            })
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn answer_that_only_drips_is_given_up_at_the_end_of_the_call() {
    let limits = Limits {
        call: 3 * SHORT,
        silence: 2 * SHORT,
        ..limits()
    };
    let drip = events(Vec::new(), |stream| {
        while stream.write_all(b"8\r\n: ping\n\n\r\n").is_ok() {
            std::thread::sleep(SHORT / 3);
        }
        Ok(())
    });
    let refused = ask(limits, drip).await;
    let limit = 3 * SHORT;
    assert!(
        matches!(refused, Err(HttpError::TimedOut { wait: Wait::End, limit: found }) if found == limit),
        "{refused:?}"
    );
}

#[tokio::test]
async fn connection_that_does_not_come_about_is_given_up() -> TestResult {
    // A server that takes the connection but never says anything: TLS waits for its part.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("https://127.0.0.1:{}/secret-path", listener.local_addr()?.port());
    let limits = Limits {
        connect: SHORT,
        ..limits()
    };
    let endpoint = Endpoint::new(BaseUrl::parse(&url)?).with_clients(Clients::new(limits));
    let refused = endpoint.post("/x", b"{}".to_vec()).await.err().ok_or("refused")?;
    assert!(matches!(refused, HttpError::Unreachable { .. }), "{refused:?}");
    assert!(refused.is_transient() && refused.is_environment());
    let told = format!("{refused} {:?}", refused.source().map(ToString::to_string));
    assert!(
        told.contains("https://127.0.0.1:") && !told.contains("secret-path"),
        "{told}"
    );
    Ok(())
}

#[tokio::test]
async fn nobody_listening_is_unreachable() -> TestResult {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let base = BaseUrl::parse(&format!("http://127.0.0.1:{port}"))?;
    let refused = Endpoint::new(base)
        .post("/x", b"{}".to_vec())
        .await
        .err()
        .ok_or("refused")?;
    assert_eq!(
        refused.to_string(),
        format!("http://127.0.0.1:{port} cannot be reached")
    );
    assert!(refused.is_environment());
    Ok(())
}

#[tokio::test]
async fn event_and_stream_have_their_limits() -> TestResult {
    let narrow = Limits {
        event_len_bytes: 100,
        stream_len_bytes: 1000,
        ..limits()
    };
    let event = |len: usize| format!("data: {}\n\n", "x".repeat(len - 8)).into_bytes();
    let endless = events(vec![vec![b'x'; 60]; 2], end);
    let refused = ask(narrow.clone(), endless).await;
    assert!(
        matches!(
            refused,
            Err(HttpError::TooLarge {
                what: "an event",
                limit: 100
            })
        ),
        "{refused:?}"
    );
    assert_eq!(ask(narrow.clone(), events(vec![event(100); 10], end)).await?.len(), 10);
    let refused = ask(narrow, events(vec![event(100); 11], end)).await;
    assert!(
        matches!(
            refused,
            Err(HttpError::TooLarge {
                what: "the stream",
                limit: 1000
            })
        ),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test]
async fn request_larger_than_any_provider_takes_is_not_sent() -> TestResult {
    let server = TestServer::start(vec![answer("200 OK", "", "")])?;
    let refused = endpoint(&server, limits())
        .post("/x", vec![b'x'; REQUEST_LEN_BYTES_MAX + 1])
        .await;
    assert!(matches!(
        refused,
        Err(HttpError::TooLarge {
            what: "the request",
            ..
        })
    ));
    Ok(())
}

/// A reply that tells when the client has closed the connection.
fn watched(closed: mpsc::Sender<()>, begin: bool) -> Reply {
    let watch = move |stream: &mut std::net::TcpStream| {
        until_closed(stream)?;
        closed.send(()).map_err(std::io::Error::other)
    };
    if begin {
        events(vec![b"data: x\n\n".to_vec()], watch)
    } else {
        Box::new(watch)
    }
}

#[tokio::test]
async fn dropping_the_call_or_its_stream_closes_the_connection() -> TestResult {
    for begin in [false, true] {
        let (sender, closed) = mpsc::channel();
        let server = TestServer::start(vec![watched(sender, begin)])?;
        let endpoint = endpoint(&server, limits());
        let call = async {
            let mut stream = endpoint.post("/x", b"{}".to_vec()).await?;
            stream.next().await?;
            stream.next().await
        };
        let cancelled = tokio::time::timeout(SHORT, call).await;
        assert!(cancelled.is_err(), "{cancelled:?}");
        // The connection lives on a task of the runtime, which has to get its turn.
        let told = tokio::task::spawn_blocking(move || closed.recv_timeout(Duration::from_secs(5))).await?;
        assert_eq!(told, Ok(()), "begun: {begin}");
    }
    Ok(())
}

#[test]
fn key_does_not_travel_in_the_clear() -> TestResult {
    let with_key = |url: &str, plain| -> Result<bool, BaseUrlError> {
        let endpoint = Endpoint::new(BaseUrl::parse(url)?);
        Ok(endpoint.with_key(KeyHeader::Bearer, key("sk-1"), plain).is_ok())
    };
    for url in [
        "http://10.0.0.7/v1",
        "http://example.com/",
        "http://localhost.example.com/",
    ] {
        assert!(!with_key(url, PlainHttp::Refused)?, "{url}");
        assert!(with_key(url, PlainHttp::Allowed)?, "{url}");
    }
    for url in [
        "https://example.com/",
        "http://127.0.0.1:1/",
        "http://[::1]/",
        "http://localhost/",
    ] {
        assert!(with_key(url, PlainHttp::Refused)?, "{url}");
    }
    Ok(())
}

#[tokio::test]
async fn refused_or_missing_key_names_its_variable() -> TestResult {
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let server = TestServer::start(vec![answer(status, "", r#"{"error":{"message":"no"}}"#)])?;
        let keyed = endpoint(&server, limits()).keyed_by("SOME_API_KEY");
        let refused = keyed.post("/x", b"{}".to_vec()).await.err().ok_or("refused")?;
        assert!(refused.is_environment() && !refused.is_transient(), "{refused}");
        assert!(refused.to_string().contains("set SOME_API_KEY"), "{refused}");
        let source = refused.source().ok_or("a source")?.to_string();
        assert!(
            source.starts_with(&format!("the server answers {}", &status[..3])),
            "{source}"
        );
    }
    Ok(())
}
