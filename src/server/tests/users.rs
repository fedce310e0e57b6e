//! Who is let in, who may do what, and what becomes of connections when that changes.

use super::*;
use crate::command::hash_password;

const NOAUTH: &str = "-NOAUTH Authentication required.\r\n";
const NO_COMMAND: &str = "-NOPERM this user has no permissions to run the 'get' command\r\n";
const NO_KEY: &str = "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n";
const NO_CHANNEL: &str =
    "-NOPERM this user has no permissions to access one of the channels used as arguments\r\n";
const WRONG: &str = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
const LOADING: &str = "-LOADING this node has yet to hear of the users of its cluster\r\n";

fn with_password() -> ServerConfig {
    ServerConfig { requirepass: Some(hash_password(b"pw")), ..config() }
}

impl Harness {
    fn bootstrap(&self, password: &str) {
        self.backend.bootstrap(password, &self.clients);
    }

    /// One who may do everything.
    async fn admin(&self) -> Peer {
        let mut admin = self.connect().await;
        admin.says("PING", "+PONG\r\n").await;
        admin
    }

    async fn user(&self, name: &str) -> Peer {
        let mut peer = self.connect().await;
        peer.says(&format!("AUTH {name} pw"), "+OK\r\n").await;
        peer
    }
}

impl Peer {
    async fn says(&mut self, command: &str, reply: &str) {
        self.send(format!("{command}\r\n")).await;
        self.expect(reply).await;
    }
}

#[test]
fn nobody_gets_in_without_the_password() {
    serve(with_password(), |harness| async move {
        for settled in [false, true] {
            let mut peer = harness.connect().await;
            peer.says("PING", NOAUTH).await;
            peer.says("GET k", NOAUTH).await;
            peer.says("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n").await;
            peer.says("MULTI", NOAUTH).await;
            peer.says(
                "EXEC",
                "-EXECABORT Transaction discarded because of: NOAUTH Authentication required.\r\n",
            )
            .await;
            peer.says("HELLO 3", "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time\r\n").await;
            peer.says("AUTH wrong", WRONG).await;
            peer.says("AUTH default wrong", WRONG).await;
            peer.says("HELLO 2 AUTH default wrong", WRONG).await;
            peer.says("AUTH pw", "+OK\r\n").await;
            peer.says("SET k v", "+OK\r\n").await;
            peer.says("RESET", "+RESET\r\n").await;
            peer.says("GET k", NOAUTH).await;
            peer.send("HELLO 2 AUTH default pw\r\n").await;
            peer.skip_to("modules\r\n*0\r\n").await;
            peer.says("GET k", "$1\r\nv\r\n").await;
            if !settled {
                harness.bootstrap("pw");
                peer.says("GET k", "$1\r\nv\r\n").await;
            }
        }
    });
}

#[test]
fn before_the_password_a_request_is_small() {
    serve(with_password(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.send("*11\r\n").await;
        peer.expect("-ERR Protocol error: unauthenticated multibulk length\r\n").await;
        let mut peer = harness.connect().await;
        peer.send("*2\r\n$4\r\nECHO\r\n$16385\r\n").await;
        peer.expect("-ERR Protocol error: unauthenticated bulk length\r\n").await;
        // In one packet: what follows the password is no longer bounded.
        let mut peer = harness.connect().await;
        let long = "x".repeat(20_000);
        peer.send(format!("AUTH pw\r\n*2\r\n$4\r\nECHO\r\n$20000\r\n{long}\r\n")).await;
        peer.expect(format!("+OK\r\n$20000\r\n{long}\r\n")).await;
    });
}

#[test]
fn who_came_before_the_users_were_known_is_judged_by_them_later() {
    // This node was given no password, or another one than the cluster has.
    for (config, early) in [(config(), None), (with_password(), Some("AUTH pw"))] {
        serve(config, |harness| async move {
            let mut peer = harness.connect().await;
            if let Some(early) = early {
                peer.says(early, "+OK\r\n").await;
            }
            peer.says("PING", "+PONG\r\n").await;
            harness.bootstrap("other");
            peer.says("PING", NOAUTH).await;
            peer.says("AUTH other", "+OK\r\n").await;
            peer.says("PING", "+PONG\r\n").await;
        });
    }
}

