//! Configurations, right and wrong: an error has to lead to the place that is wrong.

use super::super::record::Kind;
use super::*;

const WHOLE: &str = r#"{
  "name": "classic",
  "test_duration_seconds": 30,
  "server_packet_loss_rate": 2.5,
  "max_retries_server_packet_loss": 4,
  "reply_timeout_ms": 1000,
  "read_mode": "lease",
  "seed": 7,
  "workload": {
    "mix": {"get": 70, "set": 30},
    "key_choice": "hot_cold",
    "hot_keys_percent": 10,
    "hot_operations_percent": 90,
    "value_bytes": 16,
    "value_bytes_max": 1024
  },
  "clients": [
    {"name": "a", "keys": ["key1", "key{2..4}", "key3"], "client_packet_loss_rate": 1, "success_sleep_ms": 5, "error_sleep_ms": 6},
    {"name": "b-", "count": 2, "keys": ["key1"]}
  ]
}"#;

fn parse(text: &str) -> Result<Plan, String> {
    Plan::parse(text, Path::new("dir/some.json")).map_err(|error| error.to_string())
}

#[test]
fn every_field_is_read() {
    let plan = parse(WHOLE).expect("a configuration");
    assert_eq!((&*plan.name, plan.test_duration_seconds, plan.server_packet_loss_rate), ("classic", 30, 2.5));
    assert_eq!((plan.max_retries_server_packet_loss, plan.reply_timeout_ms), (4, 1000));
    assert_eq!((plan.read_mode, plan.seed), (Some(ReadMode::Lease), Some(7)));
    let workload = &plan.workload;
    assert_eq!(Kind::ALL.map(|kind| workload.mix.weight(kind)), [70, 30, 0, 0, 0, 0]);
    assert_eq!(workload.key_choice, KeyChoice::HotCold);
    assert_eq!((workload.hot_keys_percent, workload.hot_operations_percent), (10.0, 90.0));
    assert_eq!((workload.value_bytes, workload.value_bytes_max), (16, Some(1024)));
    let names: Vec<&str> = plan.clients.iter().map(|client| &*client.name).collect();
    assert_eq!(names, ["a", "b-1", "b-2"]);
    let first = &plan.clients[0];
    assert_eq!(first.keys, ["key1", "key2", "key3", "key4"]);
    assert_eq!((first.client_packet_loss_rate, first.success_sleep_ms, first.error_sleep_ms), (1.0, 5, 6));
    assert_eq!(plan.keys().len(), 4);
}

