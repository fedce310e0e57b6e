"""What is compared: each system starts on an empty directory, says where clients go, and ends."""
import contextlib
import json
import os
import shutil
import sys
import urllib.request

from processes import HOST, PEER_OFFSET, Failed, cpu_s, device_written_bytes, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "redis-tests"))
import resp  # noqa: E402


def ask(port, *words, timeout_s=20):
    """A reply; errors of connections are OSErrors."""
    try:
        client = resp.Client(port, timeout_s)
        try:
            return client.ask(*words)
        finally:
            client.close()
    except resp.Closed as closed:
        raise ConnectionError("closed") from closed


def info(port, section):
    reply = ask(port, "INFO", section)
    if not isinstance(reply, bytes):
        raise Failed(f"INFO {section}: {reply}")
    lines = (line.partition(":") for line in reply.decode().splitlines())
    return {name: value for name, colon, value in lines if colon}


class System:
    """`place`: where it runs; `nodes`: its processes, the first of them number 0."""

    speaks = "resp"
    # Replicas that a batch of writes has to wait for.
    wait = 0
    # Whether what was written can be read.
    stores = True

    def __init__(self, name, label):
        self.name, self.label = name, label
        self.nodes, self.place = [], None

    def port(self, node):
        return self.place.base_port + node

    def start(self, place):
        self.place = place
        self.nodes = []
        self.launch()

    def stop(self):
        self.nodes = []
        self.place.clear()

    @contextlib.contextmanager
    def running(self, place):
        """Whatever happens, it does not stay."""
        try:
            self.start(place)
            yield self
        finally:
            self.stop()

    def leader(self):
        return 0

    def addresses(self, entry):
        """Where clients go: `leader`, `follower` (one of them) or `all`."""
        if entry == "all":
            wanted = range(len(self.nodes))
        else:
            leader = self.leader()
            wanted = [leader if entry == "leader" else next(n for n in range(len(self.nodes)) if n != leader)]
        return [f"{HOST}:{self.port(node)}" for node in wanted]

    def supports(self, point):
        """Whether it can do that, and is to."""
        return point["entry"] == "leader"

    def cpu_s(self):
        return sum(node.cpu_s() for node in self.nodes if node.runs())

    def written_bytes(self):
        return device_written_bytes(self.place.scratch)

    def resident_bytes(self):
        """Of the node that has the most."""
        return max(node.resident_bytes() for node in self.nodes if node.runs())


class Redis(System):
    def __init__(self, name, label, *flags, replicas=0):
        super().__init__(name, label)
        self.flags, self.replicas, self.wait = flags, replicas, replicas

    def launch_node(self, node):
        flags = ["--replicaof", HOST, self.port(0)] if node else []
        return self.place.spawn(
            ["redis-server", "--bind", HOST, "--port", self.port(node), "--dir",
             self.place.directory(f"redis{node}"), "--save", "", *self.flags, *flags],
            f"redis{node}")

    def launch(self):
        for node in range(1 + self.replicas):
            self.nodes.append(self.launch_node(node))
            self.await_node(node)
        for node in range(1, 1 + self.replicas):
            wait_for("a replica's link", lambda n=node: info(self.port(n), "replication")["master_link_status"] == "up",
                     alive=self.nodes)

    def await_node(self, node, patience_s=600):
        wait_for("redis-server", lambda: ask(self.port(node), "PING") == "PONG", patience_s, self.nodes)

    def at_rest(self):
        """No child writes a snapshot or a new log."""
        told = info(self.port(0), "persistence")
        return all(told[name] == "0" for name in
                   ("rdb_bgsave_in_progress", "aof_rewrite_in_progress", "aof_rewrite_scheduled"))

    def snapshot(self):
        """Until it is on disk. BGSAVE is refused while the log is being rewritten."""
        wait_for("BGSAVE", lambda: ask(self.port(0), "BGSAVE") == "Background saving started", 600, self.nodes)
        wait_for("the end of BGSAVE", self.at_rest, 600, self.nodes)

    def supports(self, point):
        if self.replicas and point["load"] in ("get", "ping", "mixed"):
            return False
        return super().supports(point)


class Floor(System):
    """examples/floor: one process that clients talk to, and two that it starts itself."""

    stores = False
    FOLLOWERS = 2

    def __init__(self, name, label, binary):
        super().__init__(name, label)
        self.binary = binary

    def launch(self):
        self.nodes = [self.place.spawn([self.binary, "--port", self.port(0), "--data", self.place.directory("data")],
                                       "floor")]
        wait_for("the floor", lambda: ask(self.port(0), "SET", "key", "value") == "OK", alive=self.nodes)

    def cpu_s(self):
        followers = self.nodes[0].children()
        if len(followers) != self.FOLLOWERS:
            raise Failed(f"{self.label}: {len(followers)} followers run")
        return super().cpu_s() + sum(cpu_s(pid) for pid in followers)

    def supports(self, point):
        return super().supports(point) and point["load"] == "set" and point["pipeline"] == 1


