//! What was asked, kept for the tests to look at.

use super::fault::Fault;
use super::http::Request;
use super::wire::{Usage, Wire};

/// One request and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The status it was answered with.
    pub(crate) status: u16,
    /// Why it was refused, where the request is to blame.
    pub(crate) problem: Option<String>,
    /// What went wrong with it.
    pub(crate) fault: Option<Fault>,
    /// Who asked, where that could be told.
    pub(crate) asked: Option<Asked>,
    /// The tokens that were told, where an answer was sent to its end.
    pub(crate) usage: Option<Usage>,
}

/// Which question of which conversation it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) agent: String,
    /// The turn of the script that is the answer.
    pub(crate) turn: usize,
    /// How many answers the conversation has already.
    pub(crate) depth: usize,
    opening: String,
    list_begins: usize,
}

impl Recorded {
    pub(super) fn new(request: Request) -> Self {
        let Request {
            method,
            path,
            headers,
            body,
        } = request;
        Self {
            method,
            path,
            headers,
            body,
            status: 0,
            problem: None,
            fault: None,
            asked: None,
            usage: None,
        }
    }

    /// The first header of a name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Asked {
    pub(super) fn new(agent: &str, turn: usize, depth: usize, opening: &str, wire: Wire, body: &[u8]) -> Self {
        Self {
            agent: agent.to_owned(),
            turn,
            depth,
            opening: opening.to_owned(),
            list_begins: last_element(body, wire.list_name()).unwrap_or(0),
        }
    }
}

/// Fails unless every request up to its last message begins the next one of its conversation byte for byte, and a
/// repeated one is the same. Gives how many pairs were compared.
pub(crate) fn check_prefixes(requests: &[Recorded]) -> Result<usize, String> {
    let mut pairs = 0;
    for (number, request) in requests.iter().enumerate() {
        let Some(asked) = &request.asked else { continue };
        let is_next = |later: &&Recorded| later.asked.as_ref().is_some_and(|next| next.opening == asked.opening);
        let Some(next) = requests[number + 1..].iter().find(is_next) else {
            continue;
        };
        let is_repeated = next.asked.as_ref().is_some_and(|next| next.depth == asked.depth);
        let kept = if is_repeated {
            request.body.len()
        } else {
            asked.list_begins
        };
        let common = request
            .body
            .iter()
            .zip(&next.body)
            .take_while(|(one, other)| one == other);
        let common = common.count();
        if kept == 0 || common < kept || (is_repeated && request.body != next.body) {
            let around = |body: &[u8]| {
                let part = &body[common.saturating_sub(60).min(body.len())..(common + 60).min(body.len())];
                String::from_utf8_lossy(part).into_owned()
            };
            return Err(format!(
                "request {number} of {} is no prefix of the next: they part at byte {common} of {kept}:\n…{}…\n…{}…",
                asked.agent,
                around(&request.body),
                around(&next.body)
            ));
        }
        pairs += 1;
    }
    Ok(pairs)
}

/// Where the last element of the array `list` of a JSON object begins.
fn last_element(body: &[u8], list: &str) -> Option<usize> {
    let key = format!("\"{list}\":");
    let (mut depth, mut in_list, mut last) = (0_u32, false, None);
    let mut at = 0;
    let mut is_new = false;
    while at < body.len() {
        let byte = body[at];
        if is_new && !byte.is_ascii_whitespace() && byte != b']' {
            last = Some(at);
            is_new = false;
        }
        match byte {
            b'"' => {
                if depth == 1 && body[at..].starts_with(key.as_bytes()) {
                    in_list = true;
                }
                at = string_end(body, at)?;
            }
            b'{' | b'[' => {
                depth += 1;
                is_new = in_list && depth == 2;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if in_list && depth == 1 {
                    return last;
                }
            }
            b',' => is_new = in_list && depth == 2,
            _ => {}
        }
        at += 1;
    }
    None
}

/// The closing quote of the string that begins at `at`.
fn string_end(body: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += 1;
        match body.get(at)? {
            b'\\' => at += 1,
            b'"' => return Some(at),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(body: &str, depth: usize) -> Recorded {
        let asked = Asked::new("lead", depth, depth, "do it", Wire::Messages, body.as_bytes());
        let request = Request {
            method: "POST".to_owned(),
            path: "/v1/messages".to_owned(),
            headers: Vec::new(),
            body: body.as_bytes().to_owned(),
        };
        Recorded {
            asked: Some(asked),
            ..Recorded::new(request)
        }
    }

    #[test]
    fn last_message_is_found_behind_anything() {
        let body = br#"{"a":{"messages":[1]},"s":"\"messages\":[","messages":[{"x":"]"}, [1,2] , "z,[" ],"b":[3]}"#;
        let at = last_element(body, "messages");
        assert_eq!(at.map(|at| &body[at..at + 5]), Some(&b"\"z,[\""[..]));
        assert_eq!(last_element(br#"{"messages":[]}"#, "messages"), None);
        assert_eq!(last_element(br#"{"messages":[1"#, "messages"), None);
        assert_eq!(last_element(br#"{"input":[1]}"#, "messages"), None);
    }

    #[test]
    fn changed_prefixes_and_changed_repetitions_are_found() {
        let first = recorded(r#"{"system":"s","messages":[{"a":1}]}"#, 0);
        let second = recorded(r#"{"system":"s","messages":[{"a":1,"c":0},{"b":2}]}"#, 1);
        let third = recorded(r#"{"system":"s","messages":[{"a":1,"c":0},{"b":3},{"d":4}]}"#, 2);
        assert_eq!(check_prefixes(&[first.clone(), second.clone(), third]), Ok(2));
        assert_eq!(check_prefixes(&[first.clone(), first.clone(), second.clone()]), Ok(2));
        let other_system = recorded(r#"{"system":"t","messages":[{"a":1},{"b":2}]}"#, 1);
        assert!(check_prefixes(&[first.clone(), other_system]).is_err());
        let changed = recorded(r#"{"system":"s","messages":[{"a":2}]}"#, 0);
        assert!(check_prefixes(&[first, changed]).is_err());
        let changed = recorded(r#"{"system":"s","messages":[{"a":1,"c":9},{"b":2},{"d":4}]}"#, 2);
        assert!(check_prefixes(&[second, changed]).is_err());
    }
}
