//! Clusters whose members change: nodes that join, and what the others say of them.

use super::{Client, Cluster, Node, Value, eventually, free_ports};

impl Cluster {
    /// A node that joins by itself, under an address and with a directory of its own; it does
    /// not run yet. `id` is what it is called here, and asks for.
    pub fn prepare_joining(&mut self, id: u64) -> &mut Node {
        let ports = free_ports(&self.host, 2);
        let (addr, peer_addr) =
            (format!("{}:{}", self.host, ports[0]), format!("{}:{}", self.host, ports[1]));
        let node = self.prepare_joining_at(id, addr, peer_addr);
        node.flags.extend(["--node-id".to_owned(), id.to_string()]);
        node
    }

    /// The same under a given address, and with whatever id the cluster gives it.
    pub fn prepare_joining_at(&mut self, id: u64, addr: String, peer_addr: String) -> &mut Node {
        let targets: Vec<String> = self.addrs().into_iter().filter(|target| *target != addr).collect();
        let data_dir = self.dir.path().join(format!("n{id}"));
        let mut flags: Vec<String> =
            ["--join", &targets.join(","), "--bind", &addr, "--peer-bind", &peer_addr, "--data-dir"]
                .map(str::to_owned)
                .into();
        flags.push(data_dir.display().to_string());
        flags.extend(self.common.iter().cloned());
        let log = self.dir.path().join(format!("n{id}.log"));
        let node = Node::new(id, addr, peer_addr, data_dir, log, flags);
        assert!(self.nodes.insert(id, node).is_none(), "there was a node {id}");
        self.node_mut(id)
    }

    /// Forgets a node, which must not run.
    pub fn forget(&mut self, id: u64) -> Node {
        let mut node = self.nodes.remove(&id).expect("a node of the cluster");
        assert!(!node.is_running(), "node {id} runs");
        node
    }

    /// Waits until every running node sees these voters.
    #[track_caller]
    pub fn await_voters(&mut self, voters: &[u64]) {
        let wanted = voters.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        for id in self.running() {
            let what = format!("node {id} sees the voters {wanted}");
            eventually(&what, || (self.node(id).info("raft_voters")? == wanted).then_some(()));
        }
    }

    /// The same, but it asks only the node `through`.
    pub fn prepare_joiner(&mut self, id: u64, through: u64) {
        let target = self.node(through).addr.clone();
        let node = self.prepare_joining(id);
        let place = node.flags.iter().position(|flag| flag == "--join").expect("it joins") + 1;
        node.flags[place] = target;
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
