//! The one HTTP client of `web_fetch`: no redirects, cookies, credentials or proxies, and only checked addresses.
//!
//! The name is looked up once, within the connection that uses the result, so that nobody can answer differently the
//! second time. A proxy would look the name up itself: where one is set, only this machine is fetched from. Going
//! around it would be no better: its owner's rules would not hold then.

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use countersign_verifier::projection::{Url, UrlError};
use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use thiserror::Error;

use super::FetchCall;
use super::address::{LOCALHOST, LOOPBACK, is_never_fetched, is_public};

const USER_AGENT: &str = concat!("countersign/", env!("CARGO_PKG_VERSION"));

/// Variables that send requests through a proxy, as curl reads them.
const PROXY_VARIABLES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "HTTP_PROXY",
    "http_proxy",
];

/// How much an answer may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    /// Time from the look-up to the last byte.
    pub(super) whole: Duration,
    pub(super) body_len_bytes_max: usize,
}

impl Limits {
    pub(super) const STANDARD: Self = Self {
        connect: Duration::from_secs(10),
        whole: Duration::from_secs(60),
        body_len_bytes_max: 4 << 20,
    };
}

/// Looks names up. It blocks, and is called off the async threads.
pub(super) type Lookup = fn(&str) -> io::Result<Vec<IpAddr>>;

/// Asks the system.
fn look_up(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

/// Whether the environment asks for a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proxy {
    Unset,
    Set,
}

impl Proxy {
    fn of_environment() -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if PROXY_VARIABLES.into_iter().any(is_set) {
            Self::Set
        } else {
            Self::Unset
        }
    }
}

/// Sends the requests of permitted calls.
#[derive(Debug)]
pub(super) struct Fetcher {
    client: Client,
    proxy: Proxy,
    limits: Limits,
}

impl Fetcher {
    /// For this machine. Reads the certificates it trusts from disk.
    pub(super) fn of_this_machine() -> Result<Self, FetchError> {
        Self::new(look_up, Proxy::of_environment(), Limits::STANDARD)
    }

    pub(super) fn new(lookup: Lookup, proxy: Proxy, limits: Limits) -> Result<Self, FetchError> {
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("text/*, application/json, application/xml;q=0.9"),
        );
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .default_headers(headers)
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .dns_resolver(Arc::new(CheckedResolver { lookup }))
            .connect_timeout(limits.connect)
            // A connection that is kept would be used without a look-up of its own.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(FetchError::Client)?;
        Ok(Self { client, proxy, limits })
    }

    pub(super) const fn limits(&self) -> Limits {
        self.limits
    }

    /// Sends a GET of exactly the decided address, and gives the answer once its header is there, with that address.
    pub(super) async fn get(&self, call: &FetchCall) -> Result<(reqwest::Url, reqwest::Response), FetchError> {
        let (address, host) = (same_address(call.url())?, call.url().host());
        self.check_host(host)?;
        let answered = self.client.get(address.clone()).send().await;
        Ok((address, answered.map_err(|error| refusal(error, host))?))
    }

    /// The part of the check that needs no look-up.
    fn check_host(&self, host: &str) -> Result<(), FetchError> {
        let literal = host.parse::<Ipv4Addr>().ok();
        if let Some(address) = literal.filter(|address| is_never_fetched(*address)) {
            return Err(FetchError::NotPublic {
                host: host.to_owned(),
                address: address.into(),
            });
        }
        let is_here = host == LOCALHOST || literal.is_some_and(|address| address.is_loopback());
        if self.proxy == Proxy::Set && !is_here {
            return Err(FetchError::Proxy { host: host.to_owned() });
        }
        Ok(())
    }
}

/// The decided address as the client reads it, if that is the same.
fn same_address(decided: &Url) -> Result<reqwest::Url, FetchError> {
    let unlike = |read: String| FetchError::Unlike {
        decided: decided.as_str().to_owned(),
        read,
    };
    let read = reqwest::Url::parse(decided.as_str()).map_err(|error| unlike(error.to_string()))?;
    let query = read.query().map(|query| format!("?{query}"));
    let read_tail = format!("{}{}", read.path(), query.unwrap_or_default());
    let is_same = read.scheme() == decided.scheme().as_str()
        && read.host_str() == Some(decided.host())
        && read.port_or_known_default() == Some(decided.port())
        && read.username().is_empty()
        && read.password().is_none()
        && read.fragment().is_none()
        && read_tail == sent_behind_the_host(decided);
    if is_same { Ok(read) } else { Err(unlike(read.into())) }
}

/// Path and query of an address; an empty path is sent as `/` (RFC 9112 §3.2.1).
fn sent_behind_the_host(decided: &Url) -> String {
    let address = decided.as_str();
    let begin = decided.scheme().as_str().len() + "://".len();
    let tail = address[begin..]
        .find(['/', '?'])
        .map_or("", |at| &address[begin + at..]);
    let slash = if tail.starts_with('/') { "" } else { "/" };
    format!("{slash}{tail}")
}

