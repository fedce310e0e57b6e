#!/usr/bin/env bash
# Runs the tests of this directory, against a cluster of its own or a server that is there.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CLUSTER=$HERE/../scripts/cluster.sh
# What redis-tests/table.sh reads, of a run of all tests: test, passed, failed.
RESULTS=${CARGO_TARGET_DIR:-$(dirname "$HERE")/target}/redis-tests/run

usage() {
    cat <<'TEXT'
usage: redis-tests/run.sh [--host HOST] [--port PORT] [--redis] [--storage KIND] [TEST...]

Without --host or --port: starts a cluster of three nodes on free ports, in a directory of
its own that is deleted afterwards, and runs every test against each of its nodes.

  --host HOST, --port PORT   test the server there instead; only tests that need no cluster
  --redis                    it is a redis-server: leave out what only bowline has
  --storage KIND             of the own cluster: file (default), sled, memory (leaves out the tests that
                             kill nodes, because such nodes cannot come back)
  TEST                       only these, such as t_commands.py
TEXT
}

die() {
    printf 'run.sh: %s\n' "$*" >&2
    exit 2
}

# Those that kill nodes.
NEED_CLUSTER=' t_failover.py t_upstream.py t_replica.py t_sentinel.py t_cluster.py t_ioredis.sh t_application.py t_application.sh '
host='' port='' storage=() kill_nodes=yes tests=()
while (($#)); do
    case $1 in
    --host) host=${2-} && shift ;;
    --port) port=${2-} && shift ;;
    --storage)
        storage=(--storage "${2-}") && shift
        [[ ${storage[1]} != memory ]] || kill_nodes=''
        ;;
    --redis) export BOWLINE_FOREIGN=1 ;;
    -h | --help) usage && exit ;;
    -*) die "there is no flag $1; see --help" ;;
    *) tests+=("$(basename "$1")") ;;
    esac
    shift || die 'the last flag needs a value'
done
command -v redis-cli >/dev/null || die 'redis-cli is not installed (Debian: redis-tools); scripts/test.sh installs it'

python=${BOWLINE_PYTHON:-${CARGO_TARGET_DIR:-$HERE/../target}/test-venv/bin/python}
[[ -x $python ]] || python=python3

scratch=$(mktemp -d)
own=''
cleanup() {
    if [[ $own ]]; then
        "$CLUSTER" clean >/dev/null 2>&1 || true
    fi
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

if [[ $host || $port ]]; then
    export BOWLINE_HOST=${host:-127.0.0.1} BOWLINE_PORTS=${port:-6379}
else
    export BOWLINE_CLUSTER_DIR=$scratch/cluster BOWLINE_HOST=127.0.0.1
    own=yes
    "$CLUSTER" start 3 --port 0 "${storage[@]}" || die 'the cluster did not start'
    BOWLINE_PORTS=''
    for id in 1 2 3; do
        address=$("$CLUSTER" addr "$id")
        BOWLINE_PORTS+="${address##*:} "
    done
    export BOWLINE_PORTS
fi

whole=''
((${#tests[@]})) || [[ ! ($own && $kill_nodes) ]] || whole=yes
((${#tests[@]})) || for test in "$HERE"/t_*.sh "$HERE"/t_*.py; do tests+=("$(basename "$test")"); done

# Every node still runs; otherwise the test before is to blame, and the next gets it back.
check_nodes() {
    local id
    for id in 1 2 3; do
        "$CLUSTER" pid "$id" >/dev/null 2>&1 && continue
        printf 'not ok node %s does not run any more\n' "$id"
        "$CLUSTER" logs "$id" | tail -n 20 | sed 's/^/# /'
        "$CLUSTER" restart "$id" >/dev/null || true
    done
}

passed=0 failed=0 broken=()
for test in "${tests[@]}"; do
    [[ -f $HERE/$test ]] || die "there is no test $test"
    [[ ! ($own && $kill_nodes) && $NEED_CLUSTER == *" $test "* ]] && continue
    printf '== %s\n' "$test"
    started=$SECONDS status=0
    runner=(bash)
    [[ $test == *.py ]] && runner=("$python")
    timeout 900 "${runner[@]}" "$HERE/$test" 2>&1 | tee "$scratch/output" || status=$?
    [[ ! $own ]] || check_nodes | tee -a "$scratch/output"
    good=$(grep -c '^ok ' "$scratch/output") || true
    bad=$(grep -c '^not ok ' "$scratch/output") || true
    if ((status != 0 && bad == 0)) || ((good + bad == 0)); then
        printf 'not ok %s ended with %s\n' "$test" "$status"
        bad=$((bad + 1))
    fi
    passed=$((passed + good)) failed=$((failed + bad))
    ((bad == 0)) || broken+=("$test")
    printf '%s\t%s\t%s\n' "$test" "$good" "$bad" >>"$scratch/results"
    printf '== %s: %s passed, %s failed, %s s\n\n' "$test" "$good" "$bad" $((SECONDS - started))
done
if [[ $whole ]]; then
    mkdir -p "$(dirname "$RESULTS")"
    cp "$scratch/results" "$RESULTS"
fi
((failed == 0)) || printf 'failed: %s\n' "${broken[*]}"
printf '%s passed, %s failed\n' "$passed" "$failed"
((failed == 0))
