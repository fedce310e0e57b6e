#!/usr/bin/env bash
# Coverage-guided fuzzing of everything that reads bytes of strangers, with libFuzzer.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}/fuzz
TARGETS=(resp frame entry log rdb snapshot snapshot_file)
MOST_BYTES=2048

usage() {
    cat <<'TEXT'
usage: scripts/fuzz.sh TARGET SECONDS     TARGET: resp, frame, entry, log, rdb,
                                          snapshot, snapshot_file, or all
       scripts/fuzz.sh --merge            keeps of tests/fuzz/corpus what reaches code that
                                          nothing smaller reaches, and adds what was found

Builds once, for some minutes: every dependency reports which code an input reaches. What is
found lies below target/fuzz/found until --merge; an input that fails is named at the end,
and BOWLINE_FUZZ_INPUT=FILE cargo test --test fuzz runs it again.
TEXT
}

build() {
    # What cargo-fuzz passes for coverage, without its sanitizers: those need a nightly compiler.
    local flags=(
        --cfg fuzzing -C passes=sancov-module
        -C llvm-args=-sanitizer-coverage-level=4
        -C llvm-args=-sanitizer-coverage-inline-8bit-counters
        -C llvm-args=-sanitizer-coverage-pc-table
        -C llvm-args=-sanitizer-coverage-trace-compares
    )
    # With --target, build scripts and their dependencies are spared the flags.
    local host
    host=$(rustc -vV | sed -n 's/^host: //p')
    RUSTFLAGS="${flags[*]}" CARGO_TARGET_DIR=$TARGET_DIR cargo build --quiet --release --target "$host" \
        --manifest-path "$ROOT/tests/fuzz/guided/Cargo.toml"
    GUIDED=$TARGET_DIR/$host/release/guided
}

# fuzz TARGET SECONDS
fuzz() {
    local found=$TARGET_DIR/found/$1 failed=$TARGET_DIR/failed/$1 log=$TARGET_DIR/$1.log status=0
    mkdir -p "$found" "$failed"
    echo "--- $1, $2 s"
    BOWLINE_FUZZ_TARGET=$1 "$GUIDED" "$found" "$ROOT/tests/fuzz/corpus/$1" -max_total_time="$2" \
        -max_len=$MOST_BYTES -len_control=0 -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=512 \
        -artifact_prefix="$failed/" -print_final_stats=1 >"$log" 2>&1 || status=$?
    grep -E '^stat::(number_of_exec|average_exec)|panicked|ERROR|Test unit' "$log" || true
    grep -E 'cov: ' "$log" | tail -n 1
    ((status == 0)) || { echo "$1 fails: see $log and $failed" >&2; return 1; }
}

merge() {
    local target merged
    for target in "${TARGETS[@]}"; do
        merged=$(mktemp -d)
        mkdir -p "$TARGET_DIR/found/$target"
        BOWLINE_FUZZ_TARGET=$target "$GUIDED" -set_cover_merge=1 -use_counters=0 -max_len=$MOST_BYTES "$merged" \
            "$ROOT/tests/fuzz/corpus/$target" "$TARGET_DIR/found/$target" 2>&1 | tail -n 1
        rm -rf "$ROOT/tests/fuzz/corpus/$target"
        mv "$merged" "$ROOT/tests/fuzz/corpus/$target"
        chmod 755 "$ROOT/tests/fuzz/corpus/$target"
    done
}

case ${1-} in
-h | --help | '') usage ;;
--merge) build && merge ;;
*)
    (($# == 2)) || { usage >&2; exit 2; }
    [[ " ${TARGETS[*]} all " == *" $1 "* && $2 =~ ^[0-9]+$ ]] || { usage >&2; exit 2; }
    build
    [[ $1 == all ]] || TARGETS=("$1")
    outcome=0
    for target in "${TARGETS[@]}"; do fuzz "$target" "$2" || outcome=1; done
    exit $outcome
    ;;
esac
