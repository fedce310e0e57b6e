#!/bin/bash
# Overwrites the same 100,000 keys of a three-node cluster for some minutes, and prints the
# resident memory and the size of the data directory of every node over time.
#
#   scripts/soak.sh [MINUTES (6)] [VALUE_BYTES (100)] [--storage file|sled|memory ...]
#
# Exit status 1 when the memory of a node at the end is more than 10 % above minute 2.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
minutes=${1:-6} value_bytes=${2:-100}
shift $(($# < 2 ? $# : 2))
BOWLINE_CLUSTER_DIR=$(mktemp -d)
export BOWLINE_CLUSTER_DIR
load=
# shellcheck disable=SC2317 # the trap reaches it
cleanup() {
    [ -z "$load" ] || kill "$load" 2>/dev/null || true
    "$root/scripts/cluster.sh" stop >/dev/null 2>&1 || true
    rm -rf "$BOWLINE_CLUSTER_DIR"
}
trap cleanup EXIT
"$root/scripts/cluster.sh" start 3 --port 0 "$@" >/dev/null
leader=$("$root/scripts/cluster.sh" leader)
port=$("$root/scripts/cluster.sh" addr "$leader")
port=${port##*:}
redis-benchmark -p "$port" -t set -r 100000 -d "$value_bytes" -n 1000000000 -c 50 -P 4 -q >/dev/null 2>&1 &
load=$!
declare -A base
failed=0
printf '| minute | %s |\n|---|---|---|---|\n' "node 1: MiB resident, MiB on disk | node 2 | node 3"
for ((second = 0; second <= minutes * 60; second += 30)); do
    line="| $((second / 60)).$((second % 60 / 6)) |"
    for id in 1 2 3; do
        pid=$("$root/scripts/cluster.sh" pid "$id")
        kib=$(awk '/VmRSS/ {print $2}' "/proc/$pid/status")
        disk=$(du -sm "$BOWLINE_CLUSTER_DIR/n$id" 2>/dev/null | cut -f1)
        line+=" $((kib / 1024)), $disk |"
        ((second == 120)) && base[$id]=$kib
        if ((second > 120 && kib * 10 > base[$id] * 11)); then failed=1; fi
    done
    echo "$line"
    ((second == minutes * 60)) || sleep 30
done
exit "$failed"
