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
    /// The library of each function, and its name as it was registered, by its name in lower case.
    of_function: BTreeMap<String, (String, String)>,
    bytes: usize,
}

impl Libraries {
    pub(super) fn len(&self) -> usize {
        self.libraries.len()
    }

    pub(super) fn functions_len(&self) -> usize {
        self.libraries.values().map(|library| library.functions.len()).sum()
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
        self.of_function.contains_key(&name.to_ascii_lowercase())
    }

    /// A function, with its library and its name as it was registered.
    pub(super) fn function(&self, name: &[u8]) -> Option<(&Library, &LibraryFunction, &str)> {
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        let (library, name) = self.of_function.get(&name)?;
        let library = self.libraries.get(library)?;
        Some((library, library.functions.get(name)?, name))
    }

    /// Puts one there in the place of whatever has its name.
    pub(super) fn put(&mut self, name: String, library: Library) {
        self.remove(&name);
        self.bytes += library.text.len();
        for function in library.functions.keys() {
            // Of two names of one library that differ in case alone, one is found.
            let found = self.of_function.entry(function.to_ascii_lowercase());
            found.or_insert_with(|| (name.clone(), function.clone()));
        }
        self.libraries.insert(name, library);
    }

    /// Whether there was one.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let Some(library) = self.libraries.remove(name) else { return false };
        self.bytes -= library.text.len();
        self.of_function.retain(|_, (of, _)| of != name);
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
