#!/bin/sh
# Tests the Go package: test.sh [PREFIX]
#
# PREFIX is where bindings/build-library.sh has put the C library; without it, one is built into
# target/. All that Go makes goes below target/, and nothing is fetched. Exits with 77 where there is
# no Go.
set -eu
command -v go >/dev/null || { echo 'go is not installed: apt-get install golang-go' >&2; exit 77; }
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ $# -gt 0 ]; then
    prefix=$(cd "$1" && pwd)
else
    prefix=$root/target/prefix
    sh "$root/bindings/build-library.sh" "$prefix"
fi
cd "$root"
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig" LD_LIBRARY_PATH="$prefix/lib"
export GOCACHE="$PWD/target/go/cache" GOPATH="$PWD/target/go/path"
export GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local CGO_ENABLED=1
# Go's cache does not look at headers and libraries from elsewhere: this has it see a change.
CGO_CFLAGS="-O2 -g -DTINYCI_LIBRARY=$(cat "$prefix"/include/tinyci.h "$prefix"/lib/libtinyci.* | cksum | cut -d ' ' -f 1)"
export CGO_CFLAGS

unformatted=$(gofmt -l bindings/go examples/go)
[ -z "$unformatted" ] || { echo "not as gofmt writes it: $unformatted" >&2; exit 1; }
(cd examples/go && go vet ./...)
cd bindings/go
go vet ./...
go vet -tags tinyci_static ./...
go test -count=1 -timeout 10m -race ./...
# The collector is kept busy, for what is freed too early.
GOGC=1 go test -count=1 -timeout 10m -run 'Function|Hook|Commands|Options|Record|Tags' ./...
# With the library in the program: it must run where there is no shared one.
LD_LIBRARY_PATH='' go test -count=1 -timeout 10m -tags tinyci_static -run 'ARunTells|Exported|Functions|Leaves' ./...
