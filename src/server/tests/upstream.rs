//! The link to an upstream, against one that is played here: what it says and in which order, what
//! it does with what it gets, and what clients are told.

use super::*;
use crate::node::Role;

/// Keys `plain`, `small`, ...: what redis-server 7.0.15 saved.
const COPY: &[u8] = include_bytes!("../../keyspace/rdb/strings.rdb");
const REPLID: &str = "0123456789012345678901234567890123456789";
const OTHER_REPLID: &str = "abcdefghijklmnopqrstuvwxyzabcdefghijklmn";

/// An upstream, and a server whose node follows it.
struct Following {
    harness: Harness,
    client: Peer,
    listener: TcpListener,
}

/// A server that was told to follow.
async fn following(harness: Harness) -> Following {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    harness.backend.has_machine.set(true);
    let mut client = harness.connect().await;
    let port = listener.local_addr().unwrap().port();
    client.ask(&format!("REPLICAOF 127.0.0.1 {port}"), "+OK ").await;
    Following { harness, client, listener }
}

fn words(words: &[&str]) -> String {
    let word = |word: &&str| format!("${}\r\n{word}\r\n", word.len());
    format!("*{}\r\n{}", words.len(), words.iter().map(word).collect::<String>())
}

impl Following {
    /// The next link, up to what it asks for.
    async fn greeted(&self, psync: &[&str]) -> Peer {
        let (socket, _) = timeout(PATIENCE, self.listener.accept()).await.expect("it connects").unwrap();
        let mut link = Peer(socket);
        let port = self.harness.addr.port().to_string();
        for (said, answer) in [
            (words(&["PING"]), "+PONG\r\n"),
            (words(&["REPLCONF", "listening-port", &port]), "+OK\r\n"),
            (words(&["REPLCONF", "capa", "eof", "capa", "psync2"]), "-ERR what?\r\n"),
            (words(&["INFO", "replication"]), "$11\r\nmaster_x:1\n\r\n"),
            (words(psync), ""),
        ]
        .into_iter()
        .filter(|(said, _)| psync[1] == "?" || !said.contains("INFO"))
        {
            link.expect(said).await;
            link.send(answer).await;
        }
        link
    }

    /// A link with a copy of the keys, at offset 1000.
    async fn copied(&self) -> Peer {
        let mut link = self.greeted(&["PSYNC", "?", "-1"]).await;
        link.send(format!("\n+FULLRESYNC {REPLID} 1000\r\n\n\n$EOF:{REPLID}\r\n")).await;
        link.send(COPY).await;
        link.send(REPLID).await;
        link
    }

    async fn eventually(&mut self, field: &str, value: &str) {
        let line = format!("{field}:{value}\r\n");
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            self.client.send("INFO replication\r\n").await;
            let text = self.client.text().await;
            if text.contains(&line) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{line} in {text}");
        }
    }
}

impl Peer {
    /// Whatever it still sends.
    async fn ends(&mut self) {
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("the link ends");
    }
}

/// What acknowledges as far as this; acknowledgements of less may come before.
async fn expect_ack(link: &mut Peer, offset: u64) {
    loop {
        link.skip_to("$3\r\nACK\r\n").await;
        if link.text().await == offset.to_string() {
            return;
        }
    }
}

#[test]
fn a_copy_and_what_follows_it_are_applied_and_acknowledged() {
    serve(config(), |harness| async move {
        let mut all = following(harness).await;
        let mut link = all.copied().await;
        all.eventually("upstream_link_status", "up").await;
        all.client.ask("GET plain", "$4 text ").await;
        all.client.ask("GET large", "$12 123456789012 ").await;
        all.client.ask("SET plain x", "-READONLY_You_can't_write_against_a_read_only_replica. ").await;
        let stream = "*1\r\n$4\r\nPING\r\n".to_owned()
            + &words(&["SELECT", "0"])
            + &words(&["SET", "plain", "new"])
            + &words(&["MULTI"])
            + &words(&["INCR", "small"])
            + &words(&["SELECT", "4"])
            + &words(&["SET", "k", "v"])
            + &words(&["EXEC"])
            + &words(&["REPLCONF", "GETACK", "*"]);
        link.send(&stream).await;
        expect_ack(&mut link, 1000 + stream.len() as u64).await;
        all.client.ask("GET plain", "$3 new ").await;
        all.client.ask("GET small", "$2 13 ").await;
        all.client.ask("SELECT 4", "+OK ").await;
        all.client.ask("GET k", "$1 v ").await;
        // The connection breaks within a transaction: the link goes on before it.
        let at = 1000 + stream.len();
        link.send(words(&["MULTI"]) + &words(&["INCR", "n"])).await;
        drop(link);
        let mut link = all.greeted(&["PSYNC", REPLID, &(at + 1).to_string()]).await;
        link.send(format!("+CONTINUE {OTHER_REPLID}\r\n")).await;
        let stream = words(&["MULTI"]) + &words(&["INCR", "n"]) + &words(&["EXEC"]);
        link.send(&stream).await;
        all.eventually("upstream_repl_offset", &(at + stream.len()).to_string()).await;
        all.eventually("upstream_replid", OTHER_REPLID).await;
        all.client.ask("GET n", "$1 1 ").await;
        all.client.ask("REPLICAOF NO ONE", "+OK ").await;
        all.client.ask("INCR n", ":2 ").await;
        link.ends().await;
    });
}

