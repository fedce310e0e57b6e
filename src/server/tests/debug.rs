//! `DEBUG`: who may, and that it holds up nobody else.

use super::*;

fn with_debug() -> ServerConfig {
    ServerConfig { enable_debug: DebugCommand::Local, ..config() }
}

#[test]
fn it_is_refused_unless_the_node_was_started_with_it() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        let refusal = "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", \
                       you can run it from a local connection, otherwise you need to set this option in the \
                       configuration file, and then restart the server.\r\n";
        for command in ["DEBUG HELP", "DEBUG SLEEP 100", "DEBUG NOSUCH"] {
            peer.send(format!("{command}\r\n")).await;
            peer.expect(refusal).await;
        }
        peer.send("MULTI\r\nDEBUG HELP\r\nEXEC\r\nCONFIG GET enable-debug-command\r\n").await;
        peer.expect(format!(
            "+OK\r\n{refusal}-EXECABORT Transaction discarded because of previous errors.\r\n\
             *2\r\n$20\r\nenable-debug-command\r\n$2\r\nno\r\n"
        ))
        .await;
    });
}

#[test]
fn one_connection_sleeps_and_the_others_go_on() {
    serve(with_debug(), |harness| async move {
        let (mut sleeper, mut other) = (harness.connect().await, harness.connect().await);
        sleeper.send("SET a 1\r\nDEBUG SLEEP 3600\r\nPING\r\n").await;
        sleeper.expect("+OK\r\n").await;
        other.ask("GET a", "$1 1 ").await;
        other.send("CLIENT LIST\r\n").await;
        let list = other.text().await;
        assert!(list.contains("cmd=debug") && list.contains("flags=b"), "{list}");
        let mut short = harness.connect().await;
        short
            .send("DEBUG SLEEP 0.01\r\nPING\r\nDEBUG SLEEP x\r\nDEBUG SLEEP -1\r\nDEBUG SLEEP nan\r\n")
            .await;
        short.expect("+OK\r\n+PONG\r\n+OK\r\n+OK\r\n+OK\r\n").await;
        other.ask("SET a 2", "+OK ").await;
    });
}

/// The id of the client of this name, once it sleeps.
async fn id_of_sleeper(other: &mut Peer, name: &str) -> String {
    loop {
        other.send("CLIENT LIST\r\n").await;
        let list = other.text().await;
        let named = format!("name={name} ");
        let line = list.lines().find(|line| line.contains(&named) && line.contains("flags=b"));
        if let Some(line) = line {
            let id = line.split(' ').next().and_then(|field| field.strip_prefix("id="));
            return id.expect("an id").to_owned();
        }
    }
}

#[test]
fn a_transaction_sleeps_where_it_stands() {
    serve(with_debug(), |harness| async move {
        let (mut sleeper, mut other) = (harness.connect().await, harness.connect().await);
        let sleeps = "DEBUG SLEEP 0.01\r\nPING\r\nDEBUG SLEEP 0.01\r\n";
        sleeper.send(format!("MULTI\r\n{sleeps}EXEC\r\nMULTI\r\n{sleeps}EXEC\r\nECHO b\r\n")).await;
        let queued = "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n";
        let slept = "*3\r\n+OK\r\n+PONG\r\n+OK\r\n";
        sleeper.expect(format!("{queued}{slept}{queued}{slept}$1\r\nb\r\n")).await;

        sleeper.send("CLIENT SETNAME long\r\n").await;
        sleeper.expect("+OK\r\n").await;
        sleeper.send("MULTI\r\nSET a 1\r\nDEBUG SLEEP 3600\r\nGET a\r\nECHO c\r\nEXEC\r\nPING\r\n").await;
        sleeper.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n").await;
        let id = id_of_sleeper(&mut other, "long").await;
        other.ask("GET a", "$1 1 ").await;
        other.ask(&format!("CLIENT UNBLOCK {id}"), ":1 ").await;
        sleeper.expect("*4\r\n+OK\r\n+OK\r\n$1\r\n1\r\n$1\r\nc\r\n+PONG\r\n").await;
    });
}

