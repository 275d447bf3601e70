//! Which uses a line may name, and which make sense for a column and a sight.
//!
//! It refuses; it grants nothing.

use crate::access::catalogue::Coordinate;
use crate::access::policy::lint::ACTIONS;
use crate::access::table::{Sight, Uses};

/// The uses of a line, without its sight.
pub(super) fn uses_of(words: &str) -> Result<Uses, String> {
    let mut uses = Uses::NONE;
    for word in words.split_whitespace() {
        let shown = Uses::FULL.union(Uses::MASKED);
        let found =
            Uses::VERBS.iter().find(|(bit, known, _)| *known == word && !shown.contains(*bit));
        let Some((bit, _, _)) = found else {
            return Err(match word {
                "write" => format!("writing is granted by action: name the column in {ACTIONS}"),
                _ => format!(
                    "`{word}` is no use; the uses are filter, search, sort, group, aggregate, export, match, reveal"
                ),
            });
        };
        if uses.contains(*bit) {
            return Err(format!("the use {word} is named twice"));
        }
        uses = uses.union(*bit);
    }
    Ok(uses)
}

/// Whether the sight and the uses make sense together and for this column.
pub(super) fn fits(coordinate: &Coordinate, sight: Sight, uses: Uses) -> Result<(), String> {
    let name = coordinate.name();
    let refused = |among: Uses, why: &str| {
        let words: Vec<&str> = Uses::VERBS
            .iter()
            .filter(|(bit, _, _)| uses.contains(*bit) && among.contains(*bit))
            .map(|(_, word, _)| *word)
            .collect();
        if words.is_empty() { Ok(()) } else { Err(format!("{}: {name} {why}", words.join(" "))) }
    };
    if sight == Sight::Masked && !coordinate.text {
        return Err(format!(
            "{name} is no text; only text is masked, a coarser form is a column of its own"
        ));
    }
    if coordinate.equality_only() {
        let ordered = Uses::SEARCH.union(Uses::SORT).union(Uses::GROUP).union(Uses::AGGREGATE);
        refused(
            ordered,
            "is encrypted and known by equality alone, so it is no range, order, group, measure or search",
        )?;
    }
    if !coordinate.sealed {
        refused(Uses::MATCH, "has no keyed hash to match against")?;
    }
    if sight != Sight::Masked {
        refused(Uses::REVEAL, "is not masked here; reveal shows in full what a mask covers")?;
    }
    match sight {
        Sight::Full => Ok(()),
        Sight::Masked => {
            let others = Uses::FILTER.union(Uses::SEARCH).union(Uses::SORT).union(Uses::GROUP).union(Uses::AGGREGATE);
            refused(others, "is masked here, and the use would tell the value behind the mask")
        }
        Sight::Hidden if uses.is_empty() => {
            Err("hidden without uses grants nothing and takes nothing away; delete the line, or say `-, -` when nobody reads it".to_owned())
        }
        Sight::Hidden => refused(Uses::SEARCH.union(Uses::SORT).union(Uses::EXPORT), "is hidden here, and the use needs rows"),
    }
}
