use std::error::Error;
use std::time::{Duration, Instant};

use super::*;

type TestResult = Result<(), Box<dyn Error>>;

fn text_of(document: &str) -> Result<String, Box<dyn Error>> {
    let address = Url::parse("https://h.example/docs/page.html?q=1")?;
    Ok(readable(document, &address, 1 << 20).text)
}

fn assert_reads(document: &str, expected: &str) -> TestResult {
    assert_eq!(text_of(document)?, expected, "{document}");
    Ok(())
}

#[test]
fn blocks_stand_apart() -> TestResult {
    assert_reads(
        "<!doctype html><html><head><title> A &amp; B\n</title><style>p{}</style></head><body><h1>One</h1><p>first\n  \
         line</p><p>second<br>line</p><div>x</div><div>y</div><hr>z",
        "Title: A & B\n\n# One\n\nfirst line\n\nsecond\nline\n\nx\ny\n\n---\n\nz",
    )
}

#[test]
fn lists_show_their_marks_and_depth() -> TestResult {
    assert_reads(
        "<p>a<ul><li>one<li>two<ol><li>x</li><li>y</li></ol></li><li>three</ul>b",
        "a\n\n- one\n- two\n  1. x\n  2. y\n- three\n\nb",
    )?;
    assert_reads("<dl><dt>term<dd>meaning</dl>", "term\n  meaning")
}

#[test]
fn tables_are_read_row_by_row() -> TestResult {
    assert_reads(
        "<table><tr><th>a</th><th>b</th></tr><tr><td>1<td>2</tr></table>after",
        "a | b\n1 | 2\n\nafter",
    )
}

#[test]
fn preformatted_text_keeps_its_lines() -> TestResult {
    assert_reads(
        "<p>code:<pre>fn a() {\n    b &lt; c\n}</pre>done",
        "code:\n\nfn a() {\n    b < c\n}\n\ndone",
    )
}

#[test]
fn links_show_where_they_lead() -> TestResult {
    for (link, expected) in [
        ("<a href='/x'>text</a>.", "text (https://h.example/x)."),
        (
            "<a href=other.html#part>text</a>",
            "text (https://h.example/docs/other.html)",
        ),
        (
            "<a href='//o.example/?a=1&amp;b=2'>text</a>",
            "text (https://o.example/?a=1&b=2)",
        ),
        (
            "<a href='https://h.example/'>https://h.example/</a>",
            "https://h.example/",
        ),
        (
            "<a href='/x'><img alt='a picture' src=y></a>",
            "[image: a picture] (https://h.example/x)",
        ),
        (
            "<a href='/x'>one <a href='/y'>two",
            "one (https://h.example/x) two (https://h.example/y)",
        ),
        ("<a href='/x'><div>one</div></a>two", "one (https://h.example/x)\ntwo"),
        (
            "<base href='https://b.example/d/'><base href='/late'><a href='x'>t</a>",
            "t (https://b.example/d/x)",
        ),
    ] {
        assert_reads(link, expected)?;
    }
    Ok(())
}

#[test]
fn links_to_nowhere_on_the_web_show_their_text_only() -> TestResult {
    let long = format!("/{}", "x".repeat(LINK_LEN_BYTES_MAX));
    for href in [
        "#part",
        " #part",
        "javascript:alert(1)",
        "mailto:a@b.c",
        "data:text/html,x",
        "http://[",
        &long,
    ] {
        assert_reads(&format!("<a href='{href}'>text</a>"), "text")?;
    }
    assert_reads("a<a href='/x'></a>b<a>c</a>", "abc")
}

#[test]
fn what_is_for_machines_is_left_out() -> TestResult {
    assert_reads(
        "a<script>if (a</p>b) {}</script><style><p></style><template><p>t<template>u</template>v</template>\
         <svg><title>s</title><text>w</text><svg/></svg><svg/><iframe><p>i</iframe><!-- c --><noscript>n</noscript>b",
        "anb",
    )?;
    assert_reads("<title>first</title><title>second</title>x", "Title: first\n\nx")
}

#[test]
fn control_characters_cannot_be_smuggled_in_by_reference() -> TestResult {
    assert_reads("a&#27;[2J&#8;b", "a[2Jb")
}

#[test]
fn unclosed_and_misnested_markup_is_survived() -> TestResult {
    assert_reads("</ul></li></pre></a></svg></template></td>x", "x")?;
    assert_reads("<b><i>x</b></i><p>y</div>z", "x\n\ny\nz")
}

#[test]
fn text_is_cut_at_its_limit() -> TestResult {
    let address = Url::parse("https://h/")?;
    let page = readable(&"<p>abc</p>".repeat(1_000), &address, 100);
    assert!(page.is_cut && page.text.len() <= 100, "{}", page.text.len());
    assert!(!readable("<p>abc", &address, 3).is_cut);
    Ok(())
}

/// Half a megabyte of each takes a tree builder minutes, where it gets through at all.
#[test]
fn time_does_not_grow_with_nesting() -> TestResult {
    let address = Url::parse("https://h/")?;
    for piece in [
        "<",
        "<div>",
        "<ul><li>",
        "<b>",
        "<a ",
        "<a href=x>t",
        "&",
        "&#",
        "<!--",
        "</",
        "<script>",
        "<script></scrip",
        "<title>",
        "<table><tr><td>",
        "<svg>",
        "<template>",
        "<pre>",
        "<a href='",
        "<p/><p/",
        "</p",
        "<a b=c ",
    ] {
        let document = piece.repeat((512 << 10) / piece.len());
        let begun = Instant::now();
        let page = readable(&document, &address, 4 << 20);
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{piece}: {:?}",
            begun.elapsed()
        );
        assert!(page.text.len() <= 4 << 20);
    }
    Ok(())
}
