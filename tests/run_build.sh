#!/usr/bin/env bash
# Build another variant (debug, asan, refnanny) in a copy of the tree and run the tests on it.
#   tests/run_build.sh asan [pytest arguments]
set -euo pipefail
variant=$1
shift
python=${PYTHON:-python3}
top=$(cd "$(dirname "$0")/.." && pwd)
copy=$top/build/tree-$variant
mkdir -p "$copy"
tar -C "$top" --exclude=./build --exclude=./.git --exclude=./dist --exclude='*.so' --exclude='./.venv*' \
    --exclude=__pycache__ -cf - . | tar -C "$copy" -xf -
cd "$copy"
export FASTREDIS_BUILD=$variant FASTREDIS_PROBES=1
"$python" setup.py -q build_ext --inplace -j "${JOBS:-2}"
if [ "$variant" = asan ]; then
    # CPython's own allocator would hide overruns between blocks of one pool.
    export LD_PRELOAD=$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so)
    export PYTHONMALLOC=malloc
    export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:handle_abort=1
    export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
fi
if [ $# -gt 0 ]; then
    exec "$python" -m pytest -p no:cacheprovider "$@"
fi
PYTHON=$python exec tests/run_all.sh "$copy/apart.log" -p no:cacheprovider
