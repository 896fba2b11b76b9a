//! How long a server is waited for, and how much is taken from it.

use std::time::Duration;

const MIB: usize = 1 << 20;

/// Bounds on one call. No call goes on for ever, and none fills the memory.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// From sending the request to the head of the answer.
    pub head: Duration,
    /// Between two pieces of an answer.
    pub silence: Duration,
    /// The whole call, from sending to the last byte.
    pub call: Duration,
    /// One event of a stream, give or take one piece as it came from the network.
    pub event_len_bytes: usize,
    /// All of a stream.
    pub stream_len_bytes: usize,
    /// An answer that is one document.
    pub document_len_bytes: usize,
    /// What is read of an answer that is an error; the rest is not looked at.
    pub error_len_bytes: usize,
}

impl Limits {
    /// The bounds of every call but those of tests.
    pub const STANDARD: Self = Self {
        // Three SYNs of Linux (1 + 2 + 4 s) and a TLS handshake over a slow line.
        connect: Duration::from_secs(15),
        // A model may read a long prompt before it says its first word; providers cut the connection themselves after
        // a few minutes of queueing, and a retry is cheaper than that.
        head: Duration::from_secs(120),
        // Anthropic sends `ping` events and OpenAI in-progress events within seconds; 90 s without a byte is a lost
        // connection.
        silence: Duration::from_secs(90),
        // The official SDKs give a call 10 minutes; 128,000 tokens of output at 150 a second take 14.
        call: Duration::from_secs(15 * 60),
        // The largest single event is OpenAI's `response.completed`, which repeats the whole answer: 128,000 tokens of
        // some 6 bytes, escaped as JSON.
        event_len_bytes: 8 * MIB,
        // Each token travels in an event of 100 to 400 bytes around it: 128,000 tokens come to 50 MiB.
        stream_len_bytes: 64 * MIB,
        // A list of some thousand models with their descriptions.
        document_len_bytes: 4 * MIB,
        // Errors of providers have some hundred bytes; error pages of proxies have some thousand.
        error_len_bytes: MIB / 16,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::STANDARD
    }
}
