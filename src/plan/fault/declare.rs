//! How faults are declared: one table per layer gives the enum, the parser, the schema and the docs.

use std::fmt;

use serde_json::Value;

use crate::plan::json::Span;

/// Declares the faults of one layer, in the order in which they are applied.
///
/// Each variant is one fault with its parameters: the name in JSON and in the one-word form, the field,
/// its type and default, and what it is for.
macro_rules! faults {
    (
        $(#[$meta:meta])*
        pub enum $Enum:ident: $layer:ident {
            $(
                $(#[doc = $doc:literal])+
                $Variant:ident = $name:literal, tier $tier:literal, $places:ident $default:literal,
                expect $expect:literal, evidence $evidence:literal {
                    $( $(#[doc = $about:literal])+ $param:literal $field:ident: $ty:ty = $value:expr; )*
                }
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub enum $Enum {
            $(
                $(#[doc = $doc])+
                $Variant { $( $(#[doc = $about])+ $field: $ty, )* },
            )+
        }

        impl $Enum {
            /// The faults of this layer, in the order in which they are applied.
            pub(crate) const ENTRIES: &'static [$crate::plan::fault::declare::Entry] = &[
                $(
                    $crate::plan::fault::declare::Entry {
                        name: $name,
                        layer: $crate::plan::fault::Layer::$layer,
                        tier: $tier,
                        about: concat!($($doc),+),
                        places: $crate::plan::fault::declare::Places::$places,
                        default: $default,
                        expect: $expect,
                        evidence: $evidence,
                        parameters: || vec![
                            $(
                                $crate::plan::fault::declare::Parameter {
                                    name: $param,
                                    kind: <$ty as $crate::plan::fault::declare::Argument>::KIND,
                                    optional: <$ty as $crate::plan::fault::declare::Argument>::OPTIONAL,
                                    meanings: <$ty as $crate::plan::fault::declare::Argument>::MEANINGS,
                                    default: $crate::plan::fault::declare::Argument::show(&{ let value: $ty = $value; value }),
                                    about: concat!($($about),+),
                                },
                            )*
                        ],
                    },
                )+
            ];

            /// The name in fixtures, flags and base URLs.
            pub(crate) fn name(&self) -> &'static str {
                match self {
                    $( Self::$Variant { .. } => $name, )+
                }
            }

            /// Its parameters as they are, defaults included.
            pub(crate) fn arguments(&self) -> Vec<(&'static str, Option<serde_json::Value>)> {
                match self {
                    $(
                        Self::$Variant { $( $field, )* } => vec![
                            $( ($param, $crate::plan::fault::declare::Argument::show($field)), )*
                        ],
                    )+
                }
            }

            /// The fault called `name`, if it is of this layer. What is wrong with `arguments` is told there.
            pub(crate) fn build(name: &str, arguments: &mut $crate::plan::fault::declare::Arguments) -> Option<Self> {
                match name {
                    $(
                        $name => Some(Self::$Variant {
                            $( $field: arguments.take($param, || $value), )*
                        }),
                    )+
                    _ => None,
                }
            }
        }
    };
}

/// Declares an enum of words that is the type of a parameter.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $Enum:ident { $( $(#[doc = $doc:literal])+ $Variant:ident = $word:literal, )+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $Enum {
            $( $(#[doc = $doc])+ $Variant, )+
        }

        impl $crate::plan::fault::declare::Argument for $Enum {
            const KIND: $crate::plan::fault::declare::ArgumentKind =
                $crate::plan::fault::declare::ArgumentKind::Words(&[$( $word, )+]);
            const MEANINGS: &'static [&'static str] = &[$( concat!($($doc),+), )+];

            fn read(given: &$crate::plan::fault::declare::Given) -> Result<Self, String> {
                match given.text() {
                    $( Some($word) => Ok(Self::$Variant), )+
                    _ => Err($crate::plan::fault::declare::no_word(&[$( $word, )+], given)),
                }
            }

            fn show(&self) -> Option<serde_json::Value> {
                Some(serde_json::Value::from(match self {
                    $( Self::$Variant => $word, )+
                }))
            }
        }
    };
}

pub(crate) use {faults, words};

/// What is known of a fault beside its code.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name in fixtures, flags and base URLs.
    pub name: &'static str,
    /// Its layer.
    pub layer: super::Layer,
    /// How often it is met: 1 is most often.
    pub tier: u8,
    /// What it does, in a sentence or two.
    pub about: &'static str,
    /// Where it can stand.
    pub places: Places,
    /// Where it stands unless told, as in the one-word form; empty where it takes no place.
    pub default: &'static str,
    /// What a good client makes of it, in the outcome vocabulary.
    pub expect: &'static str,
    /// Where it was seen.
    pub evidence: &'static str,
    /// What it can be told.
    pub parameters: fn() -> Vec<Parameter>,
}

/// Where a fault can stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Places {
    /// It is about the whole response.
    Whole,
    /// Anywhere in a response: head, event, byte, elapsed, end.
    Anywhere,
    /// At an event.
    Event,
    /// At an event, or at every one it can be about if no place is given.
    Events,
    /// While the connection is idle after the response.
    Idle,
    /// When the next request comes on the connection.
    NextRequest,
}

/// A parameter of a fault.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The name.
    pub name: &'static str,
    /// The type of its value.
    pub kind: ArgumentKind,
    /// Whether it can be told to have no value: `null` in JSON, `none` in the one-word form.
    pub optional: bool,
    /// The value unless given; `None`: none.
    pub default: Option<Value>,
    /// What each of its words is, if words are its type.
    pub meanings: &'static [&'static str],
    /// What it is for.
    pub about: &'static str,
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ArgumentKind {
    /// `true` or `false`.
    Flag,
    /// A whole number, 0 or more.
    Count,
    /// A whole number.
    Integer,
    /// A duration with a unit.
    Duration,
    /// A text.
    Text,
    /// One of these words.
    Words(&'static [&'static str]),
}

/// The type of a parameter: read from JSON or from text, and shown.
pub(crate) trait Argument: Sized {
    const KIND: ArgumentKind;
    /// Whether no value is one, too.
    const OPTIONAL: bool = false;
    /// What each word is, if it is one of some words.
    const MEANINGS: &'static [&'static str] = &[];

    /// Reads a value.
    ///
    /// # Errors
    ///
    /// What was expected.
    fn read(given: &Given) -> Result<Self, String>;

    /// As JSON; `None` for none.
    fn show(&self) -> Option<Value>;
}

/// A value as it was given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Given {
    /// In a fixture.
    Json(Value),
    /// In the one-word form, percent-decoded.
    Text(String),
    /// The word `none` in the one-word form, which is also a text.
    Nothing,
}

