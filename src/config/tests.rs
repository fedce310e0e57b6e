//! Every rule of the configuration, through the same door as the operator: argument words
//! and file text in, a `Config` or a sentence out.

use super::*;
use clap::{CommandFactory as _, Parser as _};
use std::io::Write as _;

/// What `bowline` with these words (split at spaces) is configured as.
fn config(words: &str) -> Config {
    match Config::load(cli(words)) {
        Ok(config) => config,
        Err(error) => panic!("{words}: {error}"),
    }
}

fn cli(words: &str) -> Cli {
    Cli::try_parse_from(std::iter::once("bowline").chain(words.split_whitespace()))
        .unwrap_or_else(|error| panic!("{words}: {error}"))
}

/// The sentence with which `bowline` refuses these words.
#[track_caller]
fn refused(words: &str, part: &str) {
    let words: Vec<&str> = std::iter::once("bowline").chain(words.split_whitespace()).collect();
    let text = match Cli::try_parse_from(&words) {
        Err(error) => error.to_string(),
        Ok(cli) => match Config::load(cli) {
            Err(error) => error.to_string(),
            Ok(config) => panic!("{words:?} gave {config:?}"),
        },
    };
    assert!(text.contains(part), "{words:?} was refused with\n  {text}\nwithout saying\n  {part}");
}

fn from_file(text: &str, words: &str) -> Result<Config, ConfigError> {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("written");
    Config::load(cli(&format!("--config {} {words}", file.path().display())))
}

#[track_caller]
fn file_refused(text: &str, parts: &[&str]) {
    let error = from_file(text, "").expect_err("a refusal").to_string();
    for part in parts {
        assert!(error.contains(part), "{text:?} was refused with\n  {error}\nwithout saying\n  {part}");
    }
}

