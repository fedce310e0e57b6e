//! `CLUSTER` and `SENTINEL`, byte by byte: what clients are told with a leader, without one,
//! and of members that cannot be reached or have no vote.

use super::{Harness, Peer, config, serve};
use crate::node::{NodeStatus, Role};

const CLUSTER_ID: [u8; 16] = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x00\x11\x22\x33\x44\x55\x66\x77";
const ID1: &str = "00000000000000010123456789abcdef00112233";
const ID2: &str = "00000000000000020123456789abcdef00112233";
const ID3: &str = "00000000000000030123456789abcdef00112233";

/// A peer of a node whose status has been changed so.
async fn connect(harness: &Harness, change: impl FnOnce(&mut NodeStatus)) -> Peer {
    {
        let mut status = harness.backend.status.borrow_mut();
        status.cluster_id = Some(CLUSTER_ID);
        status.commit_index = 48;
        (status.messages_sent_total, status.messages_received_total) = (20, 30);
        change(&mut status);
    }
    harness.connect().await
}

fn follow(status: &mut NodeStatus, leader_id: u64) {
    (status.role, status.leader_id) = (Role::Follower, leader_id);
    status.members.iter_mut().for_each(|member| (member.match_index, member.progress) = (None, None));
}

/// A bulk string.
fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// A flat array of bulk strings, separated by spaces here; `''` is an empty one.
fn bulks(words: &str) -> String {
    let words: Vec<_> = words.split_whitespace().map(|word| bulk(word.trim_matches('\''))).collect();
    format!("*{}\r\n{}", words.len(), words.concat())
}

/// An entry of `CLUSTER SLOTS`.
fn node(port: u16, id: &str) -> String {
    format!("*4\r\n$9\r\n127.0.0.1\r\n:{port}\r\n{}*0\r\n", bulk(id))
}

async fn answers(peer: &mut Peer, command: &str, expected: impl AsRef<str>) {
    peer.send(format!("{command}\r\n")).await;
    peer.expect(expected.as_ref()).await;
}

async fn text(peer: &mut Peer, command: &str) -> String {
    peer.send(format!("{command}\r\n")).await;
    peer.text().await
}

#[test]
fn the_leader_owns_all_slots_and_the_others_are_its_replicas() {
    serve(config(), |harness| async move {
        let mut peer = connect(&harness, |_| {}).await;
        answers(&mut peer, "CLUSTER MYID", bulk(ID1)).await;
        let nodes = [node(6379, ID1), node(6380, ID2), node(6381, ID3)].concat();
        answers(&mut peer, "CLUSTER SLOTS", format!("*1\r\n*5\r\n:0\r\n:16383\r\n{nodes}")).await;
        let lines = [
            format!("{ID1} 127.0.0.1:6379@16379 myself,master - 0 0 7 connected 0-16383\n"),
            format!("{ID2} 127.0.0.1:6380@16380 slave {ID1} 0 0 7 connected\n"),
            format!("{ID3} 127.0.0.1:6381@16381 slave {ID1} 0 0 7 connected\n"),
        ];
        assert_eq!(text(&mut peer, "CLUSTER NODES").await, lines.concat());
        let replicas = format!("*2\r\n{}{}", bulk(lines[1].trim_end()), bulk(lines[2].trim_end()));
        answers(&mut peer, &format!("CLUSTER REPLICAS {ID1}"), &replicas).await;
        answers(&mut peer, &format!("CLUSTER SLAVES {ID1}"), &replicas).await;
        peer.ask(&format!("CLUSTER REPLICAS {ID2}"), "-ERR_The_specified_node_is_not_a_master ").await;
        peer.ask("CLUSTER REPLICAS x", "-ERR_Unknown_node_x ").await;
        let info = "cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:16384\r\n\
             cluster_slots_pfail:0\r\ncluster_slots_fail:0\r\ncluster_known_nodes:3\r\ncluster_size:1\r\n\
             cluster_current_epoch:7\r\ncluster_my_epoch:7\r\ncluster_stats_messages_sent:20\r\n\
             cluster_stats_messages_received:30\r\ntotal_cluster_links_buffer_limit_exceeded:0\r\n";
        assert_eq!(text(&mut peer, "CLUSTER INFO").await, info);
        peer.ask("CLUSTER KEYSLOT foo", ":12182 ").await;
        peer.ask("CLUSTER KEYSLOT a{foo}b", ":12182 ").await;
        peer.ask("CLUSTER", "-ERR_wrong_number_of_arguments_for_'cluster'_command ").await;
        peer.ask("CLUSTER RESET", "-ERR_unknown_subcommand_'RESET'._Try_CLUSTER_HELP._bowline_deliberately_has_none:_members_are_those_of_the_Raft_group,_which_RAFT_ADD_and_RAFT_REMOVE_change ").await;
        peer.ask("ASKING", "+OK ").await;
    });
}

