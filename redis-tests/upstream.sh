#!/usr/bin/env bash
# The upstream Tcl suite against a follower, judged by what redis-server 7.0.15 passes.
set -euo pipefail
export LC_ALL=C
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CLUSTER=$HERE/../scripts/cluster.sh
EXPECTED=$HERE/tcl/expected
MISSING=$HERE/tcl/missing
VERSION=7.0.15
OUT=${CARGO_TARGET_DIR:-$(dirname "$HERE")/target}/redis-tests
LEAST_PERCENT=95

ALL=(unit/type/string unit/type/incr unit/type/hash unit/type/list unit/type/list-2 unit/type/list-3 unit/type/set
    unit/type/zset unit/type/stream-cgroups unit/geo unit/sort unit/expire unit/keyspace unit/scan unit/multi unit/bitops
    unit/bitfield unit/protocol unit/quit unit/info-command unit/pubsub unit/dump unit/hyperloglog
    unit/type/stream unit/slowlog unit/latency-monitor unit/tracking unit/introspection unit/introspection-2 unit/other
    unit/scripting unit/functions unit/pause unit/violations)
SHORT=(unit/type/incr unit/quit unit/info-command unit/bitfield unit/protocol unit/pubsub unit/scan unit/keyspace
    unit/multi unit/slowlog unit/latency-monitor unit/introspection unit/introspection-2 unit/type/hash unit/type/list
    unit/geo unit/scripting unit/functions)

usage() {
    cat <<TEXT
usage: redis-tests/upstream.sh [FLAG...] [UNIT...]

Starts three nodes, connects the suite to a follower, runs the units (without any: all that
bowline answers for) and compares with the tests that redis-server $VERSION passes, in
redis-tests/tcl/expected. Those that bowline does not pass stand in redis-tests/tcl/missing, each
with its reason; one whose reason begins with 'type:' needs a data type that bowline lacks and
is not counted, and a few are left out for the sake of those behind them. Fails when another test fails, when one that stands there passes, or when less
than $LEAST_PERCENT % of a unit's tests pass. Units that are known to be below that stand there too, with
how many pass at least: BELOW $LEAST_PERCENT % is printed, and fewer fail.

  --tree PATH    the unpacked Redis $VERSION source; without it: the one that was fetched before,
                 or Debian's source package, by apt-get (root is not needed), into target/
  --port PORT    test the server there instead, of --host HOST (127.0.0.1); whatever is in it is lost
  --short        only some fast units
  --list         print the units
  -h, --help

Logs, and the results as redis-tests/table.sh reads them, are in ${OUT#"$(dirname "$HERE")/"}/upstream.
TEXT
}

die() {
    printf 'upstream.sh: %s\n' "$*" >&2
    exit 2
}

tree='' host=127.0.0.1 port='' units=()
while (($#)); do
    case $1 in
    --tree) tree=${2-} && shift ;;
    --host) host=${2-} && shift ;;
    --port) port=${2-} && shift ;;
    --short) units=("${SHORT[@]}") ;;
    --list) printf '%s\n' "${ALL[@]}" && exit ;;
    -h | --help) usage && exit ;;
    -*) die "there is no flag $1; see --help" ;;
    *) units+=("$1") ;;
    esac
    shift || die 'the last flag needs a value'
