//! What an answer holds: which types are text, and how bytes become text.

use std::borrow::Cow;

/// Longest type that is looked at; what IANA registers is far shorter.
const TYPE_LEN_BYTES_MAX: usize = 64;

/// Types outside `text/` that are text all the same.
const TEXTS: [&str; 10] = [
    "application/ecmascript",
    "application/javascript",
    "application/json",
    "application/toml",
    "application/x-javascript",
    "application/x-ndjson",
    "application/x-sh",
    "application/x-yaml",
    "application/xml",
    "application/yaml",
];

/// How an answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Html,
    Text,
    /// No type was given: text if it is UTF-8.
    Unknown,
    Binary,
}

/// `Content-Type` (RFC 9110 §8.3), in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ContentType {
    /// Type and subtype; empty where there is none that could be read.
    essence: String,
    charset: Option<String>,
}

impl ContentType {
    /// Reads a header; one that cannot be read counts as absent.
    pub(super) fn parse(header: &str) -> Self {
        let mut pieces = header.split(';').map(str::trim);
        let essence = pieces.next().unwrap_or_default().to_ascii_lowercase();
        let is_type = essence.len() <= TYPE_LEN_BYTES_MAX
            && essence
                .split_once('/')
                .is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
        if !is_type {
            return Self::default();
        }
        let charset = pieces.find_map(|piece| {
            let (name, value) = piece.split_once('=')?;
            let value = value.trim().trim_matches('"').to_ascii_lowercase();
            (name.trim().eq_ignore_ascii_case("charset") && is_token(&value)).then_some(value)
        });
        Self { essence, charset }
    }

    pub(super) fn form(&self) -> Form {
        match self.essence.as_str() {
            "" => Form::Unknown,
            "text/html" | "application/xhtml+xml" => Form::Html,
            text if text.starts_with("text/") || TEXTS.contains(&text) => Form::Text,
            text if text.ends_with("+json") || text.ends_with("+xml") => Form::Text,
            _ => Form::Binary,
        }
    }

    /// The charset, if it is one that is not read as it should be.
    pub(super) fn foreign_charset(&self) -> Option<&str> {
        let charset = self.charset.as_deref()?;
        (!matches!(charset, "utf-8" | "utf8" | "us-ascii" | "ascii")).then_some(charset)
    }
}

impl std::fmt::Display for ContentType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.essence.is_empty() {
            "no type"
        } else {
            &self.essence
        })
    }
}

/// A token of RFC 9110 §5.6.2, not longer than a type.
fn is_token(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.len() <= TYPE_LEN_BYTES_MAX && text.bytes().all(is_allowed)
}

/// A text, and whether bytes in it had to be replaced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) is_lossy: bool,
}

/// Reads `body` as UTF-8. A character that a cut went through is left out. None if it holds zero bytes: then it is no
/// text, whatever its type says.
pub(super) fn decode(body: &[u8], is_cut: bool) -> Option<Decoded<'_>> {
    if body.contains(&0) {
        return None;
    }
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let body = match std::str::from_utf8(body) {
        // No `error_len` means that more bytes could have made a character of it.
        Err(error) if is_cut && error.error_len().is_none() => &body[..error.valid_up_to()],
        _ => body,
    };
    let text = String::from_utf8_lossy(body);
    Some(Decoded {
        is_lossy: matches!(text, Cow::Owned(_)),
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_in_any_case_with_their_charset() {
        let html = ContentType::parse("Text/HTML; x=y; Charset=\"ISO-8859-1\"");
        assert_eq!(
            (html.form(), html.foreign_charset(), html.to_string().as_str()),
            (Form::Html, Some("iso-8859-1"), "text/html")
        );
        for known in ["text/plain; charset=utf-8", "text/plain;charset=UTF8", "text/plain"] {
            assert_eq!(ContentType::parse(known).foreign_charset(), None, "{known}");
        }
    }

    #[test]
    fn only_text_is_text() {
        for (header, form) in [
            ("text/markdown", Form::Text),
            ("application/json", Form::Text),
            ("application/ld+json", Form::Text),
            ("image/svg+xml", Form::Text),
            ("application/xhtml+xml", Form::Html),
            ("image/png", Form::Binary),
            ("application/octet-stream", Form::Binary),
            ("application/pdf", Form::Binary),
            ("application/zip+text", Form::Binary),
            ("", Form::Unknown),
            ("text", Form::Unknown),
            ("text/", Form::Unknown),
            ("te xt/html", Form::Unknown),
            ("text/html\u{1b}[2J", Form::Unknown),
        ] {
            assert_eq!(ContentType::parse(header).form(), form, "{header}");
        }
        assert_eq!(
            ContentType::parse(&format!("text/{}", "x".repeat(99))).form(),
            Form::Unknown
        );
    }

    #[test]
    fn bytes_that_are_no_characters_are_said() {
        let decoded = |body, is_cut| decode(body, is_cut).map(|decoded| (decoded.text.into_owned(), decoded.is_lossy));
        assert_eq!(decoded(b"\xef\xbb\xbfa", false), Some(("a".to_owned(), false)));
        assert_eq!(decoded(b"caf\xe9!", true), Some(("caf\u{fffd}!".to_owned(), true)));
        assert_eq!(decoded(b"a\xe2\x82", true), Some(("a".to_owned(), false)));
        assert_eq!(decoded(b"a\xe2\x82", false), Some(("a\u{fffd}".to_owned(), true)));
        assert_eq!(decoded(b"a\0b", false), None);
    }
}
