//! The text of a layer policy by policy, as somebody wrote it: what Cedar does not keep once it has parsed it.

use super::bounds::end_of_token;

/// One policy with its annotations, from its first word to its `;`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PolicySource<'t> {
    /// The line it begins on, from 1.
    pub(super) line: usize,
    /// The column it begins at in characters, from 1.
    pub(super) column: usize,
    pub(super) text: &'t str,
}

/// The policies of `text` in their order: the one at N is `policyN` for Cedar. What follows the last `;` is none.
pub(super) fn policies(text: &str) -> Vec<PolicySource<'_>> {
    let mut found = Vec::new();
    let mut start = None;
    for token in tokens(text) {
        let start_here = *start.get_or_insert(token.at);
        if token.text == ";" {
            let (line, column) = place(text, start_here);
            found.push(PolicySource {
                line,
                column,
                text: text.get(start_here..=token.at).unwrap_or_default(),
            });
            start = None;
        }
    }
    found
}

impl<'t> PolicySource<'t> {
    /// Whether it names a slot (`?principal`, `?resource`), so that it is a template.
    pub(super) fn holds_slot(&self) -> bool {
        tokens(self.text).any(|token| token.text == "?")
    }

    /// The value of annotation `name` as it is written, with its quotes, and the line it begins on.
    pub(super) fn annotation(&self, name: &str) -> Option<(usize, &'t str)> {
        let tokens: Vec<Token<'t>> = tokens(self.text).collect();
        let value = tokens.windows(4).find_map(|window| match window {
            [at, named, open, value] if at.text == "@" && named.text == name && open.text == "(" => Some(*value),
            _ => None,
        })?;
        let (line, _) = place(self.text, value.at);
        Some((self.line + line - 1, value.text))
    }
}

/// Line and column, both from 1, of byte `offset` of `text`; columns are counted in characters.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or("");
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

#[derive(Debug, Clone, Copy)]
struct Token<'t> {
    at: usize,
    text: &'t str,
}

/// Everything but white space and comments.
fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        while next < text.len() {
            let at = next;
            next = end_of_token(text.as_bytes(), at);
            // A character of several bytes stands in strings and comments only, or in what Cedar refuses.
            let token = text.get(at..next).unwrap_or_default();
            if !token.trim().is_empty() && !token.starts_with("//") {
                return Some(Token { at, text: token });
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"// A comment; with a semicolon.
@id("a")
@reason("no; never") // why
permit (principal, action, resource);

/* not Cedar */ forbid(principal, action, resource) when { "ü;" == "@matches(" };
  @matches("
    read a
  ") @id("c") permit(principal, action, resource);
// the end"#;

    #[test]
    fn policies_are_told_apart_by_semicolons_outside_strings_and_comments() {
        let found = policies(TEXT);
        let places: Vec<(usize, usize)> = found.iter().map(|policy| (policy.line, policy.column)).collect();
        assert_eq!(places, [(2, 1), (6, 1), (7, 3)]);
        assert!(found[0].text.starts_with("@id(\"a\")") && found[0].text.ends_with("resource);"));
        assert!(found[2].text.ends_with("resource);"));
    }

    #[test]
    fn annotations_are_found_as_they_are_written_and_in_no_string() {
        let found = policies(TEXT);
        assert_eq!(found[0].annotation("reason"), Some((3, "\"no; never\"")));
        assert_eq!(found[1].annotation("matches"), None);
        assert_eq!(found[2].annotation("matches"), Some((7, "\"\n    read a\n  \"")));
        assert_eq!(found[2].annotation("id"), Some((9, "\"c\"")));
    }

    #[test]
    fn what_no_semicolon_ends_is_no_policy() {
        assert_eq!(policies("permit (principal, action, resource)"), []);
        assert_eq!(policies("\"open ;"), []);
        assert_eq!(policies(""), []);
    }
}