done
((${#units[@]})) || units=("${ALL[@]}")
for unit in "${units[@]}"; do
    [[ -f $EXPECTED/${unit//\//_}.expect ]] || die "what redis-server passes of $unit was not recorded"
done
scratch=$(mktemp -d)
own=''
cleanup() {
    [[ ! $own ]] || "$CLUSTER" clean >/dev/null 2>&1 || true
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Unpacks Debian's source package into $tree, with package lists of its own: whether the machine's
# apt is set up for sources does not matter, and it is left as it is.
fetch_tree() {
    local lists=$scratch/apt sources=$scratch/sources.list apt
    command -v patch >/dev/null || die 'patch is not installed (Debian: patch)'
    command -v apt-get >/dev/null || die "without apt-get, give the source of Redis $VERSION with --tree"
    echo "# fetching Debian's source package redis into $tree"
    mkdir -p "$lists/partial" "$scratch/source"
    # shellcheck disable=SC2016 # apt's own variables
    apt-get indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        sort -u >"$sources"
    apt=(apt-get -qq -o "Dir::Etc::SourceList=$sources" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$lists"
        -o APT::Sandbox::User=root)
    "${apt[@]}" update || die "apt-get cannot read the lists of sources"
    (cd "$scratch/source" && "${apt[@]}" source --download-only redis) ||
        die "apt-get has no source of redis $VERSION: give it with --tree"
    mkdir -p "$tree.part"
    tar -xf "$scratch"/source/redis_*.orig.tar.* -C "$tree.part" --strip-components=1
    # Debian's patches bring tests, too: those of what was mended since.
    tar -xf "$scratch"/source/redis_*.debian.tar.* -C "$scratch/source"
    grep -v '^#' "$scratch/source/debian/patches/series" | while IFS= read -r patch; do
        [[ ! $patch ]] || patch -s -p1 -d "$tree.part" <"$scratch/source/debian/patches/$patch"
    done
    mv "$tree.part" "$tree"
}

if [[ ! $tree ]]; then
    tree=$OUT/redis-$VERSION
    mkdir -p "$OUT"
    [[ -d $tree ]] || fetch_tree
fi
grep -qs "REDIS_VERSION \"$VERSION\"" "$tree/src/version.h" || die "'$tree' is not the source of Redis $VERSION"

if [[ ! $port ]]; then
    export BOWLINE_CLUSTER_DIR=$scratch/cluster
    own=yes
    # Upstream's tests use DEBUG.
    "$CLUSTER" start 3 --port 0 --enable-debug-command yes >/dev/null || die 'the cluster did not start'
    leader=$("$CLUSTER" leader)
    follower=$((leader % 3 + 1))
    address=$("$CLUSTER" addr "$follower")
    port=${address##*:}
    printf '# node %s leads; the suite talks to node %s\n' "$leader" "$follower"
fi

# Names that stand in `missing` for unit $1, with reasons that match $2, sorted.
listed() {
    awk -F '\t' -v unit="$1" -v reason="$2" '$1 == unit && $3 ~ reason { print $2 }' "$MISSING" | sort
}

# How many tests of unit $1 pass at least, if it is known to be below $LEAST_PERCENT %.
floor_of() { awk -F '\t' -v unit="$1" '$1 == "floor" && $2 == unit { print $3 }' "$MISSING"; }

# The tests of unit $1 that are left out.
skipped_of() { awk -F '\t' -v unit="$1" '$1 == "skip" && $2 == unit { print $3 }' "$MISSING"; }

indent() { sed 's/^/    /'; }

# judge UNIT: compares, prints, and writes the unit's line of the results; fails as the usage says.
judge() {
    local unit=$1 base=$logs/${1//\//_} expected=$EXPECTED/${1//\//_}.expect bad=''
    local passed count typed unlisted stale floor below=''
    comm -12 "$expected" "$base.ok" >"$base.passed"
    comm -23 "$expected" "$base.ok" >"$base.failed"
    listed "$unit" . >"$base.missing"
    passed=$(wc -l <"$base.passed") typed=$(listed "$unit" '^type:' | wc -l)
    count=$(($(wc -l <"$expected") - typed))
    unlisted=$(comm -13 "$base.missing" "$base.failed")
    stale=$(comm -23 "$base.missing" "$base.failed")
    if [[ $unlisted ]]; then
        bad=yes
        printf '  failed, and not in tcl/missing (see %s.log):\n%s\n' "$base" "$(indent <<<"$unlisted")"
    fi
    if [[ $stale ]]; then
        bad=yes
        printf '  in tcl/missing, but passed or unknown:\n%s\n' "$(indent <<<"$stale")"
    fi
    floor=$(floor_of "$unit")
    if ((passed * 100 < count * LEAST_PERCENT)); then
        below="; BELOW $LEAST_PERCENT %"
        if [[ ! $floor ]]; then
            bad=yes
        elif ((passed < floor)); then
            bad=yes
            printf '  fewer pass than the %s that tcl/missing records\n' "$floor"
        fi
    elif [[ $floor ]]; then
        bad=yes
        printf '  tcl/missing records a floor, but %s %% pass\n' "$LEAST_PERCENT"
    fi
    printf '%s\t%s\t%s\t%s\n' "$unit" "$passed" "$count" "$typed" >"$base.result"
    if [[ $bad ]]; then printf 'not ok '; else printf 'ok '; fi
    printf '%s: %s of %s pass' "$unit" "$passed" "$count"
    if ((typed)); then printf '; %s more need a data type that is not there' "$typed"; fi
    printf '%s\n' "$below"
    [[ ! $bad ]]
}

# A node that stopped is a failure of the unit, and comes back for the next.
nodes_run() {
    local id all=yes
    for id in 1 2 3; do
        "$CLUSTER" pid "$id" >/dev/null 2>&1 && continue
        all=''
        printf '  node %s does not run any more:\n' "$id"
        "$CLUSTER" logs "$id" | tail -n 20 | indent
        "$CLUSTER" restart "$id" >/dev/null || true
    done
    [[ $all ]]
}

# A unit may leave its nodes with much to do, as a script of a million commands: the next one begins when each has
# carried out a write that came behind.
settle() {
    local id fd address line
    for id in 1 2 3; do
        address=$("$CLUSTER" addr "$id")
        for _ in {1..20}; do
            line=''
            if { exec {fd}<>"/dev/tcp/${address%:*}/${address##*:}"; } 2>/dev/null; then
                printf 'DEL settled\r\n' >&"$fd"
                IFS= read -r -t 30 line <&"$fd" || true
                exec {fd}>&-
            fi
            [[ $line != :* ]] || break
        done
    done
}

logs=$OUT/upstream
mkdir -p "$logs"
failed=0
for unit in "${units[@]}"; do
    started=$SECONDS good=yes
    # This one reads /proc of a pid that INFO names, and leaves a save behind that never ends.
    skip=(--skip 'SRANDMEMBER with a dict containing long chain')
    while IFS= read -r name; do skip+=(--skip "$name"); done < <(skipped_of "$unit")
    "$HERE/tcl/run_units.sh" --tree "$tree" --logs "$logs" "${skip[@]}" "$host" "$port" "$unit" | sed -n 's/^# /  /p'
    judge "$unit" || good=''
    [[ ! $own ]] || nodes_run || good=''
    [[ ! $own ]] || settle
    [[ $good ]] || failed=$((failed + 1))
    printf '  %s s\n' $((SECONDS - started))
done
printf '%s of %s units as they should be\n' $((${#units[@]} - failed)) "${#units[@]}"
((failed == 0))
