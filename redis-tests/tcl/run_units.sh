#!/usr/bin/env bash
# Runs units of the upstream Tcl suite against a server that is there. Knows nothing of what
# should pass: redis-tests/upstream.sh judges.
set -euo pipefail
export LC_ALL=C TERM=dumb
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export SHIM=$HERE/shim.tcl

usage() {
    cat <<'TEXT'
usage: redis-tests/tcl/run_units.sh --tree PATH --logs DIR [FLAG...] HOST PORT UNIT...

Leaves for each unit, such as unit/type/string, in DIR:
  unit_type_string.ok     the names of the tests that passed, sorted, one a line
  unit_type_string.err    those that failed or hung
  unit_type_string.hung   those that hung
  unit_type_string.log    everything that the harness printed
and prints a line: UNIT PASSED FAILED.

  --tree PATH   an unpacked Redis source tree; it need not be built
  --logs DIR    made if missing
  --tags TAGS   the harness's filter, such as '-slow -needs:repl'
  --skip NAME   leave out this test; may be repeated
  --hang S      seconds without progress after which a test counts as hung (600)
TEXT
}

die() {
    printf 'run_units.sh: %s\n' "$*" >&2
    exit 2
}

# How often a unit is run again without the tests that hung.
MOST_RESUMES=5

tree='' logs='' hang_s=600 tags=() skipped=()
while [[ ${1-} == -* ]]; do
    [[ $1 == -h || $1 == --help ]] && usage && exit
    (($# > 1)) || die "$1 needs a value"
    case $1 in
    --tree) tree=$2 ;;
    --logs) logs=$2 ;;
    --tags) tags=(--tags "$2") ;;
    --skip) skipped+=(--skiptest "$2") ;;
    --hang) hang_s=$2 ;;
    *) die "there is no flag $1; see --help" ;;
    esac
    shift 2
done
(($# > 2)) || die 'a host, a port and units are needed; see --help'
[[ -f $tree/tests/test_helper.tcl ]] || die "'$tree' is no Redis source tree: it has no tests/test_helper.tcl"
[[ $logs ]] || die 'say with --logs where to write'
host=$1 port=$2
shift 2
tclsh=$(command -v tclsh8.6 || command -v tclsh) || die 'tclsh is not installed (Debian: tcl)'
# shellcheck disable=SC2034 # the descriptor is closed at once
(exec {fd}<>"/dev/tcp/$host/$port") 2>/dev/null || die "no server answers at $host port $port"
mkdir -p "$logs"
logs=$(cd "$logs" && pwd)
cd "$tree"
# Upstream's packed tree does not have it; the harness writes there.
mkdir -p tests/tmp

# run_unit UNIT LOG HUNG: one run; fails when the run has to be repeated: without what hung, or because
# the harness's own port was taken.
run_unit() {
    local unit=$1 log=$2 hung=$3 skip=("${skipped[@]}") name stuck
    while IFS= read -r name; do skip+=(--skiptest "$name"); done <"$hung"
    # The harness's search for a free port does not see another harness's: each starts elsewhere.
    "$tclsh" "$SHIM" --host "$host" --port "$port" --single "$unit" --durable \
        --baseport $((20000 + RANDOM % 300 * 40)) --timeout "$hang_s" \
        "${tags[@]}" "${skip[@]}" >"$log" 2>&1 </dev/null || true
    ! grep -q "^couldn't open socket: address already in use" "$log" || return 1
    grep -q '^\[TIMEOUT\]' "$log" || return 0
    stuck=$(sed -n 's/^sock[^ ]* => (IN PROGRESS) //p' "$log" | head -n 1)
    [[ $stuck ]] || return 0
    printf '%s\n' "$stuck" >>"$hung"
    return 1
}

for unit; do
    [[ -f tests/$unit.tcl ]] || die "the tree has no tests/$unit.tcl"
    base=$logs/${unit//\//_}
    : >"$base.hung"
    for ((round = 0; round <= MOST_RESUMES; round++)); do
        run_unit "$unit" "$base.log" "$base.hung" && break
    done
    sed -n 's/^\[ok\]: \(.*\) ([0-9]* ms)$/\1/p' "$base.log" | sort >"$base.ok"
    sed -n 's/^\[err\]: \(.*\) in tests\/[^ ]*\.tcl.*$/\1/p' "$base.log" | sort - "$base.hung" >"$base.err"
    printf '%s %s %s\n' "$unit" "$(wc -l <"$base.ok")" "$(wc -l <"$base.err")"
    grep -q '^\[[0-9/]* done\]' "$base.log" || printf '# %s did not reach its end: %s\n' "$unit" "$base.log"
    notes=$(grep -c '^\[note\]: outside a test' "$base.log") || true
    ((notes == 0)) || printf '# %s: %s commands outside a test failed: %s\n' "$unit" "$notes" "$base.log"
done
