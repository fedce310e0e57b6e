#!/usr/bin/env bash
# redis-cli in its several manners, on every node: what is written on one is read on all.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

visits=0
expect 'FLUSHALL' 'OK'
expect 'SET greeting "hello world"' 'OK'
for PORT in "${PORTS[@]}"; do
    expect 'GET greeting' '"hello world"'
    expect 'INCR visits' "(integer) $((++visits))"
    expect 'GET' "(error) ERR wrong number of arguments for 'get' command"

    got=$(cli -3 --no-raw GET missing)
    if [[ $got == '(nil)' ]]; then ok "port $PORT: redis-cli -3"; else not_ok "port $PORT: redis-cli -3: [$got]"; fi

    got=$(printf 'some\0binary' | cli -x SET "from-stdin-$PORT")
    if [[ $got == OK ]]; then ok "port $PORT: redis-cli -x"; else not_ok "port $PORT: redis-cli -x: [$got]"; fi
    expect "GET from-stdin-$PORT" '"some\x00binary"'

    # A thousand requests at once, and an error among them is counted as one.
    got=$({
        for n in {1..1000}; do printf 'SET bulk:%s:%04d v\r\n' "$PORT" "$n"; done
        printf 'NOSUCH\r\n'
    } | cli --pipe 2>&1 | tail -n 1) || true
    if [[ $got == 'errors: 1, replies: 1001' ]]; then ok "port $PORT: redis-cli --pipe"; else not_ok "port $PORT: redis-cli --pipe: [$got]"; fi

    got=$(cli --scan --pattern "bulk:$PORT:*" | sort | uniq | wc -l)
    if [[ $got == 1000 ]]; then ok "port $PORT: redis-cli --scan"; else not_ok "port $PORT: redis-cli --scan: [$got] keys"; fi
done
finish
