//! What `INFO memory` says of scripts. There is one machine of Lua for all of them: what Redis has apart for
//! functions is 0.

use super::super::Shared;
use super::Text;

pub(super) fn memory(text: &mut Text, shared: &Shared) {
    let (mut counts, mut sizes) = ((0, 0, 0), (0, 0, 0));
    shared.backend.look(&mut |machine| {
        (counts, sizes) = (machine.scripts().counts(), machine.scripts().size_bytes());
    });
    let ((texts, libraries, functions), (texts_bytes, libraries_bytes, machine_bytes)) = (counts, sizes);
    text.field("used_memory_vm_eval", machine_bytes);
    text.size("used_memory_lua", machine_bytes as u64);
    text.field("used_memory_scripts_eval", texts_bytes);
    text.field("number_of_cached_scripts", texts);
    text.field("number_of_functions", functions);
    text.field("number_of_libraries", libraries);
    text.field("used_memory_vm_functions", 0);
    text.size("used_memory_vm_total", machine_bytes as u64);
    text.field("used_memory_functions", libraries_bytes);
    text.size("used_memory_scripts", (texts_bytes + libraries_bytes) as u64);
}