#[test]
fn a_copy_that_cannot_be_taken_is_told_of_and_never_seen() {
    serve(config(), |harness| async move {
        let mut all = following(harness).await;
        all.client.ask("PING", "+PONG ").await;
        let mut link = all.greeted(&["PSYNC", "?", "-1"]).await;
        let file = b"REDIS0010\x00\x01a\x01b\xff\x00\x00\x00\x00\x00\x00\x00\x00";
        link.send(format!("+FULLRESYNC {REPLID} 7\r\n${}\r\n", file.len() + 1)).await;
        link.send(file).await;
        all.eventually("upstream_sync_error", "the copy is malformed: it is shorter than was said").await;
        all.eventually("upstream_link_status", "down").await;
        link.ends().await;
        // The next one has begun to come when it turns out to be of no use.
        let mut link = all.greeted(&["PSYNC", "?", "-1"]).await;
        link.send(format!("+FULLRESYNC {REPLID} 7\r\n$100\r\n")).await;
        link.send(b"REDIS0010\x00\x01a\x01b\x07\x02ab\x01").await;
        let why = "the upstream holds a module's value, which bowline lacks: the key 'ab' of database 0";
        all.eventually("upstream_sync_error", why).await;
        link.ends().await;
        all.client.ask("REPLICAOF NO ONE", "+OK ").await;
        all.client.ask("SET a 1", "+OK ").await;
    });
}

#[test]
fn nobody_sees_a_part_of_a_copy() {
    serve(config(), |harness| async move {
        let mut all = following(harness).await;
        let mut link = all.greeted(&["PSYNC", "?", "-1"]).await;
        link.send(format!("+FULLRESYNC {REPLID} 7\r\n$EOF:{REPLID}\r\nREDIS0010")).await;
        // More than one unit holds, so that the first is applied.
        let (name, value) = (b"\x00\x01a\x80\x00\x20\x00\x00", vec![b'x'; 2 << 20]);
        link.send(name).await;
        link.send(&value).await;
        all.eventually("upstream_sync_in_progress", "1").await;
        all.eventually("upstream_sync_keys", "1").await;
        const LOADING: &str = "-LOADING_Redis_is_loading_the_dataset_in_memory ";
        all.client.ask("GET a", LOADING).await;
        all.client.ask("PING", LOADING).await;
        all.client.send("INFO persistence\r\n").await;
        assert!(all.client.text().await.contains("\r\nloading:1\r\n"));
        drop(link);
        all.eventually("upstream_sync_error", "the upstream closed the connection").await;
        all.eventually("upstream_sync_keys", "0").await;
        all.client.ask("GET a", LOADING).await;
        all.client.ask("REPLICAOF NO ONE", "+OK ").await;
        all.client.ask("EXISTS a", ":0 ").await;
        all.client.ask("SET a 1", "+OK ").await;
    });
}

#[test]
fn the_stream_ends_where_a_command_cannot_be_followed() {
    serve(config(), |harness| async move {
        let mut all = following(harness).await;
        let mut link = all.copied().await;
        link.send(words(&["SET", "plain", "1"]) + &words(&["FUTURE", "l", "1"])).await;
        all.eventually("upstream_sync_error", "the upstream sent FUTURE, which bowline cannot carry out")
            .await;
        all.client.ask("GET plain", "$1 1 ").await;
        link.ends().await;
        // It goes on where it stopped, and fails again: what comes before counts once.
        let offset = (1000 + words(&["SET", "plain", "1"]).len() + 1).to_string();
        let mut link = all.greeted(&["PSYNC", REPLID, &offset]).await;
        link.send("-NOMASTERLINK Can't SYNC while not connected with my master\r\n").await;
        let why =
            "the upstream answered PSYNC with: -NOMASTERLINK Can't SYNC while not connected with my master";
        all.eventually("upstream_sync_error", why).await;
    });
}

#[test]
fn only_who_leads_has_a_link_and_it_logs_in() {
    serve(config(), |harness| async move {
        harness.backend.status.borrow_mut().role = Role::Follower;
        let mut all = following(harness).await;
        all.client.ask("CONFIG SET masteruser me masterauth secret", "+OK ").await;
        let nobody = timeout(Duration::from_millis(300), all.listener.accept()).await;
        assert!(nobody.is_err(), "a follower follows its leader");
        all.harness.backend.status.borrow_mut().role = Role::Leader;
        let (socket, _) = timeout(PATIENCE, all.listener.accept()).await.expect("it connects").unwrap();
        let mut link = Peer(socket);
        link.expect(words(&["PING"])).await;
        link.send("-NOAUTH Authentication required.\r\n").await;
        link.expect(words(&["AUTH", "me", "secret"])).await;
        link.send("-WRONGPASS no\r\n").await;
        all.eventually("upstream_sync_error", "the upstream answered AUTH with: -WRONGPASS no").await;
        all.harness.backend.status.borrow_mut().role = Role::Follower;
        link.ends().await;
    });
}

#[test]
fn a_cluster_does_not_follow_itself() {
    serve(config(), |harness| async move {
        let mut all = following(harness).await;
        let own = all.harness.addr.port();
        all.client.ask(&format!("REPLICAOF 127.0.0.1 {own}"), "+OK ").await;
        all.eventually("upstream_sync_error", "the upstream is this cluster itself").await;
        all.client.ask("REPLICAOF NO ONE", "+OK ").await;
    });
}

#[test]
fn a_stopping_server_ends_its_link() {
    serve(config(), |harness| async move {
        let mut all = following(harness).await;
        let mut link = all.copied().await;
        all.eventually("upstream_link_status", "up").await;
        drop(all.client);
        all.harness.shut_down().await;
        link.ends().await;
    });
}
