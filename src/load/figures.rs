//! From single requests to the figures of a cell.
//!
//! A cell is one operation at one number of connections on one server.

use std::collections::BTreeMap;
use std::time::Duration;

/// What happened to the requests of a cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Time to each complete answer with status 200, in microseconds.
    pub(super) latencies: Vec<u64>,
    /// Bytes of their bodies.
    pub(super) bytes: u64,
    /// Answers with another status, by status.
    pub(super) refused: BTreeMap<u16, u64>,
    /// Connections that broke, could not be made, or gave no answer in time.
    pub(super) errors: u64,
    /// Answers looked at.
    pub(super) checked: u64,
    /// Why answers that were looked at are wrong, each reason with its number.
    pub(super) wrong: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds what another worker saw.
    pub(super) fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.bytes += other.bytes;
        self.errors += other.errors;
        self.checked += other.checked;
        for (status, count) in other.refused {
            *self.refused.entry(status).or_default() += count;
        }
        for (why, count) in other.wrong {
            *self.wrong.entry(why).or_default() += count;
        }
    }
}

/// The value that `per_mille` thousandths of the sorted values do not exceed (nearest rank).
pub(super) fn percentile(sorted: &[u64], per_mille: usize) -> Option<u64> {
    let rank = (sorted.len() * per_mille).div_ceil(1000).max(1);
    sorted.get(rank - 1).copied()
}

/// The quartiles of a few ratios, lowest first; none without values.
pub(super) fn quartiles(mut values: Vec<f64>) -> Option<[f64; 3]> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    let at = |quarter: usize| values.get((values.len() * quarter).div_ceil(4).max(1) - 1).copied();
    Some([at(1)?, at(2)?, at(3)?])
}

/// A count over a time, per second.
pub(super) fn per_second(count: usize, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
}

/// A counter's sum over all its labels in a page of Prometheus metrics.
pub(super) fn counter(page: &str, name: &str) -> Option<f64> {
    let mut sum = None;
    for line in page.lines() {
        let Some(rest) = line.strip_prefix(name) else { continue };
        let value = match rest.strip_prefix('{') {
            Some(labelled) => labelled.rsplit_once('}').map(|(_, value)| value),
            None => rest.strip_prefix(' '),
        };
        if let Some(value) = value.and_then(|value| value.trim().parse::<f64>().ok()) {
            *sum.get_or_insert(0.0) += value;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<u64> = (1..=200).collect();
        assert_eq!(percentile(&values, 500), Some(100));
        assert_eq!(percentile(&values, 950), Some(190));
        assert_eq!(percentile(&values, 990), Some(198));
        assert_eq!(percentile(&values, 1000), Some(200));
        assert_eq!(percentile(&[7], 500), Some(7));
        assert_eq!(percentile(&[7], 0), Some(7));
        assert_eq!(percentile(&[1, 2, 3], 990), Some(3));
        assert_eq!(percentile(&[], 500), None);
    }

    #[test]
    fn quartiles_leave_out_what_is_no_number() {
        let values = vec![0.9, f64::NAN, 1.1, 1.0, 1.2];
        assert_eq!(quartiles(values), Some([0.9, 1.0, 1.1]));
        assert_eq!(quartiles(vec![2.0]), Some([2.0; 3]));
        assert_eq!(quartiles(vec![f64::INFINITY]), None);
    }

    #[test]
    fn a_counter_is_summed_over_its_labels() {
        let page = "# TYPE xueji_statements_total counter\nxueji_statements_total{kind=\"a b\"} 3\n\
                    xueji_statements_total{kind=\"c\"} 4\nxueji_statements_total_other 9\n";
        assert_eq!(counter(page, "xueji_statements_total"), Some(7.0));
        assert_eq!(counter("xueji_statements_total 12\n", "xueji_statements_total"), Some(12.0));
        assert_eq!(counter(page, "xueji_other"), None);
    }

    #[test]
    fn tallies_add_up() {
        let mut all = Tally { latencies: vec![1], checked: 1, ..Tally::default() };
        all.add(Tally {
            latencies: vec![2, 3],
            bytes: 10,
            refused: [(401, 1)].into(),
            errors: 2,
            checked: 1,
            wrong: [("no data".to_owned(), 1)].into(),
        });
        assert_eq!((all.latencies.len(), all.bytes, all.errors, all.checked), (3, 10, 2, 2));
        assert_eq!(all.refused.get(&401), Some(&1));
        assert!((per_second(all.latencies.len(), Duration::from_millis(1500)) - 2.0).abs() < 1e-9);
    }
}
