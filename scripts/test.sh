#!/usr/bin/env bash
# Everything that is tested: the library, the processes, and what real Redis clients say.
# Installs what the tests need and is missing, and says so.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

REDIS_PY=5.2.1
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
VENV=$TARGET/test-venv

if [[ ${1-} == -h || ${1-} == --help ]]; then
    cat <<'TEXT'
usage: scripts/test.sh

Runs, each with the seconds that it took:
  library     cargo test of the library, with debug assertions
  threads     the server's tests again, with --io-threads
  processes   cargo test of tests/, with debug assertions, apart from those below
  build       cargo build --release, and the example that stage costs counts
  bad days    tests/cluster.rs and tests/failures.rs against target/release/bowline, because
              they measure time
  nemesis     half a minute of faults on three nodes, the history judged; so too
  power       tests/powercut: power cuts under the release binary
  simulation  tests/simulation, optimized, because it counts how much it gets through, and
              whether it sees what is broken deliberately; whether the nemesis and `bowline stress` do
  stress      scripts/stress.sh --short: clusters under loss and leader kills, verdict ok
  costs       instructions of the hot paths, beside what is recorded
  redis       redis-tests/run.sh, on a cluster of three nodes
  upstream    some units of Redis's own Tcl suite, connected to a follower
  fuzz        random commands to bowline and to redis-server, replies compared

The last line sums up the stage `redis`. Ends with 1 when anything failed.
TEXT
    exit
fi
(($# == 0)) || { echo "test.sh takes no arguments; see --help" >&2; exit 2; }

say() { printf '\n--- %s\n' "$*"; }

# apt_install WHAT PACKAGE: WHAT is missing, and this package brings it.
apt_install() {
    if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "test.sh: $1 is missing: install $2 (this script can, as root on Debian)" >&2
        exit 2
    fi
    echo "installing $2, for $1"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2"; } >/dev/null
}

install_tools() {
    command -v redis-server >/dev/null || apt_install redis-server redis-server
    command -v redis-benchmark >/dev/null || apt_install redis-benchmark redis-tools
    command -v tclsh >/dev/null || apt_install tclsh tcl
    command -v patch >/dev/null || apt_install patch patch
    command -v cc >/dev/null || apt_install cc gcc
    command -v valgrind >/dev/null || apt_install valgrind valgrind
    command -v npm >/dev/null || { apt_install node nodejs && apt_install npm npm; }
    command -v python3 >/dev/null || apt_install python3 python3
    "$VENV/bin/python" -c "import redis; assert redis.__version__ == '$REDIS_PY'" 2>/dev/null && return
    echo "installing redis-py $REDIS_PY into $VENV"
    # Debian packs what a virtual environment needs apart from python3.
    python3 -c 'import ensurepip' 2>/dev/null || apt_install "python3's venv" python3-venv
    rm -rf "$VENV"
    python3 -m venv "$VENV"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check "redis==$REDIS_PY"
}

failed=()
# stage NAME COMMAND...: the others still run when it fails.
stage() {
    local name=$1 started=$SECONDS outcome=passed
    shift
    say "$name"
    "$@" || outcome=FAILED
    [[ $outcome == passed ]] || failed+=("$name")
    printf -- '--- %s: %s, %s s\n' "$name" "$outcome" $((SECONDS - started))
}

# What the next two stages run.
APART=' cluster failures nemesis powercut simulation '

processes() {
    local tests=() path name
    for path in tests/*.rs tests/*/main.rs; do
        [[ -e $path ]] || continue
        name=${path#tests/} && name=${name%/main.rs} && name=${name%.rs}
        [[ $APART == *" $name "* ]] || tests+=(--test "$name")
    done
    cargo test "${tests[@]}"
}

bad_days() {
    BOWLINE_BIN=$TARGET/release/bowline cargo test --test cluster --test failures
}

nemesis() {
    BOWLINE_BIN=$TARGET/release/bowline cargo test --test nemesis -- --nocapture
}

power() {
    BOWLINE_BIN=$TARGET/release/bowline cargo test --test powercut
}

# Who waits, and what `bowline stress` says, is shown by real processes only.
simulation() {
    scripts/simulate.sh --all && scripts/simulate.sh --processes
}

stress() {
    BOWLINE_BIN=$TARGET/release/bowline scripts/stress.sh --short
}

costs() {
    scripts/costs.sh
}

redis() {
    BOWLINE_BIN=$TARGET/release/bowline redis-tests/run.sh | tee "$summary"
}

upstream() {
    BOWLINE_BIN=$TARGET/release/bowline redis-tests/upstream.sh --short
}

fuzz() {
    BOWLINE_BIN=$TARGET/release/bowline redis-tests/fuzz.sh --short
}

summary=$(mktemp)
trap 'rm -f "$summary"' EXIT
say 'tools'
install_tools
stage library cargo test --lib --bins
stage threads env BOWLINE_TEST_IO_THREADS=2 cargo test --lib server::
stage processes processes
# In one go: apart they would not share the library.
stage build cargo build --release --bin bowline --example hot_paths
stage 'bad days' bad_days
stage nemesis nemesis
stage power power
stage simulation simulation
stage stress stress
stage costs costs
stage redis redis
stage upstream upstream
stage fuzz fuzz

say "total: $SECONDS s${failed[*]:+, failed: ${failed[*]}}"
line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$summary" | tail -n 1) || line='0 passed, 1 failed'
echo "$line"
((${#failed[@]} == 0))
