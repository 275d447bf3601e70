//! From a selection to an answer: compile once, read list by list, write values.
//!
//! Lists are resolved as lists. [`select`] turns a selection set into a tree of what is wanted,
//! [`fetch`] reads it with one statement for each list of the tree, [`render`] writes the answer
//! row by row from one look-up for each cell, and notes the redactions list by list. [`search`] is
//! free-text search as a condition. [`output`]
//! holds the output types that root fields return, [`roots`] the root fields of the nouns; [`types`] describes them to the schema. The
//! engine knows no noun by name.

pub mod args;
pub(crate) mod computed;
pub(crate) mod fetch;
pub mod output;
pub(crate) mod render;
pub mod roots;
pub(crate) mod search;
pub(crate) mod select;
pub(crate) mod types;