class Bowline(System):
    def __init__(self, name, label, binary, count, *flags):
        super().__init__(name, label)
        self.binary, self.count, self.flags = binary, count, flags

    def launch_node(self, node):
        peer = self.place.base_port + PEER_OFFSET
        members = ",".join(f"{HOST}:{self.port(n)}@{peer + n}" for n in range(self.count))
        data = ["--data-dir", os.path.join(self.place.directory(f"node{node}"), "data")]
        if "memory" in self.flags:
            data = []  # it keeps nothing, and refuses a place for it
        return self.place.spawn(
            [self.binary, "--cluster", members, "--bind", f"{HOST}:{self.port(node)}", "--node-id", node + 1,
             *data, *self.flags],
            f"node{node}")

    def launch(self):
        self.nodes = [self.launch_node(node) for node in range(self.count)]
        self.await_leader()

    def raft(self, node):
        return info(self.port(node), "raft")

    def await_leader(self, patience_s=600):
        """Every node knows one, and has applied all that it knows to be committed."""
        def settled():
            told = [self.raft(node) for node in range(len(self.nodes))]
            leaders = {one["raft_leader_id"] for one in told}
            behind = any(one["raft_applied_index"] != one["raft_commit_index"] for one in told)
            return len(leaders) == 1 and leaders != {"0"} and not behind
        wait_for("a leader", settled, patience_s, self.nodes)

    def leader(self):
        def found():
            leads = []
            for node in range(len(self.nodes)):
                if self.nodes[node].runs():
                    told = self.raft(node)
                    if told["raft_role"] == "leader":
                        leads.append((int(told["raft_term"]), node))
            return [max(leads)] if leads else None
        return wait_for("a leader", found)[0][1]

    def restart(self, node):
        self.nodes[node] = self.launch_node(node)

    def snapshot(self):
        """On the leader, until it is on disk."""
        reply = ask(self.port(self.leader()), "RAFT", "SNAPSHOT", timeout_s=600)
        if reply != "OK":
            raise Failed(f"RAFT SNAPSHOT: {reply}")

    def supports(self, point):
        return self.count > 1 or point["entry"] == "leader"


class Etcd(System):
    speaks = "etcd"

    def __init__(self, name, label, count):
        super().__init__(name, label)
        self.count = count

    def launch(self):
        peer = self.place.base_port + PEER_OFFSET
        cluster = ",".join(f"n{n}=http://{HOST}:{peer + n}" for n in range(self.count))
        for node in range(self.count):
            clients, peers = f"http://{HOST}:{self.port(node)}", f"http://{HOST}:{peer + node}"
            self.nodes.append(self.place.spawn(
                ["etcd", "--name", f"n{node}", "--data-dir", os.path.join(self.place.directory(f"etcd{node}"), "data"),
                 "--listen-client-urls", clients, "--advertise-client-urls", clients,
                 "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
                 "--initial-cluster", cluster, "--initial-cluster-state", "new",
                 "--logger", "zap", "--log-level", "error", "--quota-backend-bytes", 8 << 30],
                f"etcd{node}"))
        for node in range(self.count):
            wait_for("etcd", lambda n=node: self.status(n).get("leader", "0") != "0", alive=self.nodes)

    def status(self, node):
        request = urllib.request.Request(
            f"http://{HOST}:{self.port(node)}/v3/maintenance/status", b"{}", {"Content-Type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
            return json.load(answer)

    def leader(self):
        def found():
            told = [self.status(node) for node in range(len(self.nodes))]
            return [n for n, one in enumerate(told) if one["leader"] == one["header"]["member_id"]]
        return wait_for("etcd's leader", found)[0]

    def supports(self, point):
        return (super().supports(point) and point["load"] in ("set", "get") and point["pipeline"] == 1
                and point["pattern"] == "uniform")


REFERENCE = "redis-always"
FLOOR = "floor"
# It writes no log: nothing but values is in its memory.
SMALLEST = "redis-none"


def all_systems(binary, etcd, floor=""):
    """By name. `etcd`: whether its load generator could be built; `floor`: the binary of that system."""
    always = ("--appendonly", "yes", "--appendfsync", "always")
    systems = [
        Redis(SMALLEST, "redis-server, no persistence", "--appendonly", "no"),
        Redis(REFERENCE, "redis-server, `appendfsync always`", *always),
        Redis("redis-wait", "the same, two such replicas, `WAIT 2`", *always, replicas=2),
        Floor(FLOOR, "floor, 3 processes", floor),
    ]
    if etcd and shutil.which("etcd"):
        systems.append(Etcd("etcd", "etcd, 3 nodes", 3))
    for storage in ("file", "sled", "memory"):
        for reads in ("linearizable", "lease"):
            for count in (1, 3, 5):
                modes = ["quorum reads" if reads == "linearizable" else "lease reads"]
                label = f"bowline, {count} node{'s' * (count > 1)}, {storage}, {modes[0]}"
                name = f"bowline-{count}-{storage}-{'quorum' if reads == 'linearizable' else 'lease'}"
                flags = ("--storage", storage, "--read-mode", reads)
                systems.append(Bowline(name, label, binary, count, *flags))
    return {system.name: system for system in systems}
