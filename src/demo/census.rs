//! Ethnic groups (民族) and how many people belong to each, by the seventh national census of 2020.

use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand_chacha::ChaCha8Rng;

/// Persons of each of the 56 groups, in the order of GB/T 3304: the first is 01 (汉族, Han).
pub(super) const PERSONS: [u32; 56] = [
    1_284_446_389,
    6_290_204,
    11_377_914,
    7_060_731,
    11_774_538,
    11_067_929,
    9_830_327,
    19_568_546,
    3_576_752,
    1_702_479,
    10_423_303,
    3_495_993,
    3_309_341,
    2_091_543,
    9_587_732,
    1_733_166,
    1_562_518,
    1_329_985,
    1_602_104,
    762_996,
    430_977,
    746_385,
    3_479,
    499_167,
    495_928,
    774_947,
    323_767,
    160_471,
    204_402,
    281_928,
    132_299,
    277_233,
    312_981,
    127_345,
    165_159,
    124_092,
    677_521,
    191_911,
    43_775,
    45_012,
    50_896,
    36_575,
    12_742,
    16_136,
    34_617,
    22_354,
    24_434,
    14_706,
    33_112,
    3_544,
    7_310,
    9_168,
    5_373,
    11_143,
    4_237,
    26_025,
];

/// Draws groups in proportion to the census.
#[derive(Debug)]
pub(super) struct Census(WeightedIndex<u32>);

impl Census {
    /// The sampler over all 56 groups.
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self(WeightedIndex::new(PERSONS)?))
    }

    /// The number of a group, 1 to 56.
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> usize {
        self.0.sample(rng) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn han_are_nine_tenths() {
        let all: u64 = PERSONS.iter().map(|count| u64::from(*count)).sum();
        let share = f64::from(PERSONS[0]) / all as f64;
        assert!((0.910..0.913).contains(&share), "{share}");
    }
}
