#!/usr/bin/env python3
"""redis-py, the way applications use it, on every node, in RESP2 and RESP3."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp

try:
    import redis
except ImportError:
    resp.report(False, "redis-py is not installed: scripts/test.sh installs it")
    resp.finish()


def test_values(r):
    assert r.set("k", "v") is True
    assert r.get("k") == b"v"
    assert r.get("missing") is None
    assert r.set("k", "w", nx=True) is None
    assert r.set("k", "w", xx=True, get=True) == b"v"
    assert r.mset({"a": 1, "b": 2}) is True
    assert r.mget("a", "b", "missing") == [b"1", b"2", None]
    assert r.append("a", "0") == 2
    assert r.strlen("a") == 2
    assert r.incr("a") == 11
    assert r.decrby("a", 1) == 10
    assert r.exists("a", "b", "missing") == 2
    assert r.type("a") == b"string"
    assert r.delete("a", "b", "missing") == 2
    assert r.unlink("k") == 1
    assert r.dbsize() == 0


def test_binary_and_large(r):
    key = bytes(range(256))
    assert r.set(key, key * 3) is True
    assert r.get(key) == key * 3
    assert r.keys("*") == [key]
    assert r.set("", "empty") is True and r.get("") == b"empty"
    large = os.urandom(1 << 20) * 16
    assert r.set("large", large) is True
    assert r.get("large") == large
    assert r.strlen("large") == len(large)
    assert r.mget("large", "large") == [large, large]


def test_decoding(r):
    r.set("text", "größer")
    r.set("bytes", b"\xff\xfe")
    text = connect(r, decode_responses=True)
    assert text.get("text") == "größer"
    try:
        text.get("bytes")
        raise AssertionError("undecodable bytes were decoded")
    except UnicodeDecodeError:
        pass
    assert text.get("text") == "größer", "the connection is unusable after a decode error"
    text.close()


def test_pipeline(r):
    with r.pipeline(transaction=False) as p:
        for n in range(10_000):
            p.set(f"p:{n}", n)
            p.get(f"p:{n}")
        replies = p.execute()
    assert replies[0::2] == [True] * 10_000
    assert replies[1::2] == [str(n).encode() for n in range(10_000)]
    with r.pipeline(transaction=False) as p:
        p.set("s", "text").incr("s").get("s")
        replies = p.execute(raise_on_error=False)
    assert replies[0] is True and replies[2] == b"text"
    assert isinstance(replies[1], redis.ResponseError), replies


def test_transaction(r):
    with r.pipeline() as p:
        p.set("t", 1).incr("t").incr("t").get("t").mget("t", "missing")
        assert p.execute() == [True, 2, 3, b"3", [b"3", None]]
    with r.pipeline() as p:
        p.set("t", "text").incr("t").set("u", 1)
        replies = p.execute(raise_on_error=False)
    assert isinstance(replies[1], redis.ResponseError), replies
    assert r.get("u") == b"1", "one failed command of a transaction must not undo the others"
    with r.pipeline() as p:
        p.set("never", 1)
        p.execute_command("GET")
        try:
            p.execute()
            raise AssertionError("a transaction with a command of wrong arity was run")
        except redis.ResponseError:
            pass
    assert r.get("never") is None


def test_watch(r):
    r.set("w", 1)
    other = connect(r)
    with r.pipeline() as p:
        p.watch("w")
        other.set("w", 2)
        p.multi()
        p.set("w", 3)
        try:
            p.execute()
            raise AssertionError("a watched key changed, and the transaction ran")
        except redis.WatchError:
            pass
    assert r.get("w") == b"2"
    other.close()


def test_watch_loop(r):
    """Increments made of GET and SET: none is lost, on whichever node they are made."""
    clients, each, nodes = 4, 50, resp.PORTS
    r.set("counter", 0)
    errors = []

    def count(n):
        client = connect(r, port=nodes[n % len(nodes)])
        try:
            for _ in range(each):
                client.transaction(lambda p: add(p), "counter")
        except Exception as error:  # noqa: BLE001 - reported below, from the thread of the test
            errors.append(error)
        client.close()

    def add(p):
        value = int(p.get("counter"))
        p.multi()
        p.set("counter", value + 1)

    threads = [threading.Thread(target=count, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    assert int(r.get("counter")) == clients * each, r.get("counter")


def test_scan(r):
    expected = {f"scan:{n}".encode() for n in range(2_000)}
    r.mset({key: 1 for key in expected})
    r.mset({f"else:{n}": 1 for n in range(500)})
    for count in (None, 1, 7, 1_000, 100_000):
        found = list(r.scan_iter(match="scan:*", count=count))
        assert set(found) == expected, f"count={count}: {len(found)} keys"
    assert len(set(r.scan_iter())) == 2_500
    assert set(r.scan_iter(_type="string", match="scan:*")) == expected
    assert list(r.scan_iter(_type="list")) == []
    assert sorted(r.keys("scan:1?")) == sorted(f"scan:1{n}".encode() for n in range(10))
    # What is there throughout is found, whatever else comes and goes.
    found = set()
    for n, key in enumerate(r.scan_iter(match="scan:*", count=50)):
        found.add(key)
        r.set(f"else:new:{n}", 1)
        r.delete(f"else:{n}")
    assert found == expected


def test_scan_across_nodes(r):
    """A cursor of one node means the same on another."""
    expected = {f"x:{n}".encode() for n in range(1_000)}
    r.mset({key: 1 for key in expected})
    clients = [connect(r, port=port) for port in resp.PORTS]
    found, cursor, step = set(), 0, 0
    while step == 0 or cursor != 0:
        cursor, keys = clients[step % len(clients)].scan(cursor, count=20)
        found.update(keys)
        step += 1
    assert found == expected, f"{len(found)} of 1000"
    for client in clients:
        client.close()


def test_expiry(r):
    r.set("gone", "v", px=50)
    r.set("stays", "v", ex=100)
    r.set("kept", "v", ex=100)
    r.set("kept", "w", keepttl=True)
    assert 0 < r.ttl("stays") <= 100 and 0 < r.ttl("kept") <= 100
    deadline = time.monotonic() + 10
    while r.get("gone") is not None:
        assert time.monotonic() < deadline, "the key did not expire"
    # It never comes back, on no node.
    for port in resp.PORTS:
        client = connect(r, port=port)
        assert client.get("gone") is None and client.exists("gone") == 0 and client.ttl("gone") == -2
        assert sorted(client.keys()) == [b"kept", b"stays"]
        client.close()
    assert r.persist("stays") == 1 and r.ttl("stays") == -1
    assert r.pexpire("stays", -1) == 1 and r.get("stays") is None


def test_pool(r):
    pool = redis.ConnectionPool(host=resp.HOST, port=port_of(r), max_connections=20, protocol=protocol_of(r))
    shared, errors = redis.Redis(connection_pool=pool), []

    def work(n):
        try:
            for i in range(100):
                shared.set(f"pool:{n}", i)
                assert int(shared.get(f"pool:{n}")) == i
        except Exception as error:  # noqa: BLE001 - reported below, from the thread of the test
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors[:3]
    pool.disconnect()


def test_the_connection(r):
    assert r.ping() is True
    assert r.echo("hello") == b"hello"
    named = connect(r, client_name="a-name", single_connection_client=True)
    assert named.client_getname() in ("a-name", b"a-name")
    assert named.client_id() > 0
    assert any(client["name"] == "a-name" for client in r.client_list())
    assert named.client_info()["name"] == "a-name"
    named.close()
    assert r.config_get("maxclients") == {"maxclients": "10000"}
    assert "redis_version" in r.info("server")
    assert r.info("clients")["connected_clients"] >= 1
    seconds, micros = r.time()
    assert abs(seconds + micros / 1e6 - time.time()) < 60
    assert r.command_count() > 40
    assert "get" in r.command()
    assert r.command_getkeys("MSET", "a", 1, "b", 2) in ([b"a", b"b"], ["a", "b"])
    try:
        r.execute_command("NOSUCH", "a")
        raise AssertionError("an unknown command was answered")
    except redis.ResponseError as error:
        assert str(error).startswith("unknown command 'NOSUCH', with args beginning with: 'a'"), error


def test_every_node_reads_what_one_wrote(r):
    others = [connect(r, port=port) for port in resp.PORTS]
    for n in range(200):
        assert r.set("shared", n) is True
        assert [int(other.get("shared")) for other in others] == [n] * len(others)
    for other in others:
        other.close()


def own_test_versions(r):
    assert r.execute_command("CAS", "v", 0, "one") == 1
    assert r.execute_command("CAS", "v", 1, "two") == 2
    value, version, revision = r.execute_command("GETV", "v")
    assert (value, version) == (b"two", 2) and revision > 0
    for words, start in ((("CAS", "v", 0, "x"), "KEYEXISTS"), (("CAS", "v", 5, "x"), "VERSIONMISMATCH expected 5 found 2"),
                         (("CAD", "v", 9), "VERSIONMISMATCH expected 9 found 2")):
        try:
            r.execute_command(*words)
            raise AssertionError(f"{words} was done")
        except redis.ResponseError as error:
            assert str(error).startswith(start), error
    assert r.execute_command("CAD", "v", 2) == 1
    assert r.execute_command("GETV", "v") is None
    r.set("v", "a")
    assert r.execute_command("DELIFEQ", "v", "b") == 0
    assert r.execute_command("DELIFEQ", "v", "a") == 1


def port_of(r):
    return r.connection_pool.connection_kwargs["port"]


def protocol_of(r):
    return r.connection_pool.connection_kwargs["protocol"]


def connect(r=None, **settings):
    if r is not None:
        settings = {"port": port_of(r), "protocol": protocol_of(r), **settings}
    return redis.Redis(host=resp.HOST, socket_timeout=30, **settings)


def main():
    tests = {name: test for name, test in globals().items()
             if name.startswith("test_") or name.startswith("own_test_") and not resp.FOREIGN}
    for port in resp.PORTS:
        for protocol in (2, 3):
            r = connect(port=port, protocol=protocol)
            for name, test in tests.items():
                what = f"port {port}, RESP{protocol}: {name}"
                try:
                    r.flushall()
                    test(r)
                    resp.report(True, what)
                except Exception as error:  # noqa: BLE001 - any failure is this test's result
                    line = error.__traceback__
                    while line.tb_next and line.tb_next.tb_frame.f_code.co_filename == __file__:
                        line = line.tb_next
                    resp.report(False, f"{what}, line {line.tb_lineno}: {error!r}"[:500])
            r.close()


main()
resp.finish()
