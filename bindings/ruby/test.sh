#!/bin/sh
# Runs the tests of the Ruby binding.
#
#   sh bindings/ruby/test.sh [PREFIX]
#
# PREFIX is where bindings/build-library.sh has put the C library; without one it is built below
# target/.
# Exits with 77 where there is no Ruby with Fiddle and minitest (Debian: ruby ruby-minitest).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
if ! ruby -e 'require "fiddle"; require "minitest"' 2>/dev/null; then
    echo 'skipped: no ruby with fiddle and minitest (Debian: apt-get install ruby ruby-minitest)' >&2
    exit 77
fi
prefix=${1:-$root/target/prefix}
[ $# -gt 0 ] || sh "$root/bindings/build-library.sh" "$prefix"
TINYCI_LIBRARY=$(cd "$prefix/lib" && pwd)/$(readlink "$prefix/lib/libtinyci.so")
export TINYCI_LIBRARY
cd "$here"
exec ruby -w -I lib -I test -r ./test/every_function \
    -e 'Dir["test/*_test.rb"].sort.each { |file| require "./#{file}" }'
