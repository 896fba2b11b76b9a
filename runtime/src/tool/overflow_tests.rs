use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::tool::test_support::{Bench, Plain, TestResult};

const LIMIT: usize = 2_000;

/// Takes out the word `secret`, wherever the pieces end.
#[derive(Default)]
struct NoSecrets(String);

impl Redaction for NoSecrets {
    fn push(&mut self, text: &str) -> String {
        self.0 = (std::mem::take(&mut self.0) + text).replace("secret", "******");
        let behind = self.0.split_off(self.0.len().saturating_sub("secre".len()));
        std::mem::replace(&mut self.0, behind)
    }

    fn finish(self) -> String {
        self.0
    }
}

struct Broken;

impl Redaction for Broken {
    fn push(&mut self, _: &str) -> String {
        panic!("a redaction that fails");
    }

    fn finish(self) -> String {
        String::new()
    }
}

fn overflow(bench: &Bench) -> Result<Overflow, Box<dyn std::error::Error>> {
    Ok(Overflow::of(&bench.any_permit()?))
}

#[tokio::test]
async fn result_within_the_limit_is_shown_as_it_is() -> TestResult {
    let bench = Bench::new()?;
    let content = "x".repeat(LIMIT);
    let settled = overflow(&bench)?.settle(content.clone(), LIMIT, Plain).await;
    assert_eq!(settled, Settled { content, spilled: None });
    assert!(!bench.root.join(".countersign").exists());
    Ok(())
}

#[tokio::test]
async fn longer_result_is_shown_in_part_with_path_size_and_digest() -> TestResult {
    let bench = Bench::new()?;
    let content: String = (0..1_000).map(|line| format!("line {line}\n")).collect();
    let settled = overflow(&bench)?.settle(content.clone(), LIMIT, Plain).await;
    let digest = Digest::sha256(content.as_bytes());
    let expected = Spilled {
        path: ".countersign/results/41.txt".to_owned(),
        len_bytes: content.len() as u64,
        lines: 1_000,
        digest,
    };
    assert_eq!(settled.spilled, Some(expected));
    assert!(settled.content.len() <= LIMIT && settled.content.starts_with("line 0\nline 1\n"));
    let end = format!(
        "line 998\nline 999\n[the whole result, {} bytes in 1000 lines, is in .countersign/results/41.txt (SHA-256 {digest})]",
        content.len()
    );
    assert!(settled.content.ends_with(&end), "{}", settled.content);
    assert_eq!(bench.content(".countersign/results/41.txt")?, content);
    let mode = std::fs::metadata(bench.root.join(".countersign/results/41.txt"))?
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    Ok(())
}

#[tokio::test]
async fn secrets_reach_neither_the_agent_nor_the_file() -> TestResult {
    let bench = Bench::new()?;
    for repeated in [1, 100_000] {
        let content = "a secret\n".repeat(repeated);
        let settled = overflow(&bench)?.settle(content, LIMIT, NoSecrets::default()).await;
        assert!(settled.content.starts_with("a ******\n") && !settled.content.contains("secret"));
        if let Some(spilled) = settled.spilled {
            assert!(bench.content(&spilled.path)? == "a ******\n".repeat(repeated));
        }
    }
    Ok(())
}

#[tokio::test]
async fn result_that_cannot_be_redacted_is_withheld() -> TestResult {
    let bench = Bench::new()?;
    for content in ["secret".to_owned(), "secret".repeat(10_000)] {
        let settled = overflow(&bench)?.settle(content, LIMIT, Broken).await;
        assert!(
            settled.content.starts_with("[the result is withheld"),
            "{}",
            settled.content
        );
        assert_eq!(settled.spilled, None);
    }
    Ok(())
}

#[tokio::test]
async fn hostile_folder_leaves_a_shortened_result_that_says_why() -> TestResult {
    let bench = Bench::new()?;
    std::fs::create_dir(bench.outside())?;
    symlink(bench.outside(), bench.root.join(".countersign"))?;
    let settled = overflow(&bench)?.settle("x\n".repeat(10_000), LIMIT, Plain).await;
    assert_eq!(settled.spilled, None);
    let end =
        "[20000 bytes in 10000 lines; the whole could not be kept: `.countersign` is a symbolic link or no folder]";
    assert!(settled.content.ends_with(end), "{}", settled.content);
    assert!(settled.content.len() <= LIMIT && settled.content.starts_with("x\n"));
    assert_eq!(std::fs::read_dir(bench.outside())?.count(), 0);
    Ok(())
}

#[tokio::test]
async fn folder_that_cannot_be_written_says_why() -> TestResult {
    let bench = Bench::new()?;
    std::fs::create_dir_all(bench.root.join(".countersign/results/41.txt"))?;
    std::fs::set_permissions(
        bench.root.join(".countersign/results"),
        std::fs::Permissions::from_mode(0o500),
    )?;
    if bench.put(".countersign/results/probe", "").is_ok() {
        return Ok(()); // A superuser may write anywhere.
    }
    let settled = overflow(&bench)?.settle("x".repeat(10_000), LIMIT, Plain).await;
    assert!(
        settled.content.contains("could not be kept: Permission denied"),
        "{}",
        settled.content
    );
    Ok(())
}

#[tokio::test]
async fn what_the_tool_put_aside_comes_first() -> TestResult {
    let bench = Bench::new()?;
    let permit = bench.any_permit()?;
    let overflow = Overflow::of(&permit);
    let call = permit.redeem("bash", countersign_schemas::number::Millis::clamped(1_000))?;
    let spool = SharedSpool::new(crate::tool::spool::Spool::new(ResultsFolder::of_call(&call)));
    spool.lock().push(b"aside, ");
    call.outlet().put(spool);
    assert_eq!(
        overflow.settle("returned".to_owned(), LIMIT, Plain).await.content,
        "aside, returned"
    );
    Ok(())
}