#[test]
fn a_node_that_is_of_a_cluster_serves_nobody_before_it_knows_the_users() {
    serve(ServerConfig { awaits_users: true, ..config() }, |harness| async move {
        let mut waits = harness.connect().await;
        waits.says("PING", "+PONG\r\n").await;
        waits.send("PING\r\nSET k v\r\nGET k\r\n").await;
        waits.expect("+PONG\r\n").await;
        let mut other = harness.connect().await;
        other.send("AUTH pw\r\n").await;
        let mut stranger = harness.connect().await;
        stranger.send("GET k\r\n").await;
        harness.admin().await; // whatever they have sent before is there by now
        assert_eq!(harness.backend.seen.borrow().len(), 0);
        harness.bootstrap("pw");
        waits.expect(format!("{NOAUTH}{NOAUTH}")).await;
        other.expect("+OK\r\n").await;
        stranger.expect(NOAUTH).await;
    });
    // Not for ever.
    let election_timeout = Duration::from_millis(10);
    serve(ServerConfig { awaits_users: true, election_timeout, ..config() }, |harness| async move {
        let mut peer = harness.connect().await;
        peer.says("SET k v", LOADING).await;
        peer.says("AUTH alice pw", LOADING).await;
        harness.bootstrap("");
        peer.says("SET k v", "+OK\r\n").await;
        peer.says("AUTH alice pw", WRONG).await;
    });
}

#[test]
fn what_a_user_may_do_changes_with_the_next_command() {
    serve(config(), |harness| async move {
        harness.bootstrap("");
        let mut admin = harness.admin().await;
        admin.says("ACL SETUSER alice on >pw ~a* +@all -get", "+OK\r\n").await;
        let mut alice = harness.user("alice").await;
        alice.says("ACL WHOAMI", "$5\r\nalice\r\n").await;
        alice.says("GET a", NO_COMMAND).await;
        alice.says("SET b 1", NO_KEY).await;
        alice.says("ONCE s 1 SET b 1", NO_KEY).await;
        alice.says("PUBLISH c x", NO_CHANNEL).await;
        // In one packet, by herself: the second command is parsed when the first is in effect.
        alice.send("ACL SETUSER alice +get\r\nGET a\r\nACL SETUSER alice -get\r\nGET a\r\n").await;
        alice.expect(format!("+OK\r\n$-1\r\n+OK\r\n{NO_COMMAND}")).await;
        // What she had logged in with goes; she stays.
        admin.says("ACL SETUSER alice off", "+OK\r\n").await;
        alice.says("SET a 1", "+OK\r\n").await;
        harness.connect().await.says("AUTH alice pw", WRONG).await;
        admin.says("ACL SETUSER default off", "+OK\r\n").await;
        harness.connect().await.says("PING", NOAUTH).await;
        admin.says("PING", "+PONG\r\n").await;
    });
}

#[test]
fn queued_commands_are_judged_again() {
    serve(config(), |harness| async move {
        harness.bootstrap("");
        let mut admin = harness.admin().await;
        admin.says("ACL SETUSER alice on >pw allkeys +@all", "+OK\r\n").await;
        let mut alice = harness.user("alice").await;
        alice.send("MULTI\r\nSET a 1\r\nGET a\r\nECHO x\r\n").await;
        alice.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n").await;
        admin.says("ACL SETUSER alice -get", "+OK\r\n").await;
        let denied = "-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to execute the command or subcommand\r\n";
        alice.says("EXEC", &format!("*3\r\n+OK\r\n{denied}$1\r\nx\r\n")).await;
        alice.send("MULTI\r\nGET a\r\nEXEC\r\n").await;
        let aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
        alice.expect(format!("+OK\r\n{NO_COMMAND}{aborted}")).await;
    });
}

#[test]
fn connections_of_who_is_removed_are_closed() {
    serve(config(), |harness| async move {
        harness.bootstrap("");
        let mut admin = harness.admin().await;
        admin.says("ACL SETUSER alice on >pw +@all", "+OK\r\n").await;
        let (mut one, mut other) = (harness.user("alice").await, harness.user("alice").await);
        other.says("ACL DELUSER alice", ":1\r\n").await; // the reply comes, then the end
        one.expect_end().await;
        other.expect_end().await;
        admin.says("ACL DELUSER alice", ":0\r\n").await;
        admin.says("ACL DELUSER default", "-ERR The 'default' user cannot be removed\r\n").await;
    });
}

