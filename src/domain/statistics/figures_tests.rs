//! The figures against values worked out by hand.

use super::*;

const MARKS: Option<(i64, i64, i64)> = Some((100_000, 60_000, 85_000));

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn tally(scores: &[(i64, i64)]) -> ScoreTally {
    let mut tally = ScoreTally::default();
    for (value, count) in scores {
        tally.add(*value, MARKS, *count);
    }
    tally
}

fn attendance(days: &[(i64, i64, i64)]) -> AttendanceTally {
    let mut tally = AttendanceTally::default();
    for (students, excused, truant) in days {
        tally.add(*students, *excused, *truant);
    }
    tally
}

/// Forty scores of a class: from 42 to 100 points.
fn class() -> ScoreTally {
    tally(&[
        (42_000, 1),
        (58_500, 3),
        (65_000, 6),
        (72_000, 12),
        (84_500, 13),
        (91_000, 4),
        (100_000, 1),
    ])
}

#[test]
fn a_deviation_is_that_of_the_whole_group_rounded_once() {
    // (values with their numbers, deviation in thousandths)
    type Values = &'static [(i64, i64)];
    let cases: [(Values, Option<i64>); 7] = [
        (&[], None),
        (&[(70_000, 5)], Some(0)),
        // 2, 4, 4, 4, 5, 5, 7, 9 points: mean 5, variance 4, deviation 2.
        (&[(2_000, 1), (4_000, 3), (5_000, 2), (7_000, 1), (9_000, 1)], Some(2_000)),
        // 60 and 61: deviation 0.5.
        (&[(60_000, 1), (61_000, 1)], Some(500)),
        // 60 and 60.5: deviation 0.25, a half goes up.
        (&[(60_000, 1), (60_500, 1)], Some(300)),
        // 60 and 60.498: deviation 0.249.
        (&[(60_000, 1), (60_498, 1)], Some(200)),
        // 0, 50, 100: variance 1666.66…, deviation 40.82….
        (&[(0, 1), (50_000, 1), (100_000, 1)], Some(40_800)),
    ];
    for (values, expected) in cases {
        let values: BTreeMap<_, _> = values.iter().copied().collect();
        assert_eq!(deviation(&values), expected.map(Thousandths), "{values:?}");
    }
}

#[test]
fn a_deviation_of_millions_does_not_overflow() {
    let values = [(0, 10_000_000), (9_999_900, 10_000_000)].into_iter().collect();
    assert_eq!(deviation(&values), Some(Thousandths(5_000_000)));
}

#[test]
fn quantiles_are_values_of_the_nearest_rank() {
    // (number of scores 1, 2, 3 …, per cent, rank)
    for (count, per_cent, expected) in [
        (1, 10, 1),
        (1, 90, 1),
        (2, 50, 1),
        (4, 25, 1),
        (5, 50, 3),
        (5, 90, 5),
        (10, 10, 1),
        (11, 10, 2),
        (10, 75, 8),
        (100, 90, 90),
    ] {
        assert_eq!(rank(count, per_cent), expected, "{per_cent} % of {count}");
    }
    let values = [(10_000, 2), (20_000, 1), (90_000, 2)].into_iter().collect();
    for (at, expected) in [(1, 10_000), (2, 10_000), (3, 20_000), (4, 90_000), (5, 90_000)] {
        assert_eq!(at_rank(&values, at), Some(Thousandths(expected)));
    }
}

#[test]
fn a_reader_of_the_rows_gets_every_figure() {
    let figures = class().figures(40).unwrap();
    // 42 + 175.5 + 390 + 864 + 1098.5 + 364 + 100 = 3034 points of 40 scores: 75.85.
    assert_eq!(figures.count, 40);
    assert_eq!(figures.mean, Some(Thousandths(75_900)));
    // Squares of 235 536 points: 5888.4 − 75.85² = 135.1775, root 11.626….
    assert_eq!(figures.deviation, Some(Thousandths(11_600)));
    let points = |value| Some(Thousandths(value));
    assert_eq!(
        figures.quantiles,
        Quantiles {
            p10: points(58_500),
            p25: points(65_000),
            median: points(72_000),
            p75: points(84_500),
            p90: points(91_000),
        }
    );
    assert_eq!(figures.full_mark, points(100_000));
    assert_eq!(figures.pass_rate, points(90_000));
    assert_eq!(figures.excellence_rate, points(12_500));
    let bands = [0, 0, 0, 0, 1, 3, 6, 12, 13, 5].map(Some);
    assert_eq!(figures.bands, bands);
    assert!(tally(&[(70_000, 1)]).figures(1).is_some());
}

