use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(found: Option<Vec<u8>>, expected: &str) {
    assert_eq!(String::from_utf8(found.expect("it can be edited")).expect("it is text"), expected);
}

const ODD: &[u8] = br#" { "a" : 1.50e+2 ,"b":"\ud83d","b": [ 1,{"c":null} ] } "#;

#[test]
fn the_rest_keeps_its_bytes() {
    check(set(ODD, "a", "2", Order::Hand, &[]), r#" { "a" : 2 ,"b":"\ud83d","b": [ 1,{"c":null} ] } "#);
    check(
        edit(ODD, "b", |b| edit_items(b, |item| set(item, "c", "3", Order::Hand, &[]))),
        r#" { "a" : 1.50e+2 ,"b":"\ud83d","b": [ 1,{"c":3} ] } "#,
    );
    check(remove(ODD, &["b"]), r#" { "a" : 1.50e+2 } "#);
    check(remove(ODD, &["a"]), r#" { "b":"\ud83d","b": [ 1,{"c":null} ] } "#);
    check(remove(ODD, &["a", "b"]), " {} ");
    check(remove(br#"{"a":1,"b":2,"c":3,"d":4}"#, &["a", "c"]), r#"{"b":2,"d":4}"#);
    check(rename(ODD, "a", "z"), r#" { "z" : 1.50e+2 ,"b":"\ud83d","b": [ 1,{"c":null} ] } "#);
}

#[test]
fn of_a_key_that_is_there_twice_the_last_is_read_and_edited() {
    let twice = br#"{"a":1,"a":2}"#;
    assert_eq!(get(twice, "a"), Some(&b"2"[..]));
    check(set(twice, "a", "3", Order::Hand, &[]), r#"{"a":1,"a":3}"#);
    check(remove(twice, &["a"]), "{}");
}

#[test]
fn a_new_member_stands_where_its_order_has_it() {
    let known = &["a", "b", "c", "d"];
    check(set(br#"{"d":1,"a":2}"#, "b", "0", Order::Hand, known), r#"{"d":1,"a":2,"b":0}"#);
    check(set(br#"{"d":1}"#, "b", "0", Order::Hand, known), r#"{"b":0,"d":1}"#);
    check(set(br#"{"d":1}"#, "x", "0", Order::Hand, known), r#"{"d":1,"x":0}"#);
    check(set(br#"{"a":1,"c":2}"#, "b", "0", Order::Sorted, known), r#"{"a":1,"b":0,"c":2}"#);
    check(set(b"{}", "b", "0", Order::Sorted, known), r#"{"b":0}"#);
    check(
        set(b"{\n  \"a\": 1,\n  \"c\": 2\n}\n", "b", "0", Order::Hand, known),
        "{\n  \"a\": 1,\n  \"b\": 0,\n  \"c\": 2\n}\n",
    );
}

#[test]
fn what_is_no_json_is_left_alone() {
    for text in
        ["", "[DONE]", "{", "{\"a\":}", "{\"a\":1,}", "{\"a\" 1}", "{\"a\":01x}", "{}{}", "{\"a\":\"}"]
    {
        assert_eq!(members(text.as_bytes()), None, "{text}");
        assert_eq!(set(text.as_bytes(), "a", "1", Order::Hand, &[]), None, "{text}");
    }
    assert_eq!(items(b"[1,]"), None);
    let nested = |depth: usize| [b"[".repeat(depth), b"]".repeat(depth)].concat();
    assert!(items(&nested(DEEPEST)).is_some());
    assert_eq!(items(&nested(1_000_000)), None);
}

#[test]
fn strings_are_cut_between_characters() {
    let string = "\"a\\né望\\ud83d\\ude00\\ud83d!\"".as_bytes();
    assert_eq!(length(string), Some(1 + 1 + 2 + 3 + 4 + 3 + 1));
    check(cut(string, 0), "\"\"");
    check(cut(string, 3), "\"a\\n\"");
    check(cut(string, 4), "\"a\\né\"");
    check(cut(string, 10), "\"a\\né望\"");
    check(cut(string, 11), "\"a\\né望\\ud83d\\ude00\"");
    check(cut(string, 99), "\"a\\né望\\ud83d\\ude00\\ud83d!\"");
    assert_eq!(length(b"\"a\"b\""), None);
    assert_eq!(length(b"\"\\u00\""), Some(3));
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<i64>().prop_map(serde_json::Value::from),
        "[ -~é望👩\\n\"\\\\]{0,8}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::vec(("[a-d]", inner), 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_have_an_answer(bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\u1a ".to_vec())], 0..60)) {
        for order in [Order::Hand, Order::Sorted] {
            set(&bytes, "a", "1", order, &["a"]);
        }
        remove(&bytes, &["a"]);
        edit_items(&bytes, |item| Some(item.to_vec()));
        cut(&bytes, 3);
        length(&bytes);
    }

    #[test]
    fn edits_do_what_serde_json_would(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let text = text.as_bytes();
        let read = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).unwrap();
        prop_assert_eq!(members(text).is_some(), value.is_object());
        prop_assert_eq!(items(text).is_some(), value.is_array());
        if let Some(object) = value.as_object() {
            let mut with = object.clone();
            with.insert("b".to_owned(), 7.into());
            let found = set(text, "b", "7", Order::Sorted, &[]).unwrap();
            prop_assert_eq!(read(&found), serde_json::Value::from(with));
            let mut without = object.clone();
            without.retain(|key, _| key != "a" && key != "c");
            let found = remove(text, &["a", "c"]).unwrap_or_else(|| text.to_vec());
            prop_assert_eq!(read(&found), serde_json::Value::from(without));
            if object.contains_key("a") {
                let same = edit(text, "a", |value| Some(value.to_vec())).unwrap();
                prop_assert_eq!(&same, text);
            }
        }
        if value.is_array() {
            let same = edit_items(text, |item| Some(item.to_vec())).unwrap_or_else(|| text.to_vec());
            prop_assert_eq!(&same, text);
        }
    }
}
