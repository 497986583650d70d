#!/bin/sh
# Builds the gem for this platform, with the shared library in it.
#
#   sh bindings/ruby/package.sh PREFIX DIRECTORY
#
# PREFIX is where bindings/build-library.sh has installed the library (for users: with --release). The gem
# is written to DIRECTORY.
set -eu

[ $# -eq 2 ] || { echo 'usage: package.sh PREFIX DIRECTORY' >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
library=$1/lib/$(readlink "$1/lib/libtinyci.so")
mkdir -p "$2"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp -R "$here/lib" "$here/README.md" "$here/tinyci.gemspec" "$here/../../LICENSE" "$work"
cp "$library" "$work/lib/tinyci/"
strip --strip-debug "$work/lib/tinyci/$(basename "$library")"
(cd "$work" && gem build --silent tinyci.gemspec)
mv "$work"/tinyci-*.gem "$2"
