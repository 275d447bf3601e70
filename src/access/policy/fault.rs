//! What is wrong with one line: its kind and a sentence.
//!
//! It knows no line and no file; whoever reads the line says where it stands.

use crate::access::policy::Problem;

/// What is wrong with a line.
#[derive(Debug)]
pub(super) struct Fault {
    code: &'static str,
    why: String,
}

/// A fault of a kind.
pub(super) fn fault(code: &'static str, why: String) -> Fault {
    Fault { code, why }
}

impl Fault {
    /// The problem that it is at a line.
    pub(super) fn at(self, file: &str, line: u32) -> Problem {
        Problem::line(file, line, self.why).of(self.code)
    }
}

/// `; did you mean …?` with the known name that is written most alike, if one is.
pub(super) fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let alike = known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(steps, known)| *steps <= 1 + known.len() / 5)
        .min();
    alike.map(|(_, known)| format!("; did you mean {known}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn a_name_that_is_written_alike_is_offered() {
        let known = ["student.name", "student.name_pinyin", "guardian.name"];
        assert_eq!(near("student.nmae", known.into_iter()), "; did you mean student.name?");
        assert_eq!(near("course.credits", known.into_iter()), "");
    }
}