#[test]
fn who_listens_to_what_is_no_longer_allowed_is_closed() {
    serve(config(), |harness| async move {
        harness.bootstrap("");
        let mut admin = harness.admin().await;
        admin.says("ACL SETUSER alice on >pw +@all &news:* &exact", "+OK\r\n").await;
        let mut channel = harness.user("alice").await;
        channel.says("SUBSCRIBE news:1", "*3\r\n$9\r\nsubscribe\r\n$6\r\nnews:1\r\n:1\r\n").await;
        let mut pattern = harness.user("alice").await;
        pattern.says("PSUBSCRIBE news:1", NO_CHANNEL).await;
        pattern.says("PSUBSCRIBE news:*", "*3\r\n$10\r\npsubscribe\r\n$6\r\nnews:*\r\n:1\r\n").await;
        admin.says("ACL SETUSER alice resetchannels &news:1 &other", "+OK\r\n").await;
        pattern.expect_end().await;
        channel.says("PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n").await;
        admin.says("ACL SETUSER alice resetchannels", "+OK\r\n").await;
        channel.expect_end().await;
    });
}

#[test]
fn no_password_goes_to_the_log_and_errors_are_in_the_words_that_were_given() {
    serve(config(), |harness| async move {
        harness.bootstrap("");
        let mut admin = harness.admin().await;
        let before = harness.backend.seen.borrow().len();
        let wrong = |rule: &str, why: &str| format!("-ERR Error in ACL SETUSER modifier '{rule}': {why}\r\n");
        // What can never be right does not go there, for it may have been meant as a password.
        admin.says("ACL SETUSER alice mypassword", &wrong("mypassword", "Syntax error")).await;
        admin.says("ACL SETUSER alice (>pw)", &wrong("(>pw)", "Syntax error")).await;
        assert_eq!(harness.backend.seen.borrow().len(), before);
        let missing = "The password you are trying to remove from the user does not exist";
        admin.says("ACL SETUSER alice <pw", &wrong("<pw", missing)).await;
        assert_eq!(harness.backend.seen.borrow().len(), before + 1);
        admin.says("ACL SETUSER alice on >pw", "+OK\r\n").await;
        admin.send("MULTI\r\nACL SETUSER alice <pw\r\nACL SETUSER alice mypassword\r\nEXEC\r\n").await;
        admin.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n").await;
        admin.expect(wrong("mypassword", "Syntax error")).await;
    });
}

#[test]
fn what_was_denied_is_told() {
    serve(config(), |harness| async move {
        harness.bootstrap("");
        let mut admin = harness.admin().await;
        admin.says("ACL SETUSER alice on >pw ~a* +@all -get", "+OK\r\n").await;
        let mut alice = harness.user("alice").await;
        for _ in 0..3 {
            alice.says("GET a", NO_COMMAND).await;
        }
        alice.says("SET b 1", NO_KEY).await;
        alice.says("AUTH alice wrong", WRONG).await;
        for (reason, object, count) in [("auth", "AUTH", 1), ("key", "b", 1), ("command", "get", 3)] {
            admin.send("ACL LOG\r\n").await;
            let fields = format!(
                "$5\r\ncount\r\n:{count}\r\n$6\r\nreason\r\n${}\r\n{reason}\r\n$7\r\ncontext\r\n$8\r\ntoplevel\r\n\
                 $6\r\nobject\r\n${}\r\n{object}\r\n$8\r\nusername\r\n$5\r\nalice\r\n",
                reason.len(),
                object.len()
            );
            admin.skip_to(&fields).await;
            admin.skip_to("user=alice").await;
            admin.send("ECHO end-of-log\r\n").await;
            admin.skip_to("end-of-log\r\n").await;
        }
        admin.says("ACL LOG RESET", "+OK\r\n").await;
        admin.says("ACL LOG", "*0\r\n").await;
    });
}
