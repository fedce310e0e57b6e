#!/usr/bin/env bash
# Runs `bowline stress` with all ready configurations in turn, each on clusters of its own, and prints one
# table: what each came to, and whether everything that was acknowledged is there.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
DIR=$ROOT/scripts/stress
BIN=${BOWLINE_BIN:-$TARGET/release/bowline}

usage() {
    cat <<'TEXT'
usage: scripts/stress.sh [--short] [--keep DIR]

Runs all configurations of scripts/stress, each against three nodes that it starts, with messages lost on
purpose: the classic, read-heavy, hot-cold, many-clients and write-storm ones on each storage backend, the
last two with leader kills; file, sled and memory on their own one, with leader kills and ONCE; and plain
against redis-server, if that is installed. A leader on memory is paused instead of killed: there, a node
that stops cannot come back. Takes about ten minutes.

  --short     some seconds each, less than a minute in all; the first five on one backend each
  --keep DIR  keeps reports, histories and logs of all runs below DIR. Without it they are below
              target/stress until the next time, histories and logs only of what was not ok

BOWLINE_BIN: the binary, else target/release/bowline, which is built.
Ends with 1 when a verdict is anything but ok.
TEXT
}

short=
keep=
while (($#)); do
    case $1 in
    --short) short=yes ;;
    --keep)
        [[ -n ${2-} ]] || { echo "stress.sh: --keep wants a directory" >&2; exit 2; }
        keep=$2 && shift
        ;;
    -h | --help) usage && exit ;;
    *) echo "stress.sh: what is $1? See --help" >&2 && exit 2 ;;
    esac
    shift
done

[[ -n ${BOWLINE_BIN-} ]] || (cd "$ROOT" && cargo build --release --quiet)
[[ -x $BIN ]] || { echo "stress.sh: there is no $BIN" >&2; exit 2; }
OUT=${keep:-$TARGET/stress}
mkdir -p "$OUT"
rows=$(mktemp)
redis=
end() {
    [[ -z $redis ]] || kill "$redis" 2>/dev/null || true
    rm -rf "$rows" "${redis_dir:-}"
}
trap end EXIT
trap 'exit 130' INT TERM

failed=0
# stress SECONDS CONFIGURATION BACKEND FAULTS FLAGS...: one run, one row.
stress() {
    local seconds=$1 name=$2 backend=$3 faults=$4 status=0 said last
    shift 4
    local out=$OUT/$name-$backend
    said=$("$BIN" stress --config "$DIR/$name.json" --duration "$seconds" --no-progress --history "$out.jsonl" \
        --report "$out.html" --log "$out.log" "$@" 2>&1) || status=$?
    last=$(grep '^verdict ' <<<"$said" | tail -n 1) || true
    if ((status)); then
        failed=1
        printf '\n--- %s on %s: exit status %s\n%s\n' "$name" "$backend" "$status" "$said"
    elif [[ -z $keep ]]; then
        rm -f "$out.jsonl" "$out.log"
    fi
    # verdict ok: 1234 operations in 10.0 s, 123 a second, p50 0.8 ms, p99 3.1 ms, max 210 ms, 17 errors
    local pattern='^verdict ([a-z ]+): ([0-9]+) operations in [0-9.]+ s, ([0-9]+) a second, p50 ([^ ]+) ms, p99 ([^ ]+) ms, max ([^ ]+) ms, ([0-9]+) errors'
    if [[ $last =~ $pattern ]]; then
        printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$backend" "$faults" "${BASH_REMATCH[3]}" "${BASH_REMATCH[4]}" \
            "${BASH_REMATCH[5]}" "${BASH_REMATCH[6]}" "${BASH_REMATCH[7]}" "${BASH_REMATCH[1]}" >>"$rows"
    else
        failed=1
        printf '%s\t%s\t%s\t-\t-\t-\t-\t-\tno verdict\n' "$name" "$backend" "$faults" >>"$rows"
    fi
    printf '%s on %s: %s\n' "$name" "$backend" "${last:-no verdict}"
}

# A redis-server of our own, on a port that was free.
start_redis() {
    command -v redis-server >/dev/null && command -v redis-cli >/dev/null || return 1
    redis_dir=$(mktemp -d)
    for port in $(shuf -i 20000-29999 -n 5); do
        redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$redis_dir" >"$redis_dir/log" 2>&1 &
        redis=$!
        for _ in $(seq 100); do
            kill -0 "$redis" 2>/dev/null || break
            if redis-cli -p "$port" INFO server 2>/dev/null | grep -q "^process_id:$redis"; then
                redis_port=$port
                return 0
            fi
            sleep 0.05
        done
        kill "$redis" 2>/dev/null || true
        redis=
    done
    return 1
}

if [[ -n $short ]]; then
    stress 3 classic file loss --spawn 3 --storage file
    stress 3 read-heavy sled loss --spawn 3 --storage sled
    stress 3 hot-cold memory loss --spawn 3 --storage memory
    stress 3 many-clients file 'loss, kills' --spawn 3 --storage file --kill-leader-every 1s
    stress 6 write-storm sled 'loss, kills' --spawn 3 --storage sled --kill-leader-every 2s
    kills=1500ms seconds=5
else
    for backend in memory file sled; do
        for name in classic read-heavy hot-cold; do
            stress 30 "$name" "$backend" loss --spawn 3 --storage "$backend"
        done
        stress 30 many-clients "$backend" 'loss, kills' --spawn 3 --storage "$backend" --kill-leader-every 10s
        stress 30 write-storm "$backend" 'loss, kills' --spawn 3 --storage "$backend" --kill-leader-every 5s
    done
    kills=5s seconds=30
fi
for backend in memory file sled; do
    stress "$seconds" "$backend" "$backend" 'loss, kills, ONCE' --spawn 3 --storage "$backend" --once --kill-leader-every "$kills"
done
if start_redis; then
    stress "$((seconds / 2))" plain redis-server loss --servers "127.0.0.1:$redis_port"
else
    echo 'plain: no redis-server to run it against'
fi

printf '\n%-13s %-12s %-18s %10s %9s %9s %9s %8s  %s\n' configuration backend faults 'ops/s' 'p50 ms' 'p99 ms' 'max ms' errors verdict
while IFS=$'\t' read -r name backend faults rate p50 p99 max errors verdict; do
    printf '%-13s %-12s %-18s %10s %9s %9s %9s %8s  %s\n' "$name" "$backend" "$faults" "$rate" "$p50" "$p99" "$max" "$errors" "$verdict"
done <"$rows"
printf '\nreports: %s, %s s\n' "$OUT" "$SECONDS"
exit "$failed"
