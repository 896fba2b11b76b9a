//! Web addresses in the one form that is projected (authority-v1 §7.10).
//!
//! An address that two programs could read differently is refused rather than normalised: what policy judged is what is
//! fetched, byte for byte.

use countersign_identity::grant::HostScope;
use thiserror::Error;

/// Longest web address, in bytes.
pub const URL_BYTES_MAX: usize = 2_048;

/// Visible ASCII that does not stand in a web address: quotes and brackets of the texts around it, and what readers turn
/// into something else. `#` would begin a fragment, which no server ever sees.
const REFUSED: &[u8] = b"\"#<>\\^`{|}";

/// A web address in its one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    text: String,
    scheme: Scheme,
    host: String,
    port: u16,
    path: String,
}

/// How a web address is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The word before `://`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port of an address that names none.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Why a text is no web address of the one form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Longer than [`URL_BYTES_MAX`].
    #[error("the address has {0} bytes, at most {URL_BYTES_MAX} are taken")]
    TooLong(usize),
    /// Another beginning than `http://` or `https://`, in lower case.
    #[error("the address does not begin with http:// or https://")]
    Scheme,
    /// No host name in lower case and no IPv4 address; a user or an IPv6 address too.
    #[error("{0:?} is no host name in lower case and no IPv4 address")]
    Host(String),
    /// No number from 1 to 65535, or one with a leading zero.
    #[error("{0:?} is no port from 1 to 65535")]
    Port(String),
    /// A character behind the host that does not stand in an address.
    #[error("{0:?} does not stand in an address")]
    Character(char),
    /// A path that could be read as another one.
    #[error("the path holds a . or .. segment, or an encoded dot")]
    DotSegment,
}

impl Url {
    /// Reads a web address.
    ///
    /// # Errors
    /// [`UrlError`], the first check that fails.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > URL_BYTES_MAX {
            return Err(UrlError::TooLong(text.len()));
        }
        let (scheme, rest) = cut_scheme(text).ok_or(UrlError::Scheme)?;
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, parse_port(port)?),
            None => (authority, scheme.default_port()),
        };
        if !is_host(host) {
            return Err(UrlError::Host(host.to_owned()));
        }
        if let Some(refused) = tail.chars().find(|character| !is_taken(*character)) {
            return Err(UrlError::Character(refused));
        }
        let path = tail.split('?').next().filter(|path| !path.is_empty()).unwrap_or("/");
        if has_dot_segment(path) {
            return Err(UrlError::DotSegment);
        }
        Ok(Self {
            text: text.to_owned(),
            scheme,
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        })
    }

    /// The whole address as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Its host, a name in lower case or an IPv4 address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port, that of the scheme where it names none.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its path without the query, `/` where it has none.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

fn cut_scheme(text: &str) -> Option<(Scheme, &str)> {
    [Scheme::Http, Scheme::Https].into_iter().find_map(|scheme| {
        let rest = text.strip_prefix(scheme.as_str())?.strip_prefix("://")?;
        Some((scheme, rest))
    })
}

fn parse_port(digits: &str) -> Result<u16, UrlError> {
    // `parse` alone would take a sign.
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    let port = digits.parse().ok().filter(|_| is_plain);
    port.ok_or_else(|| UrlError::Port(digits.to_owned()))
}

/// The hosts that a grant can name one by one.
fn is_host(host: &str) -> bool {
    HostScope::new(host).is_ok_and(|scope| !scope.is_every_host())
}

fn is_taken(character: char) -> bool {
    character.is_ascii_graphic() && !REFUSED.contains(&(character as u8))
}

