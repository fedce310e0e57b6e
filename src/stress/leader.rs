//! Who leads: asked of all servers, as an operator would ask. It must never decide how an operation of a client
//! is recorded.

use super::connection::{Connection, Dial, Reply};
use crate::config::Address;
use redis::cmd;
use std::time::Duration;
use tokio::task::JoinSet;

/// How long a server that is asked may take: one that is paused must not hold up who asks.
const PATIENCE: Duration = Duration::from_millis(300);

/// What a server says of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its id.
    pub node: u64,
    /// Whether it leads, as far as it knows.
    pub leads: bool,
    /// Who leads, as far as it knows; 0: nobody.
    pub leader: u64,
    term: u64,
}

/// See the module's text.
pub struct Watcher {
    servers: Vec<Address>,
    dial: Dial,
    connections: Vec<Option<Connection>>,
}

impl Watcher {
    /// Of these servers.
    pub fn new(servers: &[Address], dial: &Dial) -> Self {
        let dial = Dial { patience: PATIENCE, read_mode: None, ..dial.clone() };
        let connections = servers.iter().map(|_| None).collect();
        Self { servers: servers.to_vec(), dial, connections }
    }

    /// What each server says, in their order; none of those that do not answer.
    pub async fn ask(&mut self) -> Vec<Option<Said>> {
        let mut asked = JoinSet::new();
        for (number, place) in self.connections.iter_mut().enumerate() {
            let (server, dial, connection) = (self.servers[number].clone(), self.dial.clone(), place.take());
            asked.spawn_local(async move { (number, ask_one(&server, &dial, connection).await) });
        }
        let mut all = vec![None; self.servers.len()];
        while let Some(answer) = asked.join_next().await {
            if let Ok((number, Some((said, connection)))) = answer {
                all[number] = said;
                self.connections[number] = Some(connection);
            }
        }
        all
    }

    /// Who leads: in the highest term of which anybody knows.
    pub async fn leader(&mut self) -> Option<u64> {
        leader_of(&self.ask().await)
    }
}

/// What a server says, and the connection that it said it on.
async fn ask_one(
    server: &Address,
    dial: &Dial,
    connection: Option<Connection>,
) -> Option<(Option<Said>, Connection)> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => Connection::open(server, dial, None).await.ok()?,
    };
    match connection.call(cmd("INFO").arg("raft")).await {
        Ok(Reply::Of(redis::Value::BulkString(text))) => {
            Some((read(&String::from_utf8_lossy(&text)), connection))
        }
        _ => None,
    }
}

fn leader_of(said: &[Option<Said>]) -> Option<u64> {
    let leaders = said.iter().flatten().filter(|said| said.leads);
    leaders.max_by_key(|said| said.term).map(|said| said.node)
}

fn read(info: &str) -> Option<Said> {
    let field =
        |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let number = |name: &str| field(name)?.parse::<u64>().ok();
    Some(Said {
        node: number("raft_node_id")?,
        leads: field("raft_role")? == "leader",
        leader: number("raft_leader_id")?,
        term: number("raft_term")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_think_they_lead_the_later_does() {
        let said = |node: u64, role: &str, term: u64| {
            read(&format!(
                "# Raft\r\nraft_node_id:{node}\r\nraft_role:{role}\r\nraft_term:{term}\r\nraft_leader_id:9\r\n"
            ))
        };
        let all = [said(1, "leader", 4), None, said(2, "leader", 5), said(3, "follower", 5)];
        assert_eq!(leader_of(&all), Some(2));
        assert_eq!(leader_of(&all[3..]), None);
        assert_eq!(read("# Server\r\n"), None);
    }
}
