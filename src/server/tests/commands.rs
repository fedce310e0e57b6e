//! Commands that the connection answers itself: CLIENT, CONFIG, HELLO, INFO, WAIT.

use super::{config, serve};
use crate::node::Role;

#[test]
fn commands_about_the_connection() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        for (command, expected) in [
            ("SELECT 0", "+OK "),
            ("SELECT 15", "+OK "),
            ("SELECT 16", "-ERR_DB_index_is_out_of_range "),
            ("SELECT -1", "-ERR_DB_index_is_out_of_range "),
            ("SELECT abc", "-ERR_value_is_not_an_integer_or_out_of_range "),
            ("SELECT 00", "-ERR_value_is_not_an_integer_or_out_of_range "),
            ("AUTH default x", "+OK "),
            ("AUTH foo x", "-WRONGPASS_invalid_username-password_pair_or_user_is_disabled. "),
            ("AUTH a b c", "-ERR_syntax_error "),
            ("HELLO 4", "-NOPROTO_unsupported_protocol_version "),
            ("HELLO abc", "-ERR_Protocol_version_is_not_an_integer_or_out_of_range "),
            ("HELLO 2 AUTH", "-ERR_Syntax_error_in_HELLO_option_'AUTH' "),
            ("HELLO 2 AUTH foo x", "-WRONGPASS_invalid_username-password_pair_or_user_is_disabled. "),
            ("HELLO 3 FOO", "-ERR_Syntax_error_in_HELLO_option_'FOO' "),
            ("GET none", "$-1 "),
            ("CLIENT ID", ":1 "),
            ("CLIENT GETNAME", "$-1 "),
            ("CLIENT SETNAME me", "+OK "),
            ("CLIENT GETNAME", "$2 me "),
            ("CLIENT SETINFO lib-name x", "+OK "),
            ("CLIENT NO-EVICT on", "+OK "),
            ("CLIENT NO-TOUCH x", "-ERR_syntax_error "),
            ("CLIENT FOO", "-ERR_unknown_subcommand_'FOO'._Try_CLIENT_HELP. "),
            ("CLIENT ID x", "-ERR_wrong_number_of_arguments_for_'client|id'_command "),
            ("CLIENT LIST TYPE foo", "-ERR_Unknown_client_type_'foo' "),
            ("CLIENT LIST TYPE pubsub", "$0  "),
            ("CLIENT LIST ID abc", "-ERR_Invalid_client_ID "),
            ("CLIENT LIST ID", "-ERR_syntax_error "),
            ("CLIENT LIST ID 99", "$0  "),
            ("CONFIG GET maxc* SAVE nosuch", "*4 $4 SAVE $0  $10 maxclients $3 100 "),
            ("CONFIG GET nosuch", "*0 "),
            ("CONFIG FOO", "-ERR_unknown_subcommand_'FOO'._Try_CONFIG_HELP. "),
            ("PING a b", "-ERR_wrong_number_of_arguments_for_'ping'_command "),
            ("CONFIG GET", "-ERR_wrong_number_of_arguments_for_'config|get'_command "),
            ("WAIT a 1", "-ERR_value_is_not_an_integer_or_out_of_range "),
            ("WAIT 1 a", "-ERR_timeout_is_not_an_integer_or_out_of_range "),
            ("WAIT 1 -1", "-ERR_timeout_is_negative "),
            ("READONLY", "+OK "),
            ("RESET", "+RESET "),
            ("CLIENT GETNAME", "$-1 "),
        ] {
            peer.ask(command, expected).await;
        }
        peer.send("CLIENT SETNAME \"a b\"\r\n").await;
        peer.expect("-ERR Client names cannot contain spaces, newlines or special characters.\r\n").await;
    });
}

