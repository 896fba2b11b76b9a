//! Texts with one secret each, and texts with none.

/// `start` and so many characters of a key that nobody has.
pub(super) fn key(start: &str, len: usize) -> String {
    let filler = "Q7w2Er9tYu1Io8pAs3dFg6hJk5lZx0cVb4nM".chars().cycle();
    start.chars().chain(filler.take(len)).collect()
}

/// The same in upper case, as Bech32 and AWS have it.
pub(super) fn upper(start: &str, len: usize) -> String {
    let filler = "QPZRY2X7GF2TVDW4S3JN54KHCE6MUA7L".chars().cycle();
    start.chars().chain(filler.take(len)).collect()
}

/// A block of two lines.
pub(super) fn pem(label: &str) -> String {
    let (first, second) = (key("MII", 61), key("", 40));
    format!("-----BEGIN {label}-----\n{first}\n{second}\n-----END {label}-----")
}

/// Header, payload and signature.
pub(super) fn jwt() -> String {
    format!("{}.{}.{}", key("eyJ", 33), key("eyJ", 120), key("", 43))
}

/// What stands before, the kind, the secret, what stands after.
#[rustfmt::skip]
pub(super) fn positives() -> Vec<(&'static str, &'static str, String, &'static str)> {
    vec![
        ("", "anthropic key", key("sk-ant-api03-", 93), ""),
        ("key: ", "anthropic key", key("sk-ant-admin01-", 93), ", and"),
        ("{\"k\":\"", "anthropic key", key("sk-ant-oat01-", 80), "\"}"),
        ("a\\n", "anthropic key", key("sk-ant-api03-", 93), "\\n"),
        ("\\u003d", "anthropic key", key("sk-ant-api03-", 93), "\\u0026"),
        ("\u{1b}[32m", "anthropic key", key("sk-ant-api03-", 93), "\u{1b}[0m"),
        ("?key%3D", "anthropic key", key("sk-ant-api03-", 93), "%26"),
        ("", "openai key", key("sk-", 48), "."),
        ("OPENAI_API_KEY=", "openai key", key("sk-proj-", 156), "\n"),
        ("'", "openai key", key("sk-svcacct-", 120), "'"),
        ("(", "openai key", key("sk-admin-", 124), ")"),
        ("deepseek ", "openai key", format!("sk-{}", "0f1e2d3c".repeat(4)), ""),
        ("", "openrouter key", key("sk-or-v1-", 64), ""),
        ("", "groq key", key("gsk_", 52), ""),
        ("", "xai key", key("xai-", 80), ""),
        ("", "perplexity key", key("pplx-", 48), ""),
        ("", "hugging face token", key("hf_", 34), ""),
        ("?key=", "google key", key("AIza", 35), "&alt=sse"),
        ("", "google key", key("AQ.", 50), ""),
        ("", "google client secret", key("GOCSPX-", 28), ""),
        ("id ", "aws access key id", upper("AKIA", 16), " "),
        ("", "aws access key id", upper("ASIA", 16), ","),
        ("AWS_SECRET_ACCESS_KEY=", "aws secret key", key("", 40), "\n"),
        ("aws_secret_access_key = ", "aws secret key", key("", 40), ""),
        ("\"SecretAccessKey\": \"", "aws secret key", key("ab/+", 36), "\""),
        ("<SecretAccessKey>", "aws secret key", key("", 40), "</SecretAccessKey>"),
        ("", "aws bedrock key", key("ABSK", 128), ""),
        ("", "github token", key("ghp_", 36), ""),
        ("", "github token", key("gho_", 36), ""),
        ("", "github token", key("ghu_", 36), ""),
        ("", "github token", key("ghs_", 36), "\n"),
        ("", "github token", format!("ghs_{}", jwt()), " "),
        ("", "github token", key("ghr_", 76), ""),
        ("", "github token", key("github_pat_", 82), ""),
        ("", "gitlab token", key("glpat-", 20), ""),
        ("", "gitlab token", key("glrt-t3_", 27), ""),
        ("", "slack token", key("xoxb-123456789012-1234567890123-", 24), ""),
        ("", "slack token", key("xoxp-1234567890-1234567890-", 32), ""),
        ("xoxe.", "slack token", key("xoxp-1-", 163), ""),
        ("", "slack token", key("xapp-1-A0B1C2D3E4-1234567890123-", 64), ""),
        ("", "stripe key", key("sk_live_", 24), ""),
        ("", "stripe key", key("rk_live_", 99), ""),
        ("//registry/:_authToken=", "npm token", key("npm_", 36), "\n"),
        ("password = ", "pypi token", key("pypi-AgEIcHlwaS5vcmc", 150), "\n"),
        ("# key\n", "age key", upper("AGE-SECRET-KEY-1", 58), "\n"),
        ("", "age key", upper("AGE-SECRET-KEY-PQ-1", 58), ""),
        ("", "private key", pem("PRIVATE KEY"), "\nafter"),
        ("", "private key", pem("RSA PRIVATE KEY"), ""),
        ("cert\n", "private key", pem("EC PRIVATE KEY"), "\n"),
        ("", "private key", pem("ENCRYPTED PRIVATE KEY"), ""),
        ("id_rsa:1:", "private key", pem("OPENSSH PRIVATE KEY").replace('\n', "\nid_rsa:2:"), "\n"),
        ("", "private key", pem("PGP PRIVATE KEY BLOCK"), "\n"),
        ("\"", "private key", pem("PRIVATE KEY").replace('\n', "\\n"), "\\n\""),
        ("[\"", "private key", pem("EC PRIVATE KEY").replace('\n', "\",\n  \""), "\"].join(x)"),
        ("'", "private key", pem("EC PRIVATE KEY").replace('\n', "\\n' +\n  '"), "';"),
        ("", "private key", pem("PRIVATE KEY").replace("-----END", "-----END CERTIFICATE-----\n-----END"), ""),
        ("cut: ", "private key", key("-----BEGIN RSA PRIVATE KEY-----\n", 61), ""),
        ("cut: ", "private key", "-----BEGIN RSA PRIVATE KEY-----".to_owned(), ""),
        ("", "private key", "-----BEGIN PRIVATE KEY-----END PRIVATE KEY-----".to_owned(), " x"),
        ("token=", "json web token", jwt(), "&x"),
        ("", "json web token", "eyJhbGciOiJub25lIn0.e30.".to_owned(), ""),
        ("Authorization: Bearer ", "authorization header", key("", 20), "\r\n"),
        ("-H 'authorization: basic ", "authorization header", "dXNlcjpwYXNz".to_owned(), "' x"),
        ("\"Authorization\": \"Bearer ", "authorization header", key("", 20), "\""),
        ("{\\\"authorization\\\":\\\"Bearer ", "authorization header", key("", 20), "\\\"}"),
        (".header(\"Authorization\", \"token ", "authorization header", key("", 40), "\")"),
        ("x-api-key: ", "api key header", key("", 32), "\n"),
        ("{\"x-goog-api-key\": \"", "api key header", key("", 32), "\"}"),
        ("postgres://app:", "url password", "s3cr:et%40!".to_owned(), "@db.example.com/x"),
        ("git clone https://me:", "url password", "p@ss".to_owned(), "@example.com/a.git"),
        ("redis://:", "url password", "pässwort".to_owned(), "@localhost"),
        ("\"https:\\/\\/a:", "url password", "b".to_owned(), "@c\\/\""),
    ]
}

