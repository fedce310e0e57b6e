#!/usr/bin/env bash
# Measures bowline beside redis-server and etcd, each in turn on this machine, and writes
# docs/performance.md with its plots. The work is done in scripts/bench/*.py; this builds what
# they need.
set -euo pipefail
export LC_ALL=C
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
VENV=$TARGET/bench-venv
MATPLOTLIB=3.11.2

usage() {
    cat <<'TEXT'
usage: scripts/bench.sh [WHAT...] [OPTION...]

  WHAT is one or more of:
  --matrix         loads, clients, pipelines, values, keys, ways in: each varied from one base point,
                   against redis-server and etcd (what is done without any WHAT; three quarters of an hour)
  --events         throughput and latency over time: a snapshot, a follower that is away, one that comes
                   back, a leader that is killed (3 minutes)
  --startup        10 million keys: their memory, starts from snapshot and log, writes beside
                   snapshots (10 to 15 minutes, some 6 GiB of memory)
  --connections    5,000 connections against 200, idle ones, 64 MiB beside small values (5 minutes)
  --large          values that have elements: the memory of a million small ones and of some large ones of each
                   type, and how long others wait beside one of 10 million elements (20 minutes, some 8 GiB
                   of memory; --keys N: N small values, and all else smaller as well)
  --floor          the least that three processes can do (examples/floor), beside redis-server and bowline:
                   SET with 1 and with 50 clients (a minute)
  --redis-benchmark
                   the points of the aims, measured with redis-benchmark instead of examples/load;
                   those of 50 clients with a million keys too (5 minutes)
  --all            all of these
  --report         measures nothing: writes tables and plots from the results that there are

  --quick          a short matrix (5 minutes), whose results and report go to target/bench/quick; --floor
                   and --redis-benchmark in half the time, the latter without a million keys
  --only NAME      of the matrix only this dimension: systems, clients, pipeline, loads, values,
                   keys, pattern or entry; may be repeated
  --rounds N       how often each point is measured, systems in turn (3)
  --seconds S      how long each time (matrix, floor and redis-benchmark 2, with --quick 1; connections
                   10, the others 20); redis-benchmark gets the number of requests that takes about so long
  --keys N         --matrix: at most so many; --events (1000000), --startup (10000000) and --large (1000000): so many
  --port BASE      use the 100 ports from BASE (default: free ones)
  --out DIR        where raw results (JSON lines) and data go (target/bench); it has to be on
                   the disk that is to be measured
  --docs DIR       where performance.md and the plots go (docs)
  --help           this text

environment:
  BOWLINE_BIN        the bowline to measure, instead of building one
  BOWLINE_LOAD       the load generator (examples/load), instead of building one
  BOWLINE_LOAD_ETCD  that for etcd (examples/load_etcd), instead of building one
  BOWLINE_FLOOR      the program of --floor (examples/floor), instead of building one

The machine should have nothing else to do. redis-server has to be installed; etcd is measured when
it and protoc are (Debian: etcd-server protobuf-compiler libprotobuf-dev). The plots need Python's
venv and pip, which fetch matplotlib into target/bench-venv.
TEXT
}

die() {
    echo "bench.sh: $*" >&2
    exit 2
}

