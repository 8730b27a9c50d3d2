//! How an event's struct is declared: its fields by kind, each with our name and the venue's letter.

use serde_json::{Map, Value};

/// An event under our names.
pub trait Fields {
    /// Every value that the event states, numbers and times as the venue writes them. Parts of an event that have fields of
    /// their own are merged in; lists stay lists.
    fn fields(&self) -> Map<String, Value>;
}

/// A value as JSON. The structs here have text keys and no floats: writing them cannot fail.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Declares a struct whose fields come in groups, in this order:
///
/// * `int`, `dec`, `qty`, `text`, `yes`, `word`: a whole number, a decimal, one of 0 or more, text, a truth value, one of the venue's words;
/// * the same with `opt_`: absent when missing, null or empty;
/// * `part`: an object whose fields belong to this event; `opt_part`: the same, if it is there;
/// * `list`: objects; none when the list is missing; `levels`: prices with quantities.
macro_rules! shape {
    (
        $(#[$meta:meta])* $name:ident {
            $(int { $($(#[$int_doc:meta])* $int:ident = $int_key:literal),+ $(,)? })?
            $(opt_int { $($(#[$oint_doc:meta])* $oint:ident = $oint_key:literal),+ $(,)? })?
            $(dec { $($(#[$dec_doc:meta])* $dec:ident = $dec_key:literal),+ $(,)? })?
            $(opt_dec { $($(#[$odec_doc:meta])* $odec:ident = $odec_key:literal),+ $(,)? })?
            $(qty { $($(#[$qty_doc:meta])* $qty:ident = $qty_key:literal),+ $(,)? })?
            $(opt_qty { $($(#[$oqty_doc:meta])* $oqty:ident = $oqty_key:literal),+ $(,)? })?
            $(text { $($(#[$text_doc:meta])* $text:ident = $text_key:literal),+ $(,)? })?
            $(opt_text { $($(#[$otext_doc:meta])* $otext:ident = $otext_key:literal),+ $(,)? })?
            $(yes { $($(#[$yes_doc:meta])* $yes:ident = $yes_key:literal),+ $(,)? })?
            $(opt_yes { $($(#[$oyes_doc:meta])* $oyes:ident = $oyes_key:literal),+ $(,)? })?
            $(word { $($(#[$word_doc:meta])* $word:ident: $word_ty:ty = $word_key:literal),+ $(,)? })?
            $(opt_word { $($(#[$oword_doc:meta])* $oword:ident: $oword_ty:ty = $oword_key:literal),+ $(,)? })?
            $(part { $($(#[$part_doc:meta])* $part:ident: $part_ty:ty = $part_key:literal),+ $(,)? })?
            $(opt_part { $($(#[$opart_doc:meta])* $opart:ident: $opart_ty:ty = $opart_key:literal),+ $(,)? })?
            $(list { $($(#[$list_doc:meta])* $list:ident: $list_ty:ty = $list_key:literal),+ $(,)? })?
            $(levels { $($(#[$levels_doc:meta])* $levels:ident = $levels_key:literal),+ $(,)? })?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $($($(#[$int_doc])* #[serde(rename = $int_key, deserialize_with = "crate::wire::number::int")]
                pub $int: i64,)+)?
            $($($(#[$oint_doc])* #[serde(rename = $oint_key, default, deserialize_with = "crate::wire::number::opt_int",
                skip_serializing_if = "Option::is_none")]
                pub $oint: Option<i64>,)+)?
            $($($(#[$dec_doc])* #[serde(rename = $dec_key, deserialize_with = "crate::wire::number::decimal")]
                pub $dec: rust_decimal::Decimal,)+)?
            $($($(#[$odec_doc])* #[serde(rename = $odec_key, default, deserialize_with = "crate::wire::number::opt_decimal",
                skip_serializing_if = "Option::is_none")]
                pub $odec: Option<rust_decimal::Decimal>,)+)?
            $($($(#[$qty_doc])* #[serde(rename = $qty_key, deserialize_with = "crate::wire::number::quantity")]
                pub $qty: rust_decimal::Decimal,)+)?
            $($($(#[$oqty_doc])* #[serde(rename = $oqty_key, default, deserialize_with = "crate::wire::number::opt_quantity",
                skip_serializing_if = "Option::is_none")]
                pub $oqty: Option<rust_decimal::Decimal>,)+)?
            $($($(#[$text_doc])* #[serde(rename = $text_key)]
                pub $text: String,)+)?
            $($($(#[$otext_doc])* #[serde(rename = $otext_key, default, deserialize_with = "crate::wire::number::opt_text",
                skip_serializing_if = "Option::is_none")]
                pub $otext: Option<String>,)+)?
            $($($(#[$yes_doc])* #[serde(rename = $yes_key, deserialize_with = "crate::wire::number::boolean")]
                pub $yes: bool,)+)?
            $($($(#[$oyes_doc])* #[serde(rename = $oyes_key, default, deserialize_with = "crate::wire::number::opt_boolean",
                skip_serializing_if = "Option::is_none")]
                pub $oyes: Option<bool>,)+)?
            $($($(#[$word_doc])* #[serde(rename = $word_key)]
                pub $word: $word_ty,)+)?
            $($($(#[$oword_doc])* #[serde(rename = $oword_key, default, skip_serializing_if = "Option::is_none")]
                pub $oword: Option<$oword_ty>,)+)?
            $($($(#[$part_doc])* #[serde(rename = $part_key)]
                pub $part: $part_ty,)+)?
            $($($(#[$opart_doc])* #[serde(rename = $opart_key, default, skip_serializing_if = "Option::is_none")]
                pub $opart: Option<$opart_ty>,)+)?
            $($($(#[$list_doc])* #[serde(rename = $list_key, default)]
                pub $list: Vec<$list_ty>,)+)?
            $($($(#[$levels_doc])* #[serde(rename = $levels_key)]
                pub $levels: Vec<Level>,)+)?
        }

        impl crate::wire::event::Fields for $name {
            #[allow(unused_mut, unused_imports, reason = "not every event has every kind of field")]
            fn fields(&self) -> serde_json::Map<String, serde_json::Value> {
                use super::shape::json;
                let mut fields = serde_json::Map::new();
                $($(fields.insert(stringify!($int).to_owned(), json(&self.$int));)+)?
                $($(if let Some(value) = &self.$oint { fields.insert(stringify!($oint).to_owned(), json(value)); })+)?
                $($(fields.insert(stringify!($dec).to_owned(), json(&self.$dec));)+)?
                $($(if let Some(value) = &self.$odec { fields.insert(stringify!($odec).to_owned(), json(value)); })+)?
                $($(fields.insert(stringify!($qty).to_owned(), json(&self.$qty));)+)?
                $($(if let Some(value) = &self.$oqty { fields.insert(stringify!($oqty).to_owned(), json(value)); })+)?
                $($(fields.insert(stringify!($text).to_owned(), json(&self.$text));)+)?
                $($(if let Some(value) = &self.$otext { fields.insert(stringify!($otext).to_owned(), json(value)); })+)?
                $($(fields.insert(stringify!($yes).to_owned(), json(&self.$yes));)+)?
                $($(if let Some(value) = &self.$oyes { fields.insert(stringify!($oyes).to_owned(), json(value)); })+)?
                $($(fields.insert(stringify!($word).to_owned(), json(&self.$word));)+)?
                $($(if let Some(value) = &self.$oword { fields.insert(stringify!($oword).to_owned(), json(value)); })+)?
                $($(fields.extend(self.$part.fields());)+)?
                $($(if let Some(part) = &self.$opart { fields.extend(part.fields()); })+)?
                $($(fields.insert(
                    stringify!($list).to_owned(),
                    self.$list.iter().map(|row| serde_json::Value::Object(row.fields())).collect(),
                );)+)?
                $($(fields.insert(stringify!($levels).to_owned(), json(&self.$levels));)+)?
                fields
            }
        }
    };
}

pub(super) use shape;
