//! [`Libraries`]: what `FUNCTION LOAD` has brought, part of the state: the text of each library and what its code
//! has registered. The code itself is in no state: it is compiled where it is needed.

use super::api::{Registered, Registry};
use super::shebang::{BAD_NAME, ScriptFlags, is_name};
use crate::collections::Blob;
use std::collections::BTreeMap;

/// A function of a library.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LibraryFunction {
    pub(super) description: Option<Blob>,
    pub(super) flags: ScriptFlags,
}

/// A library: its whole text, its functions by name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Library {
    pub(super) text: Blob,
    pub(super) functions: BTreeMap<String, LibraryFunction>,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Libraries {
    libraries: BTreeMap<String, Library>,
    /// The library of each function.
    of_function: BTreeMap<String, String>,
    bytes: usize,
}

impl Libraries {
    pub(super) fn len(&self) -> usize {
        self.libraries.len()
    }

    pub(super) fn functions_len(&self) -> usize {
        self.of_function.len()
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Library)> {
        self.libraries.iter()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Library> {
        self.libraries.get(name)
    }

    pub(super) fn has_function(&self, name: &str) -> bool {
        self.of_function.contains_key(name)
    }

    /// A function, with its library.
    pub(super) fn function(&self, name: &[u8]) -> Option<(&Library, &LibraryFunction)> {
        let name = std::str::from_utf8(name).ok()?;
        let library = self.libraries.get(self.of_function.get(name)?)?;
        Some((library, library.functions.get(name)?))
    }

    /// Puts one there in the place of whatever has its name.
    pub(super) fn put(&mut self, name: String, library: Library) {
        self.remove(&name);
        self.bytes += library.text.len();
        self.of_function.extend(library.functions.keys().map(|function| (function.clone(), name.clone())));
        self.libraries.insert(name, library);
    }

    /// Whether there was one.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let Some(library) = self.libraries.remove(name) else { return false };
        self.bytes -= library.text.len();
        self.of_function.retain(|function, _| !library.functions.contains_key(function));
        true
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Whether a library may register one more.
pub(super) fn check_function(registry: &Registry, new: &Registered) -> Result<(), &'static str> {
    if !is_name(&new.name) {
        return Err(BAD_NAME);
    }
    if registry.functions.iter().any(|known| known.name == new.name) {
        return Err("Function already exists in the library");
    }
    Ok(())
}
