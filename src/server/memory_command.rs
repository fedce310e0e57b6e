//! `MEMORY STATS`, `DOCTOR`, `PURGE` and `MALLOC-STATS`: the memory of this process. Figures of
//! what does not exist here are 0; one must never be made up.

use super::Shared;
use super::allocator;
use super::stats::{self, resident_bytes};
use crate::command::{MemoryCommand, Reply};
use crate::limits::{DOCTOR_LEAST_BYTES, MAX_MALLOC_STATS_BYTES};

pub fn run(shared: &Shared, what: MemoryCommand) -> Reply {
    match what {
        MemoryCommand::Stats => reply_of(&Figures::of(shared)),
        MemoryCommand::Doctor => Reply::Verbatim(report(&Figures::of(shared)).into()),
        MemoryCommand::MallocStats => {
            let mut text = stats::allocator_report();
            text.truncate(MAX_MALLOC_STATS_BYTES);
            Reply::Verbatim(text.as_slice().into())
        }
        MemoryCommand::Purge => match allocator::purge() {
            Ok(()) => Reply::Ok,
            Err(_) => Reply::error("ERR Error purging dirty pages"),
        },
    }
}

/// Bytes, each of them measured.
#[derive(Debug, Default)]
struct Figures {
    peak: usize,
    allocated: usize,
    active: usize,
    resident: usize,
    process: usize,
    clients: usize,
    keys: u64,
}

impl Figures {
    fn of(shared: &Shared) -> Self {
        let counters = shared.clients.stats();
        let memory = counters.memory();
        let of_client = |client: &super::client::Client| client.input_capacity.get() + client.unsent();
        Self {
            peak: counters.memory_peak_bytes.get().max(memory.allocated_bytes),
            allocated: memory.allocated_bytes,
            active: memory.active_bytes,
            resident: memory.resident_bytes,
            process: resident_bytes() as usize,
            clients: shared.clients.all().iter().map(|client| of_client(client)).sum(),
            keys: shared.backend.status().keys.iter().map(|(keys, _)| keys).sum(),
        }
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Redis's names, of what there is something to say about.
fn reply_of(figures: &Figures) -> Reply {
    let Figures { peak, allocated, active, resident, process, clients, keys } = *figures;
    let dataset = allocated.saturating_sub(clients);
    let int = |bytes: usize| Reply::Int(bytes as i64);
    let difference = |a: usize, b: usize| Reply::Int(a as i64 - b as i64);
    let per_key = (dataset as u64).checked_div(keys).unwrap_or(0);
    let fields = [
        ("peak.allocated", int(peak)),
        ("total.allocated", int(allocated)),
        ("replication.backlog", Reply::Int(0)),
        ("clients.slaves", Reply::Int(0)),
        ("clients.normal", int(clients)),
        ("aof.buffer", Reply::Int(0)),
        ("lua.caches", Reply::Int(0)),
        ("functions.caches", Reply::Int(0)),
        ("overhead.total", int(clients)),
        ("keys.count", Reply::Int(keys as i64)),
        ("keys.bytes-per-key", Reply::Int(per_key as i64)),
        ("dataset.bytes", int(dataset)),
        ("dataset.percentage", Reply::Double(ratio(dataset, allocated) * 100.0)),
        ("peak.percentage", Reply::Double(ratio(allocated, peak) * 100.0)),
        ("allocator.allocated", int(allocated)),
        ("allocator.active", int(active)),
        ("allocator.resident", int(resident)),
        ("allocator-fragmentation.ratio", Reply::Double(ratio(active, allocated))),
        ("allocator-fragmentation.bytes", difference(active, allocated)),
        ("allocator-rss.ratio", Reply::Double(ratio(resident, active))),
        ("allocator-rss.bytes", difference(resident, active)),
        ("rss-overhead.ratio", Reply::Double(ratio(process, resident))),
        ("rss-overhead.bytes", difference(process, resident)),
        ("fragmentation", Reply::Double(ratio(process, allocated))),
        ("fragmentation.bytes", difference(process, allocated)),
    ];
    Reply::Map(fields.into_iter().map(|(name, value)| (Reply::bulk(name), value)).collect())
}

/// Whatever is out of proportion, at the thresholds of Redis's doctor.
fn report(figures: &Figures) -> String {
    let Figures { peak, allocated, active, resident, process, .. } = *figures;
    if allocated < DOCTOR_LEAST_BYTES {
        return "This node holds too little for its memory to be judged.\n".to_owned();
    }
    let much = |a: usize, b: usize, limit: f64| ratio(a, b) > limit && a - b > 10 << 20;
    let findings = [
        (ratio(peak, allocated) > 1.5, "its memory was once half as large again as it is now"),
        (much(process, allocated, 1.4), "the process takes far more than was asked for"),
        (much(active, allocated, 1.1), "the pages in use are badly filled"),
        (much(resident, active, 1.1), "the allocator holds pages that it does not use: try MEMORY PURGE"),
        (much(process, resident, 1.1), "much of the process's memory is not the allocator's"),
    ];
    let found: Vec<&str> = findings.into_iter().filter(|(is, _)| *is).map(|(_, text)| text).collect();
    match found.as_slice() {
        [] => "Nothing is wrong with the memory of this node.\n".to_owned(),
        found => format!("Of this node: {}.\n", found.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_doctor_names_what_is_out_of_proportion() {
        let healthy = Figures {
            peak: 100 << 20,
            allocated: 100 << 20,
            active: 104 << 20,
            resident: 106 << 20,
            process: 108 << 20,
            ..Figures::default()
        };
        assert!(report(&Figures::default()).contains("too little"));
        assert!(report(&healthy).starts_with("Nothing"));
        assert!(report(&Figures { peak: 200 << 20, ..healthy }).contains("once half as large"));
        let held = Figures { resident: 150 << 20, process: 152 << 20, ..healthy };
        assert_eq!(report(&held).matches("; ").count(), 1, "{}", report(&held));
        assert!(report(&held).contains("MEMORY PURGE"));
    }
}
