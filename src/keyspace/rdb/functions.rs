//! Libraries of functions in a payload: an opcode and the text, one after the other. They are no values of
//! keys, and this module knows nothing of what they say.

use super::opcode::FUNCTION;
use super::strings::{self, Reader};
use super::{PayloadError, VERSION, check, crc64};

/// The payload of these texts.
pub fn put_functions<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    texts.for_each(|text| put_function(&mut out, text));
    out.extend_from_slice(&VERSION.to_le_bytes());
    let checksum = crc64::checksum(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// Appends one, as it stands in a file too.
pub fn put_function(out: &mut Vec<u8>, text: &[u8]) {
    out.push(FUNCTION);
    strings::put(out, text);
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
