//! Libraries of functions in a payload: an opcode and the text, one after the other. They are no values of
//! keys, and this module knows nothing of what they say.

use super::strings::{self, Reader};
use super::{PayloadError, VERSION, check, crc64};

/// Before each text.
const FUNCTION: u8 = 245;

/// The payload of these texts.
pub fn put_functions<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for text in texts {
        out.push(FUNCTION);
        strings::put(&mut out, text);
    }
    out.extend_from_slice(&VERSION.to_le_bytes());
    let checksum = crc64::checksum(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// The texts of a payload.
pub fn functions(payload: &[u8]) -> Result<Vec<Vec<u8>>, PayloadError> {
    let mut reader = Reader::new(check(payload)?);
    let mut texts = Vec::new();
    while let Some(kind) = reader.byte() {
        if kind != FUNCTION {
            return Err(PayloadError::Other);
        }
        texts.push(reader.string().ok_or(PayloadError::Format)?.into_owned());
    }
    Ok(texts)
}
