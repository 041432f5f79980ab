//! The template engine, and its bounds: nothing can be included or loaded, a template that runs on
//! is stopped, and so is one whose text grows out of all proportion.
//!
//! The engine bounds its instructions, not what one of them makes: a filter can turn a word into
//! gigabytes. So filters that make texts and lists look at what they are given first, and all of
//! them together make a few megabytes at most in one rendering.

use std::fmt::{self, Write};

use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, Value, escape_formatter, filters,
};

/// An engine for templates of answers.
pub(super) fn engine() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_fuel(Some(FUEL));
    engine.set_undefined_behavior(UndefinedBehavior::Chainable);
    // What is written is not HTML: nothing is escaped unless a filter asks for it.
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    // Requests bring no methods with them. What is not there may be, in another request.
    engine.set_unknown_method_callback(|_, value, method, _| {
        let kind = if value.is_undefined() { ErrorKind::UndefinedError } else { ErrorKind::UnknownMethod };
        Err(Error::new(kind, format!("{} has no method named {method}", value.kind())))
    });
    for name in REMOVED {
        engine.remove_filter(name);
    }
    engine.remove_global("debug");
    // A block that is set, and a macro, write to memory of their own.
    engine.set_formatter(|out, state, value| {
        spend(state, size(value)?)?;
        escape_formatter(out, state, value)
    });
    for (name, filter) in makers() {
        engine.add_filter(name, move |state: &mut State, args: Rest<ValueOrKwargs>| {
            let args = args.into_values();
            spend(state, made(name, &args)?)?;
            filter.call(state, &args)
        });
    }
    engine
}

/// What may still be made in this rendering, in bytes.
#[derive(Debug)]
struct Budget(usize);

fn spend(state: &mut State, bytes: usize) -> Result<(), Error> {
    let budget: &mut Budget = state.get_or_insert_extension(Budget(BUDGET));
    budget.0 = budget.0.checked_sub(bytes).ok_or_else(too_long)?;
    Ok(())
}

/// The filters that make a text or a list of what they are given.
fn makers() -> Vec<(&'static str, Value)> {
    vec![
        ("lower", Value::from_function(filters::lower)),
        ("upper", Value::from_function(filters::upper)),
        ("title", Value::from_function(filters::title)),
        ("capitalize", Value::from_function(filters::capitalize)),
        ("escape", Value::from_function(filters::escape)),
        ("e", Value::from_function(filters::escape)),
        ("replace", Value::from_function(filters::replace)),
        ("trim", Value::from_function(filters::trim)),
        ("join", Value::from_function(filters::join)),
        ("split", Value::from_function(filters::split)),
        ("lines", Value::from_function(filters::lines)),
        ("string", Value::from_function(filters::string)),
        ("tojson", Value::from_function(filters::tojson)),
        ("list", Value::from_function(filters::list)),
        ("reverse", Value::from_function(filters::reverse)),
        ("sort", Value::from_function(filters::sort)),
        ("dictsort", Value::from_function(filters::dictsort)),
        ("items", Value::from_function(filters::items)),
        ("unique", Value::from_function(filters::unique)),
        ("map", Value::from_function(filters::map)),
        ("select", Value::from_function(filters::select)),
        ("reject", Value::from_function(filters::reject)),
        ("selectattr", Value::from_function(filters::selectattr)),
        ("rejectattr", Value::from_function(filters::rejectattr)),
        ("groupby", Value::from_function(filters::groupby)),
        ("chain", Value::from_function(filters::chain)),
        ("zip", Value::from_function(filters::zip)),
        ("sum", Value::from_function(filters::sum)),
        ("min", Value::from_function(filters::min)),
        ("max", Value::from_function(filters::max)),
        ("last", Value::from_function(filters::last)),
    ]
}

/// How many bytes a filter makes of these arguments, at most or nearly so.
fn made(name: &str, args: &[Value]) -> Result<usize, Error> {
    let mut given = 0_usize;
    for arg in args {
        given = given.saturating_add(size(arg)?);
    }
    let text = |index: usize| args.get(index).and_then(Value::as_str).map_or(0, str::len);
    let more = match name {
        "replace" => (text(0) / text(1).max(1) + 1).saturating_mul(text(2)),
        "join" => args.first().and_then(Value::len).unwrap_or_default().saturating_mul(text(1)),
        "tojson" => given.saturating_mul(indent(args)),
        _ => 0,
    };
    let made = given.saturating_add(more);
    if made > LONGEST { Err(too_long()) } else { Ok(made) }
}

/// How far `tojson` indents.
fn indent(args: &[Value]) -> usize {
    let named = args.last().and_then(|last| Kwargs::try_from(last.clone()).ok());
    let named = named.and_then(|named| named.get::<Value>("indent").ok());
    let indent = args.get(1).filter(|arg| arg.as_usize().is_some()).cloned().or(named);
    indent.and_then(|indent| indent.as_usize()).unwrap_or_default()
}

/// The bytes of a value as a text, at most [`LONGEST`].
fn size(value: &Value) -> Result<usize, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.len());
    }
    let many = matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map);
    if many && value.len().is_some_and(|len| len > LONGEST) {
        return Err(too_long());
    }
    let mut counter = Counter(0);
    write!(counter, "{value}").map_err(|_| too_long())?;
    Ok(counter.0)
}

/// Counts what is written, up to [`LONGEST`].
struct Counter(usize);

impl Write for Counter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        if self.0 > LONGEST { Err(fmt::Error) } else { Ok(()) }
    }
}

fn too_long() -> Error {
    Error::new(ErrorKind::InvalidOperation, TOO_LONG)
}

/// What a template that makes too much is told.
pub(super) const TOO_LONG: &str = "the text is longer than 1 MiB";

/// Bytes of a text that is rendered, or made on the way.
pub(super) const LONGEST: usize = 1 << 20;

/// Bytes that one rendering writes, and makes on the way.
const BUDGET: usize = 16 * LONGEST;

/// Instructions after which a template is stopped: thousands of lines, and milliseconds.
const FUEL: u64 = 100_000;

/// Filters that make any length of anything, and are not missed in an answer.
const REMOVED: [&str; 5] = ["batch", "format", "indent", "pprint", "slice"];