#[test]
fn bands_are_tenths_of_the_full_mark() {
    for (value, full, band) in [
        (0, 100_000, 0),
        (9_999, 100_000, 0),
        (10_000, 100_000, 1),
        (99_900, 100_000, 9),
        (100_000, 100_000, 9),
        (105_000, 100_000, 9),
        (75_000, 150_000, 5),
        (107_999, 120_000, 8),
    ] {
        let mut tally = ScoreTally::default();
        tally.add(value, Some((full, 0, 0)), 1);
        assert_eq!(tally.bands[band], 1, "{value} of {full}");
    }
}

#[test]
fn scores_without_marks_have_no_rates() {
    let mut tally = ScoreTally::default();
    tally.add(80_000, None, 2);
    let figures = tally.figures(2).unwrap();
    assert_eq!(figures.mean, Some(Thousandths(80_000)));
    assert_eq!((figures.pass_rate, figures.full_mark), (None, None));
    tally.add(90_000, MARKS, 1);
    tally.add(90_000, Some((120_000, 72_000, 102_000)), 1);
    let figures = tally.figures(4).unwrap();
    assert_eq!(figures.full_mark, None);
    assert_eq!(figures.pass_rate, Some(Thousandths(100_000)));
    assert_eq!(figures.excellence_rate, Some(Thousandths(50_000)));
}

#[test]
fn days_fold_into_weeks_and_months() {
    // (period, day, label, first day, last day)
    let cases = [
        (Period::Day, "2026-09-07", "2026-09-07", "2026-09-07", "2026-09-07"),
        (Period::Week, "2026-09-07", "2026-W37", "2026-09-07", "2026-09-13"),
        (Period::Week, "2026-09-13", "2026-W37", "2026-09-07", "2026-09-13"),
        (Period::Week, "2026-09-14", "2026-W38", "2026-09-14", "2026-09-20"),
        // The first days of 2027 belong to the last week of 2026, and the last of 2024 to 2025.
        (Period::Week, "2027-01-03", "2026-W53", "2026-12-28", "2027-01-03"),
        (Period::Week, "2024-12-30", "2025-W01", "2024-12-30", "2025-01-05"),
        (Period::Month, "2028-02-29", "2028-02", "2028-02-01", "2028-02-29"),
        (Period::Month, "2026-12-31", "2026-12", "2026-12-01", "2026-12-31"),
    ];
    for (period, at, label, since, until) in cases {
        let span = period.of(day(at));
        assert_eq!((span.label.as_str(), span.since, span.until), (label, day(since), day(until)));
    }
}

#[test]
fn attendance_is_exact_for_readers_of_the_rows() {
    let week = attendance(&[(40, 2, 0), (40, 1, 1), (39, 0, 0)]);
    let figures = week.figures().unwrap();
    // 115 of 119 student days: 96.638… %.
    assert_eq!((figures.days, figures.present, figures.excused, figures.truant), (119, 115, 3, 1));
    assert_eq!(figures.rate, Thousandths(96_600));
    assert!(attendance(&[(40, 0, 0)]).figures().is_some());
    assert_eq!(attendance(&[]).figures(), None);
}

#[test]
fn class_sizes_have_the_national_bands() {
    for (size, band) in [
        (0, "BE:1"),
        (25, "BE:1"),
        (26, "BE:2"),
        (35, "BE:2"),
        (36, "BE:3"),
        (45, "BE:3"),
        (46, "BE:4"),
        (56, "BE:5"),
        (65, "BE:5"),
        (66, "BE:6"),
    ] {
        assert_eq!(class_size_band(size), band);
        assert!(xueji_entity::value::code::entry(band).is_some(), "{band}");
    }
}
