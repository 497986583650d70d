//! Bytes as hexadecimal digits: for ids, and in JSON for bytes that are not UTF-8.

use std::fmt::Write;

/// Returns two lowercase digits for each byte.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// Returns the bytes for these digits, in either case. Returns `None` for any other character and
/// for an odd number of digits.
pub(crate) fn decode(digits: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = vec![0; digits.len() / 2];
    decode_into(digits, &mut bytes)?;
    Some(bytes)
}

/// Decodes like [`decode`], into a slice that the bytes must fill exactly.
pub(crate) fn decode_into(digits: &[u8], bytes: &mut [u8]) -> Option<()> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != bytes.len() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_bytes_go_there_and_back() {
        let all: Vec<u8> = (0..=255).collect();
        let digits = encode(&all);
        assert_eq!((digits.len(), &digits[..6], &digits[506..]), (512, "000102", "fdfeff"));
        assert_eq!(decode(digits.as_bytes()), Some(all.clone()));
        assert_eq!(decode(digits.to_uppercase().as_bytes()), Some(all));
        for bad in ["0", "0g", "+1", " 1", "é"] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad}");
        }
        let mut two = [0; 2];
        assert_eq!((decode_into(b"ab", &mut two), decode_into(b"abcdef", &mut two)), (None, None));
    }
}
