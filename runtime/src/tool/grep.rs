//! `grep`: the lines that match a regular expression, by ripgrep's libraries.

use std::io::{self, Read};
use std::path::Path;

use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkMatch};

use super::cancel::Stop;
use super::error::ToolError;
use super::file_tool::FileCall;
use super::path::shown;
use super::preview::floor_boundary;
use super::{open, walk};

/// Most lines in one answer.
const LINES_MAX: usize = 500;

/// Longest part of a line that is shown.
const LINE_LEN_BYTES_MAX: usize = 500;

/// Longest line that can be searched.
const LINE_BUFFER_BYTES_MAX: usize = 4 << 20;

/// Largest compiled expression.
const REGEX_BYTES_MAX: usize = 4 << 20;

pub(super) fn grep(call: &FileCall) -> Result<String, ToolError> {
    let matcher = matcher(call.text("pattern")?)?;
    let walked = walk::files(call.permitted(), call.decided_path()?, &call.stop)?;
    let mut hits = Hits {
        lines: Vec::new(),
        path: String::new(),
    };
    let mut searcher = searcher();
    let mut skipped = 0;
    for path in &walked.files {
        call.stop.check()?;
        hits.path = shown(path, call.workspace());
        if search(call, &mut searcher, &matcher, path, &mut hits).is_err() {
            skipped += 1;
        }
        if hits.is_full() {
            break;
        }
    }
    // A file may have been left because the time was up, not because it could not be read.
    call.stop.check()?;
    Ok(report(hits, skipped, walked.notices()))
}

fn matcher(pattern: &str) -> Result<RegexMatcher, ToolError> {
    RegexMatcherBuilder::new()
        .line_terminator(Some(b'\n'))
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .build(pattern)
        .map_err(ToolError::Regex)
}

fn searcher() -> Searcher {
    SearcherBuilder::new()
        .line_number(true)
        .heap_limit(Some(LINE_BUFFER_BYTES_MAX))
        .binary_detection(BinaryDetection::quit(0))
        .build()
}

fn search(
    call: &FileCall,
    searcher: &mut Searcher,
    matcher: &RegexMatcher,
    path: &Path,
    hits: &mut Hits,
) -> Result<(), ToolError> {
    let stop = &call.stop;
    let file = open::regular_file(call.permitted(), path)?;
    let failed = |source| open::FileError::Io {
        path: path.to_owned(),
        source,
    };
    Ok(searcher
        .search_reader(matcher, Stoppable { file, stop }, hits)
        .map_err(failed)?)
}

fn report(hits: Hits, skipped: usize, notices: Vec<String>) -> String {
    let is_full = hits.is_full();
    let mut lines = hits.lines;
    lines.truncate(LINES_MAX);
    if lines.is_empty() {
        lines.push("[no line matches]".to_owned());
    }
    if is_full {
        lines.push(format!("[cut: there are more than {LINES_MAX} lines]"));
    }
    if skipped > 0 {
        lines.push(format!("[{skipped} files could not be searched]"));
    }
    lines.extend(notices);
    lines.join("\n")
}

/// Collects `path:line:text`, one line more than is shown, so that a full answer is known to be cut.
struct Hits {
    lines: Vec<String>,
    path: String,
}

impl Hits {
    fn is_full(&self) -> bool {
        self.lines.len() > LINES_MAX
    }
}

impl Sink for &mut Hits {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        let text = String::from_utf8_lossy(found.bytes());
        let text = shorten(text.trim_end_matches(['\n', '\r']));
        let number = found.line_number().unwrap_or_default();
        self.lines
            .push(format!("{}:{number}:{}", self.path, text.replace('\n', " ")));
        Ok(!self.is_full())
    }
}

/// The beginning of a line that is too long to show, and how long it is.
fn shorten(line: &str) -> String {
    if line.len() <= LINE_LEN_BYTES_MAX {
        return line.to_owned();
    }
    let shown = &line[..floor_boundary(line, LINE_LEN_BYTES_MAX)];
    format!("{shown} [the first {} of {} bytes are shown]", shown.len(), line.len())
}

