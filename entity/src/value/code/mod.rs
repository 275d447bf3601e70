//! Coded values: a code and the list it belongs to, with their names in both languages.
//! A code never stands without its list, because equal digits of two lists can mean opposite things
//! (household kind 1 and 2). The lists are read once from the files in `entity/data`.

pub mod divisions;
mod table;

use super::ValueError;
pub use table::Entry;

/// Language of a label or sentence (语言).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// Chinese (中文).
    Chinese,
    /// English (英文).
    English,
}

/// A code of a list (代码), stored as `LIST:code`, for example `RDXB:1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, sea_orm::DeriveValueType)]
pub struct Code(String);

impl Code {
    /// The code of a list, when the list offers it.
    pub fn new(list: &str, code: &str) -> Result<Self, ValueError> {
        if self::list(list).is_empty() {
            return Err(ValueError::new(
                "There is no such code list; see the documented lists.",
                "没有该代码表，请参见已公布的代码表。",
            ));
        }
        let text = format!("{list}:{code}");
        match entry(&text) {
            Some(_) => Ok(Self(text)),
            // The list is known by now, so its name is ours and not a text from outside.
            None => Err(ValueError::built(
                format!("List {list} has no such code; choose one of its codes."),
                format!("代码表 {list} 中没有该代码，请从表中选择。"),
            )),
        }
    }

    /// Reads `LIST:code`.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        match super::text::clean(text).split_once(':') {
            Some((list, code)) => Self::new(list, code),
            None => Err(ValueError::new(
                "Write a code as LIST:code, for example RDXB:1.",
                "请以“代码表:代码”的形式填写，例如 RDXB:1。",
            )),
        }
    }

    /// Reads a code that must be of one certain list; a bare code is taken as of that list.
    pub fn parse_in(list: &str, text: &str) -> Result<Self, ValueError> {
        let cleaned = super::text::clean(text);
        match cleaned.split_once(':') {
            None => Self::new(list, &cleaned),
            Some((given, code)) if given == list => Self::new(list, code),
            Some(_) => Err(ValueError::built(
                format!("Choose a code of list {list}."),
                format!("请从代码表 {list} 中选择代码。"),
            )),
        }
    }

    /// The stored text, `LIST:code`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The list, empty for a stored text without one.
    pub fn list(&self) -> &str {
        self.0.split_once(':').map_or("", |(list, _)| list)
    }

    /// The code without its list.
    pub fn code(&self) -> &str {
        self.0.split_once(':').map_or(self.0.as_str(), |(_, code)| code)
    }

    /// Its line in the list; None for a stored code that the list no longer has.
    pub fn entry(&self) -> Option<&'static Entry> {
        entry(&self.0)
    }
}

// Many lists are about people (ethnic group, health, sanction): the list may be printed, the code may not.
impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code({}:…)", self.list())
    }
}

/// The line of a list for a stored text `LIST:code`.
pub fn entry(text: &str) -> Option<&'static Entry> {
    table::tables().entry(text)
}

/// The name of a stored code. English where the list has it, else Chinese; None for a code unknown to the list.
pub fn label(text: &str, language: Language) -> Option<&'static str> {
    entry(text).map(|entry| entry.label(language))
}

/// The lines of a list in their order; empty for an unknown list.
pub fn list(list: &str) -> &'static [Entry] {
    table::tables().list(list)
}

/// The names of all lists, in alphabetical order.
pub fn lists() -> Vec<&'static str> {
    table::tables().names()
}

#[cfg(test)]
mod tests;