#[test]
fn replies_of_every_kind_in_both_protocols() {
    serve(with_debug(), |harness| async move {
        let mut peer = harness.connect().await;
        for (kind, resp2, resp3) in [
            ("string", "$11\r\nHello World\r\n", "$11\r\nHello World\r\n"),
            ("double", "$5\r\n3.141\r\n", ",3.141\r\n"),
            (
                "bignum",
                "$37\r\n1234567999999999999999999999999999999\r\n",
                "(1234567999999999999999999999999999999\r\n",
            ),
            ("null", "$-1\r\n", "_\r\n"),
            ("set", "*3\r\n:0\r\n:1\r\n:2\r\n", "~3\r\n:0\r\n:1\r\n:2\r\n"),
            (
                "map",
                "*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n",
                "%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n",
            ),
            (
                "attrib",
                "$39\r\nSome real reply following the attribute\r\n",
                "|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n$39\r\nSome real reply following \
                 the attribute\r\n",
            ),
            (
                "push",
                "-ERR RESP2 is not supported by this command\r\n",
                ">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n$40\r\nSome real reply following the push reply\r\n",
            ),
            ("true", ":1\r\n", "#t\r\n"),
            (
                "verbatim",
                "$25\r\nThis is a verbatim\nstring\r\n",
                "=29\r\ntxt:This is a verbatim\nstring\r\n",
            ),
        ] {
            peer.send(format!("PING\r\nDEBUG PROTOCOL {kind}\r\n")).await;
            peer.expect(format!("+PONG\r\n{resp2}")).await;
            peer.send("HELLO 3\r\n").await;
            peer.skip_to("modules\r\n*0\r\n").await;
            peer.send(format!("DEBUG PROTOCOL {kind}\r\n")).await;
            peer.expect(resp3).await;
            peer.send("HELLO 2\r\n").await;
            peer.skip_to("modules\r\n*0\r\n").await;
        }
    });
}

#[test]
fn what_needs_no_keys() {
    serve(with_debug(), |harness| async move {
        let mut peer = harness.connect().await;
        for (command, expected) in [
            ("DEBUG ERROR ABC", "-ABC "),
            (
                "DEBUG NOSUCH a b",
                "-ERR_unknown_subcommand_or_wrong_number_of_arguments_for_'NOSUCH'._Try_DEBUG_HELP. ",
            ),
            (
                "DEBUG SLEEP",
                "-ERR_unknown_subcommand_or_wrong_number_of_arguments_for_'SLEEP'._Try_DEBUG_HELP. ",
            ),
            ("DEBUG segfault", "-ERR_DEBUG_SEGFAULT:_bowline_has_nothing_that_it_would_concern "),
            ("DEBUG HTSTATS 16", "-ERR_Out_of_range_database "),
            ("DEBUG HTSTATS x", "-ERR_value_is_not_an_integer_or_out_of_range "),
            ("DEBUG OBJECT missing", "-ERR_no_such_key "),
            ("DEBUG LISTPACK missing", "-ERR_no_such_key "),
            ("DEBUG QUICKLIST-PACKED-THRESHOLD 1b", "+OK "),
            (
                "DEBUG QUICKLIST-PACKED-THRESHOLD 4gb",
                "-ERR_argument_must_be_a_memory_value_bigger_than_1_and_smaller_than_4gb ",
            ),
            ("DEBUG RELOAD SOON", "-ERR_DEBUG_RELOAD_only_supports_the_MERGE,_NOFLUSH_and_NOSAVE_options. "),
            ("DEBUG RELOAD", "+OK "),
            ("DEBUG RELOAD NOFLUSH", "+OK "),
            ("DEBUG LOADAOF", "+OK "),
            ("DEBUG LOG hello", "+OK "),
            ("DEBUG", "-ERR_wrong_number_of_arguments_for_'debug'_command "),
        ] {
            peer.ask(command, expected).await;
        }
        peer.send("DEBUG HTSTATS 9\r\n").await;
        assert!(peer.text().await.contains("[Dictionary HT]"));
    });
}

#[test]
fn how_collections_are_kept() {
    serve(with_debug(), |harness| async move {
        harness.backend.has_machine.set(true);
        let mut peer = harness.connect().await;
        peer.send("RPUSH l 1 2 3\r\nHSET h f v\r\nDEBUG LISTPACK h\r\nDEBUG QUICKLIST l 1\r\n").await;
        let printed = "structure printed on stdout\r\n";
        peer.expect(format!(":3\r\n:1\r\n+Listpack {printed}+Quicklist {printed}")).await;
        peer.send("DEBUG LISTPACK l\r\nDEBUG QUICKLIST h\r\nDEBUG OBJECT l\r\n").await;
        peer.expect("-ERR Not a listpack encoded object.\r\n-ERR Not a quicklist encoded object.\r\n").await;
        let nodes = " ql_nodes:1 ql_avg_node:3.00 ql_listpack_max:-2 ql_compressed:0 ql_uncompressed_size:13";
        peer.skip_to(&format!("lru_seconds_idle:0{nodes}\r\n")).await;
    });
}

