//! Scripts: their commands are judged for the user who runs them, by what memory there is, and are told to
//! statistics, MONITOR and ACL LOG.

use super::*;

const NO_COMMAND: &str = "-ERR The user executing the script can't run this command or subcommand script: ";
const NO_KEY: &str = "-ERR The user executing the script can't access at least one of the keys mentioned in the command arguments script: ";
const NO_CHANNEL: &str =
    "-ERR The user executing the script can't publish to the channel mentioned in the command script: ";
const NO_MEMORY: &str = "-OOM command not allowed when used memory > 'maxmemory'. script: ";
const NO_MEMORY_AT_ALL: &str =
    "-OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'\r\n";
const OF_A: &str = "SETUSER a on >pw ~a* resetchannels &a* +@all -set";

impl Peer {
    async fn command(&mut self, words: &[&str]) {
        let mut bytes = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| bytes.push_str(&format!("${}\r\n{word}\r\n", word.len())));
        self.send(bytes).await;
    }

    async fn answers(&mut self, words: &[&str], reply: &str) {
        self.command(words).await;
        self.expect(reply).await;
    }

    /// The reply begins like this; what follows names the script and the line.
    async fn fails(&mut self, words: &[&str], start: &str) {
        self.command(words).await;
        self.line_begins(start).await;
    }

    async fn line_begins(&mut self, start: &str) {
        let line = self.line().await;
        assert!(line.starts_with(start), "{line:?} begins with {start:?}");
    }

    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(timeout(PATIENCE, self.0.read_u8()).await.expect("a line").unwrap());
        }
        String::from_utf8(line).unwrap()
    }
}

fn serve_scripts<F: Future<Output = ()>>(test: impl FnOnce(Harness, Peer) -> F) {
    serve(config(), |harness| async move {
        harness.backend.has_machine.set(true);
        let voters = "";
        harness.backend.bootstrap(voters, &harness.clients);
        let mut admin = harness.connect().await;
        admin.ask("PING", "+PONG ").await;
        test(harness, admin).await;
    });
}

#[test]
fn commands_of_a_script_are_judged_for_who_runs_it() {
    serve_scripts(|harness, mut admin| async move {
        admin.send(format!("ACL {OF_A}\r\n")).await;
        admin.expect("+OK\r\n").await;
        let mut user = harness.connect().await;
        user.ask("AUTH a pw", "+OK ").await;
        let get = "return redis.call('get', KEYS[1])";
        user.answers(&["EVAL", "return 5", "0"], ":5\r\n").await;
        user.answers(&["EVAL", get, "1", "a1"], "$-1\r\n").await;
        user.answers(&["EVAL_RO", get, "1", "a1"], "$-1\r\n").await;
        let no_key = "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n";
        user.answers(&["EVAL", get, "1", "b"], no_key).await;
        for eval in ["EVAL", "EVAL_RO"] {
            user.fails(&[eval, "return redis.call('get', 'b')", "0"], NO_KEY).await;
        }
        user.fails(&["EVAL", "return redis.call('set', 'a', '1')", "0"], NO_COMMAND).await;
        user.fails(&["EVAL", "return redis.call('publish', 'b', '1')", "0"], NO_CHANNEL).await;
        user.answers(&["EVAL", "return redis.call('publish', 'a', '1')", "0"], ":0\r\n").await;
        let may = "return {redis.acl_check_cmd('set','a','1'), redis.acl_check_cmd('get','a'), redis.acl_check_cmd('get','b')}";
        user.answers(&["EVAL", may, "0"], "*3\r\n$-1\r\n:1\r\n$-1\r\n").await;
        let sort = "return redis.pcall('sort', 'a1', 'by', 'w_*').err";
        let no_sort = "ERR BY option of SORT denied due to insufficient ACL permissions";
        user.answers(&["EVAL", sort, "0"], &format!("${}\r\n{no_sort}\r\n", no_sort.len())).await;
        // Within a transaction, within ONCE, and by whoever was let in before rights were taken away.
        user.ask("MULTI", "+OK ").await;
        user.answers(&["EVAL", "return redis.call('set', 'a', '1')", "0"], "+QUEUED\r\n").await;
        user.answers(&["EVAL", "redis.call('incr', 'a1')", "0"], "+QUEUED\r\n").await;
        user.command(&["EXEC"]).await;
        assert_eq!(user.line().await, "*2\r\n");
        user.line_begins(NO_COMMAND).await;
        user.expect("$-1\r\n").await;
        user.fails(&["ONCE", "s", "1", "EVAL", "return redis.call('set', 'a', '1')", "0"], NO_COMMAND).await;
        user.ask("MULTI", "+OK ").await;
        user.answers(&["EVAL", get, "1", "a1"], "+QUEUED\r\n").await;
        admin.ask("ACL SETUSER a -get", "+OK ").await;
        user.command(&["EXEC"]).await;
        assert_eq!(user.line().await, "*1\r\n");
        user.line_begins(NO_COMMAND).await;
        // Nothing of it happened, and whoever may do everything is judged by nothing.
        admin.ask("GET a", "$-1 ").await;
        admin.answers(&["EVAL", "return redis.call('set', 'b', '1')", "0"], "+OK\r\n").await;
    });
}

