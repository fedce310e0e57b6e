#!/usr/bin/env bash
# How many instructions the hot paths take, counted by valgrind, beside what was recorded: it
# repeats to a few in a thousand on any machine, however busy.
set -euo pipefail
export LC_ALL=C
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
RECORDED=scripts/costs.recorded
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
PATHS=(decode encode set_1 set_50 set_50_follower get_1 get_50 eval_50)
# Percent: what another compiler may change, and what nobody should change unseen.
MORE=8 LESS=8

usage() {
    cat <<TEXT
usage: scripts/costs.sh [--record]

Instructions of one command, without sockets and disks (examples/hot_paths.rs):
  decode, encode   RESP
  set_1, get_1     three groups, one client
  set_50, get_50   three groups, fifty clients at once; set_50_follower: at a follower;
                   eval_50: each a script that sets a key

Fails when a path takes $MORE percent more than $RECORDED says. --record writes
that file: do so, and say why, when a path has become dearer for a reason, or cheaper.
Built as the release binary is.
TEXT
}

record=''
case ${1-} in
'') ;;
--record) record=yes ;;
-h | --help) usage && exit ;;
*) usage >&2 && exit 2 ;;
esac
command -v valgrind >/dev/null || { echo 'costs.sh: valgrind is missing (Debian: valgrind)' >&2; exit 2; }

cargo build --quiet --release --bin bowline --example hot_paths
program=$TARGET/release/examples/hot_paths

instructions() { # of PATH with COUNT commands
    local out
    out=$(valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null "$program" "$1" "$2" 2>&1) ||
        { printf '%s\n' "$out" >&2; return 1; }
    awk '/I *refs/ { gsub(",", "", $NF); print $NF }' <<<"$out"
}

failed=0
result=$(mktemp)
trap 'rm -f "$result"' EXIT
printf '%-16s %12s %12s\n' path instructions recorded
for path in "${PATHS[@]}"; do
    few=$(instructions "$path" 1000) many=$(instructions "$path" 3000)
    now=$(((many - few) / 2000))
    printf '%s\t%s\n' "$path" "$now" >>"$result"
    was=$(awk -F '\t' -v path="$path" '$1 == path { print $2 }' "$RECORDED" 2>/dev/null || true)
    note=''
    if [[ ! $record ]]; then
        if [[ ! $was ]]; then
            note='not ok: nothing is recorded' failed=1
        elif ((now * 100 > was * (100 + MORE))); then
            note='not ok: dearer' failed=1
        elif ((now * 100 < was * (100 - LESS))); then
            note='cheaper: --record'
        fi
    fi
    printf '%-16s %12s %12s  %s\n' "$path" "$now" "${was:--}" "$note"
done
if [[ $record ]]; then
    cp "$result" "$RECORDED"
fi
((failed == 0))
