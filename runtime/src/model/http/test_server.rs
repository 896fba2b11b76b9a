//! A server on this machine that answers each connection as a test says.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use super::BaseUrl;

/// Nothing in a test takes as long as this.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is done with a connection once its request has been read.
pub(crate) type Reply = Box<dyn FnOnce(&mut TcpStream) -> io::Result<()> + Send>;

/// A running server; it ends with its last reply.
pub(crate) struct TestServer {
    port: u16,
    requests: Receiver<Request>,
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Request {
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl TestServer {
    /// Answers as many connections as there are replies, one after the other.
    pub(crate) fn start(replies: Vec<Reply>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let (sender, requests) = mpsc::channel();
        thread::spawn(move || {
            for reply in replies {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let Ok(request) = read(&mut stream) else { continue };
                let _ = sender.send(request);
                // A client that went away is what some tests are about.
                let _ = reply(&mut stream);
            }
        });
        Ok(Self { port, requests })
    }

    /// Its base URL, with the path `/v1`.
    pub(crate) fn url(&self) -> BaseUrl {
        BaseUrl::parse(&format!("http://127.0.0.1:{}/v1", self.port)).expect("a base URL")
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The next request that came in.
    pub(crate) fn request(&self) -> Result<Request, mpsc::RecvTimeoutError> {
        self.requests.recv_timeout(PATIENCE)
    }

    /// The requests that came in and nobody looked at yet.
    pub(crate) fn requests_left(&self) -> Vec<Request> {
        self.requests.try_iter().collect()
    }
}

impl Request {
    /// The values of a header, in their order.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

fn read(stream: &mut TcpStream) -> io::Result<Request> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let mut request = Request {
        head: String::from_utf8_lossy(&head).into_owned(),
        body: Vec::new(),
    };
    let len = request
        .header("content-length")
        .first()
        .and_then(|len| len.parse().ok());
    request.body = vec![0; len.unwrap_or(0)];
    stream.read_exact(&mut request.body)?;
    Ok(request)
}

/// An answer as a whole; `headers` are complete lines.
pub(crate) fn answer(status: &str, headers: &str, body: impl Into<Vec<u8>>) -> Reply {
    let mut bytes = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}").into_bytes();
    let body = body.into();
    bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).into_bytes());
    bytes.extend(body);
    Box::new(move |stream| stream.write_all(&bytes))
}

/// The head of a stream of events, then `pieces` as chunks of their own, then `and_then`.
pub(crate) fn events(
    pieces: Vec<Vec<u8>>,
    and_then: impl FnOnce(&mut TcpStream) -> io::Result<()> + Send + 'static,
) -> Reply {
    Box::new(move |stream| {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
              request-id: req_1\r\ntransfer-encoding: chunked\r\n\r\n",
        )?;
        for piece in pieces {
            stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes())?;
            stream.write_all(&piece)?;
            stream.write_all(b"\r\n")?;
        }
        and_then(stream)
    })
}

/// The regular end of a stream.
pub(crate) fn end(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"0\r\n\r\n")
}

/// Waits until the client closes the connection.
pub(crate) fn until_closed(stream: &mut TcpStream) -> io::Result<()> {
    match stream.read(&mut [0; 64])? {
        0 => Ok(()),
        _ => Err(io::Error::other("the client went on talking")),
    }
}
