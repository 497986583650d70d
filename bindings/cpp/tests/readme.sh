#!/bin/sh
# Runs the program of the README over a repository. usage: readme.sh PROGRAM
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
git init -q "$work"
printf 'build: echo release <%%= release %%>\n' >"$work/.tinyci.yml"
git -C "$work" add .
git -C "$work" -c user.name=Ada -c user.email=ada@example.org commit -q -m first
printf 'release 42\n%s success\n' "$(git -C "$work" rev-parse HEAD)" >"$work/expected"
"$1" "$work" | diff "$work/expected" -
code=0
"$1" /nonexistent 2>"$work/err" || code=$?
[ $code = 4 ] && grep -q /nonexistent "$work/err"
