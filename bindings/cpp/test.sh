#!/bin/sh
# Tests the header for C++: with every compiler that is there, plainly, under valgrind, and with the
# sanitizers; and builds and runs examples/cpp as a stranger would, by CMake's find_package.
#
#   sh bindings/cpp/test.sh [PREFIX]
#
# PREFIX is where bindings/build-library.sh has installed the library; without, it does so below
# target/. Ends with 77 where a tool is missing.
set -eu
[ $# -le 1 ] || { echo 'usage: test.sh [PREFIX]' >&2; exit 2; }
for tool in g++ valgrind cmake git; do
    command -v $tool >/dev/null || { echo "test.sh: $tool is not installed" >&2; exit 77; }
done
prefix=${1:+$(cd "$1" && pwd)}
cd "$(dirname "$0")/../.."
work=$PWD/target/cpp
mkdir -p "$work"
if [ -z "$prefix" ]; then
    prefix=$work/library
    sh bindings/build-library.sh "$prefix"
fi
header=bindings/cpp/tinyci.hpp

# Everything that C has stands in the header, or in `skipped` with a reason.
grep -o 'tinyci_[a-z_]*(' bindings/prototypes.h | tr -d '(' >"$work/names"
sed -n 's/^ *"name": "\(TINYCI_[A-Z_0-9]*\)".*/\1/p' include/tinyci.json >>"$work/names"
missing=0
while read -r name; do
    grep -qw "$name" $header && bound=yes || bound=no
    grep -q "^$name: ." bindings/cpp/skipped && skipped=yes || skipped=no
    [ $bound != $skipped ] && continue
    echo "test.sh: $name: in $header $bound, in skipped $skipped" >&2
    missing=1
done <"$work/names"
[ $missing = 0 ] && [ "$(wc -l <"$work/names")" -gt 150 ]

# What an installation of this header beside that library looks like.
stage=$work/prefix
rm -rf "$stage"
mkdir -p "$stage/include" "$stage/lib/cmake"
ln -s "$prefix"/lib/libtinyci.* "$prefix/lib/pkgconfig" "$stage/lib"
cp -r bindings/cmake "$stage/lib/cmake/tinyci"
cp "$prefix/include/tinyci.h" $header "$stage/include"

# Builds the tests: build NAME COMPILER FLAGS...
build() {
    to=$work/$1 compiler=$2
    shift 2
    mkdir -p "$to"
    # shellcheck disable=SC2016 # for the inner shell
    (cd bindings/cpp/tests && printf '%s\n' *.cpp) | xargs -P 2 -I '{}' \
        "$compiler" -std=c++17 -g -pthread -Wall -Wextra -pedantic -Werror "$@" \
        -I"$stage/include" -c 'bindings/cpp/tests/{}' -o "$to/{}.o"
    libraries="-L$stage/lib -ltinyci -pthread -Wl,-rpath,$prefix/lib"
    # shellcheck disable=SC2086 # several words
    "$compiler" "$@" "$to/endings_program.cpp.o" -o "$to/endings_program" $libraries
    # shellcheck disable=SC2046,SC2086 # several words
    "$compiler" "$@" $(ls "$to"/*.o | grep -v endings_program) -o "$to/tests" $libraries
}

echo 'plainly'
build plain g++
"$work/plain/tests"
if command -v clang++ >/dev/null; then
    echo 'as clang++ compiles it'
    build clang clang++
    "$work/clang/tests"
fi
echo 'under valgrind'
valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect \
    --child-silent-after-fork=yes --fair-sched=yes "$work/plain/tests"
echo 'with sanitizers'
build sanitized g++ -fsanitize=address,undefined -fno-sanitize-recover=all
"$work/sanitized/tests"

echo 'the example'
cmake -S examples/cpp -B "$work/example" -DCMAKE_PREFIX_PATH="$stage" \
    -DCMAKE_CXX_FLAGS='-Wall -Wextra -pedantic -Werror' >"$work/cmake.log" || { cat "$work/cmake.log"; exit 1; }
cmake --build "$work/example" >"$work/cmake.log" || { cat "$work/cmake.log"; exit 1; }
sh bindings/cpp/tests/example.sh "$work/example/nightly"
