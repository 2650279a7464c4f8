#!/usr/bin/env bash
# Run all tests, two processes at a time: servers start slowly, and most tests wait for them.
#   PYTHON=python3 tests/run_all.sh LOG [pytest arguments]
# What runs in the background writes to LOG, which is shown at the end; the last line of each part says how it ended.
set -euo pipefail
log=$1
shift
python=${PYTHON:-python3}
cd "$(dirname "$0")/.."
apart="tests/persist tests/replication"
mkdir -p "$(dirname "$log")"
"$python" -m pytest "$@" $apart > "$log" 2>&1 &
background=$!
trap 'kill $background 2>/dev/null || true' EXIT
status=0
"$python" -m pytest "$@" tests $(printf -- "--ignore %s " $apart) || status=$?
wait $background || status=$?
cat "$log"
exit $status
