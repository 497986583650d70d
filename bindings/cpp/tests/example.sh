#!/bin/sh
# Runs examples/cpp/nightly over a repository with a green branch and a red one.
# usage: example.sh PROGRAM
set -eu
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
repo() { git -C "$work/repo" -c user.name=Ada -c user.email=ada@example.org "$@"; }
fail() { echo "example.sh: $1" >&2; cat "$work/out" "$work/err" >&2; exit 1; }
# Ends the test unless the program ends with this code: expect CODE ARGUMENT...
expect() {
    wanted=$1 code=0
    shift
    "$program" "$@" >"$work/out" 2>"$work/err" || code=$?
    [ $code = "$wanted" ] || fail "nightly $* ended with $code, not with $wanted"
}
# Ends the test unless a file holds a line of this form.
holds() { grep -q -- "$2" "$work/$1" || fail "no line $2"; }

git init -q -b main "$work/repo"
printf "build: 'false'\n" >"$work/repo/.tinyci.yml"
repo add .
repo commit -q -m 'first'
repo checkout -q -b broken
touch "$work/repo/broken"
repo add .
repo commit -q -m 'second'
printf 'build: "echo tonight <%%= night %%>; test ! -e broken"\n' >"$work/nightly.yml"

expect 0 "$work/repo" "$work/nightly.yml"
holds err 'tonight 20[0-9][0-9]-[01][0-9]-[0-3][0-9]'
holds out "^$(repo rev-parse main | cut -c 1-8)  main  *success  *[0-9.]* s  \$"
expect 1 "$work/repo" "$work/nightly.yml" main broken
[ "$(wc -l <"$work/out")" = 2 ] || fail 'not two verdicts'
holds out "^$(repo rev-parse broken | cut -c 1-8)  broken  *failure  *[0-9.]* s  build: exit code 1\$"
expect 4 "$work/repo" "$work/nightly.yml" none
holds err '^nightly: .*none'
expect 4 "$work/repo" "$work/none.yml"
holds err 'none.yml: cannot be read'
expect 2 "$work/repo"