#[test]
fn functions_are_judged_too() {
    serve_scripts(|harness, mut admin| async move {
        let library = "#!lua name=l\nredis.register_function('f', function(KEYS) return redis.call('set', KEYS[1], 1) end)\n\
                       redis.register_function{function_name='g', flags={'no-writes'}, callback=function() return redis.call('get', 'b') end}";
        admin.answers(&["FUNCTION", "LOAD", library], "$1\r\nl\r\n").await;
        admin.send(format!("ACL {OF_A}\r\n")).await;
        admin.expect("+OK\r\n").await;
        let mut user = harness.connect().await;
        user.ask("AUTH a pw", "+OK ").await;
        user.fails(&["FCALL", "f", "1", "a"], NO_COMMAND).await;
        user.fails(&["FCALL_RO", "g", "0"], NO_KEY).await;
        user.fails(&["FCALL", "g", "0"], NO_KEY).await;
        admin.answers(&["FCALL", "f", "1", "a"], "+OK\r\n").await;
    });
}

#[test]
fn what_was_denied_to_a_script_is_in_the_log_of_denials() {
    serve_scripts(|harness, mut admin| async move {
        admin.send(format!("ACL {OF_A}\r\n")).await;
        admin.expect("+OK\r\n").await;
        let mut user = harness.connect().await;
        user.ask("AUTH a pw", "+OK ").await;
        let script =
            "redis.pcall('set', 'a', '1') redis.pcall('set', 'a', '2') return redis.pcall('get', 'secret')";
        user.fails(&["EVAL", script, "0"], &NO_KEY[..60]).await;
        let entry = |count: usize, reason: &str, object: &str| {
            format!(
                "*14\r\n$5\r\ncount\r\n:{count}\r\n$6\r\nreason\r\n${}\r\n{reason}\r\n$7\r\ncontext\r\n$3\r\nlua\r\n\
                 $6\r\nobject\r\n${}\r\n{object}\r\n$8\r\nusername\r\n$1\r\na\r\n",
                reason.len(),
                object.len()
            )
        };
        admin.send("ACL LOG\r\n").await;
        admin.expect(format!("*2\r\n{}", entry(1, "key", "secret"))).await;
        admin.skip_to("lib-ver=\r\n").await;
        admin.expect(entry(2, "command", "set")).await;
    });
}

