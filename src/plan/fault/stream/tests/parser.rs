//! A reader of server-sent events, as the HTML standard has it.

/// What a reader is told: the event's name, the last id, the data.
pub(super) type Told = (String, String, String);

/// The events of a stream.
pub(super) fn parse(body: &[u8]) -> Vec<Told> {
    let text = String::from_utf8_lossy(body);
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let (mut told, mut name, mut id, mut data) = (Vec::new(), String::new(), String::new(), String::new());
    // What follows the last line end is a line that is not whole.
    let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
    for line in whole.split('\n') {
        if line.is_empty() {
            if !data.is_empty() {
                data.pop();
                told.push((name.clone(), id.clone(), data.clone()));
            }
            name.clear();
            data.clear();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut name),
            "id" => value.clone_into(&mut id),
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            _ => {}
        }
    }
    told
}

#[test]
fn it_reads_the_examples_of_the_standard() {
    let told = |text: &str| {
        let told = parse(text.as_bytes()).into_iter();
        told.map(|(name, id, data)| format!("{name}|{id}|{data}")).collect::<Vec<_>>()
    };
    assert_eq!(told("data: YHOO\ndata: +2\ndata: 10\n\n"), ["||YHOO\n+2\n10"]);
    let stream = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n";
    assert_eq!(told(stream), ["|1|first event", "||second event"]);
    assert_eq!(told("data\n\ndata\ndata\n\ndata:"), ["||", "||\n"]);
    assert_eq!(told("event: add\r\ndata: 1\r\rdata:2\n\n"), ["add||1", "||2"]);
}