#[test]
fn what_is_reloaded_does_not_go_onto_what_is_there_unless_it_is_merged() {
    serve(with_debug(), |harness| async move {
        harness.backend.has_machine.set(true);
        let mut peer = harness.connect().await;
        let refusal = "-ERR_Error_trying_to_load_the_RDB_dump,_check_server_logs. ";
        for (command, expected) in [
            ("SET k v", "+OK "),
            ("DEBUG RELOAD noflush", refusal),
            ("DEBUG RELOAD noflush merge nosave", "+OK "),
            ("DEBUG RELOAD nosave", "+OK "),
            ("GET k", "$1 v "),
            ("FLUSHALL", "+OK "),
            ("DEBUG RELOAD noflush", "+OK "),
        ] {
            peer.ask(command, expected).await;
        }
        peer.send("FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f', function() end)\"\r\n").await;
        peer.expect("$1\r\nl\r\n").await;
        peer.ask("DEBUG RELOAD noflush", refusal).await;
    });
}

#[test]
fn scripts_may_call_it_when_they_are_let() {
    serve(with_debug(), |harness| async move {
        harness.backend.has_machine.set(true);
        let mut peer = harness.connect().await;
        let refused = "-ERR This Redis command is not allowed from script";
        let protocol = "EVAL \"redis.setresp(ARGV[2]) return redis.call('debug', 'protocol', ARGV[1])\" 0";
        let asks = |kind: &str, resp: u8| format!("{protocol} {kind} {resp}\r\n");
        peer.send(asks("true", 3)).await;
        peer.skip_to("on @user_script:1.\r\n").await;
        peer.ask("DEBUG SET-DISABLE-DENY-SCRIPTS 1", "+OK ").await;
        let digits = "1234567999999999999999999999999999999";
        for (kind, resp2, resp3) in [
            ("true", ":1\r\n".to_owned(), "#t\r\n".to_owned()),
            ("double", "$5\r\n3.141\r\n".to_owned(), ",3.141\r\n".to_owned()),
            ("null", "$-1\r\n".to_owned(), "_\r\n".to_owned()),
            ("bignum", format!("$37\r\n{digits}\r\n"), format!("({digits}\r\n")),
        ] {
            for script in [2, 3] {
                peer.send(asks(kind, script)).await;
                peer.expect(resp2.clone()).await;
            }
            peer.send("HELLO 3\r\n").await;
            peer.skip_to("modules\r\n*0\r\n").await;
            peer.send(asks(kind, 3)).await;
            peer.expect(resp3).await;
            peer.send("HELLO 2\r\n").await;
            peer.skip_to("modules\r\n*0\r\n").await;
        }
        let mut sleeper = harness.connect().await;
        let sleeps = "EVAL \"return redis.call('debug', 'sleep', '3600')\" 0\r\n";
        sleeper.send(format!("CLIENT SETNAME script\r\n{sleeps}PING\r\n")).await;
        sleeper.expect("+OK\r\n").await;
        let id = id_of_sleeper(&mut peer, "script").await;
        peer.ask(&format!("CLIENT UNBLOCK {id}"), ":1 ").await;
        sleeper.expect("+OK\r\n+PONG\r\n").await;
        // Of a transaction nothing is left over for the next script.
        let briefly = "EVAL \"redis.call('debug', 'sleep', '0.01'); return redis.call('echo', 'a')\" 0\r\n";
        peer.send(format!("MULTI\r\n{briefly}EXEC\r\n{briefly}PING\r\n")).await;
        peer.expect("+OK\r\n+QUEUED\r\n*1\r\n$1\r\na\r\n$1\r\na\r\n+PONG\r\n").await;
        for other in ["'reload'", "'sleep'", "'populate', '1'", "'set-disable-deny-scripts', '0'"] {
            peer.send(format!("EVAL \"return redis.pcall('debug', {other})\" 0\r\n")).await;
            peer.expect(format!("{refused}\r\n")).await;
        }
        peer.send("EVAL \"return redis.pcall('acl', 'list')\" 0\r\n").await;
        peer.expect(format!("{refused}\r\n")).await;
        let within = "DEBUG SET-DISABLE-DENY-SCRIPTS is not carried out within a transaction";
        peer.send("MULTI\r\nDEBUG SET-DISABLE-DENY-SCRIPTS 0\r\nEXEC\r\n").await;
        peer.expect(format!("+OK\r\n+QUEUED\r\n*1\r\n-ERR {within}\r\n")).await;
        peer.ask("DEBUG SET-DISABLE-DENY-SCRIPTS 0", "+OK ").await;
        peer.send(asks("true", 3)).await;
        peer.skip_to("on @user_script:1.\r\n").await;
    });
}