/// A file that stops giving bytes when the call has to end.
struct Stoppable<'a> {
    file: std::fs::File,
    stop: &'a Stop,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stop.check().map_err(io::Error::other)?;
        self.file.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::tool::cancel::cancellation;
    use crate::tool::test_support::{Bench, LEAD, TestResult};
    use crate::tool::{FileError, GREP};

    async fn find(bench: &Bench, pattern: &str, path: &str) -> Result<String, Box<dyn std::error::Error>> {
        Ok(bench
            .call(&GREP, json!({"pattern": pattern, "path": path}))
            .await??
            .content)
    }

    #[tokio::test]
    async fn lines_come_in_order_with_path_and_number() -> TestResult {
        let bench = Bench::new()?;
        bench.put("b/x.sh", "one\ntwo\r\n")?;
        bench.put("a.sh", "no\n  two two\n")?;
        assert_eq!(find(&bench, "t.o", ".").await?, "a.sh:2:  two two\nb/x.sh:2:two");
        assert_eq!(find(&bench, "^two", "b").await?, "b/x.sh:2:two");
        assert_eq!(find(&bench, "one", "b/x.sh").await?, "b/x.sh:1:one");
        assert_eq!(find(&bench, "three", ".").await?, "[no line matches]");
        Ok(())
    }

    #[tokio::test]
    async fn broken_expressions_are_refused() -> TestResult {
        let bench = Bench::new()?;
        bench.put("a", "a\n")?;
        for pattern in ["(", "[a", "a{999999}{999999}", "a\nb", r"\xzz"] {
            let refused = bench.call(&GREP, json!({"pattern": pattern, "path": "."})).await?;
            assert!(matches!(refused, Err(ToolError::Regex(_))), "{pattern}: {refused:?}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn links_hidden_ignored_and_secret_files_are_not_searched() -> TestResult {
        let bench = Bench::new()?;
        bench.put("../outside/file", "needle")?;
        symlink(bench.outside().join("file"), bench.root.join("link"))?;
        symlink(bench.outside(), bench.root.join("folder"))?;
        for path in [".env", ".config/x", "server.key", "build/x"] {
            bench.put(path, "needle")?;
        }
        bench.put(".ignore", "build\n")?;
        let found = find(&bench, "needle", ".").await?;
        assert!(!found.contains("needle"), "{found}");
        Ok(())
    }

    #[tokio::test]
    async fn secret_file_is_searched_when_it_was_decided_by_name() -> TestResult {
        let bench = Bench::new()?;
        bench.put("server.key", "needle")?;
        assert_eq!(find(&bench, "needle", "server.key").await?, "server.key:1:needle");
        Ok(())
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_do_no_harm() -> TestResult {
        let bench = Bench::new()?;
        bench.put("latin1", b"caf\xe9 needle\n")?;
        bench.put("zero", b"\0\0needle\n")?;
        assert_eq!(find(&bench, "needle", ".").await?, "latin1:1:caf\u{fffd} needle");
        Ok(())
    }

    #[tokio::test]
    async fn many_hits_and_long_lines_are_cut() -> TestResult {
        let bench = Bench::new()?;
        bench.put("many", "x\n".repeat(LINES_MAX + 1))?;
        let found = find(&bench, "x", "many").await?;
        assert!(
            found.ends_with("many:500:x\n[cut: there are more than 500 lines]"),
            "{found}"
        );
        bench.put("exact", "y\n".repeat(LINES_MAX))?;
        assert!(find(&bench, "y", "exact").await?.ends_with("exact:500:y"));
        bench.put("long", "z".repeat(100_000))?;
        let found = find(&bench, "z", "long").await?;
        assert!(
            found.len() < 600 && found.ends_with("of 100000 bytes are shown]"),
            "{found}"
        );
        bench.put("wider", ["w".repeat(400), "\n".to_owned()].concat().repeat(400))?;
        let settled = bench.settled(&GREP, json!({"pattern": "w", "path": "wider"})).await?;
        assert!(settled.content.len() <= GREP.result_limit_bytes && settled.spilled.is_some());
        Ok(())
    }

    #[tokio::test]
    async fn line_beyond_the_buffer_is_reported_not_swallowed() -> TestResult {
        let bench = Bench::new()?;
        bench.put("endless", vec![b'x'; LINE_BUFFER_BYTES_MAX + 1])?;
        assert_eq!(
            find(&bench, "y", ".").await?,
            "[no line matches]\n[1 files could not be searched]"
        );
        Ok(())
    }

    #[tokio::test]
    async fn missing_and_swapped_paths_are_refused() -> TestResult {
        let bench = Bench::new()?;
        bench.put("a", "x")?;
        let refused = bench.call(&GREP, json!({"pattern": "x", "path": "gone"})).await?;
        assert!(
            matches!(refused, Err(ToolError::File(FileError::Io { .. }))),
            "{refused:?}"
        );
        let permit = bench.permit(LEAD, &GREP, &json!({"pattern": "root", "path": "a"}))?;
        std::fs::remove_file(bench.root.join("a"))?;
        symlink("/etc/passwd", bench.root.join("a"))?;
        assert!(matches!(
            bench.run("grep", permit).await,
            Err(ToolError::PathChanged { .. })
        ));
        Ok(())
    }

    #[test]
    fn search_ends_with_its_time() -> TestResult {
        let (_canceller, cancel) = cancellation();
        let stop = Stop::after(Duration::ZERO, cancel);
        let file = std::fs::File::open("/dev/zero")?;
        assert!(Stoppable { file, stop: &stop }.read(&mut [0; 8]).is_err());
        Ok(())
    }
}
