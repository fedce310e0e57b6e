//! Whether a data directory may be that of the node that was started with it: one that was
//! made in another cluster is refused before the node says a word to anybody. With it this
//! node would move into that cluster, whose nodes would look for that member here from then
//! on. This module must never refuse a directory because members came, left or moved.

use super::{NodeConfig, NodeError};
use crate::group::Recovered;
use crate::storage::DataDir;
use crate::wire::NodeId;
use crate::wire::entry;
use crate::wire::units::{Unit, Units};
use std::collections::BTreeSet;

/// Peer addresses, those of this node's id apart from the others'.
#[derive(Default)]
struct Places {
    own: BTreeSet<String>,
    others: BTreeSet<String>,
}

impl Places {
    fn add(&mut self, me: NodeId, node: NodeId, peer_addr: &str) {
        if !peer_addr.is_empty() {
            let places = if node == me { &mut self.own } else { &mut self.others };
            places.insert(peer_addr.to_owned());
        }
    }

    /// Members that the log mentions and no snapshot holds yet.
    fn add_log(&mut self, me: NodeId, recovered: &Recovered) {
        for stored in &recovered.entries {
            let Ok((_, batches)) = entry::decode(&stored.data) else { continue };
            // What is damaged here is refused where it is applied.
            for unit in batches.flatten().flat_map(|batch| Units::new(batch.body)).flatten() {
                match unit {
                    Unit::Register(it) => self.add(me, it.node, it.peer_addr),
                    Unit::Membership(it) => self.add(me, it.node, it.peer_addr),
                    _ => {}
                }
            }
        }
    }

    /// Whether a node that was made among these can be the one that was started among `given`:
    /// they have another node in common, or this one is where it was.
    fn fit(&self, given: &Places) -> bool {
        let turns_single_into_many = self.others.is_empty() && !given.others.is_empty();
        let stays = !self.own.is_disjoint(&given.own) && !turns_single_into_many;
        let both_alone = self.others.is_empty() && given.others.is_empty();
        stays || both_alone || !self.others.is_disjoint(&given.others)
    }
}

/// Refuses a data directory that was surely made among other members.
pub fn refuse(config: &NodeConfig, data_dir: &DataDir, recovered: &Recovered) -> Result<(), NodeError> {
    // Nobody listed the members of a cluster that is joined; `join` has compared its id.
    if config.joins {
        return Ok(());
    }
    let me = config.node_id;
    let mut given = Places::default();
    for member in &config.members {
        given.add(me, member.node, &member.peer_addr);
    }
    let mut known = Places::default();
    for member in data_dir.first_members() {
        known.add(me, member.node, &member.peer_addr);
    }
    for (node, member) in recovered.machine.members().all() {
        known.add(me, *node, &member.peer_addr);
    }
    if known.fit(&given) {
        return Ok(());
    }
    known.add_log(me, recovered);
    if known.fit(&given) {
        return Ok(());
    }
    let list = |places: &Places| match places.others.is_empty() {
        true => "without other members".to_owned(),
        false => {
            let others: Vec<&str> = places.others.iter().map(String::as_str).collect();
            format!("with other members that serve peers on {}", others.join(", "))
        }
    };
    let advice = match (known.others.is_empty(), given.others.is_empty()) {
        (true, _) => "; to make a cluster of a single node, start the new nodes with --join",
        (_, true) => "; a member that has moved is started with --cluster or --join",
        _ => "",
    };
    Err(NodeError::Incoherent(format!(
        "data directory {}: it is another cluster's: it was made {}, and this node was started {}. Correct \
         --cluster, or use this node's own directory{advice}",
        config.data_dir.display(),
        list(&known),
        list(&given)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(own: &str, others: &[&str]) -> Places {
        let others = others.iter().map(|other| (*other).to_owned()).collect();
        Places { own: BTreeSet::from([own.to_owned()]), others }
    }

    #[test]
    fn only_what_has_nothing_in_common_is_foreign() {
        let made = places("a", &["b", "c"]);
        assert!(made.fit(&places("a", &["b", "c"])));
        assert!(made.fit(&places("x", &["b", "c"])), "it has moved");
        assert!(made.fit(&places("a", &["b", "d"])), "another was replaced");
        assert!(made.fit(&places("a", &["d", "e"])), "all others were");
        assert!(made.fit(&places("a", &[])), "the list was left out");
        assert!(!made.fit(&places("x", &["y", "z"])));
        assert!(!made.fit(&places("x", &[])));
        let single = places("a", &[]);
        assert!(single.fit(&places("x", &[])), "it has moved");
        assert!(!single.fit(&places("a", &["b", "c"])), "it has never heard of them");
    }
}
