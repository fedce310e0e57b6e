//! All libraries as one payload, as `FUNCTION DUMP` and `FUNCTION RESTORE` exchange them. What is read comes from
//! anybody.

use crate::command::Reply;
use crate::keyspace::rdb::{self, PayloadError};

/// The payload of these texts.
pub(super) fn written<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    rdb::put_functions(texts)
}

/// The texts of a payload.
pub(super) fn read(payload: &[u8]) -> Result<Vec<Vec<u8>>, Reply> {
    rdb::functions(payload).map_err(|error| match error {
        PayloadError::Footer => Reply::error("ERR DUMP payload version or checksum are wrong"),
        PayloadError::Format => Reply::error("ERR failed loading the given functions payload"),
        PayloadError::Other => Reply::error("ERR given type is not a function"),
    })
}
