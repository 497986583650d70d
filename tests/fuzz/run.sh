#!/bin/sh
# Fuzzes the targets of tests/fuzz/ with libFuzzer and the stable compiler:
#
#     tests/fuzz/run.sh SECONDS [TARGET]...
#
# Runs two targets at a time, at low priority. Continues from the committed corpus,
# tests/fixtures/fuzz/, and from the inputs that earlier runs found below target/fuzz/. When a
# target ends, prints a line with the number of inputs that ran and the number of crashes. Inputs
# that crash stay in target/fuzz/crashes/TARGET/, and the exit code is 1 until they are removed.
#
# tests/fixtures/fuzz/TARGET/ contains named inputs, such as ones that once crashed, and an archive
# of inputs that the fuzzer found. Each input of the archive reaches code that no other input
# reaches. `tests/fuzz/collect.sh` creates the archives again from target/fuzz/corpus/.
set -eu
cd "$(dirname "$0")"
seconds=${1:?usage: run.sh SECONDS [TARGET]...}
shift
out=$(cd ../.. && pwd)/target/fuzz
[ $# -gt 0 ] || set -- yaml interpolation rhai notes hook_lines remote answers capi

# The flags of `cargo fuzz`, without the sanitizers, which need a nightly compiler.
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
