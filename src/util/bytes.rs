//! Sizes in bytes: parsing and formatting.

/// Parses a size such as `512k`, `64m` or `10g`, in powers of 1024, or a plain number of bytes.
/// Returns `None` for any other string.
///
/// ```
/// assert_eq!(tinyci::format::parse_bytes("64m"), Some(64 * 1024 * 1024));
/// assert_eq!(tinyci::format::parse_bytes("much"), None);
/// ```
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let units = [("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30)];
    let with_unit = |(unit, size): &(&str, u64)| Some((text.strip_suffix(unit)?, *size));
    let (digits, size) = units.iter().find_map(with_unit).unwrap_or((&text, 1));
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse::<u64>().ok().filter(|_| plain)?.checked_mul(size)
}

/// Formats a number of bytes for people, in powers of 1024.
///
/// ```
/// assert_eq!(tinyci::format::format_bytes(1536), "1.5 KiB");
/// ```
pub fn format_bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let Some((size, unit)) = UNITS.into_iter().find(|(size, _)| bytes >= *size) else {
        return format!("{bytes} bytes");
    };
    let tenths = u128::from(bytes) * 10 / u128::from(size);
    match (tenths / 10, tenths % 10) {
        (whole @ 0..10, tenth @ 1..) => format!("{whole}.{tenth} {unit}"),
        (whole, _) => format!("{whole} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_every_unit() {
        let cases = [("0", 0), ("1048576", 1 << 20), ("512k", 512 << 10), ("2M", 2 << 20)];
        for (text, bytes) in cases.into_iter().chain([("10g", 10 << 30), (" 1 ", 1)]) {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
        }
        for bad in ["", "k", "-1", "+1", "1.5g", "1t", "1 m", "99999999999999g"] {
            assert_eq!(parse_bytes(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_shown_short() {
        let shown = [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1 KiB"), (1536, "1.5 KiB")];
        for (bytes, text) in
            shown.into_iter().chain([(64 << 20, "64 MiB"), (u64::MAX, "17179869183 GiB")])
        {
            assert_eq!(format_bytes(bytes), text);
        }
    }
}