/// Text that only looks as if.
pub(super) const NEGATIVES: &[&str] = &[
    "",
    "task-sk-1",
    "the sk- prefix",
    "sk-ip this, sk-ill that, and ask-me-anything-about-2024-and-2025",
    "risk-ant-farm-2024-simulation-experiment",
    "sk-ant-...",
    "sk-proj-your-key-goes-here-please-x",
    "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "<sk-learn-contrib>",
    "desk-0123456789abcdef0123456789abcdef",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "commit 94fd116f0c3a2b1d4e5f60718293a4b5c6d7e8f9",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
    "123e4567-e89b-12d3-a456-426614174000",
    "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
    "AKIA",
    "AKIA_IS_A_PREFIX",
    "ASIAPACIFIC and AKIAISHORT",
    "xAKIAQPZRY9X8GF2TVDW0",
    "aws_secret_access_key = ${SECRET}",
    "aws_secret_access_key: <your secret access key>",
    "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00 without a name",
    "AIza is how they begin",
    "ghp_ gho_ ghu_ ghs_ ghr_ and github_pat_",
    "ghp_tooshort123",
    "logghp_Q7w2Er9tYu1Io8pAs3dFg6hJk5lZx0cVb4nM",
    "glpat-<token>",
    "xoxo-hugs-and-kisses-to-everyone",
    "xoxb-your-token-here",
    "sk_live_demo",
    "let task_sk_live_stream = 1;",
    "npm_config_registry=https://registry.npmjs.org/",
    "pypi-server and pypi-AgE",
    "hf_hub_download(repo_id)",
    "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    "AGE-SECRET-KEY-1...",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----",
    "-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n-----END PGP PUBLIC KEY BLOCK-----",
    "-----BEGIN PRIVATE KEYS-----",
    "text.contains(\"-----BEGIN PRIVATE KEY-----\") && !is_public(text)",
    "{\"text\":\"a \\\"-----BEGIN RSA PRIVATE KEY-----\\\", in a sentence\"}",
    "A key begins with `-----BEGIN PRIVATE KEY-----`.\nThe rest is base64.",
    "-----END PRIVATE KEY-----",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIQ7w2Er9tYu1Io8pAs3dFg6hJk5lZx0cVb4nM me@host",
    "eyJhbGciOiJIUzI1NiJ9",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0",
    "{\"eyJ\": 1}",
    "Authorization: Bearer $TOKEN",
    "Authorization: Bearer <token>",
    "authorization: basic authentication is required",
    "the bearer of this letter",
    "x-api-key: $ANTHROPIC_API_KEY",
    "the api-key documentation-of-2024",
    "https://example.com:8443/path?to=me@example.com",
    "https://me@example.com/a",
    "ssh://git@example.com:22/repo.git",
    "http://localhost:3000 and me@example.com",
    "https://user:${PASSWORD}@example.com",
    "postgres://app:<password>@db",
    "http://[::1]:8080/@x",
    "C:\\Users\\sk-1\\n",
    "[secret removed: anthropic key]",
];
