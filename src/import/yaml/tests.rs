use proptest::prelude::*;

use super::*;

fn read(text: &str, first_line: usize) -> Documents {
    super::read(text, first_line, &mut Allowance::default())
}

fn root(text: &str) -> Node {
    let Documents { roots, broken } = read(text, 1);
    assert_eq!(broken, None, "{text}");
    Node::clone(&roots[0])
}

fn reason(text: &str) -> String {
    read(text, 1).broken.unwrap().reason
}

/// A scalar under the key `a` of a text.
#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(root(text).get("a").unwrap().text(), Some(expected), "{text}");
}

#[test]
fn block_scalars_keep_their_blank_lines_and_end_as_their_header_says() {
    check("a: |\n  data: 1\n\n  data: [DONE]\n\nb: 1", "data: 1\n\ndata: [DONE]\n");
    check("a: |-\n  data: 1\n\n  data: [DONE]\n\n", "data: 1\n\ndata: [DONE]");
    check("a: |+\n  data: 1\n\n  data: [DONE]\n\nb: 1", "data: 1\n\ndata: [DONE]\n\n");
    check("a: |+\n  data: [DONE]\n\n", "data: [DONE]\n\n");
    check("a: |2+\n\n    x\n   y\n\n", "\n  x\n y\n\n");
    check("a: >\n  one\n  two\n\n  three\n", "one two\nthree\n");
    check("a: >-\n  one\n\n\n    two\n  three\n", "one\n\n\n  two\nthree");
    check("a: |\r\n  data: 1\r\n\r\n  data: 2\r\n", "data: 1\n\ndata: 2\n");
    check("a: |\n\n  x\n", "\nx\n");
    check("a: |\n  data: 1", "data: 1");
    check("a: |+\n  data: 1", "data: 1");
    check("a: |+\n\n\nb: 1", "\n\n");
}

#[test]
fn quoted_and_plain_scalars_fold_their_lines_as_yaml_says() {
    check(
        r#"a: "data: {\"x\": 1}\n\ndata: \xE4\u20AC\U0001F600\\\n\n""#,
        "data: {\"x\": 1}\n\ndata: ä€😀\\\n\n",
    );
    check("a: \"one\n  two\n\n  three \\\n  four\\\n  \\ five\"", "one two\nthree four five");
    check("a: 'it''s\n  one\n\n\n  two'", "it's one\n\ntwo");
    check("a: 'data: 1\n\n\n  data: 2\n\n\n  '", "data: 1\n\ndata: 2\n\n");
    check("a: one\n  two\n\n  three # not this\n", "one two\nthree");
    check("a: \"\\L\\P\\N\\_\\0\\e\"", "\u{2028}\u{2029}\u{85}\u{a0}\0\u{1b}");
}

#[test]
fn scalars_are_the_text_that_is_written() {
    for text in ["123", "1.50", "on", "2024-01-01", "0x1F", "~", "null", "1e5", "12:30"] {
        check(&format!("a: {text}"), text);
    }
    assert!(root("a:").get("a").unwrap().is_null());
    assert!(root("a: ~").get("a").unwrap().is_null());
    assert!(!root("a: ''").get("a").unwrap().is_null());
    assert!(!root("a: 'null'").get("a").unwrap().is_null());
}

#[test]
fn tags_are_kept_without_their_marks() {
    for (tag, name) in [
        ("!!binary", "binary"),
        ("!binary", "binary"),
        ("!<tag:yaml.org,2002:binary>", "binary"),
        ("!!python/unicode", "python/unicode"),
        ("!!python/object/new:_io.BytesIO", "python/object/new:_io.BytesIO"),
        ("!ruby/object:VCR::Request", "ruby/object:VCR::Request"),
        ("!ruby/sym", "ruby/sym"),
        ("!!str", "str"),
        ("", ""),
    ] {
        assert_eq!(root(&format!("a: {tag} 'x'")).get("a").unwrap().tag, name);
    }
}

