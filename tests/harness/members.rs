//! Clusters whose members change: nodes that join, and what the others say of them.

use super::{Client, Cluster, Node, Value, free_ports};

impl Cluster {
    /// A node that is not started yet and will ask the node `through` to let it in. The id is
    /// the harness's own until the node has one: the next that was never used, as it will be.
    pub fn prepare_joiner(&mut self, id: u64, through: u64) {
        let target = self.node(through).addr.clone();
        let host = target.split(':').next().expect("host:port").to_owned();
        let ports = free_ports(&host, 2);
        let (addr, peer_addr) = (format!("{host}:{}", ports[0]), format!("{host}:{}", ports[1]));
        let data_dir = self.dir.path().join(format!("n{id}"));
        let flags = [
            ("--join", target),
            ("--bind", addr.clone()),
            ("--peer-bind", peer_addr.clone()),
            ("--advertise", format!("{addr}@{}", ports[1])),
            ("--data-dir", data_dir.display().to_string()),
        ];
        let mut flags: Vec<String> =
            flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect();
        flags.extend(self.flags.iter().cloned());
        let log = self.dir.path().join(format!("n{id}.log"));
        self.nodes.insert(id, Node::new(id, addr, peer_addr, data_dir, log, flags));
    }

    /// The node is of no interest any more.
    pub fn forget(&mut self, id: u64) {
        self.nodes.remove(&id).expect("a node of the cluster").kill();
    }

    /// Ids of the members that a node knows, and whether each votes.
    pub fn members(&self, id: u64) -> Option<Vec<(u64, bool)>> {
        let mut client = Client::try_connect(&self.node(id).addr, super::PATIENCE).ok()?;
        let Ok(Value::Array(fields)) = client.try_call(&["RAFT", "STATUS"]) else { return None };
        let rows = field(&fields, "members")?;
        let Value::Array(rows) = rows else { return None };
        let row = |row: &Value| {
            let Value::Array(fields) = row else { return None };
            Some((field(fields, "id")?.int() as u64, field(fields, "voter")? == &Value::Int(1)))
        };
        rows.iter().map(row).collect()
    }
}

fn field<'a>(fields: &'a [Value], name: &str) -> Option<&'a Value> {
    fields.chunks_exact(2).find(|pair| pair[0] == Value::bulk(name)).map(|pair| &pair[1])
}
