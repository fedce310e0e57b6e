#!/usr/bin/env bash
# Faults on real processes, and a verdict on what their clients saw.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}

usage() {
    cat <<'TEXT'
usage: scripts/nemesis.sh [SECONDS (600)] [--seed N] [--rate OPERATIONS_A_SECOND (3000)] [--keep DIR]
       scripts/nemesis.sh --failover [KILLS (50)]

Starts three nodes, clients on each of them, and does to the nodes, one after the other and
several at once: SIGKILL, SIGTERM, SIGSTOP, cut, one-way, stalled and slow links between them, a
full disk (as root), clocks that jump and run at other rates (with libfaketime), and what an
operator may do meanwhile: transfers of leadership, snapshots, members added and removed. In the
end every operation of every client has to be explained by one order of all of them.

  --seed N      draw the faults of this seed again (the moments at which they strike differ)
  --keep DIR    keep the history, as DIR/history.jsonl: `bowline check` judges it again
  --failover    only kill the leader, again and again: how long can nobody write?

Builds target/release/bowline, unless BOWLINE_BIN names a binary. Exit status 0: all is well.
TEXT
}

seconds=600 kills='' keep=''
while (($# > 0)); do
    case $1 in
    -h | --help) usage && exit ;;
    --seed) export BOWLINE_SEED=${2?--seed N} && shift ;;
    --rate) export BOWLINE_NEMESIS_RATE=${2?--rate N} && shift ;;
    --keep) keep=${2?--keep DIR} && shift ;;
    --failover)
        kills=50
        [[ ${2-} =~ ^[0-9]+$ ]] && kills=$2 && shift
        ;;
    *[!0-9]* | '') usage >&2 && exit 2 ;;
    *) seconds=$1 ;;
    esac
    shift
done

# Everything that is started has this in its environment.
WORK=$(mktemp -d)
export TMPDIR=$WORK
# shellcheck disable=SC2317 # the trap reaches it
cleanup() {
    trap '' INT TERM
    exec 2>/dev/null
    local process mount
    # The second round finds what was started during the first.
    for _ in 1 2; do
        for process in /proc/[0-9]*; do
            # It may be gone by now.
            if { tr '\0' '\n' <"$process/environ"; } 2>/dev/null | grep -qxF "TMPDIR=$WORK"; then
                kill -KILL "${process#/proc/}" 2>/dev/null || true
            fi
        done
    done
    while read -r _ mount _; do
        [[ $mount != "$WORK"/* ]] || umount --lazy "$mount" || true
    done </proc/mounts
    rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

faketime() {
    local library
    for library in /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib*/faketime/libfaketimeMT.so.1; do
        [[ -e $library ]] && echo "$library" && return
    done
    return 1
}

if [[ -z $kills ]] && ! faketime >/dev/null; then
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        echo 'installing libfaketime, for the clocks'
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libfaketime; } >/dev/null ||
            echo 'nemesis.sh: libfaketime cannot be installed; clocks stay as they are' >&2
    fi
fi
if library=$(faketime); then export BOWLINE_FAKETIME=$library; fi

cd "$ROOT"
if [[ -z ${BOWLINE_BIN-} ]]; then
    cargo build --release --bin bowline
    export BOWLINE_BIN=$TARGET/release/bowline
fi
if [[ -n $keep ]]; then
    mkdir -p "$keep"
    export BOWLINE_NEMESIS_HISTORY=$keep/history.jsonl
fi
if [[ -n $kills ]]; then
    export BOWLINE_NEMESIS_KILLS=$kills
    name=survivors_of_killed_leaders_see_no_error_and_a_short_gap
else
    export BOWLINE_NEMESIS_SECONDS=$seconds
    name=a_long_run_of_all_faults_leaves_a_linearizable_history
fi
cargo test --test nemesis --no-run
# In the background, so that a signal is dealt with at once.
cargo test --quiet --test nemesis -- --ignored --exact --nocapture "$name" &
wait $!
