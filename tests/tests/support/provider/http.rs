//! As much of HTTP/1.1 (RFC 9112) as a server on loopback needs, written out so that it can also do it wrong.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::support::rng::Rng;

const HEAD_LEN_BYTES_MAX: u64 = 64 << 10;

/// What the providers take at most.
const BODY_LEN_BYTES_MAX: u64 = 32 << 20;

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    /// Names in small letters.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// Reads the next request of a connection; nothing where the client has closed it.
    pub(super) fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut head = reader.take(HEAD_LEN_BYTES_MAX);
        let Some(line) = read_line(&mut head)? else {
            return Ok(None);
        };
        let mut words = line.split(' ').map(str::to_owned);
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(malformed("a request line has three words"));
        };
        let mut headers = Vec::new();
        loop {
            let line = read_line(&mut head)?.ok_or_else(|| malformed("headers end with an empty line"))?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| malformed("a header has a name and a value"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut request = Self {
            method,
            path: target.split('?').next().unwrap_or_default().to_owned(),
            headers,
            body: Vec::new(),
        };
        request.body = request.read_body(reader)?;
        Ok(Some(request))
    }

    /// The first header of a name in small letters.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    fn read_body(&self, reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if self.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = read_line(reader)?.ok_or_else(|| malformed("a chunk has a size"))?;
                let size = u64::from_str_radix(&size, 16).map_err(|_| malformed("a size is hexadecimal"))?;
                let more = reader.take(size.min(BODY_LEN_BYTES_MAX)).read_to_end(&mut body)? as u64;
                read_line(reader)?;
                if more != size || body.len() as u64 > BODY_LEN_BYTES_MAX {
                    return Err(malformed("a chunk was cut, or the body is too long"));
                }
                if size == 0 {
                    return Ok(body);
                }
            }
        }
        let len: u64 = self
            .header("content-length")
            .map_or(Ok(0), str::parse)
            .map_err(|_| malformed("length"))?;
        reader.take(len.min(BODY_LEN_BYTES_MAX)).read_to_end(&mut body)?;
        if body.len() as u64 == len {
            Ok(body)
        } else {
            Err(malformed("the body was cut, or is too long"))
        }
    }
}

fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    match reader.read_line(&mut line)? {
        0 => Ok(None),
        _ => Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned())),
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// How much of a body is sent, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// In one piece with its length.
    Whole,
    /// In chunks of 1 to this many bytes.
    Chunks(u64),
    /// As chunks until this many bytes are sent; then the connection is closed within a chunk.
    CutAt(usize, u64),
    /// As chunks until this many bytes are sent; then nothing more until the client gives up.
    StallAt(usize, u64),
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    pub(super) flow: Flow,
}

impl Reply {
    /// Sends it. `Ok(false)`: the connection has ended.
    pub(super) fn send(&self, stream: &mut TcpStream, rng: &mut Rng) -> io::Result<bool> {
        let mut head = format!("HTTP/1.1 {} \r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.flow {
            Flow::Whole => {
                head.push_str(&format!("content-length: {}\r\n\r\n", self.body.len()));
                stream.write_all(&[head.as_bytes(), &self.body].concat())?;
            }
            Flow::Chunks(len_max) => {
                self.begin(stream, head)?;
                send_chunks(stream, &self.body, len_max, rng)?;
                stream.write_all(b"0\r\n\r\n")?;
            }
            Flow::CutAt(at, len_max) => {
                self.begin(stream, head)?;
                let (sent, cut) = self.body[..at].split_at(at - at.min(3));
                send_chunks(stream, sent, len_max, rng)?;
                stream.write_all(&[b"1000\r\n", cut].concat())?;
                stream.shutdown(Shutdown::Both)?;
                return Ok(false);
            }
            Flow::StallAt(at, len_max) => {
                self.begin(stream, head)?;
                send_chunks(stream, &self.body[..at], len_max, rng)?;
                let mut ignored = [0; 64];
                while stream.read(&mut ignored)? > 0 {}
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn begin(&self, stream: &mut TcpStream, mut head: String) -> io::Result<()> {
        head.push_str("transfer-encoding: chunked\r\n\r\n");
        stream.write_all(head.as_bytes())
    }
}

/// Each chunk is a packet of its own.
fn send_chunks(stream: &mut TcpStream, mut body: &[u8], len_max: u64, rng: &mut Rng) -> io::Result<()> {
    while !body.is_empty() {
        let len = usize::try_from(1 + rng.below(len_max)).unwrap_or(1).min(body.len());
        let (chunk, rest) = body.split_at(len);
        stream.write_all(&[format!("{len:x}\r\n").as_bytes(), chunk, b"\r\n"].concat())?;
        body = rest;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &str) -> io::Result<Option<Request>> {
        Request::read(&mut bytes.as_bytes())
    }

    #[test]
    fn bodies_come_with_a_length_or_in_chunks() -> io::Result<()> {
        let plain = read("POST /v1/x?beta=true HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")?;
        let chunked = read("POST /v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")?;
        for request in [plain, chunked] {
            let request = request.ok_or_else(|| malformed("a request"))?;
            assert_eq!((request.path.as_str(), request.body.as_slice()), ("/v1/x", &b"{}"[..]));
        }
        assert!(read("")?.is_none());
        Ok(())
    }

    #[test]
    fn cut_requests_are_refused() {
        for request in [
            "GET",
            "GET / HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nx\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n{}",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}",
        ] {
            assert!(read(request).is_err(), "{request:?}");
        }
    }
}
