#!/bin/sh
# The suite of the Python binding.
#
#   sh bindings/python/test.sh [PREFIX] [-- arguments of pytest]
#
# PREFIX is where bindings/build-library.sh has put the C library; without one it is built below
# target/. What the tests need is installed into a virtual environment there too. Ends with 77
# where there is no Python 3.10 or newer with its `venv`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

prefix=$root/target/prefix
if [ $# -gt 0 ] && [ "$1" != -- ]; then
    prefix=$(cd "$1" && pwd)
    shift
else
    sh "$root/bindings/build-library.sh" "$prefix"
fi
[ "${1-}" != -- ] || shift

python=${PYTHON:-python3}
if ! "$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    echo "the Python binding is not tested: $python is not Python 3.10 or newer with venv" >&2
    exit 77
fi

venv=$root/target/python
[ -x "$venv/bin/pip" ] || "$python" -m venv --clear "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check \
    'cffi>=1.15' 'hatchling>=1.26' 'pytest>=7' build mypy types-cffi

abi=$(sed -n 's/^ABI = //p' "$here/src/tinyci/_constants.py")
cd "$here"
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here/src TINYCI_LIBRARY=$prefix/lib/libtinyci.so.$abi \
    exec "$venv/bin/python" -m pytest -p no:cacheprovider "$@"
