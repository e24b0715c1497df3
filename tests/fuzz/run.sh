#!/usr/bin/env bash
# Fuzzes Damper with libFuzzer, on the stable toolchain: `make fuzz` calls it.
#
#   run.sh TARGET MINUTES    tries what it makes up, for so long; TARGET may be `all`
#   run.sh TARGET replay F   tries one input again
#   run.sh TARGET keep       adds what reaches new code to tests/fuzz/corpus
#
# It works in pieces of some minutes: ended in the middle and started again, it goes on where it was.
# What does not hold is left in target/fuzz/found, with what was said of it in a file .txt beside it.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly here=tests/fuzz work=target/fuzz
readonly piece=300 most_found=5 keep_at_once=20
readonly limits=(-rss_limit_mb=2048 -malloc_limit_mb=2048 -timeout=10 -max_len=16384)
# What libFuzzer needs of the compiler; all of it is stable.
readonly sancov='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=16 --cfg fuzzing'

fail() {
    printf 'fuzz: %s\n' "$1" >&2
    exit 1
}

# All targets, as their list in Rust has them.
targets() {
    sed -n 's/.*Target { name: "\([a-z]*\)".*/\1/p' $here/targets/mod.rs
}

build() {
    local host
    command -v c++ >/dev/null || fail 'libFuzzer is written in C++: apt-get install g++'
    host=$(rustc -vV | sed -n 's/^host: //p')
    # Beside the other builds: flags for all of it, and a target, so that build scripts are spared them.
    RUSTFLAGS="$(tr -s ' \n' ' ' <<<"$sancov")" cargo build --locked --quiet \
        --manifest-path $here/Cargo.toml --target-dir $work --target "$host"
    binary=$work/$host/debug/damper-fuzz
}

# Stores that requests are made to: in memory where that can be.
scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# fuzzer TARGET ARGUMENT...
fuzzer() {
    rm -rf "${scratch:?}"/*
    TMPDIR=$scratch DAMPER_FUZZ=$1 nice -n 19 "$binary" "${limits[@]}" "${@:2}"
}

# found TARGET: how many inputs do not hold.
found() {
    find $work/found -name "$1-*" ! -name '*.txt' | wc -l
}

# number FILE KEY: what a run left behind, or 0.
number() {
    local value
    value=$(sed -n "s/^$2=//p" "$1" 2>/dev/null || true)
    echo "${value:-0}"
}

# fuzz TARGET MINUTES
fuzz() {
    local target=$1 want=$(($2 * 60)) state=$work/ran/$1 log=$work/log/$1 corpus=$work/corpus/$1
    local seconds executions began before left at
    mkdir -p $work/{ran,log,corpus,found} "$corpus"
    before=$(found "$target")
    while seconds=$(number "$state" seconds) executions=$(number "$state" executions) && ((seconds < want)); do
        left=$((want - seconds))
        began=$(date +%s) at=$(found "$target")
        fuzzer "$target" "$corpus" "$here/corpus/$target" -dict=$here/words.dict -print_final_stats=1 \
            -max_total_time=$((left < piece ? left : piece)) -artifact_prefix="$work/found/$target-" \
            >"$log" 2>&1 || grep -q 'Test unit written' "$log" || fail "$target does not run: see $log"
        is_busy "$target"
        seconds=$((seconds + $(date +%s) - began))
        executions=$((executions + $(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1 | grep . || echo 0)))
        printf 'seconds=%s\nexecutions=%s\n' "$seconds" "$executions" >"$state"
        tell "$target" "$log" "$at"
        (($(found "$target") < before + most_found)) || break
        # What fails on the corpus fails on it again.
        (($(found "$target") > at)) || ! grep -qE 'ERROR: libFuzzer: (deadly|out-of-memory)' "$log" || break
    done
    summary "$target" "$seconds" "$executions" "$before"
}

# is_busy TARGET: forgets what took long and does not by itself: the clock is the wall's, and others may
# have had the processor.
is_busy() {
    local file
    for file in "$work/found/$1"-{timeout,slow-unit}-*; do
        [ -e "$file" ] && [ ! -e "$file.txt" ] || continue
        if timeout 60 env DAMPER_FUZZ="$1" TMPDIR="$scratch" "$binary" -timeout=10 "$file" >/dev/null 2>&1; then
            rm "$file"
        fi
    done
}

# tell TARGET LOG BEFORE: what a piece found.
tell() {
    local newest
    (($(found "$1") > $3)) || return 0
    newest=$(find $work/found -name "$1-*" ! -name '*.txt' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2)
    cp "$2" "$newest.txt"
    printf '%s does not hold: %s\n' "$1" "$newest"
    grep -m 3 -A 1 -E 'panicked at|ERROR: libFuzzer' "$2" | sed 's/^/    /'
    printf '    again: make fuzz TARGET=%s INPUT=%s\n' "$1" "$newest"
}

# summary TARGET SECONDS EXECUTIONS BEFORE
summary() {
    local line
    line=$(grep -oE 'cov: [0-9]+ ft: [0-9]+ corp: [0-9]+' $work/log/"$1" | tail -n 1 | grep . || echo 'cov: ? ft: ? corp: ?')
    read -r _ cov _ ft _ corp <<<"$line"
    printf '%-12s %6s s %12s executions %7s edges %7s features %6s inputs %3s findings\n' \
        "$1" "$2" "$3" "$cov" "$ft" "$corp" "$(($(found "$1") - $4))" | tee -a $work/summary
}

# keep TARGET: the smallest of what covers all code that is reached, some at a time.
keep() {
    local target=$1 corpus=$here/corpus/$1 merged file
    merged=$(mktemp -d)
    cp "$corpus"/* "$merged"
    fuzzer "$target" -set_cover_merge=1 "$merged" "$corpus" "$work/corpus/$target" >$work/log/"$target".merge 2>&1 ||
        fail "merging failed: see $work/log/$target.merge"
    local kept=0
    while read -r file && ((kept < keep_at_once)); do
        if [ ! -e "$corpus/$file" ] && [ "$(stat -c %s "$merged/$file")" -le 4096 ]; then
            cp "$merged/$file" "$corpus/found-${file:0:12}"
            kept=$((kept + 1))
        fi
    done < <(find "$merged" -type f -printf '%s %f\n' | sort -n | cut -d ' ' -f 2)
    rm -rf "$merged"
    printf '%-12s %5s inputs kept\n' "$target" "$(find "$corpus" -type f | wc -l)"
}

chosen=${1:?a target, or all}
[ "$chosen" = all ] && chosen=$(targets)
for target in $chosen; do
    targets | grep -qx "$target" || fail "$target is no target: $(targets | tr '\n' ' ')"
done
build
case ${2:?how many minutes, replay or keep} in
    replay) fuzzer "$chosen" -runs=1 "${3:?a file}" ;;
    keep) for target in $chosen; do keep "$target"; done ;;
    *)
        for target in $chosen; do fuzz "$target" "$2"; done
        # All have had their time: the next run begins anew.
        for target in $chosen; do rm -f $work/ran/"$target"; done
        (($(find $work/found -type f ! -name '*.txt' | wc -l) == 0)) || fail "what does not hold is in $work/found"
        ;;
esac
