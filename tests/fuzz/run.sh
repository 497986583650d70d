#!/bin/sh
# Fuzzes the targets of tests/fuzz/ with libFuzzer and the stable compiler:
#
#     tests/fuzz/run.sh SECONDS [TARGET]...
#
# Two targets at a time, at low priority. It continues from the committed corpus, tests/fixtures/fuzz/,
# and from what earlier runs found below target/fuzz/. It ends with one line for each target: how many
# inputs ran, and how many crashed. Inputs that crash stay in target/fuzz/crashes/TARGET/, and the exit
# code is 1 until they are gone.
#
# tests/fixtures/fuzz/TARGET/ has inputs with names, such as those that crashed once, and an archive of
# those that the fuzzer found, one for each place of the code that no other input reaches.
# `tests/fuzz/collect.sh` makes the archives anew from what is in target/fuzz/corpus/.
set -eu
cd "$(dirname "$0")"
seconds=${1:?usage: run.sh SECONDS [TARGET]...}
shift
out=$(cd ../.. && pwd)/target/fuzz
[ $# -gt 0 ] || set -- yaml interpolation rhai notes hook_lines remote answers capi

# What `cargo fuzz` passes, without the sanitizers that only nightly has.
RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=16" \
    cargo build --release --target "$(rustc -vV | sed -n 's/^host: //p')" --target-dir "$out/build"
programs=$(echo "$out"/build/*/release)

fuzz() {
    mkdir -p "$out/corpus/$1" "$out/crashes/$1" "$out/logs"
    tar -xzf "../fixtures/fuzz/$1/found.tar.gz" -C "$out/corpus/$1"
    nice -n 19 "$programs/$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
        -max_len=16384 -ignore_crashes=0 -print_final_stats=1 \
        -artifact_prefix="$out/crashes/$1/" "$out/corpus/$1" "../fixtures/fuzz/$1" \
        >"$out/logs/$1" 2>&1 || true
}

found=0
while [ $# -gt 0 ]; do
    fuzz "$1" &
    first=$1
    shift
    if [ $# -gt 0 ]; then
        fuzz "$1" &
        second=$1
        shift
    else
        second=
    fi
    wait
    for target in $first $second; do
        ran=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/logs/$target")
        crashes=$(find "$out/crashes/$target" -type f ! -name 'slow-unit-*' | wc -l)
        echo "$target: ${ran:-0} inputs, $crashes crashes"
        if [ -z "$ran" ] || [ "$crashes" -gt 0 ]; then found=1; fi
    done
done
exit $found
