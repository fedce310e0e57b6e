#!/usr/bin/env bash
# redis-benchmark against a redis-server that syncs every write and against each node of a
# cluster of three, turn by turn in several rounds, so that a noisy machine is as unfair to
# one as to the other. Prints medians, and ratios to redis-server, as a Markdown table.
set -euo pipefail
export LC_ALL=C
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CLUSTER=$ROOT/scripts/cluster.sh

ROUNDS=${BENCH_ROUNDS:-3}
REQUESTS=${BENCH_REQUESTS:-200000}

if (($#)); then
    echo 'usage: [BENCH_ROUNDS=3] [BENCH_REQUESTS=200000] scripts/bench-quick.sh' >&2
    exit 2
fi
for tool in redis-server redis-cli redis-benchmark; do
    command -v $tool >/dev/null || { echo "bench-quick.sh: $tool is missing; scripts/test.sh installs it" >&2; exit 2; }
done

scratch=$(mktemp -d)
export BOWLINE_CLUSTER_DIR=$scratch/cluster
redis_pid=''
cleanup() {
    [[ -z $redis_pid ]] || kill "$redis_pid" 2>/dev/null || true
    "$CLUSTER" clean >/dev/null 2>&1 || true
    [[ -z $redis_pid ]] || wait "$redis_pid" 2>/dev/null || true
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

port_taken() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

redis_port=$((20300 + RANDOM % 10000))
while port_taken $redis_port; do redis_port=$((redis_port + 1)); done
mkdir "$scratch/redis"
redis-server --bind 127.0.0.1 --port $redis_port --dir "$scratch/redis" --appendonly yes --appendfsync always --save '' \
    >"$scratch/redis/log" 2>&1 &
redis_pid=$!
for _ in {1..200}; do
    [[ $(redis-cli -p $redis_port PING 2>/dev/null) == PONG ]] && break
    sleep 0.05
done
[[ $(redis-cli -p $redis_port PING) == PONG ]] || { cat "$scratch/redis/log" >&2; exit 1; }

"$CLUSTER" start 3 --port 0 --storage file >&2
declare -A port=([redis]=$redis_port)
names=(redis)
leader=$("$CLUSTER" leader)
for id in 1 2 3; do
    address=$("$CLUSTER" addr $id)
    port[node$id]=${address##*:}
    names+=("node$id")
done

# Appends a line `NAME DEPTH COMMAND REQUESTS_PER_SECOND` for each result.
measure() {
    local name=$1 depth=$2
    redis-benchmark -h 127.0.0.1 -p "${port[$name]}" -t set,get -n "$REQUESTS" -c 50 -P "$depth" -q 2>&1 | tr '\r' '\n' |
        awk -v name="$name" -v depth="$depth" '/requests per second/ { sub(":", "", $1); print name, depth, $1, $2 }' \
            >>"$scratch/results"
}

for ((round = 1; round <= ROUNDS; round++)); do
    for depth in 1 16; do
        for name in "${names[@]}"; do
            echo "round $round of $ROUNDS, pipeline $depth, $name" >&2
            measure "$name" $depth
        done
    done
done

median() { # of the results of NAME DEPTH COMMAND
    awk -v n="$1" -v d="$2" -v c="$3" '$1 == n && $2 == d && $3 == c { print $4 }' "$scratch/results" | sort -n |
        awk '{ v[NR] = $1 } END { if (!NR) exit 1; m = int((NR + 1) / 2); print NR % 2 ? v[m] : (v[m] + v[m + 1]) / 2 }'
}

echo
echo "redis-benchmark of $(redis-server --version | grep -o 'v=[0-9.]*' | cut -c3-), 50 clients, $REQUESTS requests, medians of $ROUNDS rounds, on $(nproc) cores; leader: node $leader."
echo 'Thousands of requests per second (ratio to redis-server).'
echo
echo '| | SET | GET | SET, pipeline 16 | GET, pipeline 16 |'
echo '|---|---|---|---|---|'
for name in "${names[@]}"; do
    case $name in
    redis) label='redis-server, appendfsync always' ;;
    "node$leader") label="bowline, ${name/node/node }, leader" ;;
    *) label="bowline, ${name/node/node }" ;;
    esac
    row="| $label |"
    for depth in 1 16; do
        for command in SET GET; do
            value=$(median "$name" $depth $command) || { echo "bench-quick.sh: no result for $name $command" >&2; exit 1; }
            base=$(median redis $depth $command)
            row+=$(awk -v v="$value" -v b="$base" -v r="$name" \
                'BEGIN { printf r == "redis" ? " %.1f |" : " %.1f (%.2f) |", v / 1000, v / b }')
        done
    done
    echo "$row"
done
