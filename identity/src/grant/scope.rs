//! Places that a grant names: absolute paths and hosts, compared at segment boundaries (identity-v1 §8.2).

use std::net::Ipv4Addr;

use crate::text::{self, TextProblem};

/// Longest path in a grant, in bytes.
pub const PATH_LEN_MAX: usize = 1024;

/// Longest host name, in bytes (RFC 1035 §2.3.4).
pub const HOST_LEN_MAX: usize = 253;

/// Longest label of a host name, in bytes (RFC 1035 §2.3.4).
const LABEL_LEN_MAX: usize = 63;

/// An absolute path in normal form: `/`, or `/` before every segment, none of which is empty, `.` or `..`.
///
/// Only text is compared: no symbolic link is followed and no case is folded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbsolutePath(String);

impl AbsolutePath {
    /// Checks and takes a path of at most [`PATH_LEN_MAX`] bytes without control characters.
    ///
    /// # Errors
    /// [`TextProblem`], one variant a check.
    pub fn new(path: impl Into<String>) -> Result<Self, TextProblem> {
        let path = path.into();
        text::check(&path, PATH_LEN_MAX)?;
        if is_normal(&path) {
            Ok(Self(path))
        } else {
            Err(TextProblem::Path)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `path`, which must be in normal form, is this place or lies below it.
    #[must_use]
    pub fn contains(&self, path: &str) -> bool {
        match path.strip_prefix(&self.0) {
            Some(rest) => self.0 == "/" || rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }
}

/// Whether `path` is absolute and has no empty, `.` or `..` segment.
pub(super) fn is_normal(path: &str) -> bool {
    match path.strip_prefix('/') {
        Some("") => true,
        Some(rest) => rest.split('/').all(|segment| !matches!(segment, "" | "." | "..")),
        None => false,
    }
}

/// Hosts that a grant names: every host, one name with all names below it, or one IPv4 address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostScope(String);

/// The text of the scope that contains every host.
const EVERY_HOST: &str = "*";

impl HostScope {
    /// Checks and takes `*`, a host name in lower case, or an IPv4 address in dotted decimal form.
    ///
    /// # Errors
    /// [`TextProblem::Host`].
    pub fn new(host: impl Into<String>) -> Result<Self, TextProblem> {
        let host = host.into();
        if host == EVERY_HOST || is_host(&host) {
            Ok(Self(host))
        } else {
            Err(TextProblem::Host)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the scope of every host.
    #[must_use]
    pub fn is_every_host(&self) -> bool {
        self.0 == EVERY_HOST
    }

    /// Whether `host`, which must be well-formed, is this host or, for a name, a name below it.
    #[must_use]
    pub fn contains(&self, host: &str) -> bool {
        if self.is_every_host() || self.0 == host {
            return true;
        }
        // An address never lies below a name: its last label is a number, which no name ends with.
        host.strip_suffix(&self.0).is_some_and(|below| below.ends_with('.'))
    }
}

/// Whether `host` is a host name in lower case or an IPv4 address.
pub(super) fn is_host(host: &str) -> bool {
    if host.is_empty() || host.len() > HOST_LEN_MAX {
        return false;
    }
    let last_is_number = host
        .rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    if last_is_number {
        host.parse::<Ipv4Addr>().is_ok()
    } else {
        host.split('.').all(is_label)
    }
}

fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LABEL_LEN_MAX).contains(&label.len())
        && label.bytes().all(allowed)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_contains_itself_and_what_lies_below_at_a_segment_boundary() -> Result<(), TextProblem> {
        let place = AbsolutePath::new("/w/src")?;
        assert!(place.contains("/w/src") && place.contains("/w/src/a") && place.contains("/w/src/a/b"));
        assert!(
            !place.contains("/w/srcx") && !place.contains("/w") && !place.contains("/") && !place.contains("w/src")
        );
        let root = AbsolutePath::new("/")?;
        assert!(root.contains("/") && root.contains("/w") && !root.contains("w"));
        Ok(())
    }

    #[test]
    fn paths_that_are_not_in_normal_form_are_refused() {
        for path in [
            "", "w", "./w", "~/w", "/w/", "//", "//w", "/w//x", "/w/./x", "/w/.", "/w/../x", "/..", "C:\\w",
        ] {
            assert_eq!(AbsolutePath::new(path), Err(TextProblem::Path), "{path}");
        }
        for path in ["/a\nb", "/a\0", "/a\u{202e}b", "/\u{1b}[2J"] {
            assert!(
                matches!(AbsolutePath::new(path), Err(TextProblem::Character { .. })),
                "{path:?}"
            );
        }
        let long = format!("/{}", "x".repeat(PATH_LEN_MAX));
        assert!(matches!(AbsolutePath::new(long), Err(TextProblem::Length { .. })));
        assert!(AbsolutePath::new("/…/.hidden/...").is_ok());
    }

    #[test]
    fn a_host_contains_itself_and_names_below_it_at_a_label_boundary() -> Result<(), TextProblem> {
        let scope = HostScope::new("example.com")?;
        assert!(scope.contains("example.com") && scope.contains("api.example.com"));
        assert!(!scope.contains("badexample.com") && !scope.contains("com") && !scope.contains("example.com.evil.org"));
        assert!(HostScope::new("*")?.contains("example.com") && HostScope::new("*")?.contains("10.0.0.1"));
        let address = HostScope::new("10.0.0.1")?;
        assert!(address.contains("10.0.0.1") && !address.contains("10.0.0.11") && !address.contains("110.0.0.1"));
        Ok(())
    }

    #[test]
    fn what_is_not_a_plain_host_is_refused() {
        for host in [
            "",
            ".",
            "example.com.",
            ".example.com",
            "a..b",
            "Example.com",
            "*.example.com",
            "exa mple",
            "-a.com",
            "a-.com",
            "example.com:443",
            "http://x",
            "[::1]",
            "::1",
            "0.0.1",
            "1",
            "256.0.0.1",
            "01.2.3.4",
            "a.1",
            "münchen.de",
            "a_b",
        ] {
            assert_eq!(HostScope::new(host), Err(TextProblem::Host), "{host}");
        }
        assert!(HostScope::new(format!("{}.com", "a".repeat(64))).is_err());
        assert!(HostScope::new(format!("{}com", "a.".repeat(126))).is_err());
    }
}
