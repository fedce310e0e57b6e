//! A key's value as what a command takes it for: one of another type is Redis's `WRONGTYPE`. A command has to ask
//! where Redis does, which may be before or after its arguments are looked at.

use super::parse::WRONG_TYPE;
use super::{ReadContext, Reply};
use crate::keyspace::{Edit, Item, StringValue, Typed, Value};

/// The value as a string.
pub(super) fn string(value: &Value) -> Result<&StringValue, Reply> {
    value.as_string().ok_or(WRONG_TYPE)
}

/// The key's value as a string; none if there is no such key.
pub(super) fn string_of(item: Option<&Item>) -> Result<Option<&StringValue>, Reply> {
    item.map(|item| string(&item.value)).transpose()
}

/// The key's value as a collection of this type; none if there is no such key.
pub(super) fn typed<T: Typed>(item: Option<&Item>) -> Result<Option<&T>, Reply> {
    item.map(|item| T::of(&item.value).ok_or(WRONG_TYPE)).transpose()
}

/// Changes a collection, of which [`typed`] has told that it is one; one that is missing is made.
pub(super) fn change_typed<T, R>(edit: &mut Edit<'_, '_>, f: impl FnOnce(&mut T) -> R) -> R
where
    T: Typed + Default + Into<Value>,
{
    if edit.item().is_none() {
        let mut new = T::default();
        let result = f(&mut new);
        edit.set(new.into(), 0);
        return result;
    }
    let changed = edit.update(|value| f(T::of_mut(value).expect("its type was looked at before")));
    changed.expect("a change of a key that is there takes place")
}

impl<'a> ReadContext<'a> {
    /// A collection, for a read.
    pub(super) fn typed<T: Typed>(&mut self, key: &[u8]) -> Result<Option<&'a T>, Reply> {
        typed(self.get(key))
    }
}
