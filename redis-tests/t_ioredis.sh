#!/usr/bin/env bash
# ioredis, in its Sentinel and in its Cluster manner, while the leader is killed: t_ioredis.js.
# Then as a Cluster once more, against nodes that send it to the leader.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=node_modules.sh
source "$HERE/node_modules.sh"
run() { timeout 120 node "$HERE/t_ioredis.js" "$@" || FAILURES=$((FAILURES + 1)); }

run 'every node serves' sentinel cluster

scratch=$(mktemp -d)
export BOWLINE_CLUSTER_DIR=$scratch/cluster
trap '"$CLUSTER" clean >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT
"$CLUSTER" start 3 --port 0 --redirect moved >/dev/null
BOWLINE_PORTS=''
for id in 1 2 3; do
    address=$("$CLUSTER" addr "$id")
    BOWLINE_PORTS+="${address##*:} "
done
export BOWLINE_PORTS
run 'moved' cluster
finish
