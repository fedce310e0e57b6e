//! What Redis has and this server deliberately has not, with the reason: whoever asks for it is
//! told, and `docs/commands.md` lists it. A command that is only not there yet must never stand
//! here.

/// A command, `container|subcommand` if it is one, and why there is none.
pub struct Absent {
    /// In lower case.
    pub name: &'static str,
    /// A clause.
    pub reason: &'static str,
}

const REPLICATION: &str = "nodes replicate by Raft, whose members RAFT ADD and RAFT REMOVE change";
const FAILOVER: &str = "RAFT TRANSFER hands leadership over, and elections do the rest";
const SLOTS: &str = "every node has every slot: there is nothing to assign or to move";
const GOSSIP: &str = "members are those of the Raft group, which RAFT ADD and RAFT REMOVE change";
const EPOCHS: &str = "terms of Raft take the place of epochs, and are on disk at all times";

const fn absent(name: &'static str, reason: &'static str) -> Absent {
    Absent { name, reason }
}

/// Sorted by name.
pub static ABSENT: &[Absent] = &[
    absent("cluster|addslots", SLOTS),
    absent("cluster|addslotsrange", SLOTS),
    absent("cluster|bumpepoch", EPOCHS),
    absent("cluster|count-failure-reports", "nodes do not vote on failures: a leader is elected or is not"),
    absent("cluster|delslots", SLOTS),
    absent("cluster|delslotsrange", SLOTS),
    absent("cluster|failover", FAILOVER),
    absent("cluster|flushslots", SLOTS),
    absent("cluster|forget", GOSSIP),
    absent("cluster|links", "INFO raft shows which nodes are connected"),
    absent("cluster|meet", GOSSIP),
    absent("cluster|replicate", REPLICATION),
    absent("cluster|reset", GOSSIP),
    absent("cluster|saveconfig", EPOCHS),
    absent("cluster|set-config-epoch", EPOCHS),
    absent("cluster|setslot", SLOTS),
    absent("failover", FAILOVER),
    absent("module", "code that is loaded at run time could differ from replica to replica"),
];

/// Why there is no command of that name, if that is deliberate; what is asked for is a name, or
/// a container's and a subcommand's.
pub fn reason(container: Option<&str>, name: &[u8]) -> Option<&'static str> {
    let matches = |absent: &&Absent| match (container, absent.name.split_once('|')) {
        (Some(container), Some((of, sub))) => of == container && sub.as_bytes().eq_ignore_ascii_case(name),
        (None, None) => absent.name.as_bytes().eq_ignore_ascii_case(name),
        _ => false,
    };
    ABSENT.iter().find(matches).map(|absent| absent.reason)
}

/// Whether a call is of such a command.
pub fn is_asked_for(call: &[&[u8]]) -> bool {
    let container = str::from_utf8(call[0]).unwrap_or_default().to_ascii_lowercase();
    reason(None, call[0]).is_some()
        || call.get(1).is_some_and(|name| reason(Some(&container), name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_sorted_and_not_in_the_table() {
        assert!(ABSENT.iter().map(|absent| absent.name).is_sorted());
        for absent in ABSENT {
            assert!(crate::command::named(absent.name.as_bytes()).is_none(), "{}", absent.name);
            let fits = absent.reason.starts_with(char::is_lowercase)
                || absent.reason.starts_with("RAFT")
                || absent.reason.starts_with("INFO");
            assert!(fits && !absent.reason.ends_with('.'), "{}: a clause", absent.name);
        }
    }
}
