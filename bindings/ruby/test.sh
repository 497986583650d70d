#!/bin/sh
# Runs the tests of the Ruby binding.
#
#   sh bindings/ruby/test.sh [PREFIX]     PREFIX holds a library that build-library.sh made;
#                                         without one, target/capi-prefix, which is built
#
# Exits with 77 where there is no Ruby with Fiddle and minitest (Debian: ruby ruby-minitest).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
if ! ruby -e 'require "fiddle"; require "minitest"' 2>/dev/null; then
    echo 'skipped: no ruby with fiddle and minitest (Debian: apt-get install ruby ruby-minitest)' >&2
    exit 77
fi
prefix=${1:-$root/target/capi-prefix}
[ -e "$prefix/lib/libtinyci.so" ] || sh "$root/bindings/build-library.sh" "$prefix"
TINYCI_LIBRARY=$(cd "$prefix/lib" && pwd)/$(readlink "$prefix/lib/libtinyci.so")
export TINYCI_LIBRARY
cd "$here"
exec ruby -w -I lib -I test -e 'Dir["test/*_test.rb"].sort.each { |file| require "./#{file}" }'