#[test]
fn aliases_stand_for_what_was_anchored() {
    let root = root("a: &id001\n- x\n- y\nb: *id001\nc: [*id001, &q z, *q]\na2: 1\na: last");
    assert_eq!(root.get("b").unwrap().items()[1].text(), Some("y"));
    assert_eq!(root.get("c").unwrap().items()[2].text(), Some("z"));
    assert_eq!(root.get("a").unwrap().text(), Some("last"));
}

#[test]
fn aliases_of_aliases_do_not_grow_without_end() {
    let mut text = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for (one, next) in ('a'..='y').zip('b'..='z') {
        text += &format!(
            "{next}: &{next} [*{one}, *{one}, *{one}, *{one}, *{one}, *{one}, *{one}, *{one}, *{one}]\n"
        );
    }
    let broken = read(&text, 1).broken.unwrap();
    assert!(broken.is_refused);
    assert_eq!(
        broken.reason,
        "line 8, column 8: the aliases of this file stand for more than 64 MiB; no recorder writes such a file"
    );
}

#[test]
fn what_contains_itself_is_refused() {
    assert_eq!(reason("a: &a [*a]"), "line 1, column 8: this alias stands for what contains it");
    assert_eq!(reason("a: *b"), "line 1, column 4: not YAML: while parsing node, found unknown anchor");
}

#[test]
fn depth_and_number_are_bounded() {
    let deep = |depth| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(read(&deep(MAX_DEPTH), 1).broken, None);
    assert_eq!(reason(&deep(MAX_DEPTH + 1)), "line 1, column 65: collections are nested more than 64 deep");
    // The parser looks ahead, and has a limit of its own.
    assert_eq!(reason(&"[".repeat(1 << 20)), "line 1, column 256: not YAML: recursion limit exceeded");
    assert_eq!(reason(&"- ".repeat(1 << 20)), "line 1, column 129: collections are nested more than 64 deep");
    let mut allowance = Allowance { nodes: 11, ..Allowance::default() };
    assert_eq!(super::read(&"- a\n".repeat(10), 1, &mut allowance).broken, None);
    let broken = super::read("- b\n- c", 11, &mut allowance).broken.unwrap();
    assert!(broken.is_refused);
    assert_eq!(
        broken.reason,
        "line 11, column 1: the file has more than two million values; import it in parts"
    );
}

#[test]
fn what_came_before_a_break_is_there_and_what_it_cuts_is_marked() {
    let Documents { roots, broken } = read("list:\n- a: 1\n- b: {c: 2\n- d", 11);
    let broken = broken.unwrap();
    assert_eq!(broken.line, 15);
    assert_eq!(
        broken.reason,
        "line 15, column 1: not YAML: while parsing a flow mapping, did not find expected ',' or '}'"
    );
    let items = roots[0].get("list").unwrap();
    assert!(roots[0].is_cut);
    assert_eq!(items.items()[0].get("a").unwrap().text(), Some("1"));
    assert_eq!((items.items()[0].is_cut, items.items()[0].line), (false, 12));
    assert_eq!((items.items()[1].is_cut, items.items()[1].line), (true, 13));
}

#[test]
fn quoted_lines_with_too_little_indentation_are_read_as_libyaml_reads_them() {
    check("x:\n  y: 1\na:\n  '{\n  \"b\": ''1''\n\n\n }'\n", "{ \"b\": '1'\n\n}");
    let root = root("- - a: \"one\n  two\\\n   \\ three\\\" 'x'\n  four\"\n    b: 'x\n y'\n");
    let item = &root.items()[0].items()[0];
    assert_eq!(item.get("a").unwrap().text(), Some("one two three\" 'x' four"));
    assert_eq!(item.get("b").unwrap().text(), Some("x y"));
}

