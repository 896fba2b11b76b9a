//! The clients of this process: made at the first call that needs one, and kept for their connections.

use std::sync::{Arc, LazyLock, OnceLock};

use reqwest::{Client, ClientBuilder, redirect, retry};

use super::base_url::BaseUrl;
use super::limits::Limits;

const USER_AGENT: &str = concat!("countersign/", env!("CARGO_PKG_VERSION"));

/// HTTP clients with the limits they keep.
pub struct Clients {
    limits: Limits,
    plain: OnceLock<Client>,
    direct: OnceLock<Client>,
    proxied: OnceLock<Client>,
}

impl Clients {
    /// Clients of one's own, for tests that cannot wait as long as [`Limits::STANDARD`] does.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            plain: OnceLock::new(),
            direct: OnceLock::new(),
            proxied: OnceLock::new(),
        })
    }

    /// The clients of this process.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static SHARED: LazyLock<Arc<Clients>> = LazyLock::new(|| Clients::new(Limits::STANDARD));
        Arc::clone(&SHARED)
    }

    /// The limits of every call.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The client for `url`, made now if it is the first of its kind.
    ///
    /// Only `https` loads root certificates, which takes milliseconds that a call to this machine does not have. Only
    /// `https` to another machine goes through the proxy that the environment names.
    pub(super) fn client(&self, url: &BaseUrl) -> reqwest::Result<&Client> {
        let (made, builder): (_, fn(ClientBuilder) -> ClientBuilder) = match (url.is_encrypted(), url.is_loopback()) {
            // With a list of roots that is empty, none are looked for; no certificate would be accepted.
            (false, _) => (&self.plain, |builder| builder.no_proxy().tls_certs_only([])),
            (true, true) => (&self.direct, ClientBuilder::no_proxy),
            (true, false) => (&self.proxied, |builder| builder),
        };
        if let Some(client) = made.get() {
            return Ok(client);
        }
        let client = builder(self.builder()).build()?;
        Ok(made.get_or_init(|| client))
    }

    fn builder(&self) -> ClientBuilder {
        Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(self.limits.connect)
            // A redirect would carry the key to whomever the server names.
            .redirect(redirect::Policy::none())
            // Every attempt that fails is to be recorded; what is tried again is decided in one place.
            .retry(retry::never())
            .referer(false)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::endpoint::Endpoint;
    use super::super::test_server::{TestServer, answer};
    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn made(clients: &Clients) -> [bool; 3] {
        [&clients.plain, &clients.direct, &clients.proxied].map(|client| client.get().is_some())
    }

    #[test]
    fn clients_are_made_when_they_are_needed_and_only_once() -> TestResult {
        let clients = Clients::new(Limits::STANDARD);
        assert_eq!(made(&clients), [false, false, false]);
        let plain = BaseUrl::parse("http://127.0.0.1:1/")?;
        let first: *const Client = clients.client(&plain)?;
        assert!(std::ptr::eq(first, clients.client(&plain)?));
        assert_eq!(made(&clients), [true, false, false]);
        clients.client(&BaseUrl::parse("https://localhost/")?)?;
        assert_eq!(made(&clients), [true, true, false]);
        Ok(())
    }

    /// Run by the test below in a process of its own, because the environment of this one is shared by all tests.
    #[tokio::test]
    #[ignore = "needs proxies in its environment"]
    async fn asks_under_proxies() {
        let Ok(urls) = std::env::var("ASKED_URLS") else { return };
        for url in urls.split(' ') {
            let base = BaseUrl::parse(url).unwrap_or_else(|error| panic!("{error}"));
            let asked = Endpoint::new(base)
                .with_clients(Clients::new(Limits::STANDARD))
                .get("/x")
                .await;
            assert!(asked.is_err(), "{url}");
        }
    }

    #[test]
    fn only_https_to_other_machines_goes_through_a_proxy() -> TestResult {
        let proxy = TestServer::start(vec![answer("502 No", "", ""), answer("502 No", "", "")])?;
        let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let urls = [
            format!("http://127.0.0.1:{nobody}"),
            format!("https://localhost:{nobody}"),
            "http://plain.invalid".to_owned(),
            "https://left-out.invalid".to_owned(),
            "https://asked.invalid".to_owned(),
        ];
        let address = format!("http://127.0.0.1:{}", proxy.port());
        let name = "model::http::client::tests::asks_under_proxies";
        let output = std::process::Command::new(std::env::current_exe()?)
            .args(["--exact", name, "--ignored"])
            .env("ASKED_URLS", urls.join(" "))
            .env("HTTPS_PROXY", &address)
            .env("HTTP_PROXY", &address)
            .env("NO_PROXY", "left-out.invalid")
            .output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let request = proxy.request()?;
        assert!(
            request.head.starts_with("CONNECT asked.invalid:443 "),
            "{}",
            request.head
        );
        assert!(proxy.requests_left().is_empty());
        Ok(())
    }
}
