#!/bin/sh
# Shows tinyci at work: a bare repository, the git hook, two pushes and two verdicts.
# Everything is in a temporary directory, which is deleted at the end.
#
#   sh examples/first-push.sh

set -eu
cd "$(dirname "$0")/.."
cargo build --quiet --bin tinyci
target=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
PATH=$target/debug:$PATH
export PATH

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.org
export GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.org

echo '== the server: a bare repository with the git hook'
git init --quiet --bare --initial-branch=main "$dir/app.git"
tinyci --dir "$dir/app.git" install

echo '== a developer pushes a commit that passes'
git init --quiet --initial-branch=main "$dir/app"
cd "$dir/app"
git remote add origin "$dir/app.git"
printf 'build: echo compiling <%%= short %%>\ntest: ./test.sh\n' > .tinyci.yml
printf '#!/bin/sh\necho all good\n' > test.sh
chmod +x test.sh
git add .
git commit --quiet --message 'A green commit'
git push --quiet origin main

echo '== the developer pushes a commit whose test fails'
printf '#!/bin/sh\necho one and one is three >&2\nexit 1\n' > test.sh
git commit --quiet --all --message 'A red commit'
git push --quiet origin main

echo '== the verdicts, as tinyci and git show them'
tinyci --dir "$dir/app.git" results
git --git-dir "$dir/app.git" log --notes='tinyci*' --format='%H %N' main | sed '/^$/d'

# Fail unless there is one red and one green commit.
test "$(git --git-dir "$dir/app.git" log --notes='tinyci*' --format='%N' main | sed '/^$/d' | tr '\n' ' ')" = 'failure success '