/// Gives the connection checked addresses only.
struct CheckedResolver {
    lookup: Lookup,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = self.lookup;
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let addresses = tokio::task::spawn_blocking(move || checked(lookup, &host)).await??;
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// The addresses of `host`; none of them if one of them is not public, because then its owner is up to something.
fn checked(lookup: Lookup, host: &str) -> Result<Vec<IpAddr>, FetchError> {
    if host == LOCALHOST {
        return Ok(LOOPBACK.to_vec());
    }
    let addresses = lookup(host).map_err(|source| FetchError::Lookup {
        host: host.to_owned(),
        source,
    })?;
    match addresses.iter().find(|address| !is_public(**address)) {
        Some(address) => Err(FetchError::NotPublic {
            host: host.to_owned(),
            address: *address,
        }),
        None => Ok(addresses),
    }
}

/// Finds our own refusal in what the client makes of it.
fn refusal(error: reqwest::Error, host: &str) -> FetchError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(current) = cause {
        if let Some(FetchError::NotPublic { host, address }) = current.downcast_ref() {
            return FetchError::NotPublic {
                host: host.clone(),
                address: *address,
            };
        }
        cause = current.source();
    }
    FetchError::Exchange {
        host: host.to_owned(),
        source: error.without_url(),
    }
}

/// Why nothing was fetched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The argument is no address of the one form: the law denies such a call.
    #[error("the address cannot be fetched")]
    Url(#[from] UrlError),
    /// The HTTP library would send something else than what was decided.
    #[error("{decided} would be sent as {read}; ask for that if it is what you mean")]
    Unlike {
        /// The decided address.
        decided: String,
        /// What the library makes of it.
        read: String,
    },
    /// The host is, or stands for, an address that is not public.
    #[error("{host} stands for {address}, which is not a public address")]
    NotPublic {
        /// The host.
        host: String,
        /// The first such address.
        address: IpAddr,
    },
    /// A proxy is set, which would look the name up unchecked.
    #[error("a proxy is set in the environment: what {host} stands for could not be checked behind it")]
    Proxy {
        /// The host.
        host: String,
    },
    /// The system cannot look the name up.
    #[error("cannot look up {host}")]
    Lookup {
        /// The host.
        host: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The client cannot be made, most likely for want of certificates.
    #[error("cannot make an HTTP client")]
    Client(#[source] reqwest::Error),
    /// No connection, or no proper answer over it.
    #[error("no answer from {host}")]
    Exchange {
        /// The host.
        host: String,
        /// The library's reason.
        #[source]
        source: reqwest::Error,
    },
    /// The answer ended before its end.
    #[error("the answer broke off after {read_bytes} bytes")]
    BrokenOff {
        /// How much had been read.
        read_bytes: usize,
        /// The library's reason.
        #[source]
        source: reqwest::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(text: &str) -> Result<Url, UrlError> {
        Url::parse(text)
    }

    #[test]
    fn address_is_sent_as_decided() -> Result<(), Box<dyn Error>> {
        for text in [
            "https://h.example/a//b/%20?x=.&y=[1]",
            "http://127.0.0.1:8080/",
            "https://h.example",
            "https://h.example:443/a",
            "http://h.example?q=/x/y?z",
            "https://h.example/?",
            "https://h.example/a;b=c,d@e!$&()*+~:",
        ] {
            same_address(&decided(text)?).map_err(|error| format!("{text}: {error}"))?;
        }
        Ok(())
    }

    #[test]
    fn address_that_would_be_sent_otherwise_is_refused() -> Result<(), Box<dyn Error>> {
        // The URL standard percent-encodes an apostrophe in a query, and knows what names with `xn--` may hold.
        for text in ["https://h.example/?a='b'", "https://xn--a.example/"] {
            let refused = same_address(&decided(text)?);
            assert!(matches!(refused, Err(FetchError::Unlike { .. })), "{text}: {refused:?}");
        }
        Ok(())
    }

    #[test]
    fn one_address_that_is_not_public_spoils_the_name() -> Result<(), Box<dyn Error>> {
        let mixed: Lookup = |_| Ok(vec![IpAddr::from([8, 8, 8, 8]), IpAddr::from([10, 0, 0, 1])]);
        let refused = checked(mixed, "h.example");
        assert!(
            matches!(&refused, Err(FetchError::NotPublic { address, .. }) if *address == IpAddr::from([10, 0, 0, 1])),
            "{refused:?}"
        );
        let public: Lookup = |_| Ok(vec![IpAddr::from([8, 8, 8, 8])]);
        assert_eq!(checked(public, "h.example")?, [IpAddr::from([8, 8, 8, 8])]);
        Ok(())
    }

    #[test]
    fn localhost_is_this_machine_whatever_a_resolver_says() -> Result<(), Box<dyn Error>> {
        let elsewhere: Lookup = |_| Ok(vec![IpAddr::from([8, 8, 8, 8])]);
        assert_eq!(checked(elsewhere, "localhost")?, LOOPBACK);
        let here: Lookup = |_| Ok(vec![IpAddr::from([127, 0, 0, 1])]);
        assert!(checked(here, "x.localhost").is_err() && checked(here, "localhost.example").is_err());
        Ok(())
    }

    #[test]
    fn proxy_leaves_this_machine_only() -> Result<(), Box<dyn Error>> {
        let fetcher = Fetcher::new(look_up, Proxy::Set, Limits::STANDARD)?;
        assert!(fetcher.check_host("localhost").is_ok() && fetcher.check_host("127.0.0.1").is_ok());
        for host in ["h.example", "8.8.8.8", "10.0.0.1"] {
            assert!(
                matches!(fetcher.check_host(host), Err(FetchError::Proxy { .. })),
                "{host}"
            );
        }
        Ok(())
    }

    #[test]
    fn link_local_address_is_refused_though_named() -> Result<(), Box<dyn Error>> {
        let fetcher = Fetcher::new(look_up, Proxy::Unset, Limits::STANDARD)?;
        let refused = fetcher.check_host("169.254.169.254");
        assert!(matches!(refused, Err(FetchError::NotPublic { .. })), "{refused:?}");
        assert!(fetcher.check_host("10.0.0.1").is_ok());
        Ok(())
    }
}
