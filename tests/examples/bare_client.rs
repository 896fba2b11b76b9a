//! The least that a turn over HTTP takes: two requests, the answers read to their ends, and a shell command in between.
//!
//! `cargo bench -p countersign-tests --bench turn` holds `countersign run` against it. It knows nothing of what it sends
//! or gets, and leaves nothing behind; like `countersign`, it looks for neither a proxy nor root certificates when it
//! asks over plain HTTP.
//!
//! `bare_client URL KEY FIRST SECOND`: the two files hold the bodies.

use std::error::Error;
use std::fs;
use std::process::Command;

use reqwest::Client;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, key, first, second] = arguments.as_slice() else {
        return Err("usage: bare_client URL KEY FIRST SECOND".into());
    };
    let (first, second) = (fs::read(first)?, fs::read(second)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::builder().no_proxy().tls_certs_only([]).build()?;
        post(&client, url, key, first).await?;
        let shell = Command::new("sh").args(["-c", "echo hello"]).output()?;
        if !shell.status.success() {
            return Err(format!("sh: {}", shell.status).into());
        }
        post(&client, url, key, second).await
    })
}

/// Sends `body` and reads the answer to its end, piece by piece.
async fn post(client: &Client, url: &str, key: &str, body: Vec<u8>) -> Outcome {
    let request = client.post(url).header("x-api-key", key).body(body);
    let request = request.header("anthropic-version", "2023-06-01");
    let sent = request.header("content-type", "application/json").send().await?;
    let mut answer = sent.error_for_status()?;
    while answer.chunk().await?.is_some() {}
    Ok(())
}
