#!/usr/bin/env bash
# Whole clusters in virtual time, from one seed each: tests/simulation.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

usage() {
    cat <<'TEXT'
usage: scripts/simulate.sh SEEDS            runs the seeds 0 to SEEDS - 1
       scripts/simulate.sh --for TIME       runs new seeds for so long: 90s, 20m, 8h
       scripts/simulate.sh --seed N         runs one seed again; prints its last events if it fails
       scripts/simulate.sh --mutants        shows that deliberate defects are caught
       scripts/simulate.sh --processes      so do real processes with defects (tests/nemesis, tests/stress)
       scripts/simulate.sh --all            all tests of the simulation: a minute of new seeds, and --mutants

Runs on all processors, or on THREADS of them (an environment variable). Stops at the first
failure and prints its seed; with ALL=1 it goes on, and prints the seeds of all failures.
TEXT
}

# optimized TEST... -- ARGUMENT...: on the dependencies of debug builds, which are there; debug assertions
# stay. The release build must not have the defects.
optimized() {
    local tests=()
    while [[ $1 != -- ]]; do tests+=(--test "$1") && shift; done
    CARGO_PROFILE_TEST_OPT_LEVEL=2 CARGO_PROFILE_TEST_INCREMENTAL=false \
        cargo test --features mutants "${tests[@]}" "$@" --nocapture
}

simulate() {
    optimized simulation -- clusters_keep_their_promises_under_faults
}

seconds_of() {
    local number=${1%[smh]}
    [[ $number =~ ^[0-9]+$ ]] || { usage >&2; exit 2; }
    case $1 in
        *h) echo $((number * 3600)) ;;
        *m) echo $((number * 60)) ;;
        *) echo "$number" ;;
    esac
}

export BOWLINE_THREADS=${THREADS:-$(nproc)}
[[ -z ${ALL-} ]] || export BOWLINE_ALL=1
case ${1-} in
    -h | --help) usage ;;
    --for)
        BOWLINE_SECONDS=$(seconds_of "${2-}")
        export BOWLINE_SECONDS
        simulate
        ;;
    --seed) BOWLINE_SEED=${2:?a seed} simulate ;;
    --mutants) optimized simulation -- mutants ;;
    --processes) optimized nemesis stress -- mutants ;;
    --all) BOWLINE_SECONDS=60 optimized simulation -- ;;
    *[!0-9]* | '') usage >&2; exit 2 ;;
    *) BOWLINE_SEEDS=$1 simulate ;;
esac