#[test]
fn client_list_shows_every_connection() {
    serve(config(), |harness| async move {
        let (mut one, mut two) = (harness.connect().await, harness.connect().await);
        one.send("CLIENT SETNAME first\r\nWATCH k\r\nMULTI\r\nGET a\r\n").await;
        one.expect("+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n").await;
        two.send("CLIENT LIST\r\n").await;
        let list = two.text().await;
        let lines: Vec<_> = list.lines().collect();
        assert_eq!(lines.len(), 2, "{list}");
        assert!(lines[0].starts_with("id=1 addr=127.0.0.1:"), "{list}");
        for part in [" name=first ", " flags=x ", " multi=1 ", " watch=1 ", " cmd=get ", " resp=2 "] {
            assert!(lines[0].contains(part), "{part} in {list}");
        }
        assert!(lines[1].contains(" cmd=client|list "), "{list}");
        two.send("HELLO 3\r\n").await;
        two.send("CLIENT LIST ID 2 3\r\n").await;
        two.expect("%7\r\n").await;
    });
}

#[test]
fn info_has_its_sections_and_the_raft_fields() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.send("INFO\r\n").await;
        let info = peer.text().await;
        for line in [
            "# Server",
            "redis_version:7.0.15",
            "# Clients",
            "connected_clients:1",
            "# Memory",
            "mem_replication_backlog:0",
            "# Persistence",
            "# Stats",
            "total_connections_received:1",
            "# Replication",
            "role:master",
            "# CPU",
            "# Keyspace",
            "# Raft",
            "raft_node_id:1",
            "raft_role:leader",
            "raft_term:7",
            "raft_leader_id:1",
            "raft_leader_addr:127.0.0.1:6379",
            "raft_commit_index:0",
            "raft_applied_index:50",
            "raft_persisted_index:0",
            "raft_last_index:50",
            "raft_first_index:0",
            "raft_snapshot_index:0",
            "raft_one_at_a_time:0",
            "raft_voters:1,2,3",
            "raft_members:1,2,3",
            "raft_peer2:addr=127.0.0.1:6380,match=50,lag=0,state=replicate,connected=1",
            "raft_peer3:addr=127.0.0.1:6381,match=40,lag=10,state=replicate,connected=1",
        ] {
            assert!(info.lines().any(|found| found == line), "{line} in {info}");
        }
        let used = info.lines().find_map(|line| line.strip_prefix("used_cpu_user:")).unwrap();
        assert!(used.parse::<f64>().is_ok());
        peer.send("INFO cpu keyspace\r\n").await;
        let info = peer.text().await;
        assert!(
            info.starts_with("# CPU\r\n")
                && info.contains("\r\n\r\n# Keyspace\r\n")
                && !info.contains("# Raft")
        );
        peer.ask("INFO nosuch", "$0  ").await;
        peer.send("TIME\r\n").await;
        peer.expect("*2\r\n$10\r\n").await;
    });
}

#[test]
fn role_and_wait_tell_what_the_node_knows() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("ROLE", "*3 $6 master :50 *2 *3 $9 127.0.0.1 $4 6380 $2 50 *3 $9 127.0.0.1 $4 6381 $2 40 ")
            .await;
        peer.ask("SET k v", "+OK ").await;
        peer.ask("WAIT 1 1000", ":1 ").await;
        peer.ask("WAIT 2 20", ":1 ").await;
        // Others are served while one waits, and it is answered when the member catches up.
        peer.send("WAIT 2 0\r\nPING\r\n").await;
        harness.connect().await.ask("PING", "+PONG ").await;
        harness.backend.status.borrow_mut().members[2].match_index = Some(50);
        peer.expect(":2\r\n+PONG\r\n").await;
        {
            let mut status = harness.backend.status.borrow_mut();
            status.role = Role::Follower;
            status.leader_id = 2;
        }
        peer.ask("ROLE", "*5 $5 slave $9 127.0.0.1 :6380 $9 connected :50 ").await;
        peer.ask("WAIT 1 1000", ":1 ").await;
        peer.send("RAFT STATUS\r\nPING\r\n").await;
        peer.expect("*40\r\n$7\r\nnode_id\r\n:1\r\n$4\r\nrole\r\n$8\r\nfollower\r\n").await;
    });
}
