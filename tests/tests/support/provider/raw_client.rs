//! A client for the server's own tests, as small as can be: one request a connection, everything read to its end.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::server::Provider;
use crate::support::Checked;

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(super) is_whole: bool,
    /// Length of each chunk.
    pub(super) chunks: Vec<usize>,
}

impl Answer {
    /// The body as JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether the head has this line, in small letters.
    pub(super) fn has_header(&self, line: &str) -> bool {
        self.head.to_ascii_lowercase().lines().any(|known| known == line)
    }

    /// The events of the body: name and data of each.
    pub(super) fn events(&self) -> Checked<Vec<(String, String)>> {
        let text = std::str::from_utf8(&self.body)?.replace("\r\n", "\n");
        let mut events = Vec::new();
        // What is behind the last empty line is no event.
        let (whole, _) = text.rsplit_once("\n\n").unwrap_or_default();
        for block in whole.split("\n\n") {
            let (mut name, mut data) = (String::new(), Vec::new());
            for line in block.lines() {
                let (field, value) = line.split_once(':').unwrap_or((line, ""));
                let value = value.strip_prefix(' ').unwrap_or(value);
                match field {
                    "event" => value.clone_into(&mut name),
                    "data" => data.push(value),
                    _ => {}
                }
            }
            if !data.is_empty() {
                events.push((name, data.join("\n")));
            }
        }
        Ok(events)
    }
}

/// Sends one request and reads until the server closes, or is silent for half a second.
pub(super) fn ask(
    provider: &Provider,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Checked<Answer> {
    let address = provider.url();
    let mut stream = TcpStream::connect(address.trim_start_matches("http://"))?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{request}\r\n{body}").as_bytes())?;
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    while !is_complete(&bytes) {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(len) => bytes.extend_from_slice(&part[..len]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => return Err(error.into()),
        }
    }
    answer(&bytes)
}

fn is_complete(bytes: &[u8]) -> bool {
    answer(bytes).is_ok_and(|answer| answer.is_whole)
}

fn answer(bytes: &[u8]) -> Checked<Answer> {
    let head_end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or("no end of the headers")?;
    let head = String::from_utf8(bytes[..head_end].to_vec())?;
    let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
    let mut answer = Answer {
        status,
        head,
        body: Vec::new(),
        is_whole: false,
        chunks: Vec::new(),
    };
    let mut rest = &bytes[head_end + 4..];
    if !answer.has_header("transfer-encoding: chunked") {
        answer.body = rest.to_vec();
        answer.is_whole = answer.has_header(&format!("content-length: {}", rest.len()));
        return Ok(answer);
    }
    while let Some(line_end) = rest.windows(2).position(|two| two == b"\r\n") {
        let len = usize::from_str_radix(std::str::from_utf8(&rest[..line_end])?, 16)?;
        rest = &rest[line_end + 2..];
        answer.body.extend_from_slice(&rest[..len.min(rest.len())]);
        if rest.len() < len + 2 {
            break;
        }
        rest = &rest[len + 2..];
        if len == 0 {
            answer.is_whole = true;
            break;
        }
        answer.chunks.push(len);
    }
    Ok(answer)
}
