//! The outlets: what must speak of values that its reader may not see, each with its reason. The list only shrinks.
//!
//! They are left out of the comparison of the twins; each has tests of its own.

/// How long the list is. Lower it with each outlet that goes; it is never raised.
const MOST: usize = 8;

/// For whom a field is an outlet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Everybody,
    /// Those who are given figures over rows that they do not read. Who reads the rows is compared.
    FiguresAlone,
}

/// Coordinates with the reason of each.
const OUTLETS: &[(&str, For, &str)] = &[
    (
        "Score.courseMean",
        For::Everybody,
        "the mean of a class stands for every published score of the class, whoever may read them one by one: \
         nothing under ten pupils, nothing where all are alike (promise 12)",
    ),
    (
        "Mutation.identityNumberCheck",
        For::Everybody,
        "says whether an identity number is registered, and nothing of whose it is or where: the exact-match check, \
         for a purpose, limited by the hour and on record (promise 11)",
    ),
    (
        "Mutation.recordOpen",
        For::Everybody,
        "opens the record of a pupil out of reach who is named by number and name: that they fit is told, the guesses \
         of an hour are few, and every one is on record (break-glass)",
    ),
    (
        "Mutation.grantDelegate",
        For::Everybody,
        "gives a duty to a colleague who is named by login: that the school has such an account is told to those who \
         hold the duty, limited by the hour and on record",
    ),
    ("Query.studentCounts", For::FiguresAlone, FIGURES),
    ("Query.scoreStatistics", For::FiguresAlone, FIGURES),
    ("Query.attendanceRates", For::FiguresAlone, FIGURES),
    ("Query.aidCoverage", For::FiguresAlone, FIGURES),
];

const FIGURES: &str = "figures are about rows that their reader does not see, under a threshold (promise 12); what can \
                       be computed from them is the solver's question";

/// Whether a field is one, for somebody who is given figures alone or for anybody else.
pub(crate) fn is(coordinate: &str, figures_alone: bool) -> bool {
    OUTLETS
        .iter()
        .any(|(known, of, _)| *known == coordinate && (figures_alone || *of == For::Everybody))
}

#[cfg(not(feature = "leaks"))]
mod tests {
    use super::super::schema::Schema;
    use super::{MOST, OUTLETS};

    #[test]
    fn the_list_of_outlets_only_shrinks_and_names_what_there_is() {
        assert_eq!(OUTLETS.len(), MOST, "as many as are written beside the list");
        let schema = Schema::read();
        for (coordinate, _, reason) in OUTLETS {
            assert!(schema.has(coordinate), "{coordinate} is in the schema");
            assert!(reason.len() > 40, "{coordinate} has its reason");
        }
    }
}