/// <https://yaml.org/spec/1.1/#id871136>
#[test]
fn line_breaks_of_yaml_1_1_are_kept_and_the_indentation_behind_them_is_not() {
    check("a: |\n  x\u{2028}  y\u{85}   z\u{2029}\n  last\n", "x\u{2028}y\u{85} z\u{2029}\nlast\n");
    check("a: |-\n  x\u{2028}b: 1\n", "x\u{2028}");
    check("a: |2-\n\n     x\u{2028}    y\n", "\n   x\u{2028}  y");
    check("a: 'x\n\n  y\u{2028}  z\u{2029}\u{85}  w'", "x\ny\u{2028}z\u{2029}\u{85}w");
    check("a: |\n  x\u{2028}\u{2028}\u{85}  y\n", "x\u{2028}\u{2028}\u{85}y\n");
    check("a: x\u{2028}  y\nb: 1", "x\u{2028}y");
    assert_eq!(
        reason("a: |\n  x\u{2028}  y\u{2028}\n  z\nb: ["),
        "line 5, column 1: not YAML: while parsing a node, did not find expected node content"
    );
}

#[test]
fn values_that_a_recorder_parsed_become_json_by_the_rules_of_yaml_1_1() {
    let yaml = "n: null\ne:\nt: yes\nf: Off\ni: -12\nu: 18446744073709551615\nx: 0x1f\nd: 1.5e-3\nz: 1.0\ns: 'on'\n\
                w: 1e5\nv: 1.2.3\nday: 2024-01-01\ntext: !!str 5\nforced: !!float '2.5'\nl: [a, 1, {b: ~}]\n7: x\n";
    assert_eq!(
        root(yaml).to_json().to_string(),
        "{\"n\":null,\"e\":null,\"t\":true,\"f\":false,\"i\":-12,\"u\":18446744073709551615,\"x\":31,\"d\":0.0015,\
         \"z\":1.0,\"s\":\"on\",\"w\":\"1e5\",\"v\":\"1.2.3\",\"day\":\"2024-01-01\",\"text\":\"5\",\"forced\":2.5,\
         \"l\":[\"a\",1,{\"b\":null}],\"7\":\"x\"}"
    );
}

/// As PyYAML and Ruby write text: in a literal block, in a folded double-quoted string, in a single-quoted one.
fn written(text: &str) -> [String; 2] {
    let lines =
        text.split('\n').map(|line| if line.is_empty() { String::new() } else { format!("    {line}") });
    let literal = format!("a:\n  b: |2+\n{}", lines.collect::<Vec<_>>().join("\n"));
    // Of several line breaks, the first one is folded away.
    let mut quoted = String::new();
    for line in text.replace('\'', "''").split_inclusive('\n') {
        let is_first = !quoted.is_empty() && !quoted.ends_with('\n');
        quoted += if line == "\n" && is_first { "\n" } else { line };
        quoted += if line.len() > 1 && line.ends_with('\n') { "\n" } else { "" };
    }
    [literal, format!("a:\n  b: '{quoted}'\n")]
}

proptest! {
    #[test]
    fn text_survives_in_whatever_style_it_is_written(text in "[a:{\"'# \\-]{1,3}(\n{0,3}[a:{\"'#\\-]{1,3}){0,4}\n{1,3}") {
        for (yaml, style) in written(&text).iter().zip(["literal", "single"]) {
            // Spaces beside a line break are kept in blocks only.
            if style == "single" && (text.contains(" \n") || text.contains("\n ") || text.starts_with('\n')) {
                continue;
            }
            let node = read(yaml, 1);
            prop_assert_eq!(&node.broken, &None, "{} {:?}", style, yaml);
            let got = node.roots[0].get("a").unwrap().get("b").unwrap().text().map(str::to_owned);
            prop_assert_eq!(got.as_deref(), Some(text.as_str()), "{} {:?}", style, yaml);
        }
    }

    #[test]
    fn nothing_makes_it_panic(text in "[-a:|>'\"\\[\\]{}&*!#%@ \n\\\\\t~?,0-9\u{2028}]{0,80}") {
        let documents = read(&text, 1);
        for root in documents.roots {
            let _ = root.to_json();
        }
    }
}
