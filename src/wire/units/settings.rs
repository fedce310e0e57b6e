//! [`Unit::Settings`], written and read. What the values mean must never matter here.

use super::{SETTINGS, Unit, put_wrapped, sized};
use crate::wire::WireError;
use crate::wire::entry::{field_bytes, put_len_field};

/// Appends values of parameters of the whole cluster to a body.
pub fn put_settings_unit(out: &mut Vec<u8>, settings: &[(&str, &[u8])]) {
    let mut inner = Vec::new();
    for (name, value) in settings {
        put_len_field(&mut inner, 1, sized(name.len()) + sized(value.len()));
        for (field, bytes) in [(1, name.as_bytes()), (2, *value)] {
            put_len_field(&mut inner, field, bytes.len());
            inner.extend_from_slice(bytes);
        }
    }
    put_wrapped(out, SETTINGS, &[&inner]);
}

pub(super) fn read_settings(mut bytes: &[u8]) -> Result<Unit<'_>, WireError> {
    let mut settings = Vec::new();
    while !bytes.is_empty() {
        let mut setting = field_bytes(&mut bytes, 1, "setting")?;
        let name = std::str::from_utf8(field_bytes(&mut setting, 1, "setting")?);
        let value = field_bytes(&mut setting, 2, "setting")?;
        settings.push((name.map_err(|_| WireError::new("setting"))?, value));
    }
    Ok(Unit::Settings(settings))
}
