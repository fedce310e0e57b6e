//! MULTI, EXEC, DISCARD, WATCH, over a socket.

use super::{config, serve};

#[test]
fn queued_commands_run_together_and_errors_abort() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        for (command, expected) in [
            ("EXEC", "-ERR_EXEC_without_MULTI "),
            ("DISCARD", "-ERR_DISCARD_without_MULTI "),
            ("MULTI", "+OK "),
            ("SET a 1", "+QUEUED "),
            ("INCR a", "+QUEUED "),
            ("MULTI", "-ERR_MULTI_calls_can_not_be_nested "),
            ("WATCH a", "-ERR_WATCH_inside_MULTI_is_not_allowed "),
            ("EXEC", "*2 +OK :2 "),
            ("MULTI", "+OK "),
            ("EXEC", "*0 "),
            ("MULTI", "+OK "),
            ("SET a", "-ERR_wrong_number_of_arguments_for_'set'_command "),
            ("SET a 5", "+QUEUED "),
            ("EXEC", "-EXECABORT_Transaction_discarded_because_of_previous_errors. "),
            ("EXEC", "-ERR_EXEC_without_MULTI "),
            ("MULTI", "+OK "),
            ("NOSUCH", "-ERR_unknown_command_'NOSUCH',_with_args_beginning_with:_ "),
            ("EXEC", "-EXECABORT_Transaction_discarded_because_of_previous_errors. "),
            ("MULTI", "+OK "),
            ("CLIENT NOSUCH", "-ERR_unknown_subcommand_'NOSUCH'._Try_CLIENT_HELP. "),
            ("EXEC", "-EXECABORT_Transaction_discarded_because_of_previous_errors. "),
            ("MULTI", "+OK "),
            (
                "EXEC x",
                "-EXECABORT_Transaction_discarded_because_of:_wrong_number_of_arguments_for_'exec'_command ",
            ),
            ("EXEC", "-ERR_EXEC_without_MULTI "),
            ("MULTI", "+OK "),
            ("SET a 6", "+QUEUED "),
            ("DISCARD", "+OK "),
            ("GET a", "$1 2 "),
            ("MULTI", "+OK "),
            ("GET a", "+QUEUED "),
            ("GET a", "+QUEUED "),
            ("EXEC", "*2 $1 2 $1 2 "),
            ("MULTI", "+OK "),
            ("RESET", "+RESET "),
            ("EXEC", "-ERR_EXEC_without_MULTI "),
        ] {
            peer.ask(command, expected).await;
        }
        peer.send("MULTI\r\nINCR a\r\nQUIT\r\n").await;
        peer.expect("+OK\r\n+QUEUED\r\n+OK\r\n").await;
        peer.expect_end().await;
        harness.connect().await.ask("GET a", "$1 2 ").await;
    });
}

#[test]
fn commands_of_the_connection_stand_at_their_place_in_exec() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.send(
            "SET a 1\r\nMULTI\r\nPING\r\nINCR a\r\nCLIENT SETNAME me\r\nCLIENT GETNAME\r\nSELECT 16\r\nSELECT 0\r\n\
             GET a\r\nWAIT 0 0\r\nUNWATCH\r\nEXEC\r\nGET a\r\n",
        )
        .await;
        let queued = "+QUEUED\r\n".repeat(9);
        peer.expect(format!(
            "+OK\r\n+OK\r\n{queued}*9\r\n+PONG\r\n:2\r\n+OK\r\n$2\r\nme\r\n-ERR DB index is out of range\r\n+OK\r\n\
             $1\r\n2\r\n:1\r\n+OK\r\n$1\r\n2\r\n"
        ))
        .await;
        peer.send("MULTI\r\nPING\r\nECHO x\r\nEXEC\r\n").await;
        peer.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+PONG\r\n$1\r\nx\r\n").await;
    });
}

#[test]
fn a_watched_key_that_changed_stops_exec() {
    serve(config(), |harness| async move {
        let (mut one, mut other) = (harness.connect().await, harness.connect().await);
        let mut count = 0;
        for queued in ["SET b 1", "GET a", "CLIENT SETNAME late"] {
            one.ask("WATCH a b", "+OK ").await;
            count += 1;
            other.ask("INCR a", &format!(":{count} ")).await;
            one.send(format!("MULTI\r\n{queued}\r\nPING\r\nEXEC\r\n")).await;
            one.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*-1\r\n").await;
            one.ask("CLIENT GETNAME", "$-1 ").await;
        }
        one.ask("GET b", "$-1 ").await;
        // The refused EXEC ended the watch; so do UNWATCH, DISCARD and RESET.
        for end in ["UNWATCH\r\n", "MULTI\r\nDISCARD\r\n", "RESET\r\n"] {
            one.ask("WATCH a", "+OK ").await;
            count += 1;
            other.ask("INCR a", &format!(":{count} ")).await;
            one.send(format!("{end}MULTI\r\nGET b\r\nEXEC\r\n")).await;
            let first = match end {
                "UNWATCH\r\n" => "+OK\r\n",
                "RESET\r\n" => "+RESET\r\n",
                _ => "+OK\r\n+OK\r\n",
            };
            one.expect(format!("{first}+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n")).await;
        }
        one.send("WATCH a\r\nWATCH a\r\nMULTI\r\nSET b 1\r\nEXEC\r\nGET b\r\n").await;
        one.expect("+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n$1\r\n1\r\n").await;
    });
}

#[test]
fn transactions_in_a_pipeline_share_a_job() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        let one = "MULTI\r\nINCR n\r\nEXEC\r\n";
        peer.send(one.repeat(10)).await;
        let expected: String = (1..=10).map(|n| format!("+OK\r\n+QUEUED\r\n*1\r\n:{n}\r\n")).collect();
        peer.expect(expected).await;
        assert_eq!(harness.backend.seen.borrow().len(), 1, "replies that wait for nothing do not split it");
    });
}
