//! CRC-64 with Jones's polynomial, as Redis computes it: reflected, initially 0, and the result
//! is not inverted. It guards against accidents, never against an enemy.

const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5; // 0xad93d23594c935a9, reflected

/// `TABLES[k][b]`: what byte `b` contributes when `k` more follow it (slicing by eight).
static TABLES: [[u64; 256]; 8] = tables();

const fn tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 0 { crc >> 1 } else { (crc >> 1) ^ POLYNOMIAL };
            bit += 1;
        }
        tables[0][i] = crc;
        i += 1;
    }
    let mut k = 1;
    while k < 8 {
        let mut i = 0;
        while i < 256 {
            let before = tables[k - 1][i];
            tables[k][i] = (before >> 8) ^ tables[0][before as usize & 0xff];
            i += 1;
        }
        k += 1;
    }
    tables
}

pub(super) fn checksum(bytes: &[u8]) -> u64 {
    update(0, bytes)
}

/// The checksum of what came before and `bytes`.
pub(super) fn update(crc: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let crc = words.iter().fold(crc, |crc, word| {
        let mixed = (crc ^ u64::from_le_bytes(*word)).to_le_bytes();
        (0..8).fold(0, |crc, i| crc ^ TABLES[7 - i][usize::from(mixed[i])])
    });
    rest.iter().fold(crc, |crc, &byte| (crc >> 8) ^ TABLES[0][usize::from(crc as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(checksum(b""), 0);
        assert_eq!(checksum(b"123456789"), 0xe9c6_d914_c4b8_d9ca); // the check value
    }

    #[test]
    fn eight_bytes_at_once_or_one_by_one_come_to_the_same() {
        let bytes: Vec<u8> = (0..100u32).map(|i| (i * 37) as u8).collect();
        for len in 0..bytes.len() {
            let step = |crc: u64, &byte: &u8| (crc >> 8) ^ TABLES[0][usize::from(crc as u8 ^ byte)];
            assert_eq!(checksum(&bytes[..len]), bytes[..len].iter().fold(0, step), "{len}");
            assert_eq!(update(checksum(&bytes[..len]), &bytes[len..]), checksum(&bytes), "cut at {len}");
        }
    }
}
