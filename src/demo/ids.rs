//! Numbers that name people and rows: row ids, identity numbers, status numbers, telephone and bank numbers.
//!
//! Everything is drawn from the one seeded stream and from counters, so that the same seed and size give the
//! same numbers and no number that must be unique is given twice. Nothing here comes from a real register.

use std::collections::HashMap;

use chrono::{Datelike, NaiveDate};
use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

/// First instant of the generated ids in milliseconds since 1970: 1 January 2024, whatever the clock says.
const BASE_MS: u64 = 1_704_067_200_000;

/// Makes row ids with the shape of UUIDv7: growing in time, the rest drawn from the seeded stream.
#[derive(Debug, Default)]
pub(super) struct Ids {
    made: u64,
}

impl Ids {
    /// The next id.
    pub(super) fn next(&mut self, rng: &mut ChaCha8Rng) -> Uuid {
        // Sixteen ids share a millisecond, so that a large set does not run past the present.
        let ms = BASE_MS + self.made / 16;
        self.made += 1;
        let mut random = [0_u8; 10];
        rng.fill_bytes(&mut random);
        uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid()
    }
}

/// Counters behind the numbers that must not repeat.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    residents: HashMap<(u64, i32, bool), u64>,
    temporary: HashMap<(u64, i32), u64>,
    provisional: HashMap<(u64, i32), u64>,
    phones: u64,
    cards: u64,
}

impl Numbers {
    /// A valid resident identity number (公民身份号码) for someone born on or a little after `born`, and the birth date in it.
    ///
    /// Sequence numbers count down from 999: a day and area with more than 500 births of one sex moves to the next day.
    pub(super) fn resident(
        &mut self,
        area: u64,
        born: NaiveDate,
        male: bool,
    ) -> (String, NaiveDate) {
        let mut day = born;
        loop {
            let used = self.residents.entry((area, day.num_days_from_ce(), male)).or_insert(0);
            if *used < 499 {
                let sequence = if male { 999 } else { 998 } - 2 * *used;
                *used += 1;
                return (
                    with_check(&format!("{area:06}{}{sequence:03}", day.format("%Y%m%d"))),
                    day,
                );
            }
            day = day.succ_opt().unwrap_or(day);
        }
    }

    /// A temporary status number: L, division of the school, birth date, four digits.
    pub(super) fn temporary(&mut self, division: u64, born: NaiveDate) -> String {
        let used = self.temporary.entry((division, born.num_days_from_ce())).or_insert(0);
        // 7919 is prime to 10,000: the digits look drawn and do not repeat before all are used.
        let digits = (*used * 7919 + u64::from(born.ordinal()) * 37 + 1234) % 10_000;
        *used += 1;
        format!("L{division:06}{}{digits:04}", born.format("%Y%m%d"))
    }

    /// A status number for someone without identity number: J, division, birth date, sequence, check.
    pub(super) fn provisional(&mut self, division: u64, born: NaiveDate) -> String {
        let used = self.provisional.entry((division, born.num_days_from_ce())).or_insert(0);
        *used += 1;
        format!(
            "J{}",
            with_check(&format!("{division:06}{}{:03}", born.format("%Y%m%d"), *used % 1000))
        )
    }

    /// A mobile number in the block 154, which is well formed and belongs to nobody.
    pub(super) fn phone(&mut self) -> String {
        self.phones += 1;
        format!("154{:08}", (self.phones * 48_271) % 100_000_000)
    }

    /// A card number of 19 digits with a right Luhn digit, in a block that no bank has.
    pub(super) fn bank_account(&mut self) -> String {
        self.cards += 1;
        let body = format!("620000{:012}", self.cards * 7_368_787 % 1_000_000_000_000);
        let sum: u32 = body
            .bytes()
            .rev()
            .enumerate()
            .map(|(place, byte)| {
                let digit = u32::from(byte - b'0') * if place % 2 == 0 { 2 } else { 1 };
                digit / 10 + digit % 10
            })
            .sum();
        format!("{body}{}", (10 - sum % 10) % 10)
    }

    /// A permit of Hong Kong or Macau: the letter and eight digits.
    pub(super) fn permit(&mut self, letter: char, rng: &mut ChaCha8Rng) -> String {
        format!("{letter}{:08}", rng.random_range(0..100_000_000_u32))
    }
}

/// Seventeen digits and their check character (ISO 7064 MOD 11-2).
pub(super) fn with_check(seventeen: &str) -> String {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECKS: [char; 11] = ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'];
    let sum: u32 = seventeen
        .bytes()
        .zip(WEIGHTS)
        .map(|(byte, weight)| u32::from(byte.saturating_sub(b'0')) * weight)
        .sum();
    let check = CHECKS
        .iter()
        .zip(0_u32..)
        .find(|(_, place)| *place == sum % 11)
        .map_or('0', |(check, _)| *check);
    format!("{seventeen}{check}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_characters_agree_with_the_published_examples() {
        assert_eq!(with_check("11010519491231002"), "11010519491231002X");
        assert_eq!(with_check("44052418800101001"), "440524188001010014");
    }

    #[test]
    fn a_full_day_moves_to_the_next() {
        let mut numbers = Numbers::default();
        let born = NaiveDate::from_ymd_opt(2015, 3, 1).unwrap();
        let all: std::collections::HashSet<_> =
            (0..1200).map(|_| numbers.resident(430_102, born, true).0).collect();
        assert_eq!(all.len(), 1200);
    }
}