impl Given {
    /// The value as text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Json(Value::String(text)) | Self::Text(text) => Some(text),
            Self::Nothing => Some("none"),
            Self::Json(_) => None,
        }
    }
}

impl fmt::Display for Given {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(value) => out.write_str(&crate::plan::load::words::short(value)),
            Self::Text(text) => out.write_str(&crate::plan::load::words::quoted(text)),
            Self::Nothing => out.write_str("none"),
        }
    }
}

/// The parameters that were given to a fault, and what was found wrong with them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arguments {
    given: Vec<(String, Given)>,
    /// (parameter, what is wrong)
    pub(crate) problems: Vec<(String, String)>,
}

impl Arguments {
    pub(crate) fn new(given: Vec<(String, Given)>) -> Self {
        Self { given, problems: Vec::new() }
    }

    /// A parameter's value, or its default.
    pub(crate) fn take<T: Argument>(&mut self, name: &str, default: impl FnOnce() -> T) -> T {
        let Some(index) = self.given.iter().position(|(given, _)| given == name) else {
            return default();
        };
        let (name, given) = self.given.remove(index);
        T::read(&given).unwrap_or_else(|problem| {
            self.problems.push((name, problem));
            default()
        })
    }

    /// The names that nobody took.
    pub(crate) fn rest(self) -> impl Iterator<Item = String> {
        self.given.into_iter().map(|(name, _)| name)
    }
}

/// What is said of a word that is none of `words`.
pub(crate) fn no_word(words: &[&str], given: &Given) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    format!("expected {}, got {given}", words.join(" or "))
}

impl Argument for bool {
    const KIND: ArgumentKind = ArgumentKind::Flag;

    fn read(given: &Given) -> Result<Self, String> {
        match given {
            Given::Json(Value::Bool(flag)) => Ok(*flag),
            Given::Text(text) if text.is_empty() || text == "true" => Ok(true),
            Given::Text(text) if text == "false" => Ok(false),
            _ => Err(format!("expected true or false, got {given}")),
        }
    }

    fn show(&self) -> Option<Value> {
        Some(Value::from(*self))
    }
}

impl Argument for u64 {
    const KIND: ArgumentKind = ArgumentKind::Count;

    fn read(given: &Given) -> Result<Self, String> {
        let number = match given {
            Given::Json(value) => value.as_u64(),
            Given::Text(text) => text.parse().ok(),
            Given::Nothing => None,
        };
        number.ok_or_else(|| format!("expected a whole number, 0 or more, got {given}"))
    }

    fn show(&self) -> Option<Value> {
        Some(Value::from(*self))
    }
}

impl Argument for i64 {
    const KIND: ArgumentKind = ArgumentKind::Integer;

    fn read(given: &Given) -> Result<Self, String> {
        let number = match given {
            Given::Json(value) => value.as_i64(),
            Given::Text(text) => text.parse().ok(),
            Given::Nothing => None,
        };
        number.ok_or_else(|| format!("expected a whole number, got {given}"))
    }

    fn show(&self) -> Option<Value> {
        Some(Value::from(*self))
    }
}

impl Argument for Span {
    const KIND: ArgumentKind = ArgumentKind::Duration;

    fn read(given: &Given) -> Result<Self, String> {
        match given.text() {
            Some(text) => text.parse(),
            None => Err(format!("expected a duration with a unit, like \"20ms\" or \"1.5s\", got {given}")),
        }
    }

    fn show(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }
}

impl Argument for String {
    const KIND: ArgumentKind = ArgumentKind::Text;

    fn read(given: &Given) -> Result<Self, String> {
        given.text().map(str::to_owned).ok_or_else(|| format!("expected a string, got {given}"))
    }

    fn show(&self) -> Option<Value> {
        Some(Value::from(self.as_str()))
    }
}

/// A parameter without a default.
impl<T: Argument> Argument for Option<T> {
    const KIND: ArgumentKind = T::KIND;
    const OPTIONAL: bool = true;

    fn read(given: &Given) -> Result<Self, String> {
        match given {
            Given::Json(Value::Null) | Given::Nothing => Ok(None),
            Given::Json(_) | Given::Text(_) => T::read(given).map(Some),
        }
    }

    fn show(&self) -> Option<Value> {
        self.as_ref().and_then(T::show)
    }
}