modes=()
args=()
out=$TARGET/bench
docs=$ROOT/docs
quick='' out_given='' docs_given=''
while (($#)); do
    case $1 in
    --matrix | --events | --startup | --connections | --large | --floor | --redis-benchmark | --report) modes+=("${1#--}") ;;
    --all) modes+=(matrix events startup connections large floor redis-benchmark) ;;
    --quick) quick=yes && args+=(--quick) ;;
    --only | --rounds | --seconds | --keys | --port)
        (($# > 1)) || die "$1 needs a value"
        args+=("$1" "$2") && shift
        ;;
    --out)
        (($# > 1)) || die "$1 needs a directory"
        out=$2 out_given=yes && shift
        ;;
    --docs)
        (($# > 1)) || die "$1 needs a directory"
        docs=$2 docs_given=yes && shift
        ;;
    -h | --help) usage && exit ;;
    *) die "unknown: $1; see --help" ;;
    esac
    shift
done
((${#modes[@]})) || modes=(matrix)
if [[ $quick ]]; then
    # A few seconds are no figures to publish.
    [[ $out_given ]] || out=$out/quick
    [[ $docs_given ]] || docs=$out
fi

executable() { [[ -x $1 && ! -d $1 ]] || die "$2 is $1, which is no executable file"; }

build() {
    command -v cargo >/dev/null || die "there is no cargo: install Rust, or set BOWLINE_BIN and BOWLINE_LOAD"
    echo "building $*" >&2
    (cd "$ROOT" && cargo build --release --quiet "$@" >&2) || die 'the build failed'
}

wants() { [[ " ${modes[*]} " == *" $1 "* ]]; }

# Sets binary, load, floor and load_etcd; the last is empty when etcd cannot be measured.
programs() {
    binary=${BOWLINE_BIN:-$TARGET/release/bowline}
    load=${BOWLINE_LOAD:-$TARGET/release/examples/load}
    load_etcd=${BOWLINE_LOAD_ETCD-}
    [[ ${BOWLINE_BIN-} ]] || build --bin bowline
    [[ ${BOWLINE_LOAD-} ]] || build --example load
    executable "$binary" BOWLINE_BIN
    executable "$load" BOWLINE_LOAD
    if wants floor; then
        floor=${BOWLINE_FLOOR:-$TARGET/release/examples/floor}
        [[ ${BOWLINE_FLOOR-} ]] || build --example floor
        executable "$floor" BOWLINE_FLOOR
    fi
    if [[ $load_etcd ]]; then
        executable "$load_etcd" BOWLINE_LOAD_ETCD
    elif ! wants matrix; then
        return
    elif ! command -v etcd >/dev/null || ! command -v protoc >/dev/null; then
        echo 'bench.sh: without etcd: it or protoc is not installed (see --help)' >&2
    else
        build --features bench-etcd --example load_etcd
        load_etcd=$TARGET/release/examples/load_etcd
    fi
}

# Sets python: one with matplotlib, if that can be had.
plotter() {
    python=python3
    if ! "$VENV/bin/python" -c "import matplotlib; assert matplotlib.__version__ == '$MATPLOTLIB'" 2>/dev/null; then
        echo "installing matplotlib $MATPLOTLIB into $VENV" >&2
        rm -rf "$VENV"
        if ! { python3 -m venv "$VENV" &&
            "$VENV/bin/pip" install --quiet --disable-pip-version-check "matplotlib==$MATPLOTLIB"; } >&2; then
            echo 'bench.sh: no matplotlib: the plots stay as they are' >&2
            return
        fi
    fi
    python=$VENV/bin/python
}

command -v python3 >/dev/null || die 'python3 is missing'
binary='' load='' load_etcd='' floor=''
if [[ ${modes[*]} != report ]]; then
    for tool in redis-server redis-benchmark; do
        [[ $tool == redis-benchmark ]] && ! wants redis-benchmark && continue
        command -v $tool >/dev/null || die "$tool is missing; scripts/test.sh installs it"
    done
    programs
fi
plotter
mkdir -p "$out"
outcome=0
for mode in "${modes[@]}"; do
    # It ends what it has started, also on Ctrl-C and SIGTERM, which reach it too.
    "$python" -B "$ROOT/scripts/bench/main.py" --mode "$mode" --out "$out" --docs "$docs" --binary "$binary" \
        --load "$load" --load-etcd "$load_etcd" --floor "$floor" "${args[@]}" &
    child=$!
    trap 'kill -TERM $child 2>/dev/null || true; wait $child || true; exit 130' INT TERM HUP
    # What fails in one part does not keep the others from being measured.
    wait $child || outcome=$?
done
exit $outcome
