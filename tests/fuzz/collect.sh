#!/bin/sh
# Rewrites the archives of the committed corpus, tests/fixtures/fuzz/TARGET/found.tar.gz, from the
# inputs that tests/fuzz/run.sh found. Keeps only as many as are needed to reach the same code:
#
#     tests/fuzz/collect.sh [TARGET]...
set -eu
cd "$(dirname "$0")"
out=$(cd ../.. && pwd)/target/fuzz
programs=$(echo "$out"/build/*/release)
[ $# -gt 0 ] || set -- yaml interpolation rhai notes hook_lines remote answers capi
for target; do
    few=$out/few/$target
    rm -rf "$few"
    mkdir -p "$few"
    # Counts only which edges an input reaches, not how often it takes them. Omits long inputs,
    # because they add little for their size.
    "$programs/$target" -set_cover_merge=1 -use_counters=0 -use_cmp=0 -max_len=400 \
        "$few" "$out/corpus/$target" >"$out/logs/$target-collected" 2>&1
    tar -C "$few" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - . |
        gzip -9n >"../fixtures/fuzz/$target/found.tar.gz"
    echo "$target: $(find "$few" -type f | wc -l) inputs"
done
