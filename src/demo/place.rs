//! Real places for the demo: counties of the division table of 2023 with their city and province.

use anyhow::{Result, ensure};

const DIVISIONS: &str = include_str!("../../entity/data/divisions-2023.csv");
/// The demo begins in this city and goes on with the rest of its province, then with the other provinces.
const FIRST_CITY: u64 = 430_100;

/// A county with the names of the levels above it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) code: u64,
    pub(super) county: &'static str,
    pub(super) city: &'static str,
    pub(super) province: &'static str,
}

impl Place {
    /// Code of the city the county lies in.
    pub(super) fn city_code(&self) -> u64 {
        self.code / 100 * 100
    }

    /// Code of the province.
    pub(super) fn province_code(&self) -> u64 {
        self.code / 10_000 * 10_000
    }

    /// The place in full, as addresses begin.
    pub(super) fn full(&self) -> String {
        format!("{}{}{}", self.province, self.city, self.county)
    }

    /// Counties (县) and county-level cities (市) have villages; districts (区) do not.
    pub(super) fn rural(&self) -> bool {
        !self.county.ends_with('区')
    }
}

/// All counties of ordinary cities, those of the first city in front.
pub(super) fn counties() -> Result<Vec<Place>> {
    let (mut province, mut city) = ("", "");
    let mut places = Vec::new();
    for line in DIVISIONS.lines().skip(1) {
        let mut fields = line.split(',');
        let (Some(code), Some(name), Some(level)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        match level {
            "province" => province = name,
            "prefecture" => city = name,
            "county" if !name.contains("市辖区") && !city.contains("辖") && !city.is_empty() => {
                places.push(Place { code: code.parse()?, county: name, city, province });
            }
            _ => {}
        }
    }
    ensure!(!places.is_empty(), "the division table holds no county");
    // A stable sort keeps the order of the table within each of the three parts.
    places.sort_by_key(|place| {
        if place.city_code() == FIRST_CITY {
            0
        } else if place.province_code() == FIRST_CITY / 10_000 * 10_000 {
            1
        } else {
            2
        }
    });
    // District and county take turns, so that a small demo has both.
    let own = places.iter().take_while(|place| place.city_code() == FIRST_CITY).count();
    let (towns, villages): (Vec<_>, Vec<_>) =
        places[..own].iter().cloned().partition(|place| !place.rural());
    let mut mixed = Vec::with_capacity(own);
    for turn in 0..own {
        mixed.extend(towns.get(turn).cloned());
        mixed.extend(villages.get(turn).cloned());
    }
    places.splice(..own, mixed);
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_are_a_district_and_a_county_of_one_city() {
        let places = counties().unwrap();
        assert_eq!((places[0].code, places[1].code), (430_102, 430_121));
        assert_eq!(places[0].full(), "湖南省长沙市芙蓉区");
        assert!(places.len() > 2000);
    }
}