#[test]
fn monitors_are_shown_what_a_script_does() {
    serve_scripts(|harness, mut peer| async move {
        let mut monitor = harness.connect().await;
        monitor.ask("MONITOR", "+OK ").await;
        let script = "redis.call('select', 3) redis.call('set', KEYS[1], '1') redis.pcall('nosuch') return redis.call('get', KEYS[1])";
        peer.answers(&["EVAL", script, "1", "k"], "$1\r\n1\r\n").await;
        peer.answers(&["EVAL_RO", "return redis.call('get', 'x')", "0"], "$-1\r\n").await;
        let mut seen = Vec::new();
        for _ in 0..6 {
            let line = monitor.line().await;
            let (_, what) = line.trim_end().split_once(" [").unwrap();
            seen.push(what.to_owned());
        }
        assert!(seen[0].ends_with("\"1\" \"k\"") && seen[0].contains("\"EVAL\""), "{seen:?}");
        let of_lua = [r#"0 lua] "select" "3""#, r#"3 lua] "set" "k" "1""#, r#"3 lua] "get" "k""#];
        assert_eq!(seen[1..4], of_lua);
        assert!(seen[4].contains("\"EVAL_RO\""), "{seen:?}");
        assert_eq!(seen[5], r#"0 lua] "get" "x""#);
    });
}

#[test]
fn commands_of_scripts_are_counted() {
    serve_scripts(|harness, mut peer| async move {
        let _harness = harness;
        let script = "for _ = 1, 3 do redis.call('set', 'k', 'v') end redis.pcall('incr', 'k') redis.pcall('set') return 1";
        peer.answers(&["EVAL", script, "0"], ":1\r\n").await;
        peer.answers(&["EVAL_RO", "return redis.call('get', 'k')", "0"], "$1\r\nv\r\n").await;
        peer.send("INFO commandstats\r\n").await;
        let text = peer.text().await;
        for expected in [
            "cmdstat_set:calls=3,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0",
            "cmdstat_incr:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=1",
            "cmdstat_get:calls=1,",
        ] {
            assert!(text.contains(expected), "{text}");
        }
    });
}

#[test]
fn errors_of_scripts_are_counted_once() {
    serve_scripts(|harness, mut peer| async move {
        let _harness = harness;
        for (script, counted) in [
            // Seen by the script only; then as what it answers, in three ways; then one of its own, and what it makes of another.
            (
                "redis.pcall('incr', 'l') redis.pcall('nosuch') redis.pcall('incr', 'l') return 1",
                "ERR 1 WRONGTYPE 2",
            ),
            ("return redis.call('incr', 'l')", "WRONGTYPE 1"),
            ("return redis.pcall('incr', 'l')", "WRONGTYPE 1"),
            ("redis.pcall('incr', 'l') error(redis.pcall('incr', 'l'))", "WRONGTYPE 2"),
            ("return redis.error_reply('MINE x')", "MINE 1"),
            ("error('x')", "ERR 1"),
            ("redis.pcall('incr', 'l') return redis.error_reply('WRONGTYPE x')", "WRONGTYPE 2"),
        ] {
            for eval in ["EVAL", "FCALL"] {
                let load = format!("#!lua name=f\nredis.register_function('f', function() {script} end)");
                peer.answers(&["FUNCTION", "LOAD", "REPLACE", &load], "$1\r\nf\r\n").await;
                peer.command(&["DEL", "l"]).await;
                peer.line_begins(":").await;
                peer.answers(&["LPUSH", "l", "1"], ":1\r\n").await;
                peer.answers(&["CONFIG", "RESETSTAT"], "+OK\r\n").await;
                peer.command(&[eval, if eval == "EVAL" { script } else { "f" }, "0"]).await;
                peer.line().await;
                peer.send("INFO errorstats\r\n").await;
                let text = peer.text().await;
                let codes = text.lines().filter_map(|line| line.strip_prefix("errorstat_"));
                let found: Vec<_> = codes.map(|code| code.replace(":count=", " ")).collect();
                assert_eq!(found.join(" "), counted, "{eval} {script}");
            }
        }
    });
}

#[test]
fn a_script_begins_without_memory_and_its_commands_are_refused() {
    serve_scripts(|harness, mut peer| async move {
        *harness.clients.stats().pretended.borrow_mut() = Some(Box::new(|| 1 << 30));
        peer.ask("SET k v", "+OK ").await;
        peer.ask("CONFIG SET maxmemory 1000", "+OK ").await;
        let set = "return redis.call('set', 'k', '1')";
        let again = "redis.call('del', 'k') return redis.call('set', 'k', '1')";
        peer.fails(&["EVAL", set, "0"], NO_MEMORY).await;
        peer.answers(&["EVAL", "return redis.call('get', 'k')", "0"], "$1\r\nv\r\n").await;
        peer.answers(&["EVAL", again, "0"], "+OK\r\n").await; // a script that has begun to write goes on
        peer.answers(&["EVAL", &format!("#!lua\n{set}"), "0"], NO_MEMORY_AT_ALL).await;
        peer.answers(&["EVAL", &format!("#!lua flags=allow-oom\n{set}"), "0"], "+OK\r\n").await;
        peer.answers(&["EVAL", "#!lua flags=no-writes\nreturn redis.call('get', 'k')", "0"], "$1\r\n1\r\n")
            .await;
        // A transaction that only runs scripts began to be queued while there was memory.
        peer.ask("CONFIG SET maxmemory 0", "+OK ").await;
        peer.ask("MULTI", "+OK ").await;
        peer.answers(&["EVAL", set, "0"], "+QUEUED\r\n").await;
        let mut other = harness.connect().await;
        other.ask("CONFIG SET maxmemory 1000", "+OK ").await;
        peer.command(&["EXEC"]).await;
        assert_eq!(peer.line().await, "*1\r\n");
        peer.line_begins(NO_MEMORY).await;
    });
}

#[test]
fn maps_and_sets_are_returned_whatever_their_size() {
    serve_scripts(|harness, mut admin| async move {
        for (kind, begin) in [("map", "*40000\r\n"), ("set", "*20000\r\n")] {
            let text = format!(
                "redis.setresp(3) local t = {{}} for i = 1, 20000 do t['k' .. i] = 'v' end return {{{kind} = t}}"
            );
            let mut peer = harness.connect().await;
            peer.command(&["EVAL", &text, "0"]).await;
            peer.line_begins(begin).await;
        }
        admin.ask("PING", "+PONG ").await;
    });
}

#[test]
fn how_many_words_a_command_may_have_follows_from_no_earlier_script() {
    serve_scripts(|harness, mut admin| async move {
        let many =
            "local t = {} for i = 1, 7500 do t[i] = i end return redis.call('SADD', KEYS[1], unpack(t))";
        admin.answers(&["EVAL", many, "1", "a"], ":7500\r\n").await;
        for number in 0..900 {
            let text = format!("return {number}");
            admin.answers(&["EVAL", &text, "0"], &format!(":{number}\r\n")).await;
        }
        admin.answers(&["EVAL", many, "1", "b"], ":7500\r\n").await;
        drop(harness);
    });
}

#[test]
fn what_a_script_does_again_and_again_takes_no_room() {
    serve_scripts(|harness, mut admin| async move {
        let step = "for i = 1, 9000 do local step = string.gmatch('abc', 'b') step() end return 'ok'";
        admin.answers(&["EVAL", step, "0"], "$2\r\nok\r\n").await;
        let replace = "for i = 1, 9000 do string.gsub('abc', 'b', tostring) end return 'ok'";
        admin.answers(&["EVAL", replace, "0"], "$2\r\nok\r\n").await;
        let caught = "for i = 1, 9000 do pcall(redis.call, 'GET') end return 'ok'";
        admin.answers(&["EVAL", caught, "0"], "$2\r\nok\r\n").await;
        drop(harness);
    });
}

#[test]
fn what_says_that_it_writes_nothing_is_a_read_once_its_text_is_known() {
    serve_scripts(|harness, mut admin| async move {
        let text = "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])";
        let sha = "d623bfea8e37744c1ffa709b62269c5db88a6bc0";
        admin.answers(&["SET", "k", "v"], "+OK\r\n").await;
        admin.answers(&["EVAL", text, "1", "k"], "$1\r\nv\r\n").await;
        let before = harness.backend.logged_bytes.get();
        admin.answers(&["EVAL", text, "1", "k"], "$1\r\nv\r\n").await;
        admin.answers(&["EVALSHA", sha, "1", "k"], "$1\r\nv\r\n").await;
        assert_eq!(harness.backend.logged_bytes.get(), before);
        admin.answers(&["SCRIPT", "FLUSH"], "+OK\r\n").await;
        admin
            .answers(&["EVALSHA", sha, "1", "k"], "-NOSCRIPT No matching script. Please use EVAL.\r\n")
            .await;
        let writes = "#!lua flags=no-writes\nreturn redis.call('SET', KEYS[1], 'w')";
        for _ in 0..2 {
            let refused = "-ERR Write commands are not allowed from read-only scripts. script: ";
            admin.fails(&["EVAL", writes, "1", "k"], refused).await;
        }
        drop(harness);
    });
}