/// Whether a server could climb out of what the path seems to say: it may decode a separator before it looks for dots.
fn has_dot_segment(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let separated = lower.replace("%2f", "/").replace("%5c", "/");
    lower.contains("%2e") || separated.split('/').any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), UrlError>;

    #[test]
    fn an_address_is_taken_apart_and_kept_whole() -> Outcome {
        for (text, scheme, host, port, path) in [
            ("https://example.com", Scheme::Https, "example.com", 443, "/"),
            ("http://example.com/", Scheme::Http, "example.com", 80, "/"),
            (
                "https://a.example.com:8443/x",
                Scheme::Https,
                "a.example.com",
                8443,
                "/x",
            ),
            ("http://127.0.0.1:1?q=/../x", Scheme::Http, "127.0.0.1", 1, "/"),
            (
                "https://h/a//b/.well-known/..b/%20?x=.&y=[1]",
                Scheme::Https,
                "h",
                443,
                "/a//b/.well-known/..b/%20",
            ),
            ("https://h:65535/?", Scheme::Https, "h", 65535, "/"),
        ] {
            let url = Url::parse(text)?;
            let parts = (url.scheme(), url.host(), url.port(), url.path());
            assert_eq!((url.as_str(), parts), (text, (scheme, host, port, path)));
        }
        Ok(())
    }

    #[test]
    fn only_the_web_is_an_address() {
        for text in [
            "",
            "example.com",
            "HTTP://h/",
            "ftp://h/",
            "file:///etc/passwd",
            "https:/h",
            " https://h",
            "//h/",
        ] {
            assert_eq!(Url::parse(text), Err(UrlError::Scheme), "{text}");
        }
    }

    #[test]
    fn a_host_is_what_a_grant_could_name() {
        for host in [
            "",
            "*",
            "H.example",
            "a..b",
            "h.",
            "-a",
            "a_b",
            "m\u{fc}nchen.de",
            "1.2.3",
            "1.2.3.04",
            "0x7f.1",
            "u@h",
            "u%40h",
            "h h",
            "h#f",
            "h\\x",
            "127.1",
        ] {
            let refused = Url::parse(&format!("http://{host}/"));
            assert_eq!(refused, Err(UrlError::Host(host.to_owned())), "{host}");
        }
        assert!(Url::parse("http://[::1]/").is_err() && Url::parse("http://u:p@h/").is_err());
    }

    #[test]
    fn a_port_is_a_plain_number() {
        for port in ["", "0", "080", "65536", "+80", "-1", "8o", "80:80", "99999999999"] {
            let refused = Url::parse(&format!("http://h:{port}/"));
            assert_eq!(refused, Err(UrlError::Port(port.to_owned())), "{port}");
        }
    }

    #[test]
    fn characters_that_mean_something_elsewhere_are_refused() {
        for refused in "\"#<>\\^`{|} \t\n\r\0\u{7f}\u{e9}\u{202e}".chars() {
            for text in [format!("https://h/a{refused}b"), format!("https://h/?a{refused}b")] {
                assert_eq!(Url::parse(&text), Err(UrlError::Character(refused)), "{text:?}");
            }
        }
    }

    #[test]
    fn a_path_that_could_be_read_as_another_is_refused() {
        for path in [
            ".",
            "..",
            "a/.",
            "a/..",
            "a/../b",
            "./a",
            "a/./b",
            "%2e",
            "a/%2E%2e/b",
            "a/.%2e",
            "a%2eb",
            "a/..%2fb",
            "a%2F..",
            "a%5c..%5Cb",
        ] {
            assert_eq!(
                Url::parse(&format!("https://h/{path}")),
                Err(UrlError::DotSegment),
                "{path}"
            );
        }
        assert!(Url::parse("https://h/...").is_ok() && Url::parse("https://h/?%2e%2e/..").is_ok());
    }

    #[test]
    fn an_address_has_an_end() {
        let long = |len: usize| format!("https://h/{}", "x".repeat(len - 10));
        assert!(Url::parse(&long(URL_BYTES_MAX)).is_ok());
        assert_eq!(
            Url::parse(&long(URL_BYTES_MAX + 1)),
            Err(UrlError::TooLong(URL_BYTES_MAX + 1))
        );
    }
}
