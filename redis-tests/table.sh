#!/usr/bin/env bash
# Writes what the other scripts here found into README, between its marks.
set -euo pipefail
export LC_ALL=C
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OUT=${CARGO_TARGET_DIR:-$(dirname "$HERE")/target}/redis-tests
README=$HERE/../README.md
BEGIN='<!-- compatibility: written by redis-tests/table.sh -->'
END='<!-- compatibility ends -->'

if (($#)); then
    cat <<TEXT
usage: redis-tests/table.sh

Makes tables of the latest results of redis-tests/upstream.sh, fuzz.sh and run.sh, and writes them
into README.md between '$BEGIN'
and '$END'.
TEXT
    [[ $1 == -h || $1 == --help ]]
    exit
fi

# Lines of $1, which must be there, for the script $2 makes it.
results() {
    [[ -s $1 ]] || { printf 'table.sh: run redis-tests/%s first: it makes %s\n' "$2" "$1" >&2 && return 1; }
    cat "$1"
}

units() {
    printf '| upstream unit | passed | of | need a data type to come |\n|---|---:|---:|---:|\n'
    "$HERE/upstream.sh" --list | while IFS= read -r unit; do
        results "$OUT/upstream/${unit//\//_}.result" upstream.sh
    done | awk -F '\t' '
        { passed += $2; count += $3; typed += $4; printf "| `%s` | %d | %d | %d |\n", $1, $2, $3, $4 }
        END { printf "| all | %d | %d | %d |\n", passed, count, typed }'
}

families() {
    printf '| family of commands, fuzzed | commands | mismatches |\n|---|---:|---:|\n'
    results "$OUT/fuzz/families" fuzz.sh | awk -F '\t' '
        { sent += $2; wrong += $3; printf "| %s | %d | %d |\n", $1, $2, $3 }
        END { printf "| all | %d | %d |\n", sent, wrong }'
}

tests() {
    printf '| clients and conversations | checks passed | of |\n|---|---:|---:|\n'
    results "$OUT/run" run.sh | awk -F '\t' '
        { passed += $2; count += $2 + $3; printf "| `%s` | %d | %d |\n", $1, $2, $2 + $3 }
        END { printf "| all | %d | %d |\n", passed, count }'
}

if ! grep -qxF "$BEGIN" "$README" || ! grep -qxF "$END" "$README"; then
    printf 'table.sh: README.md has no marks\n' >&2
    exit 1
fi
block=$(mktemp)
trap 'rm -f "$block" "$block.readme"' EXIT
{ units && printf '\n' && families && printf '\n' && tests; } >"$block"
awk -v begin="$BEGIN" -v end="$END" -v block="$block" '
    $0 == end { inside = 0 }
    !inside { print }
    $0 == begin { inside = 1; print ""; while ((getline line <block) > 0) print line; print "" }
' "$README" >"$block.readme"
cat "$block.readme" >"$README"
cat "$block"
