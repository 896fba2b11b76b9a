//! What holds for every text, however it is cut.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Texts that meet the edges: pieces of secrets, whole ones, what stands around them, and anything else.
fn text() -> impl Strategy<Value = String> {
    let pieces = select(vec![
        "sk-ant-",
        "sk-ant-api03-",
        "sk-",
        "sk-proj-",
        "ghp_",
        "ghs_",
        "github_pat_",
        "AKIA",
        "AIza",
        "eyJ",
        "xoxb-",
        "npm_",
        "-----BEGIN ",
        "RSA PRIVATE KEY",
        "PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "-----END ",
        "-----",
        "-",
        ".",
        "://",
        "user:",
        "@",
        "Authorization: Bearer ",
        "\"authorization\":\"basic ",
        "x-api-key: ",
        "secret_access_key",
        " = ",
        "\"",
        "\\n",
        "%41",
        "\u{1b}[1m",
        "[secret removed: openai key]",
        "[",
        "]",
        " ",
        "\n",
        "ä",
        "漢",
        "horse",
        "correct",
        " staple",
        "correct horse",
        "Q7w2Er9tYu1Io8pAs3dF",
        "ABCDEFGH23456789",
        "abcdefghijklmnop",
        "0123456789",
    ]);
    let whole = select(vec![
        format!("sk-ant-api03-{}", "a1B2".repeat(24)),
        format!("ghp_{}", "a1B2".repeat(9)),
        format!("AKIA{}", "ABCD2345".repeat(2)),
        format!("eyJ{0}.eyJ{0}.{0}", "a1B2".repeat(5)),
        format!(
            "-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----",
            "a1B2".repeat(16)
        ),
        "https://me:secret@example.com/".to_owned(),
        "Authorization: Bearer a1B2c3D4e5F6".to_owned(),
        "correct horse battery".to_owned(),
    ]);
    let part = prop_oneof![
        8 => pieces.prop_map(str::to_owned),
        3 => whole,
        1 => "\\PC{0,12}",
        1 => "[A-Za-z0-9_-]{1,40}",
    ];
    vec(part, 0..24).prop_map(|parts| parts.concat())
}

/// One that knows values which overlap with patterns, with each other and with themselves.
fn redactor() -> &'static Redactor {
    static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| {
        let redactor = Redactor::standard();
        for value in [
            "correct horse battery",
            "horse staple",
            "a1B2a1B2a1",
            "@me:12345",
            "-----END",
            "漢漢漢漢",
        ] {
            redactor.also(Secret::new(value.to_owned()).expect("long enough and no marker"));
        }
        redactor
    });
    &REDACTOR
}

/// `text` cut at these places, which are taken as far into it as they are.
fn cut<'a>(text: &'a str, at: &[prop::sample::Index]) -> Vec<&'a str> {
    let borders: Vec<usize> = text.char_indices().map(|(border, _)| border).collect();
    let mut cuts: Vec<usize> = match borders.len() {
        0 => Vec::new(),
        len => at.iter().map(|index| borders[index.index(len)]).collect(),
    };
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|ends| &text[ends[0]..ends[1]]).collect()
}

fn streamed<'a>(redactor: &Redactor, pieces: impl IntoIterator<Item = &'a str>) -> String {
    let mut stream = redactor.stream();
    let mut shown: String = pieces.into_iter().map(|piece| stream.push(piece)).collect();
    shown.push_str(&stream.finish());
    shown
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_cutting_of_a_stream_gives_what_the_whole_gives(text in text(), at in vec(any::<prop::sample::Index>(), 0..12)) {
        let redactor = redactor();
        prop_assert_eq!(streamed(redactor, cut(&text, &at)), redactor.redact(&text));
    }

    #[test]
    fn a_stream_of_single_characters_gives_what_the_whole_gives(text in text()) {
        let redactor = redactor();
        let mut bytes = [0; 4];
        let mut stream = redactor.stream();
        let mut shown = String::new();
        for character in text.chars() {
            shown.push_str(&stream.push(character.encode_utf8(&mut bytes)));
        }
        shown.push_str(&stream.finish());
        prop_assert_eq!(shown, redactor.redact(&text));
    }

    #[test]
    fn redacting_twice_changes_nothing(text in text()) {
        let redactor = redactor();
        let (once, counts) = redactor.redact_counted(&text);
        let (twice, none) = redactor.redact_counted(&once);
        prop_assert_eq!(&twice, &once);
        prop_assert_eq!(none.total(), 0);
        prop_assert_eq!(counts.total() == 0, matches!(once, Cow::Borrowed(_)));
    }

    #[test]
    fn no_planted_secret_survives(before in text(), after in text()) {
        let redactor = redactor();
        let planted = format!("sk-ant-api03-{}", "Zz9-".repeat(20));
        let text = format!("{before} {planted} {after}");
        prop_assert!(!redactor.redact(&text).contains("Zz9-Zz9-Zz9-"));
        let exact = format!("{before}correct horse battery{after}");
        prop_assert!(!redactor.redact(&exact).contains("correct horse battery"));
    }
}
