//! The kinds of secrets that are known by their form: one line each with its name, its grammar and its source.
//!
//! Lengths are lower bounds, mostly those of the shortest form in use: next year's longer key is still found. Of several
//! kinds that fit, the first gives the marker its name.

use super::class::{ALNUM, BASE64, DOTTED, LOWER, QUOTES, SEPARATORS, TOKEN, TOKEN68, UPPER, USERINFO, WORD};
use super::grammar::Cue::{Name, Text, Token};
use super::grammar::Look::{Any, Digit, Mixed, NoWord};
use super::grammar::Part::{Hide, KeyBody, KeyLabel, KeyOpening, One, Password, Rest, Run, Word};
use super::grammar::{Cue, Part, Pattern, longest};
use super::rules::CONTEXT_LEN;
use super::secret::SECRET_LEN_MAX;
use super::stream::HELD_BYTES_MAX;

/// Every kind, in the order in which they give names. `Token` stands alone, `Text` and `Name` anywhere; a part `Hide`
/// marks where the secret begins that the cue announces, and without it the cue is hidden too.
#[rustfmt::skip]
pub(super) const PATTERNS: &[Pattern] = &[
    of("anthropic key", Token(&["sk-ant-"]), &[Rest(TOKEN, 20, Digit)], "gitleaks: anthropic-api-key, anthropic-admin-api-key"),
    of("openai key", Token(&["sk-proj-", "sk-svcacct-", "sk-service-", "sk-admin-", "sk-None-"]), &[Rest(TOKEN, 20, Digit)], "gitleaks: openai-api-key; kingfisher pull requests 68 and 180; trivy issue 10794"),
    of("openrouter key", Token(&["sk-or-"]), &[Rest(TOKEN, 20, Digit)], "trivy issue 10794: `sk-or-v1-`"),
    of("openai key", Token(&["sk-"]), &[Rest(ALNUM, 20, Mixed)], "gitleaks: openai-api-key, first form; others use it too"),
    of("groq key", Token(&["gsk_"]), &[Rest(ALNUM, 40, Mixed)], "osv-scalibr issue 1914: 52 characters"),
    of("xai key", Token(&["xai-"]), &[Rest(ALNUM, 40, Mixed)], "epicenter issue 681; 80 characters in use"),
    of("perplexity key", Token(&["pplx-"]), &[Rest(ALNUM, 40, Any)], "gitleaks: perplexity-api-key"),
    of("hugging face token", Token(&["hf_"]), &[Rest(ALNUM, 30, Any)], "gitleaks: huggingface-access-token"),
    of("google key", Token(&["AIza"]), &[Rest(TOKEN, 35, Any)], "gitleaks: gcp-api-key"),
    of("google key", Token(&["AQ."]), &[Rest(TOKEN, 30, Mixed)], "AI.duino pull request 22, M5Gemini issue 15: 53 characters since 2026"),
    of("google client secret", Token(&["GOCSPX-"]), &[Rest(TOKEN, 20, Any)], "detect-secrets and trufflehog: GoogleOauth2; 28 characters"),
    of("aws access key id", Token(&["AKIA", "ASIA", "ABIA", "ACCA"]), &[Rest(UPPER, 16, Any)], "AWS IAM user guide, unique identifiers; gitleaks: aws-access-token"),
    of("aws secret key", Name(&["secret_access_key", "secretaccesskey", "secret-access-key", "aws_secret_key", "awssecretkey"]), &[Run(SEPARATORS, 1, 8), Hide, Rest(BASE64, 40, Mixed)], "detect-secrets: AWSKeyDetector; 40 characters of base64"),
    of("aws bedrock key", Token(&["ABSK"]), &[Rest(BASE64, 100, Mixed)], "gitleaks: aws-amazon-bedrock-api-key-long-lived"),
    of("github token", Token(&["ghp_", "gho_", "ghu_", "ghr_"]), &[Rest(WORD, 36, Any)], "GitHub changelog 2021-03-31, authentication token formats"),
    of("github token", Token(&["ghs_"]), &[Rest(DOTTED, 36, Any)], "GitHub changelog 2026-05-15: `ghs_` with a JSON Web Token"),
    of("github token", Token(&["github_pat_"]), &[Rest(WORD, 36, Any)], "gitleaks: github-fine-grained-pat; 82 characters"),
    of("gitlab token", Token(&["glpat-", "gldt-", "glft-", "glsoat-", "glrt-", "glcbt-", "glptt-", "glimt-", "glagent-", "gloas-", "glffct-"]), &[Rest(TOKEN, 20, Any)], "gitleaks: gitlab-pat and its neighbours"),
    of("slack token", Token(&["xox"]), &[Run(LOWER, 1, 1), One(&["-"]), Rest(TOKEN, 10, Digit)], "gitleaks: slack-bot-token and its neighbours"),
    of("slack token", Token(&["xapp-"]), &[Rest(TOKEN, 10, Digit)], "gitleaks: slack-app-token"),
    of("stripe key", Token(&["sk_live_", "rk_live_", "sk_test_", "rk_test_"]), &[Rest(ALNUM, 16, Any)], "docs.stripe.com/keys; GitLab issue 458019"),
    of("npm token", Token(&["npm_"]), &[Rest(ALNUM, 36, Any)], "GitHub blog 2021-09-23, npm's new access token format"),
    of("pypi token", Token(&["pypi-AgE"]), &[Rest(TOKEN, 50, Any)], "gitleaks: pypi-upload-token; a macaroon of version 2"),
    of("age key", Token(&["AGE-SECRET-KEY-1", "AGE-SECRET-KEY-PQ-1"]), &[Rest(UPPER, 50, Any)], "C2SP age.md and age 1.3: Bech32 in upper case"),
    of("private key", Text(&["-----BEGIN "]), &[KeyLabel, KeyOpening, KeyBody], "RFC 7468 §2, §10, §11; RFC 9580 §6.2; OpenSSH PROTOCOL.key"),
    of("countersign key", Name(&["ed25519", "mldsa44"]), &[Run(SEPARATORS, 3, 12), Hide, One(&["ugC", "umi"]), Rest(TOKEN, 40, Any)], "identity-v1 §10: a seed with its multicodec, as base64url"),
    of("json web token", Token(&["eyJ"]), &[Run(TOKEN, 10, 4_096), One(&["."]), Run(TOKEN, 2, 32_768), One(&["."]), Rest(TOKEN, 0, Any)], "RFC 7515 §3.1: base64url of `{\"`"),
    of("authorization header", Name(&["authorization"]), &[Run(QUOTES, 0, 4), One(&[":", "=", ","]), Run(QUOTES, 0, 6), Word(&["bearer", "basic", "token"]), Run(QUOTES, 1, 4), Hide, Rest(TOKEN68, 8, NoWord)], "RFC 9110 §11.6.2, RFC 6750 §2.1, RFC 7617 §2"),
    of("api key header", Name(&["api-key"]), &[Run(QUOTES, 0, 4), One(&[":", "=", ","]), Run(QUOTES, 0, 6), Hide, Rest(TOKEN68, 16, Mixed)], "`x-api-key` of Anthropic, `x-goog-api-key` of Google, `api-key` of Azure"),
    of("url password", Text(&["://", ":\\/\\/"]), &[Run(USERINFO, 0, 256), One(&[":"]), Hide, Password], "RFC 3986 §3.2.1"),
];

const fn of(name: &'static str, cue: Cue, parts: &'static [Part], source: &'static str) -> Pattern {
    Pattern {
        name,
        cue,
        parts,
        source,
    }
}

/// What one attempt can leave undecided; the text before it that tells whether a token stands alone comes on top.
const fn undecided_bytes_max() -> usize {
    let (mut most, mut at) = (SECRET_LEN_MAX, 0);
    while at < PATTERNS.len() {
        let (mut len, mut part) = (longest(PATTERNS[at].cue.texts()), 0);
        while part < PATTERNS[at].parts.len() {
            len += PATTERNS[at].parts[part].len_max();
            part += 1;
        }
        if len > most {
            most = len;
        }
        at += 1;
    }
    most
}

const _: () = assert!(undecided_bytes_max() + CONTEXT_LEN < HELD_BYTES_MAX);