fn address(text: &str) -> Address {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn shown(members: &[Member]) -> Vec<String> {
    members.iter().map(|m| format!("{} {} {}", m.id, m.client_addr, m.peer_addr)).collect()
}

const THREE: &str = "--cluster 127.0.0.1:6379,127.0.0.1:6380,127.0.0.1:6381";

#[test]
fn the_command_line_is_well_formed_and_explained() {
    Cli::command().debug_assert();
    for argument in Cli::command().get_arguments() {
        assert!(argument.get_help().is_some(), "{argument:?} has no help");
    }
}

#[test]
fn no_arguments_make_a_durable_cluster_of_one() {
    let config = config("");
    assert_eq!(config.node_id, 1);
    assert_eq!(config.bind, address("127.0.0.1:6379"));
    assert_eq!(config.peer_bind, address("127.0.0.1:16379"));
    assert_eq!(shown(&config.members), ["1 127.0.0.1:6379 127.0.0.1:16379"]);
    assert_eq!(config.data_dir, Path::new("bowline-data"));
    assert_eq!(config.storage, StorageKind::File);
    assert_eq!(config.timing, Timing::from(Pace::Fast));
    assert_eq!((config.verbose, config.log_format), (false, LogFormat::Text));
    assert_eq!(config.read_mode, ReadMode::Linearizable);
    assert_eq!((config.max_clients, config.idle_timeout_s), (10_000, 0));
    assert_eq!(config.snapshot_log_bytes, 64 << 20);
    assert_eq!(config.secret, None);
    assert_eq!((config.redirect, config.sentinel_name.as_str()), (Redirect::None, "mymaster"));
    assert_eq!(config.peers().count(), 0);
}

#[test]
fn every_flag_arrives() {
    let config = config(
        "--bind 127.0.0.2:7000 --peer-bind 127.0.0.3:7001 --node-id 1 --data-dir d --storage sled --timing \
         debug --verbose --log-format json --maxclients 5 --io-threads 2 --timeout 6 --snapshot-log-mib 7 --secret \
         s3 --maxmemory-mib 8 --redirect moved --sentinel-name a.B_c-9 --enable-debug-command local",
    );
    assert_eq!(config.bind, address("127.0.0.2:7000"));
    assert_eq!(config.peer_bind, address("127.0.0.3:7001"));
    assert_eq!(shown(&config.members), ["1 127.0.0.2:7000 127.0.0.3:7001"]);
    assert_eq!(config.data_dir, Path::new("d"));
    assert_eq!(config.storage, StorageKind::Sled);
    assert_eq!(config.timing, Timing::from(Pace::Debug));
    assert_eq!((config.verbose, config.log_format), (true, LogFormat::Json));
    assert_eq!((config.max_clients, config.io_threads, config.idle_timeout_s), (5, 2, 6));
    assert_eq!((config.snapshot_log_bytes, config.max_memory_bytes), (7 << 20, 8 << 20));
    assert_eq!(config.secret.as_ref().map(Secret::reveal), Some("s3"));
    assert!(!format!("{config:?}").contains("s3"), "the secret shows");
    assert_eq!((config.redirect, config.sentinel_name.as_str()), (Redirect::Moved, "a.B_c-9"));
    assert_eq!(config.enable_debug_command, DebugCommand::Local);
}

#[test]
fn paces() {
    let fast = Timing::from(Pace::Fast);
    assert_eq!((fast.tick_ms, fast.election_ticks.clone(), fast.heartbeat_ticks), (20, 10..20, 2));
    assert_eq!(fast.unavailable_after_ms, 4_000);
    assert_eq!(Timing::from(Pace::Debug).tick_ms, 200);
    // Nine ticks of the fastest pace are promised; the lease is 8/9 of that, at every pace.
    assert_eq!((fast.lease_us, Timing::from(Pace::Demo).lease_us), (160_000, 160_000));
    assert_eq!(config("--read-mode lease").read_mode, ReadMode::Lease);
    refused("--read-mode stale", "[possible values: linearizable, lease]");
    let demo = config("--timing demo").timing;
    assert_eq!((demo.tick_ms, demo.narrate, fast.narrate), (500, true, false));
}

#[test]
fn bind_finds_this_node_in_the_list() {
    let config = config(&format!("{THREE} --bind 127.0.0.1:6380"));
    assert_eq!(config.node_id, 2);
    assert_eq!(config.peer_bind, address("127.0.0.1:16380"));
    assert_eq!(config.this_member().client_addr, address("127.0.0.1:6380"));
    assert_eq!(config.peers().map(|m| m.id).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(config.members[2].peer_addr, address("127.0.0.1:16381"));
}

#[test]
fn node_id_finds_the_address_in_the_list() {
    let config = config(&format!("{THREE} --node-id 3"));
    assert_eq!((config.node_id, config.bind), (3, address("127.0.0.1:6381")));
}

#[test]
fn the_default_address_is_looked_for_in_the_list() {
    assert_eq!(config(THREE).node_id, 1);
    refused("--cluster 10.0.0.1:6379,10.0.0.2:6379", "does not say which of them this node is");
}

#[test]
fn names_and_ipv6_in_the_list() {
    let config = config("--cluster [::1]:6379,[0:0::2]:6379,Db-3.example:6379 --bind [0::1]:6379");
    assert_eq!(
        shown(&config.members),
        ["1 [::1]:6379 [::1]:16379", "2 [::2]:6379 [::2]:16379", "3 db-3.example:6379 db-3.example:16379"]
    );
    assert_eq!((config.node_id, config.bind), (1, address("[::1]:6379")));
}

#[test]
fn a_name_may_be_bound_by_its_ip_address_or_a_wildcard() {
    for bind in ["10.0.0.7:6379", "0.0.0.0:6379", "[::]:6379"] {
        let config = config(&format!("--cluster a:6379,b:6379 --node-id 2 --bind {bind}"));
        assert_eq!(config.bind, address(bind));
        assert_eq!(config.peer_bind, address(bind).with_port(16379));
        assert_eq!(config.this_member().client_addr, address("b:6379"));
    }
    refused(
        "--cluster a:6379,b:6379 --bind 0.0.0.0:6379",
        "does not contain this node's --bind 0.0.0.0:6379",
    );
}

#[test]
fn peer_ports_of_members() {
    let config = config("--cluster a:6379@7000,b:60000@7001,c:6379 --node-id 2");
    assert_eq!(shown(&config.members), ["1 a:6379 a:7000", "2 b:60000 b:7001", "3 c:6379 c:16379"]);
    assert_eq!(config.peer_bind, address("b:7001"));
}

#[test]
fn peer_bind_is_this_nodes_only_and_where_the_others_look() {
    let config = config(&format!("{THREE} --node-id 2 --peer-bind 0.0.0.0:16380"));
    assert_eq!(config.peer_bind, address("0.0.0.0:16380"));
    assert_eq!(config.this_member().peer_addr, address("127.0.0.1:16380"));
    refused(
        &format!("{THREE} --node-id 2 --peer-bind 127.0.0.1:7000"),
        "write 127.0.0.1:6380@7000 in --cluster",
    );
}

#[test]
fn lists_that_cannot_be() {
    refused("--cluster a:1,b:2,a:1 --node-id 1", "holds a:1 twice, as node 1 and as node 3");
    refused(
        "--cluster 127.0.0.1:1,127.0.0.1:10001 --node-id 1",
        "127.0.0.1:10001 for its peers, which node 2",
    );
    refused("--cluster a:10001,a:1 --node-id 1", "node 2 the address a:10001 for its peers, which node 1");
    refused("--cluster a:1@5,a:2@5 --node-id 1", "node 2 the address a:5 for its peers, which node 1");
    refused("--cluster a:1@1 --node-id 1", "the port 1 for clients and for peers");
    refused("--cluster a:1,0.0.0.0:2 --node-id 1", "0.0.0.0:2, to which nobody can connect");
    refused("--cluster a:1,,b:2 --node-id 1", "an address is empty");
    refused("--cluster a:1, --node-id 1", "an address is empty");
    refused("--cluster a:1,b --node-id 1", "\"b\" has no port");
    refused("--cluster a:1@x --node-id 1", "the port \"x\"");
    refused("--cluster a:60000 --node-id 1", "60000 + 10000 is beyond 65535");
    file_refused("cluster = []", &["--cluster is empty"]);
}

#[test]
fn who_this_node_cannot_be() {
    refused(&format!("{THREE} --bind 127.0.0.1:7000"), "does not contain this node's --bind 127.0.0.1:7000");
    refused(&format!("{THREE} --bind 127.0.0.1:6380 --node-id 3"), "127.0.0.1:6380 is node 2 of --cluster");
    refused(
        &format!("{THREE} --bind 10.0.0.1:6380 --node-id 2"),
        "is not where --cluster says that node 2 is",
    );
    refused(
        "--cluster a:1,b:2 --bind 0.0.0.0:3 --node-id 2",
        "is not where --cluster says that node 2 is, b:2",
    );
    refused(&format!("{THREE} --node-id 0"), "--node-id 0 is no node");
    refused(&format!("{THREE} --node-id 4"), "--node-id 4 is beyond --cluster, which has 3 members");
    refused("--node-id 0", "--node-id 0 is no node");
    refused("--node-id 2", "--node-id 2 without --cluster");
    refused("--node-id -1", "--node-id");
}

#[test]
fn addresses_that_are_none() {
    refused("--bind localhost", "\"localhost\" has no port");
    refused("--bind :6379", "has no host");
    refused("--bind [::1]", "has no port");
    refused("--bind ::1", "write it in brackets");
    refused("--bind ::1:6379", "write it in brackets");
    refused("--bind fe80::1%eth0:6379", "write it in brackets");
    refused("--bind [::g]:6379", "neither a name nor an IP address");
    refused("--bind 127.0.0.256:6379", "neither a name nor an IP address");
    refused("--bind a_b!:6379", "neither a name nor an IP address");
    refused("--bind a..b:6379", "neither a name nor an IP address");
    for port in ["0", "65536", "+1", "", "x"] {
        refused(&format!("--bind a:{port}"), &format!("the port \"{port}\", which is not a number from 1"));
    }
}

#[test]
fn ports_for_peers() {
    refused("--bind 127.0.0.1:55536", "55536 + 10000 is beyond 65535");
    assert_eq!(config("--bind 127.0.0.1:55535").peer_bind.port, 65535);
    assert_eq!(config("--bind 127.0.0.1:60000 --peer-bind 127.0.0.1:1").peer_bind.port, 1);
    refused("--bind 127.0.0.1:1 --peer-bind 127.0.0.1:1", "--peer-bind 127.0.0.1:1 are the same");
    refused("--bind 0.0.0.0:1 --peer-bind 127.0.0.1:1", "are the same");
    assert_eq!(config("--bind 127.0.0.1:1 --peer-bind 127.0.0.2:1").peer_bind.port, 1);
}

#[test]
fn other_values_that_are_refused() {
    refused("--storage memory --data-dir d", "--storage memory keeps nothing on disk, but --data-dir d");
    assert_eq!(config("--storage memory").storage, StorageKind::Memory);
    file_refused("data-dir = \"\"", &["--data-dir is empty"]);
    file_refused("secret = \"\"", &["--secret is empty"]);
    file_refused(&format!("secret = \"{}\"", "x".repeat(1025)), &["1025 bytes long"]);
    refused("--maxclients 0", "--maxclients 0 is out of range");
    refused("--maxclients 1000001", "is out of range");
    refused("--io-threads 0", "--io-threads 0 is out of range: give a number from 1 to 128");
    refused("--io-threads 129", "is out of range");
    refused("--snapshot-log-mib 0", "--snapshot-log-mib 0 is out of range");
    refused("--snapshot-log-mib 18446744073709551615", "is out of range");
    refused("--redirect ask", "[possible values: none, moved]");
    refused("--sentinel-name a/b", "--sentinel-name \"a/b\" is no name for a master");
    file_refused("sentinel-name = \"\"", &["--sentinel-name \"\" is no name"]);
    file_refused(&format!("sentinel-name = \"{}\"", "x".repeat(129)), &["1 to 128 letters"]);
    refused("--storage rocks", "[possible values: file, sled, memory]");
    refused("--timing slow", "[possible values: fast, debug, demo]");
    refused("--timeout -1", "--timeout");
    refused("--maxmemory-mib -1", "--maxmemory-mib");
    refused("--maxmemory-mib 1073741825", "up to 1073741824");
    refused("--no-such-flag", "--no-such-flag");
    refused("stray", "stray");
    refused("--config does-not-exist.toml", "cannot read the configuration file does-not-exist.toml");
}

#[test]
fn the_file_says_the_same_and_the_command_line_wins() {
    let text = r#"
        cluster = ["127.0.0.1:1", "127.0.0.1:2@7"]
        node-id = 2
        bind = "127.0.0.1:2"
        peer-bind = "127.0.0.1:7"
        data-dir = "d"
        storage = "sled"
        timing = "demo"
        verbose = true
        log-format = "json"
        maxclients = 3
        io-threads = 5
        timeout = 4
        snapshot-log-mib = 5
        maxmemory-mib = 6
        secret = "s"
        redirect = "moved"
        sentinel-name = "n"
        enable-debug-command = "yes"
    "#;
    let file = from_file(text, "").expect("valid");
    let words = "--cluster 127.0.0.1:1,127.0.0.1:2@7 --node-id 2 --bind 127.0.0.1:2 --peer-bind 127.0.0.1:7 \
                 --data-dir d --storage sled --timing demo --verbose --log-format json --maxclients 3 --io-threads 5 \
                 --timeout 4 --snapshot-log-mib 5 --maxmemory-mib 6 --secret s --redirect moved --sentinel-name n \
                 --enable-debug-command";
    assert_eq!(file, config(words));
    let mixed = from_file(text, "--timeout 9 --verbose=false --storage file").expect("valid");
    assert_eq!(
        mixed,
        Config { idle_timeout_s: 9, verbose: false, storage: StorageKind::File, ..config(words) }
    );
    assert_eq!(from_file("", "").expect("an empty file is valid"), config(""));
}

#[test]
fn mistakes_in_the_file_are_pointed_at() {
    file_refused("timeout = 1\ndata_dir = \"d\"\n", &["line 2", "unknown field `data_dir`", "`data-dir`"]);
    file_refused("timeout = \"soon\"", &["line 1", "invalid type"]);
    file_refused("\nbind = \"x\"", &["line 2", "\"x\" has no port"]);
    file_refused("cluster = \"a:1,b:2\"", &["line 1", "expected a sequence"]);
    file_refused("storage = \"rocks\"", &["line 1", "unknown variant `rocks`"]);
    file_refused("what is this", &["line 1"]);
    file_refused("node-id = 7", &["--node-id 7 without --cluster"]);
}

#[test]
fn inspect_is_a_word_of_its_own() {
    assert_eq!(cli("inspect some/dir").command, Some(Command::Inspect { dir: "some/dir".into() }));
    assert_eq!(cli("").command, None);
    refused("inspect", "<DIR>");
    refused("--verbose inspect d", "cannot be used with");
}

#[test]
fn a_node_that_joins_knows_where_it_is_and_whom_to_ask() {
    let config = config("--join a:6379,127.0.0.1:7000 --bind 127.0.0.1:7000");
    assert_eq!((config.node_id, &config.join[..]), (0, &[address("a:6379")][..]), "not itself");
    assert_eq!(shown(&config.members), ["0 127.0.0.1:7000 127.0.0.1:17000"]);
    let config = self::config("--join a:6379 --node-id 4 --bind 0.0.0.0:7000 --advertise b:7000");
    assert_eq!(config.bind, address("0.0.0.0:7000"));
    assert_eq!(shown(&config.members), ["4 b:7000 b:17000"]);
    let config = self::config("--join a:6379 --bind 0.0.0.0:7000 --advertise b:7001@9");
    assert_eq!((shown(&config.members), config.peer_bind.port), (vec!["0 b:7001 b:9".to_owned()], 9));
    let config = self::config("--advertise b:1 --bind 0.0.0.0:7000");
    assert_eq!(shown(&config.members), ["1 b:1 b:17000"], "a single node that will grow");
    let config = from_file("join = [\"a:6379\"]\nadvertise = \"b:7000\"", "").expect("a configuration");
    assert_eq!(config.join, [address("a:6379")]);
}

#[test]
fn a_join_that_cannot_work_is_refused() {
    refused("--join a:6379 --cluster a:6379 --bind a:6379", "cannot be used with");
    refused("--advertise a:6379 --cluster a:6379 --bind a:6379", "cannot be used with");
    file_refused("join = [\"a:1\"]\ncluster = [\"a:1\"]", &["contradict each other"]);
    file_refused("advertise = \"a:1\"\ncluster = [\"a:1\"]", &["--advertise is for nodes without --cluster"]);
    file_refused("join = []", &["--join is empty"]);
    refused("--join a:6379 --bind 0.0.0.0:7000", "--advertise host:port");
    refused("--join a:6379 --advertise 0.0.0.0:7000", "nobody can connect");
    refused("--join a:6379 --advertise b:7000@7000", "a port each");
    refused("--join 127.0.0.1:7000 --bind 127.0.0.1:7000", "is this node itself");
    refused("--join a:6379 --node-id 0", "gives the next id");
    refused("--join a", "has no port");
    refused("--join a:6379 --bind 127.0.0.1:7000 --peer-bind 127.0.0.2:7000", "--peer-bind the host");
    refused("--node-id 4", "--join to become a member");
}
