#!/usr/bin/env bash
# redis-benchmark against every node, plain and pipelined: it ends well and saw no error.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v redis-benchmark >/dev/null || { not_ok 'redis-benchmark is not installed'; finish; }
REQUESTS=${BOWLINE_BENCHMARK_REQUESTS:-100000}

check() {
    local output status=0
    output=$(timeout 300 redis-benchmark -h "$HOST" -p "$PORT" -t set,get,incr,mset,ping -n "$REQUESTS" -c 50 -q "$@" 2>&1 |
        tr '\r' '\n') || status=$?
    local lines
    lines=$(grep -c 'requests per second' <<<"$output") || true
    if [[ $status == 0 && $lines == 6 ]] && ! grep -Eqi '^error|: err|server closed|warning' <<<"$output"; then
        ok "port $PORT: redis-benchmark $*"
        grep 'requests per second' <<<"$output" | sed 's/^/# /'
    else
        not_ok "port $PORT: redis-benchmark $* (exit $status): $(tail -n 5 <<<"$output")"
    fi
}

cli FLUSHALL >/dev/null
for PORT in "${PORTS[@]}"; do
    check
    check -P 16 -r 10000
done
cli FLUSHALL >/dev/null
finish
