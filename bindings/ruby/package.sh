#!/bin/sh
# Builds the gem for this platform, with the shared library in it.
#
#   sh bindings/ruby/package.sh PREFIX FOLDER     PREFIX holds a library that build-library.sh made
#                                                 (for users: with --release); the gem comes to FOLDER
set -eu

[ $# -eq 2 ] || { echo 'usage: package.sh PREFIX FOLDER' >&2; exit 2; }
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
