//! Postal addresses as people write them.
//! An address is not split into parts for storage; only its mask looks for the county inside it.

use super::{ValueError, code, personal, text};

personal! {
    /// An address (住址).
    Address, mask = "address", parse = parse, mask_text = mask
}

/// Longest address in characters, as in the exchange format.
const LONGEST: usize = 180;

fn parse(input: &str) -> Result<String, ValueError> {
    let address = text::clean(input);
    let length = address.chars().count();
    if !(2..=LONGEST).contains(&length) || address.chars().any(char::is_control) {
        return Err(ValueError::new(
            "Enter the full address from the province down, with at most 180 characters.",
            "请从省级开始填写完整地址，最多 180 个字符。",
        ));
    }
    Ok(address)
}

/// The address down to the county, then `***`. Only names of the division tables stay visible: a text in
/// which they do not lead to a county is hidden as a whole.
fn mask(bare: &str) -> String {
    let county =
        code::divisions::county_end(bare).and_then(|end| bare.get(..end)).unwrap_or_default();
    format!("{county}***")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Guarded;

    #[test]
    fn a_mask_stops_at_the_county() {
        for (address, masked) in [
            ("北京市朝阳区建国路1号", "北京市朝阳区***"),
            ("北京市市辖区朝阳区建国路1号", "北京市市辖区朝阳区***"),
            ("北京朝阳区建国路1号", "北京朝阳区***"),
            ("湖北省武汉市江岸区某某街道2号", "湖北省武汉市江岸区***"),
            ("湖北省 武汉市 江岸区 某某街道", "湖北省 武汉市 江岸区***"),
            ("湖北省仙桃市某某镇", "湖北省仙桃市***"),
            ("内蒙古自治区呼和浩特市新城区某某路", "内蒙古自治区呼和浩特市新城区***"),
            ("内蒙古自治区某某小区", "***"),
            ("江苏省苏州市昆山市某某镇", "江苏省苏州市昆山市***"),
            ("吉林省吉林市昌邑区某某街", "吉林省吉林市昌邑区***"),
            ("江岸区某某街道2号", "江岸区***"),
            ("广东省东莞市南城街道", "广东省东莞市***"),
            ("某某小区3号楼", "***"),
            ("", "***"),
            ("𠮷𠮷区", "***"),
            ("5 Long Street", "***"),
        ] {
            assert_eq!(Address::mask_text(address), masked, "{address}");
        }
    }

    #[test]
    fn addresses_are_cleaned() {
        assert_eq!(Address::parse(" 北京市　朝阳区 ").unwrap().expose(), "北京市 朝阳区");
        assert!(Address::parse(" ").is_err());
        assert!(Address::parse(&"路".repeat(181)).is_err());
    }
}
