//! Deliberate leaks, for the test of the noninterference test: each breaks one promise at the place where it is kept.
//!
//! They exist with the feature `leaks` alone, which `tests/leaks.rs` needs and no server has: a build without debug
//! assertions refuses it. Without the feature nothing of them is compiled in, and [`on`] is a constant.

#[cfg(all(feature = "leaks", not(debug_assertions)))]
compile_error!("the feature `leaks` is for tests: a server must not be built with it");

/// One deliberate leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Leak {
    /// A condition holds on rows whose column the caller does not see.
    FilterWithoutGuard = 1,
    /// A negated condition loses its guard.
    NegationWithoutGuard,
    /// A relation in a condition leads to rows out of scope.
    RelatedWithoutScope,
    /// A single related row is joined without its own scope.
    JoinedWithoutScope,
    /// The total counts all rows.
    TotalOfAllRows,
    /// A row by its id is read without the scope.
    NodeWithoutScope,
    /// A list may be ordered by a column that is not seen.
    SortByHidden,
    /// A value under another name in the answer is not masked.
    AliasUnmasked,
    /// A masked value is shown in full.
    MaskForgotten,
    /// What a mutation returns is not masked.
    PayloadUnmasked,
    /// A hidden column is listed only where something is on file.
    HiddenOnlyWhereFilled,
    /// Sights are kept for all callers together.
    SightsShared,
    /// A cursor holds whatever was read of its row.
    CursorOfEverything,
    /// A cursor can be read by whoever has it.
    CursorInTheClear,
    /// An error quotes a value.
    ErrorQuotesValue,
    /// A row that is not the caller's has an error of its own.
    ExistenceTold,
    /// A line of the log holds a value.
    ValueLogged,
    /// One statement more where there are rows out of scope.
    StatementForHidden,
    /// Figures count rows out of scope.
    FiguresWithoutScope,
    /// An act decides on rows out of scope.
    ActWithoutScope,
    /// A repeated request is looked up whosesoever it was.
    RepetitionOfAnybody,
    /// A relation is followed in a row that hides its reference: both walls are down, the one that reads and the
    /// one that writes.
    HiddenReferenceFollowed,
    /// Rows behind a hidden reference are read and counted among what is withheld, though not shown.
    HiddenReferenceCounted,
    /// What a relation leads to is written where the reference is hidden; harmless alone, since it is not read.
    HiddenReferenceWritten,
    /// A search looks into texts on rows that do not show them.
    SearchWithoutGuard,
    /// `every` and `none` look at a column on rows that do not show it.
    QuantifierWithoutGuard,
    /// Whether another page follows is told of all rows.
    NextPageOfAllRows,
    /// The tag against stale writes covers what is masked.
    VersionOfHidden,
    /// An exact-match check that finds something takes one statement more.
    CheckInStatements,
    /// An event of a stream is sent without a second look at scope.
    EventWithoutScope,
}

#[cfg(feature = "leaks")]
mod chosen {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Leak;

    static CHOSEN: AtomicU8 = AtomicU8::new(0);

    /// Every leak that the twins must tell.
    pub const ALL: [Leak; 28] = [
        Leak::FilterWithoutGuard,
        Leak::NegationWithoutGuard,
        Leak::RelatedWithoutScope,
        Leak::JoinedWithoutScope,
        Leak::TotalOfAllRows,
        Leak::NodeWithoutScope,
        Leak::SortByHidden,
        Leak::AliasUnmasked,
        Leak::MaskForgotten,
        Leak::PayloadUnmasked,
        Leak::HiddenOnlyWhereFilled,
        Leak::SightsShared,
        Leak::CursorOfEverything,
        Leak::CursorInTheClear,
        Leak::ErrorQuotesValue,
        Leak::ExistenceTold,
        Leak::ValueLogged,
        Leak::StatementForHidden,
        Leak::FiguresWithoutScope,
        Leak::ActWithoutScope,
        Leak::RepetitionOfAnybody,
        Leak::HiddenReferenceFollowed,
        Leak::HiddenReferenceCounted,
        Leak::SearchWithoutGuard,
        Leak::QuantifierWithoutGuard,
        Leak::NextPageOfAllRows,
        Leak::VersionOfHidden,
        Leak::CheckInStatements,
    ];

    /// What lets out nothing by itself, since another wall stands behind it.
    pub const WALLED: [Leak; 1] = [Leak::HiddenReferenceWritten];

    /// Lets this leak, or none, for the whole process.
    pub fn choose(leak: Option<Leak>) {
        CHOSEN.store(leak.map_or(0, |leak| leak as u8), Ordering::SeqCst);
    }

    /// Whether this leak was chosen.
    pub fn on(leak: Leak) -> bool {
        CHOSEN.load(Ordering::SeqCst) == leak as u8
    }
}

#[cfg(feature = "leaks")]
pub use chosen::{ALL, WALLED, choose, on};

/// Whether this leak was chosen; never without the feature.
#[cfg(not(feature = "leaks"))]
pub const fn on(_leak: Leak) -> bool {
    false
}