#[test]
fn what_is_left_out_has_a_default() {
    let plan = parse(r#"{"test_duration_seconds": 1, "clients": [{"name": "a", "keys": ["k"]}]}"#);
    let plan = plan.expect("a configuration");
    assert_eq!((&*plan.name, plan.read_mode, plan.seed), ("some", None, None));
    assert_eq!((plan.server_packet_loss_rate, plan.max_retries_server_packet_loss), (0.0, 3));
    assert!(plan.workload.mix.has(Kind::Cas) && !plan.workload.mix.has(Kind::Get));
    assert_eq!((plan.clients[0].success_sleep_ms, plan.clients[0].error_sleep_ms), (0, 100));
}

/// `WHOLE` with something else in place of `from`: the error has to begin like this.
#[track_caller]
fn refused(from: &str, to: &str, expected: &str) {
    assert!(WHOLE.contains(from), "{from}");
    let error = parse(&WHOLE.replacen(from, to, 1)).expect_err("an error");
    assert!(error.starts_with(&format!("dir/some.json, {expected}")), "{error}, not {expected}");
}

#[test]
fn what_is_wrong_is_said_with_field_line_and_column() {
    refused("30,", "0,", "line 3, column 28: test_duration_seconds: 0 is not from 1 to ");
    refused("30,", "\"thirty\",", "line 3, column 28: test_duration_seconds: invalid type: string");
    refused("2.5", "-1", "line 4, column 30: server_packet_loss_rate: -1 is not from 0 to 100 per cent");
    refused("lease", "fast", "line 7, column 16: read_mode: unknown variant `fast`, expected `linearizable`");
    refused("\"get\": 70", "\"got\": 70", "line 10, column 20: workload.mix.got: unknown field `got`");
    refused("hot_cold", "warm", "line 11, column 19: workload.key_choice: unknown variant");
    refused("\"value_bytes\": 16", "\"value_bytes\": 2000", "line 15, column 24: workload.value_bytes_max: ");
    refused(
        "\"get\": 70, \"set\": 30",
        "\"get\": 0",
        "line 10, column 12: workload.mix: nothing has a weight",
    );
    refused(
        "\"name\": \"a\"",
        "\"name\": \"a b\"",
        "line 18, column 14: clients[0].name: \"a b\" is no name",
    );
    refused("\"b-\", \"count\": 2", "\"a\"", "line 19, column 14: clients[1].name: \"a\" is the name of");
    refused("key{2..4}", "key{4..2}", "line 18, column 36: clients[0].keys[1]: \"key{4..2}\" is no range");
    refused(
        ", \"keys\": [\"key1\"]}",
        ", \"keys\": []}",
        "line 19, column 40: clients[1].keys: there are none",
    );
    refused("\"count\": 2, ", "\"count\": 0, ", "line 19, column 29: clients[1].count: 0 is not from 1 to");
    refused(", \"keys\": [\"key1\"]", "", "line 19, column 5: clients[1]: missing field `keys`");
    refused("\"seed\": 7,", "\"seed\": 7", "line 9, column 3: ");
    refused("\"seed\": 7", "\"sead\": 7", "line 8, column 11: sead: unknown field `sead`");
}

#[test]
fn what_is_no_configuration_at_all_is_refused() {
    for (text, expected) in [
        ("", "dir/some.json, line 1, column 1: EOF"),
        ("[]", "dir/some.json, line 1"),
        ("{", "dir/some.json, line 1, column 1: EOF"),
        ("{}", "dir/some.json, line 1, column 1: missing field `test_duration_seconds`"),
        ("{\"clients\": [}", "dir/some.json, line 1, column 14: "),
        ("\"\\\"", "dir/some.json, line 1"),
        ("}}]],,::\"é", "dir/some.json, line 1"),
        (
            r#"{"test_duration_seconds": 1, "clients": []}"#,
            "dir/some.json, line 1, column 41: clients: there are",
        ),
    ] {
        let error = parse(text).expect_err(text);
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn bounds_hold() {
    refused("key{2..4}", "key{1..99999999}", "line 18, column 36: clients[0].keys[1]: ");
    refused("\"count\": 2", "\"count\": 99999999", "line 19, column 29: clients[1].count: ");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Plan::load(Path::new("no/such.json")).expect_err("there is none").to_string();
    assert!(error.starts_with("cannot read the configuration no/such.json: No such file"), "{error}");
    let error = Plan::load(Path::new("src")).expect_err("a directory").to_string();
    assert!(error.starts_with("cannot read the configuration src: "), "{error}");
}

/// The names that an error offers in place of one that there is not.
fn names_of(from: &str) -> Vec<String> {
    let error = parse(&WHOLE.replacen(from, &format!("\"nonsense\": 0, {from}"), 1)).expect_err("a field");
    let (_, names) = error.split_once("expected one of ").expect("names");
    names.split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
}

#[test]
fn the_documentation_has_every_field_and_its_example_is_right() {
    let text = include_str!("../../../docs/stress.md");
    let fields =
        ["\"name\": \"classic\"", "\"mix\":", "\"get\":", "\"keys\": [\"key1\", \"key{"].map(names_of);
    assert_eq!(fields.each_ref().map(Vec::len), [9, 6, 6, 6]);
    for name in fields.iter().flatten() {
        assert!(text.contains(&format!("`{name}`")), "{name} is not in docs/stress.md");
    }
    let (_, example) = text.split_once("```json\n").expect("an example");
    let (example, _) = example.split_once("```").expect("an end");
    let plan = parse(example).expect("a configuration");
    assert_eq!((plan.clients.len(), plan.clients[4].keys.len()), (5, 20));
}
