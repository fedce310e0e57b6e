//! What happens to the servers while clients are at work: who leads is watched, nodes that were spawned are
//! looked after, and the one that leads is killed as often as was asked for. Only nodes that the tool has
//! started may be harmed, and never a second one while another is away.

use super::leader::Watcher;
use super::record::Happening;
use super::shared::{Phase, Shared};
use super::spawn::Cluster;
use crate::config::{StorageKind, Timing};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// How often it is looked who leads.
const LOOK_MS: u64 = 200;
/// How long a killed node is away.
const AWAY_MS: u64 = 1000;

/// Notes each change of the leader, until the run ends.
pub async fn watch(shared: Rc<Shared>) {
    let mut watcher = Watcher::new(&shared.setting.servers, &shared.setting.dial);
    let mut leader = None;
    while shared.phase() == Phase::Running {
        if let Some(now) = watcher.leader().await
            && leader != Some(now)
        {
            let from = leader.replace(now);
            shared.happened(Happening::LeaderChanged { from, to: now });
        }
        shared.pause(LOOK_MS, Phase::Ending).await;
    }
}

/// Looks after the nodes, until the run ends: why it cannot go on, if one ends by itself.
pub async fn guard(shared: Rc<Shared>, cluster: Rc<RefCell<Cluster>>) -> Option<String> {
    while shared.phase() == Phase::Running {
        let ended = cluster.borrow_mut().ended();
        if let Some(ended) = ended {
            shared.happened(Happening::NodeEnded { node: ended.node });
            shared.progress.warn(&format!("{}, and said last:{}", ended.text, ended.log));
            return Some(ended.text);
        }
        shared.pause(LOOK_MS, Phase::Ending).await;
    }
    None
}

/// Kills the node that leads each `every`, or pauses it if it could not come back; until the run ends.
/// Err: a node could not be started again.
pub async fn kill_leaders(
    shared: Rc<Shared>,
    cluster: Rc<RefCell<Cluster>>,
    every: Duration,
    timing: Timing,
) -> Result<(), String> {
    let mut watcher = Watcher::new(&shared.setting.servers, &shared.setting.dial);
    let every_ms = every.as_millis() as u64;
    while shared.pause(every_ms, Phase::Ending).await {
        let Some(node) = whole(&shared, &mut watcher).await else { return Ok(()) };
        if cluster.borrow().storage() == StorageKind::Memory {
            // Longer than any election: somebody else leads when it is back.
            let away_ms = 3 * timing.election_ticks.end as u64 * timing.tick_ms;
            cluster.borrow_mut().pause(node);
            shared.happened(Happening::NodePaused { node });
            shared.pause(away_ms, Phase::Ending).await;
            cluster.borrow_mut().resume(node);
            shared.happened(Happening::NodeResumed { node });
        } else {
            cluster.borrow_mut().kill(node);
            shared.happened(Happening::NodeKilled { node });
            shared.pause(AWAY_MS, Phase::Ending).await;
            cluster.borrow_mut().start_node(node)?;
            shared.happened(Happening::NodeRestarted { node });
        }
    }
    Ok(())
}

/// Waits until all nodes answer and know who leads: who. None: the run ends.
async fn whole(shared: &Shared, watcher: &mut Watcher) -> Option<u64> {
    loop {
        let said = watcher.ask().await;
        let leader = said.iter().flatten().find(|said| said.leads).map(|said| said.node);
        let knows = |said: &Option<super::leader::Said>| said.as_ref().map(|said| said.leader) == leader;
        if leader.is_some() && said.iter().all(knows) {
            return leader;
        }
        if !shared.pause(LOOK_MS, Phase::Ending).await {
            return None;
        }
    }
}
