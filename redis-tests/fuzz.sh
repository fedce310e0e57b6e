#!/usr/bin/env bash
# difffuzz.py between a redis-server and a follower of a cluster, both started here.
set -euo pipefail
export LC_ALL=C
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CLUSTER=$HERE/../scripts/cluster.sh
ALLOWED=$HERE/fuzz/allowed
OUT=${CARGO_TARGET_DIR:-$(dirname "$HERE")/target}/redis-tests/fuzz
FAMILIES=strings,bits,generic,expiry,multi,hyperloglog,dump,databases,sort,object,server,hash,list,set,zset,geo,stream,groups,scripts
VERSION=7.0.15

usage() {
    cat <<TEXT
usage: redis-tests/fuzz.sh [FLAG...]

Sends random commands to a redis-server $VERSION and to a follower of three nodes, in RESP2 and
in RESP3, and compares every reply and every keyspace notification. Fails on a difference that
is not in redis-tests/fuzz/allowed, and, unless --short or --family is given, when one that is
there did not occur.

  --commands N   of each run (20000)
  --seeds N      runs of each protocol (5)
  --family LIST  of $FAMILIES
  --full         the same as --commands 100000
  --short        the same as --commands 3000 --seeds 1
  --port PORT    use the server there instead of starting a cluster; whatever is in it is lost
  -h, --help

A mismatch is replayed with redis-tests/difffuzz.py --seed S --resp R --episode N --trace. Results
as redis-tests/table.sh reads them are in ${OUT#"$(dirname "$HERE")/"}.
TEXT
}

die() {
    printf 'fuzz.sh: %s\n' "$*" >&2
    exit 2
}

commands=20000 seeds=5 families=$FAMILIES port='' all_rules=yes
while (($#)); do
    case $1 in
    --commands) commands=${2-} && shift ;;
    --seeds) seeds=${2-} && shift ;;
    --family) families=${2-} all_rules='' && shift ;;
    --port) port=${2-} && shift ;;
    --full) commands=100000 ;;
    --short) commands=3000 seeds=1 all_rules='' ;;
    -h | --help) usage && exit ;;
    *) die "there is no flag $1; see --help" ;;
    esac
    shift || die 'the last flag needs a value'
done
[[ $commands =~ ^[1-9][0-9]*$ && $seeds =~ ^[1-9][0-9]*$ ]] || die '--commands and --seeds need a number'
[[ $(redis-server --version) == *"v=$VERSION "* ]] || die "the reference is redis-server $VERSION (Debian: redis-server)"

scratch=$(mktemp -d)
own='' reference=''
cleanup() {
    [[ ! $own ]] || "$CLUSTER" clean >/dev/null 2>&1 || true
    [[ ! $reference ]] || kill "$reference" 2>/dev/null || true
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

port_taken() {
    # shellcheck disable=SC2034 # the descriptor is closed at once
    (exec {fd}<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Sets REF to the port of a redis-server that answers.
start_reference() {
    local try
    for ((try = 0; try < 20; try++)); do
        REF=$((20480 + RANDOM % 10000))
        port_taken "$REF" && continue
        redis-server --port "$REF" --bind 127.0.0.1 --save '' --appendonly no --dir "$scratch" >"$scratch/reference.log" &
        reference=$!
        while kill -0 "$reference" 2>/dev/null; do
            [[ $(redis-cli -p "$REF" PING 2>&1) == PONG ]] && return
        done
    done
    cat "$scratch/reference.log" >&2
    die 'redis-server does not start'
}

start_reference
if [[ ! $port ]]; then
    export BOWLINE_CLUSTER_DIR=$scratch/cluster
    own=yes
    "$CLUSTER" start 3 --port 0 >/dev/null || die 'the cluster did not start'
    address=$("$CLUSTER" addr $(($("$CLUSTER" leader) % 3 + 1)))
    port=${address##*:}
fi

mkdir -p "$OUT"
tally=$scratch/tally failed=0
: >"$tally"
for ((seed = 1; seed <= seeds; seed++)); do
    for resp in 2 3; do
        printf '== seed %s, RESP%s\n' "$seed" "$resp"
        python3 "$HERE/difffuzz.py" --ref "$REF" --sut "$port" --seed "$seed" --resp "$resp" --commands "$commands" \
            --family "$families" --events --allowed "$ALLOWED" --tally "$tally" || failed=1
    done
done

awk -F '\t' -v OFS='\t' '
    $1 == "family" { sent[$2] += $4; wrong[$2] += $5; order[$2] = order[$2] ? order[$2] : NR }
    END { for (name in sent) print order[name], name, sent[name], wrong[name] }
' "$tally" | sort -n | cut -f 2- >"$OUT/families"
awk -F '\t' -v OFS='\t' '$1 == "allowed" { hits[$2] += $3 } END { for (rule in hits) print rule, hits[rule] }' "$tally" |
    sort -n >"$OUT/allowed"

printf '== allowed differences: times, what, why\n'
while IFS=$'\t' read -r rule hits; do
    what=$(grep -v -e '^#' -e '^$' "$ALLOWED" | sed -n "${rule}p")
    printf '%8s  %s\n' "$hits" "${what//$'\t'/ | }"
    if ((hits == 0)) && [[ $all_rules ]]; then
        printf 'not ok it does not occur any more: take it out of fuzz/allowed\n'
        failed=1
    fi
done <"$OUT/allowed"
awk -F '\t' '{ sent += $2; wrong += $3 } END { printf "%d commands, %d mismatches\n", sent, wrong }' "$OUT/families"
if ((failed)); then printf 'not ok '; else printf 'ok '; fi
printf 'fuzz: %s seeds of %s commands, RESP2 and RESP3\n' "$seeds" "$commands"
((failed == 0))
