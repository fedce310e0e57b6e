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

Runs on all processors, or on THREADS of them (an environment variable). Stops at the first
failure and prints its seed; with ALL=1 it goes on, and prints the seeds of all failures.
TEXT
}

simulate() {
    cargo test --profile "$profile" "$@" --test simulation -- --nocapture "$filter"
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
profile=release filter=clusters_keep_their_promises_under_faults
case ${1-} in
    -h | --help) usage ;;
    --for)
        BOWLINE_SECONDS=$(seconds_of "${2-}")
        export BOWLINE_SECONDS
        simulate
        ;;
    --seed) BOWLINE_SEED=${2:?a seed} simulate ;;
    # A profile of its own, so that the other builds are not thrown away.
    --mutants) profile=mutants filter=mutants simulate --features mutants ;;
    *[!0-9]* | '') usage >&2; exit 2 ;;
    *) BOWLINE_SEEDS=$1 simulate ;;
esac
