# shellcheck shell=bash
# For the tests in shell: where the nodes are, how to ask them, how to report.
# A test prints `ok WHAT` or `not ok WHAT` for each thing it checked; run.sh counts them.
set -euo pipefail
export LC_ALL=C

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # for the tests
CLUSTER=$HERE/../scripts/cluster.sh
HOST=${BOWLINE_HOST:-127.0.0.1}
read -ra PORTS <<<"${BOWLINE_PORTS:-6379}"
PORT=${PORTS[0]}
FAILURES=0

ok() { printf 'ok %s\n' "$*"; }

not_ok() {
    printf 'not ok %s\n' "$*"
    FAILURES=$((FAILURES + 1))
}

# The last line of every test.
finish() { exit $((FAILURES > 0)); }

# redis-cli on $PORT.
cli() { timeout 60 redis-cli -h "$HOST" -p "$PORT" "$@"; }

# expect 'COMMAND WITH WORDS' 'OUTPUT': redis-cli, given the command line, prints exactly this.
expect() {
    local got
    got=$(cli --no-raw <<<"$1" 2>&1) || true
    if [[ $got == "$2" ]]; then
        ok "port $PORT: $1"
    else
        not_ok "port $PORT: $1: want [$2], got [$got]"
    fi
}