#[test]
fn the_shard_has_the_shape_of_resp3() {
    serve(config(), |harness| async move {
        let mut peer = connect(&harness, |status| {
            status.members[1].progress = Some("snapshot");
            status.members[2].client_addr = "node3.example:6381".to_owned();
            status.members[2].connected = false;
        })
        .await;
        let greeting = "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:3\r\n\
             $2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n\
             $7\r\nmodules\r\n*0\r\n";
        answers(&mut peer, "HELLO 3", greeting).await;
        let member =
            |id: &str, port: u16, host: &str, hostname: bool, role: &str, offset: u64, health: &str| {
                let mut fields = format!("%{}\r\n", if hostname { 8 } else { 7 });
                fields += &(bulk("id") + &bulk(id) + &bulk("port") + &format!(":{port}\r\n"));
                fields += &(bulk("ip") + &bulk(host) + &bulk("endpoint") + &bulk(host));
                if hostname {
                    fields += &(bulk("hostname") + &bulk(host));
                }
                fields += &(bulk("role") + &bulk(role) + &bulk("replication-offset"));
                fields + &format!(":{offset}\r\n") + &bulk("health") + &bulk(health)
            };
        let expected = [
            "*1\r\n%2\r\n".to_owned() + &bulk("slots") + "*2\r\n:0\r\n:16383\r\n" + &bulk("nodes") + "*3\r\n",
            member(ID1, 6379, "127.0.0.1", false, "master", 50, "online"),
            member(ID2, 6380, "127.0.0.1", false, "replica", 50, "loading"),
            member(ID3, 6381, "node3.example", true, "replica", 40, "fail"),
        ];
        answers(&mut peer, "CLUSTER SHARDS", expected.concat()).await;
        let empty = |port: u16, id: &str| node(port, id).replace("*0", "%0");
        let slots = [empty(6379, ID1), empty(6380, ID2)].concat();
        answers(&mut peer, "CLUSTER SLOTS", format!("*1\r\n*4\r\n:0\r\n:16383\r\n{slots}")).await;
        answers(&mut peer, "CLUSTER INFO", "=318\r\ntxt:cluster_state:ok\r\n").await;
    });
}

#[test]
fn a_node_that_reaches_a_majority_stands_in_for_a_leader_that_is_gone() {
    serve(config(), |harness| async move {
        let mut peer = connect(&harness, |status| {
            follow(status, 2);
            status.members[1].connected = false;
        })
        .await;
        let nodes = [node(6379, ID1), node(6381, ID3)].concat();
        for state in ["ok", "fail"] {
            answers(&mut peer, "CLUSTER SLOTS", format!("*1\r\n*4\r\n:0\r\n:16383\r\n{nodes}")).await;
            let lines = format!(
                "{ID1} 127.0.0.1:6379@16379 myself,master - 0 0 7 connected 0-16383\n\
                 {ID2} 127.0.0.1:6380@16380 slave,fail? {ID1} 0 0 7 disconnected\n\
                 {ID3} 127.0.0.1:6381@16381 slave {ID1} 0 0 7 connected\n"
            );
            assert_eq!(text(&mut peer, "CLUSTER NODES").await, lines);
            let info = text(&mut peer, "CLUSTER INFO").await;
            let slots = if state == "ok" { "pfail" } else { "fail" };
            for line in [format!("cluster_state:{state}"), format!("cluster_slots_{slots}:16384")] {
                assert!(info.lines().any(|found| found == line), "{line} in {info}");
            }
            assert!(info.contains("cluster_slots_assigned:16384\r\ncluster_slots_ok:0\r\n"), "{info}");
            // Everybody has noticed now.
            follow(&mut harness.backend.status.borrow_mut(), 0);
        }
    });
}

#[test]
fn a_node_that_reaches_no_majority_names_nobody() {
    serve(config(), |harness| async move {
        let mut peer = connect(&harness, |status| {
            follow(status, 2);
            status.members[1].connected = false;
            status.members[2].connected = false;
        })
        .await;
        peer.ask("CLUSTER SLOTS", "*0 ").await;
        let lines = text(&mut peer, "CLUSTER NODES").await;
        let myself = format!("{ID1} 127.0.0.1:6379@16379 myself,slave - 0 0 7 connected\n");
        assert!(lines.starts_with(&myself) && !lines.contains("master"), "{lines}");
        peer.ask(&format!("CLUSTER REPLICAS {ID1}"), "-ERR_The_specified_node_is_not_a_master ").await;
        answers(&mut peer, "CLUSTER SHARDS", "*1\r\n*4\r\n$5\r\nslots\r\n*2\r\n:0\r\n:16383\r\n").await;
    });
}

#[test]
fn without_a_leader_there_is_no_master() {
    serve(config(), |harness| async move {
        let mut peer = connect(&harness, |status| {
            follow(status, 0);
            status.members[1].connected = false;
        })
        .await;
        peer.ask("SENTINEL GET-MASTER-ADDR-BY-NAME mymaster", "*-1 ").await;
        let master = "name mymaster ip '' port 0 runid '' flags s_down,o_down,master,disconnected \
             link-pending-commands 0 link-refcount 1 role-reported master config-epoch 7 num-slaves 0 \
             num-other-sentinels 2 quorum 2";
        answers(&mut peer, "SENTINEL MASTERS", format!("*1\r\n{}", bulks(master))).await;
        peer.ask("SENTINEL REPLICAS mymaster", "*0 ").await;
        answers(&mut peer, "SENTINEL CKQUORUM mymaster", "+OK 2 usable Sentinels. ").await;
    });
}

