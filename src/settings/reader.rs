//! From merged layers to types, with errors that know their path and say it plainly.
//!
//! `config`'s own deserializer loses the path of an unknown key and the alternatives of a word.

use std::fmt::{self, Display};

use config::{Value, ValueKind};
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, Expected, IntoDeserializer, Unexpected, Visitor};

use crate::slo::nearest;

/// What cannot be read, and where.
#[derive(Debug)]
pub(super) struct ReadError {
    /// From the value up to the root: the last comes first.
    pub(super) path: Vec<Segment>,
    /// What is wrong.
    pub(super) wrong: Wrong,
}

/// One step down.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Segment {
    /// Into a mapping.
    Key(String),
    /// Into a list.
    Item(usize),
}

/// What is wrong at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Wrong {
    /// The mapping has a key that nobody knows; the hint names those that are known.
    Unknown { key: String, hint: String },
    /// The mapping lacks a key.
    Missing { key: &'static str },
    /// The value is wrong.
    Value(String),
}

impl ReadError {
    fn new(wrong: Wrong) -> Self {
        Self { path: Vec::new(), wrong }
    }

    fn below(mut self, segment: Segment) -> Self {
        self.path.push(segment);
        self
    }
}

impl Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wrong {
            Wrong::Unknown { key, hint } => write!(f, "unknown key `{key}`; {hint}"),
            Wrong::Missing { key } => write!(f, "`{key}` is missing"),
            Wrong::Value(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for ReadError {}

/// Values are never repeated: they may be secrets.
impl de::Error for ReadError {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(Wrong::Value(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Unit | Unexpected::Option => "nothing",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a mapping",
            _ => "a single value",
        };
        let expected = match expected.to_string() {
            text if text.starts_with("struct ") || text == "a map" => "a mapping (`key: value`)".to_owned(),
            text if text == "a sequence" => "a list (`[a, b]`)".to_owned(),
            text if text.contains("string") => "a text".to_owned(),
            text => text,
        };
        Self::custom(format!("must be {expected}, not {found}"))
    }

    fn unknown_field(key: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Wrong::Unknown { key: key.to_owned(), hint: nearest::hint(key, expected) })
    }

    fn unknown_variant(word: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format!("`{word}` is not known; {}", nearest::hint(word, expected)))
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Wrong::Missing { key })
    }
}

/// Reads one value. Scalars are text; nothing reads as an empty mapping or list.
pub(super) struct Reader<'de>(pub(super) &'de Value);

impl<'de> Reader<'de> {
    fn number<T: std::str::FromStr>(&self, what: &str) -> Result<T, ReadError> {
        let ValueKind::String(text) = &self.0.kind else {
            return Err(de::Error::custom(format!("must be {what}")));
        };
        text.trim().parse().map_err(|_| de::Error::custom(format!("must be {what}")))
    }

    fn visit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.0.kind {
            ValueKind::Table(table) => {
                let mut entries: Vec<_> = table.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                visitor.visit_map(Entries { entries: entries.into_iter(), value: None })
            }
            ValueKind::Array(items) => visitor.visit_seq(Items(items.iter().enumerate())),
            ValueKind::String(text) => visitor.visit_str(text),
            _ => visitor.visit_unit(),
        }
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.visit(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_bool(self.number("true or false")?)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_u16(self.number("a whole number from 0 to 65535")?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_u32(self.number("a whole number")?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_u64(self.number("a whole number")?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.kind {
            ValueKind::Nil => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match &self.0.kind {
            ValueKind::String(text) => {
                let word: StrDeserializer<'_, ReadError> = text.as_str().into_deserializer();
                visitor.visit_enum(word)
            }
            _ => Err(de::Error::custom("must be a single word")),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.kind {
            ValueKind::Nil => visitor.visit_seq(Items([].iter().enumerate())),
            _ => self.visit(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.kind {
            ValueKind::Nil => visitor.visit_map(Entries { entries: Vec::new().into_iter(), value: None }),
            _ => self.visit(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.0.kind {
            // Serde would take a list for the fields in their order.
            ValueKind::Array(_) => Err(de::Error::invalid_type(Unexpected::Seq, &"a map")),
            _ => self.deserialize_map(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple tuple_struct identifier ignored_any
    }
}

struct Items<'de>(std::iter::Enumerate<std::slice::Iter<'de, Value>>);

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some((i, item)) = self.0.next() else { return Ok(None) };
        seed.deserialize(Reader(item)).map(Some).map_err(|error| error.below(Segment::Item(i)))
    }
}

struct Entries<'de> {
    entries: std::vec::IntoIter<(&'de String, &'de Value)>,
    value: Option<(&'de String, &'de Value)>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        self.value = self.entries.next();
        let Some((key, _)) = self.value else { return Ok(None) };
        let key: StrDeserializer<'_, ReadError> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let (key, value) = self.value.take().ok_or_else(|| de::Error::custom("a value without a key"))?;
        seed.deserialize(Reader(value)).map_err(|error| error.below(Segment::Key(key.clone())))
    }
}
