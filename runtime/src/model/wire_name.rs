//! Ids of calls and names of tools as the providers take them: `^[a-zA-Z0-9_-]{1,64}$`.

use std::borrow::Cow;

use countersign_schemas::digest::Digest;

use super::call::CallId;

/// Longest id or name that both providers take.
const LEN_BYTES_MAX: usize = 64;

/// The id of a call. One that they do not take, such as one of another server, is named by its digest.
pub(super) fn wire_id(id: &CallId) -> Cow<'_, str> {
    let id = id.as_str();
    if is_wire_text(id) {
        return id.into();
    }
    let digest = Digest::sha256(id.as_bytes()).to_string();
    format!("call_{}", &digest[..32]).into()
}

/// The name of a tool as a model wrote it. It only reminds the model of that.
pub(super) fn wire_name(name: &str) -> Cow<'_, str> {
    if is_wire_text(name) {
        return name.into();
    }
    let name: String = name.chars().take(LEN_BYTES_MAX).map(wire_char).collect();
    if name.is_empty() { "_".into() } else { name.into() }
}

fn is_wire_text(text: &str) -> bool {
    (1..=LEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_wire)
}

fn wire_char(char: char) -> char {
    match u8::try_from(char) {
        Ok(byte) if is_wire(byte) => char,
        _ => '_',
    }
}

const fn is_wire(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_ids_become_ids_and_stay_apart() {
        let id = |text: &str| CallId::new(text).unwrap_or(CallId::numbered(0, 0));
        assert_eq!(wire_id(&id("toolu_01A-b")), "toolu_01A-b");
        let foreign = wire_id(&id("call.1:x")).into_owned();
        assert_eq!(foreign, wire_id(&id("call.1:x")));
        assert_ne!(foreign, wire_id(&id("call.1:y")));
        for text in ["call.1:x", &"x".repeat(65), &"x".repeat(128)] {
            let written = wire_id(&id(text)).into_owned();
            assert!(written.len() == 37 && is_wire_text(&written), "{written}");
        }
    }

    #[test]
    fn foreign_names_become_names() {
        for (name, written) in [
            ("bash", "bash"),
            ("mcp.files/read", "mcp_files_read"),
            ("gr\u{fc}n \u{1f980}", "gr_n__"),
            ("", "_"),
            (&"x".repeat(65), &"x".repeat(64)),
        ] {
            assert_eq!(wire_name(name), written);
        }
    }
}
