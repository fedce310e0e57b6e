#!/usr/bin/env bash
# ioredis, in its Sentinel and in its Cluster manner, while the leader is killed: t_ioredis.js.
# Then as a Cluster once more, against nodes that send it to the leader.
# Installs node when it is missing and this is root on Debian, and ioredis into target/.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
IOREDIS=5.4.1
MODULES=${CARGO_TARGET_DIR:-$HERE/../target}/test-node

if ! command -v npm >/dev/null && [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    echo '# installing node and npm'
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm; } >/dev/null
fi
command -v npm >/dev/null || { not_ok 'node and npm are not installed (Debian: nodejs npm)'; finish; }
if ! grep -qs "\"version\": \"$IOREDIS\"" "$MODULES/node_modules/ioredis/package.json"; then
    echo "# installing ioredis $IOREDIS into $MODULES"
    mkdir -p "$MODULES"
    npm install --prefix "$MODULES" --silent --no-audit --no-fund "ioredis@$IOREDIS" >/dev/null ||
        { not_ok "ioredis $IOREDIS cannot be installed"; finish; }
fi
run() { NODE_PATH=$MODULES/node_modules timeout 120 node "$HERE/t_ioredis.js" "$@" || FAILURES=$((FAILURES + 1)); }

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
