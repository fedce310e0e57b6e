//! Texts and libraries in a snapshot. There is so little of them that they are written at once when it begins.

use super::Scripts;
use super::library::{Library, LibraryFunction};
use super::sha_of;
use super::shebang::ScriptFlags;
use crate::collections::Blob;
use crate::wire::WireError;
use crate::wire::entry::put_len_field;
use crate::wire::proto::snapshot as proto;
use protobuf::Message as _;
use siphasher::sip::SipHasher13;
use std::collections::VecDeque;
use std::hash::Hasher as _;

const SCRIPTS: u32 = 1; // Scripts.scripts
const LIBRARIES: u32 = 2; // Scripts.libraries

const WRONG: WireError = WireError::new("snapshot scripts");

/// What of a snapshot under way has not been taken, last first.
#[derive(Debug, Default)]
pub(super) struct Walk(VecDeque<Vec<u8>>);

fn put(out: &mut Vec<u8>, field: u32, message: &impl protobuf::Message) {
    let bytes = message.write_to_bytes().expect("writing a message without required fields cannot fail");
    put_len_field(out, field, bytes.len());
    out.extend_from_slice(&bytes);
}

impl Scripts {
    fn rows(&self) -> impl Iterator<Item = Vec<u8>> {
        let scripts = self.cache.iter().map(|script| {
            let mut row = proto::Script::new();
            row.set_text(script.text.to_vec());
            row.set_flags(u32::from(script.flags.bits()));
            row.set_is_loaded(script.is_loaded);
            let mut out = Vec::new();
            put(&mut out, SCRIPTS, &row);
            out
        });
        let libraries = self.libraries.iter().map(|(name, library)| {
            let mut row = proto::Library::new();
            row.set_name(name.clone());
            row.set_text(library.text.to_vec());
            for (name, function) in &library.functions {
                let mut out = proto::LibraryFunction::new();
                out.set_name(name.clone());
                out.set_flags(u32::from(function.flags.bits()));
                out.set_has_description(function.description.is_some());
                out.set_description(
                    function.description.as_ref().map(|text| text.to_vec()).unwrap_or_default(),
                );
                row.mut_functions().push(out);
            }
            let mut out = Vec::new();
            put(&mut out, LIBRARIES, &row);
            out
        });
        scripts.chain(libraries)
    }

    /// Starts a snapshot of what there is now; one that was under way is given up.
    pub fn snapshot_begin(&mut self) {
        self.walk = Walk(self.rows().collect());
    }

    /// The next piece, a `snapshot.Scripts` of about `target_bytes`; `None` when there is no more, or no snapshot.
    pub fn snapshot_next(&mut self, target_bytes: usize) -> Option<Vec<u8>> {
        let mut piece = self.walk.0.pop_front()?;
        while piece.len() < target_bytes
            && let Some(row) = self.walk.0.pop_front()
        {
            piece.extend_from_slice(&row);
        }
        Some(piece)
    }

    /// Gives the snapshot up, if one is under way.
    pub fn snapshot_abort(&mut self) {
        self.walk = Walk::default();
    }

    /// Adds what is in one piece of a snapshot. After an error this is of no use.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let mut piece = proto::Scripts::parse_from_bytes(bytes).map_err(|_| WRONG)?;
        let flags = |bits| u8::try_from(bits).map(ScriptFlags::from_bits).map_err(|_| WRONG);
        for script in piece.take_scripts() {
            let text = script.get_text();
            if !self.cache.put(sha_of(text), text, flags(script.get_flags())?, script.get_is_loaded()) {
                return Err(WRONG);
            }
        }
        for mut row in piece.take_libraries() {
            let mut library = Library { text: Blob::new(row.get_text()), functions: Default::default() };
            for function in row.get_functions() {
                let description =
                    function.get_has_description().then(|| Blob::new(function.get_description()));
                let read = LibraryFunction { description, flags: flags(function.get_flags())? };
                library.functions.insert(function.get_name().to_owned(), read);
            }
            self.libraries.put(row.take_name(), library);
        }
        Ok(())
    }

    /// How many rows a snapshot has of it.
    pub fn rows_len(&self) -> usize {
        self.cache.len() + self.libraries.len()
    }

    /// Equal on replicas whose texts and libraries are equal.
    pub fn state_hash(&self) -> u64 {
        let mut hasher = SipHasher13::new();
        for row in self.rows() {
            hasher.write(&row);
        }
        hasher.finish()
    }
}