#[test]
fn sentinel_answers_for_its_one_name() {
    serve(config(), |harness| async move {
        // A follower says the same as the leader, as far as it knows.
        let mut peer = connect(&harness, |status| {
            follow(status, 2);
            status.members[2].voter = false;
            status.members[2].connected = false;
        })
        .await;
        let master = bulks(&format!(
            "name mymaster ip 127.0.0.1 port 6380 runid {ID2} flags master link-pending-commands 0 \
             link-refcount 1 role-reported master config-epoch 7 num-slaves 2 num-other-sentinels 2 quorum 2"
        ));
        answers(&mut peer, "SENTINEL GET-MASTER-ADDR-BY-NAME mymaster", bulks("127.0.0.1 6380")).await;
        answers(&mut peer, "SENTINEL MASTER mymaster", &master).await;
        answers(&mut peer, "SENTINEL MASTERS", format!("*1\r\n{master}")).await;
        let replica = |port: u16, id: &str, flags: &str, link: &str, priority: u8, offset: u64| {
            bulks(&format!(
                "name 127.0.0.1:{port} ip 127.0.0.1 port {port} runid {id} flags {flags} \
                 link-pending-commands 0 link-refcount 1 role-reported slave master-link-status {link} \
                 master-host 127.0.0.1 master-port 6380 slave-priority {priority} slave-repl-offset {offset} \
                 replica-announced 1"
            ))
        };
        let replicas = replica(6379, ID1, "slave", "ok", 100, 50)
            + &replica(6381, ID3, "s_down,slave,disconnected", "err", 0, 0);
        answers(&mut peer, "SENTINEL REPLICAS mymaster", format!("*2\r\n{replicas}")).await;
        answers(&mut peer, "SENTINEL SLAVES mymaster", format!("*2\r\n{replicas}")).await;
        let sentinel = |port: u16, id: &str, flags: &str| {
            bulks(&format!(
                "name {id} ip 127.0.0.1 port {port} runid {id} flags {flags} link-pending-commands 0 \
                 link-refcount 1"
            ))
        };
        let sentinels =
            sentinel(6380, ID2, "sentinel") + &sentinel(6381, ID3, "s_down,sentinel,disconnected");
        answers(&mut peer, "SENTINEL SENTINELS mymaster", format!("*2\r\n{sentinels}")).await;
        answers(&mut peer, "SENTINEL MYID", bulk(ID1)).await;
        let reached = "+OK 2 usable Sentinels. Quorum and failover authorization can be reached\r\n";
        answers(&mut peer, "SENTINEL CKQUORUM mymaster", reached).await;
        harness.backend.status.borrow_mut().members[1].connected = false;
        answers(&mut peer, "SENTINEL CKQUORUM mymaster", "-NOQUORUM 1 usable Sentinels. Not enough").await;
    });
}

#[test]
fn other_names_are_unknown_to_sentinel() {
    serve(
        super::ServerConfig { sentinel_name: "prod.cache-1".to_owned(), ..config() },
        |harness| async move {
            let mut peer = connect(&harness, |_| {}).await;
            let address = bulks("127.0.0.1 6379");
            answers(&mut peer, "SENTINEL get-master-addr-by-name prod.cache-1", address).await;
            peer.ask("SENTINEL GET-MASTER-ADDR-BY-NAME mymaster", "*-1 ").await;
            for command in ["MASTER", "REPLICAS", "SLAVES", "SENTINELS", "CKQUORUM"] {
                peer.ask(&format!("SENTINEL {command} nosuch"), "-ERR_No_such_master_with_that_name ").await;
            }
            peer.ask("SENTINEL FAILOVER prod", "-ERR_unknown_subcommand_'FAILOVER'._Try_SENTINEL_HELP. ")
                .await;
            peer.ask("SENTINEL MASTER", "-ERR_wrong_number_of_arguments_for_'sentinel|master'_command ")
                .await;
        },
    );
}

#[test]
fn nobody_is_sent_to_a_member_without_an_address() {
    serve(config(), |harness| async move {
        let mut peer = connect(&harness, |status| {
            status.members[2].client_addr.clear();
            status.members[2].connected = false;
        })
        .await;
        let nodes = [node(6379, ID1), node(6380, ID2)].concat();
        answers(&mut peer, "CLUSTER SLOTS", format!("*1\r\n*4\r\n:0\r\n:16383\r\n{nodes}")).await;
        let lines = text(&mut peer, "CLUSTER NODES").await;
        assert!(lines.contains(&format!("{ID3} :0@16381 slave,fail?,noaddr {ID1} 0 0 7 disconnected\n")));
        answers(&mut peer, "SENTINEL REPLICAS mymaster", "*1\r\n").await;
    });
}
