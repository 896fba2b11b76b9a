//! Paths as text: made absolute without looking at any disk (authority-v1 §7.4, §7.7).

/// Makes `path` absolute: joined to `workspace` unless it begins with `/`; empty and `.` segments dropped, `..` removing
/// the segment before it. No symbolic link is followed; the result has no trailing `/` except for the root itself.
#[must_use]
pub fn lexical_absolute(path: &str, workspace: &str) -> String {
    let base = if path.starts_with('/') { "" } else { workspace };
    let mut segments: Vec<&str> = Vec::new();
    for segment in base.split('/').chain(path.split('/')) {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    format!("/{}", segments.join("/"))
}

/// Whether `path` is `prefix` or lies below it; both absolute and without a trailing `/`, compared by whole segments.
#[must_use]
pub fn is_within(path: &str, prefix: &str) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'),
        None => false,
    }
}

/// The part of `path` behind `workspace` and one `/`; `""` for the workspace, the whole path when it lies outside.
pub(super) fn relative(path: &str, workspace: &str) -> String {
    if !is_within(path, workspace) {
        return path.to_owned();
    }
    let rest = &path[workspace.len()..];
    rest.strip_prefix('/').unwrap_or(rest).to_owned()
}

/// Names that hold keys or credentials, or steer programs, wherever they stand in a path.
const SECRET_NAMES: [&str; 16] = [
    ".env",
    ".git",
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".bashrc",
    ".bash_profile",
    ".profile",
    ".zshrc",
    ".gitconfig",
];
const SECRET_PREFIXES: [&str; 5] = [".env.", "id_rsa", "id_ed25519", "id_ecdsa", "id_dsa"];
const SECRET_SUFFIXES: [&str; 5] = [".pem", ".key", ".p12", ".pfx", ".age"];

/// Whether one path segment is a v1 secret name; ASCII letters are compared without case.
#[must_use]
pub fn is_secret_name(segment: &str) -> bool {
    let name = segment.to_ascii_lowercase();
    SECRET_NAMES.contains(&name.as_str())
        || SECRET_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || SECRET_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// Whether any segment of `path` is a v1 secret name.
#[must_use]
pub fn is_secret_path(path: &str) -> bool {
    path.split('/').any(is_secret_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_absolute_without_a_disk() {
        for (path, workspace, absolute) in [
            ("src/add.sh", "/w", "/w/src/add.sh"),
            ("./src//add.sh", "/w", "/w/src/add.sh"),
            ("", "/w", "/w"),
            (".", "/w/", "/w"),
            ("..", "/w", "/"),
            ("../../../etc/passwd", "/w", "/etc/passwd"),
            ("/etc/../w/./a/", "/w", "/w/a"),
            ("//etc", "/w", "/etc"),
            ("a", "/", "/a"),
            ("...", "/w", "/w/..."),
            ("a/..b", "/w", "/w/a/..b"),
        ] {
            assert_eq!(lexical_absolute(path, workspace), absolute, "{path} in {workspace}");
        }
    }

    #[test]
    fn a_prefix_ends_at_a_segment() {
        assert!(is_within("/w", "/w"));
        assert!(is_within("/w/a", "/w"));
        assert!(is_within("/w/a", "/"));
        assert!(!is_within("/work", "/w"));
        assert!(!is_within("/", "/w"));
        assert!(!is_within("/v/w", "/w"));
    }

    #[test]
    fn relative_is_the_rest_behind_the_workspace() {
        assert_eq!(relative("/w/a/b", "/w"), "a/b");
        assert_eq!(relative("/w", "/w"), "");
        assert_eq!(relative("/work", "/w"), "/work");
        assert_eq!(relative("/a", "/"), "a");
    }

    #[test]
    fn secret_names_are_found_anywhere_and_in_any_case() {
        for path in [
            "/w/.env",
            "/w/.ENV.local",
            "/w/.git/config",
            "/h/.ssh/known_hosts",
            "/w/Server.PEM",
            "/w/id_rsa.pub",
        ] {
            assert!(is_secret_path(path), "{path}");
        }
        for path in [
            "/w/env",
            "/w/.environment",
            "/w/git/config",
            "/w/key",
            "/w/keys.txt",
            "/w/.github/x",
            "/",
        ] {
            assert!(!is_secret_path(path), "{path}");
        }
    }
}
