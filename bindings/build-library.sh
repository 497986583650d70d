#!/bin/sh
# Builds the C library and installs it below PREFIX, without cargo-c:
#
#   include/tinyci.h                 the header
#   include/tinyci.hpp               the header for C++
#   lib/libtinyci.so.N               the shared library; N is the header's TINYCI_ABI
#   lib/libtinyci.so                 a link to it, for linking
#   lib/libtinyci.a                  the static library, whose only global symbols are tinyci_*
#   lib/pkgconfig/tinyci.pc          pkg-config --cflags --libs [--static] tinyci
#   lib/cmake/tinyci/                find_package(tinyci), targets tinyci::tinyci and tinyci::static
#
# Both libraries hide the symbols of their libgit2, so a program can also link its own. Needs cargo, a C
# compiler and binutils, on a system with ELF.
set -eu

usage() {
    echo 'usage: build-library.sh [--release] [--features LIST] PREFIX' >&2
    echo 'the default LIST is "rhai"; with "" the library has no scripts' >&2
    exit 2
}

profile='' features=rhai prefix=''
while [ $# -gt 0 ]; do
    case $1 in
        --release) profile=--release ;;
        --features) [ $# -gt 1 ] || usage; features=$2; shift ;;
        -*) usage ;;
        *) [ -z "$prefix" ] || usage; prefix=$1 ;;
    esac
    shift
done
[ -n "$prefix" ] || usage
case $(uname -s) in
    Darwin | *_NT*) echo 'this script supports only ELF; use `cargo cinstall` on this system' >&2; exit 2 ;;
esac
mkdir -p "$prefix/include" "$prefix/lib/pkgconfig" "$prefix/lib/cmake/tinyci"
prefix=$(cd "$prefix" && pwd)
cd "$(dirname "$0")/.."

define() { sed -n "s/^#define $1 \"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" include/tinyci.h; }
abi=$(define TINYCI_ABI)
version=$(define TINYCI_VERSION)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cargo rustc --quiet $profile --lib --no-default-features --features "capi,$features" \
    --crate-type cdylib,staticlib --message-format json-render-diagnostics \
    -- -C link-arg="-Wl,-soname,libtinyci.so.$abi" >"$work/messages"
built() { sed -n "s/.*\"\([^\"]*\/libtinyci\.$1\)\".*/\1/p" "$work/messages" | tail -n 1; }

# The archive contains libgit2 and more, whose names could clash with names of a program. So it becomes
# one object that exports only the functions of tinyci.
functions=$(sed -n 's/.*[ *]\(tinyci_[a-z0-9_]*\)(.*/\1/p' bindings/prototypes.h)
# shellcheck disable=SC2046 # one option for each function
ld -r --gc-sections --force-group-allocation $(printf -- '-u %s ' $functions) \
    -o "$work/tinyci.o" "$(built a)"
# Remove the bitcode of Rust's standard library, because an older LLVM plugin of `ar` fails on it.
objcopy --wildcard --keep-global-symbol='tinyci_*' \
    --remove-section=.llvmbc --remove-section=.llvmcmd "$work/tinyci.o"
rm -f "$work/libtinyci.a"
ar rcs "$work/libtinyci.a" "$work/tinyci.o"

# A static program also links the libraries that Rust's standard library and the shared library need.
: >"$work/empty.rs"
native=$(rustc --crate-type staticlib --crate-name empty --print native-static-libs \
    -o "$work/empty.a" "$work/empty.rs" 2>&1 | sed -n 's/^note: native-static-libs: //p')
needed=$(readelf -d "$(built so)" | sed -n 's/.*(NEEDED).*\[lib\(.*\)\.so.*/-l\1/p')
private=$(printf '%s\n' $needed $native | awk '!seen[$0]++' | tr '\n' ' ')

# Rename files into place, so that programs which use the old library are not disturbed.
put() { cp "$1" "$2.new" && mv -f "$2.new" "$2"; }
put include/tinyci.h "$prefix/include/tinyci.h"
put bindings/cpp/tinyci.hpp "$prefix/include/tinyci.hpp"
put "$(built so)" "$prefix/lib/libtinyci.so.$abi"
ln -sf "libtinyci.so.$abi" "$prefix/lib/libtinyci.so"
put "$work/libtinyci.a" "$prefix/lib/libtinyci.a"
put bindings/cmake/tinyciConfig.cmake "$prefix/lib/cmake/tinyci/tinyciConfig.cmake"
put bindings/cmake/tinyciConfigVersion.cmake "$prefix/lib/cmake/tinyci/tinyciConfigVersion.cmake"
cat >"$work/tinyci.pc" <<PC
prefix=$prefix
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: tinyci
Description: An embeddable CI system: no daemon, results stored in the git repository
Version: $version
Libs: -L\${libdir} -ltinyci
Libs.private: $private
Cflags: -I\${includedir}
PC
put "$work/tinyci.pc" "$prefix/lib/pkgconfig/tinyci.pc"
