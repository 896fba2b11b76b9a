//! Where a provider is: the part of its URLs that all calls share.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use thiserror::Error;

/// `http` or `https`, a host, perhaps a port and a path; no user, no query, no fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Reads a base URL.
    ///
    /// # Errors
    /// [`BaseUrlError`]. It never repeats the text, in which a password may stand.
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let url = Url::parse(text).map_err(|error| BaseUrlError::NotAUrl(error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BaseUrlError::UserInfo);
        }
        if !["http", "https"].contains(&url.scheme()) {
            return Err(BaseUrlError::Scheme);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BaseUrlError::QueryOrFragment);
        }
        Ok(Self(url))
    }

    /// The URL of `path`, which begins with a slash, below this one.
    #[must_use]
    pub fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        url
    }

    /// This URL if it ends in `/v1`, otherwise with `/v1` added: Anthropic's base URLs are written both ways.
    #[must_use]
    pub fn with_version(self) -> Self {
        if self.0.path().trim_end_matches('/').ends_with("/v1") {
            return self;
        }
        Self(self.join("/v1"))
    }

    /// The host, as it is written in a URL.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether everything between here and the host is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether the host is this machine by its address or as `localhost` (RFC 6761 §6.3). No name is looked up.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// Why a text is no base URL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BaseUrlError {
    /// Not a URL at all.
    #[error("it is not a URL: {0}")]
    NotAUrl(String),
    /// Something like `https://user:password@host`.
    #[error("a user name or password does not belong in a URL: it would end up in logs; use the variable of the key")]
    UserInfo,
    /// Something other than HTTP.
    #[error("it does not begin with http:// or https://")]
    Scheme,
    /// Something behind `?` or `#`.
    #[error("it has a query or a fragment")]
    QueryOrFragment,
}

#[cfg(test)]
mod tests {
    use super::*;

    type TestResult = Result<(), BaseUrlError>;

    #[test]
    fn paths_are_joined_with_one_slash() -> TestResult {
        for (base, expected) in [
            ("https://api.openai.com/v1", "https://api.openai.com/v1/responses"),
            ("https://api.openai.com/v1/", "https://api.openai.com/v1/responses"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/responses"),
        ] {
            assert_eq!(BaseUrl::parse(base)?.join("/responses").as_str(), expected);
        }
        Ok(())
    }

    #[test]
    fn version_is_added_once() -> TestResult {
        for base in ["https://h/proxy", "https://h/proxy/v1", "https://h/proxy/v1/"] {
            let url = BaseUrl::parse(base)?.with_version().join("/messages");
            assert_eq!(url.as_str(), "https://h/proxy/v1/messages");
        }
        let url = BaseUrl::parse("https://api.anthropic.com")?
            .with_version()
            .join("/messages");
        assert_eq!(url.as_str(), "https://api.anthropic.com/v1/messages");
        Ok(())
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for (text, expected) in [
            ("https://user@host/", BaseUrlError::UserInfo),
            ("https://:secret@host/", BaseUrlError::UserInfo),
            ("ftp://user:secret@host/", BaseUrlError::UserInfo),
            ("ftp://host/", BaseUrlError::Scheme),
            ("file:///etc/passwd", BaseUrlError::Scheme),
            ("localhost:11434", BaseUrlError::Scheme),
            ("https://host/?key=1", BaseUrlError::QueryOrFragment),
            ("https://host/#m", BaseUrlError::QueryOrFragment),
        ] {
            assert_eq!(BaseUrl::parse(text), Err(expected), "{text}");
        }
        for text in ["", "host", "/v1", "https://", "http://[::1", "https://user:secret@"] {
            let refused = BaseUrl::parse(text);
            assert!(matches!(refused, Err(BaseUrlError::NotAUrl(_))), "{text}: {refused:?}");
            assert!(!format!("{refused:?}").contains("secret"));
        }
    }

    #[test]
    fn loopback_is_told_by_address_however_it_is_written() -> TestResult {
        for text in [
            "http://localhost:1/",
            "http://LOCALHOST/",
            "http://127.0.0.1/",
            "http://127.9.9.9/",
            "http://0x7f000001/",
            "http://127.1/",
            "http://[::1]:80/",
            "http://[::ffff:127.0.0.1]/",
        ] {
            assert!(BaseUrl::parse(text)?.is_loopback(), "{text}");
        }
        Ok(())
    }

    #[test]
    fn nothing_else_is_loopback() -> TestResult {
        for text in [
            "http://localhost.example.com/",
            "http://127.0.0.1.example.com/",
            "http://notlocalhost/",
            "http://128.0.0.1/",
            "http://0.0.0.0/",
            "http://[::2]/",
            "http://10.0.0.1/",
        ] {
            assert!(!BaseUrl::parse(text)?.is_loopback(), "{text}");
        }
        Ok(())
    }
}
