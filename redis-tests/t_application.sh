#!/usr/bin/env bash
# ioredis and node-redis play application/scenario.md.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=node_modules.sh
source "$HERE/node_modules.sh"

for client in ioredis node_redis; do
    timeout 300 node "$HERE/application/$client.js" || FAILURES=$((FAILURES + 1))
done
finish
