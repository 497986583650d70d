#!/bin/sh
# Runs the tests of the Node package: test.sh [PREFIX], the PREFIX of a library that was built with
# bindings/build-library.sh; without it, one is built below target/. What npm installs goes there too.
# Exits with 77 where there is no Node.
set -eu

command -v node >/dev/null && command -v npm >/dev/null || {
    echo 'skipped: node and npm are not installed' >&2
    exit 77
}
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || {
    echo "skipped: node is $(node --version), and the package needs 20" >&2
    exit 77
}
source=$(cd "$(dirname "$0")/../.." && pwd)
prefix=${1:-$source/target/bindings}
[ $# -gt 0 ] || sh "$source/bindings/build-library.sh" "$prefix"
prefix=$(cd "$prefix" && pwd)

# The package, its tests and the examples are copied beside what npm installs: Node looks for
# packages beside the file that asks for them.
work=$source/target/node
mkdir -p "$work"
rm -rf "$work/lib" "$work/test" "$work/examples"
cp -R "$source/bindings/node/." "$work/"
cp -R "$source/examples/node" "$work/examples"
cd "$work"
export npm_config_cache="$source/target/npm" npm_config_update_notifier=false
cmp -s package-lock.json node_modules/.installed-lock || {
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    cp package-lock.json node_modules/.installed-lock
}
node_modules/.bin/tsc -p test

TINYCI_LIBRARY=$prefix/lib/libtinyci.so TINYCI_SOURCE=$source \
    node --test --test-reporter spec test/*.test.js
