#!/usr/bin/env bash
# Every topology of configs/lab with real heliod processes and sessions over TCP: the verdict must be that of the engine in
# memory, word for word. The sites of one topology as namespaces on top of that.
#
#   bash tests/lab/heliod.sh [folder of the binaries]     the last line is N passed, M failed
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
bin=${1:-$root/build/release/bin}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A loopback of its own for each run, so that they can go side by side.
isolated=()
for prefix in "unshare --net" "unshare --map-root-user --net"; do
  if $prefix true 2>/dev/null; then read -ra isolated <<<"$prefix"; break; fi
done
if [[ ${#isolated[@]} -eq 0 ]]; then
  echo "SKIP heliod: no network namespaces"
  echo "0 passed, 0 failed"
  exit 0
fi

# one NAME: the result goes to $work/NAME.result
one() {
  local name=$1 file=$root/configs/lab/$1.toml
  "$bin/helio-lab" run "$file" --json >"$work/$name.memory" 2>&1
  local memory=$?
  timeout 120 "${isolated[@]}" sh -c 'ip link set lo up && exec "$@"' sh "$bin/helio-lab" run "$file" --json --heliod "$bin/heliod" >"$work/$name.heliod" 2>&1
  local heliod=$?
  if [[ $memory -eq $heliod ]] && python3 - "$work/$name.memory" "$work/$name.heliod" <<'PY'
import json, sys
a, b = (json.load(open(f)) for f in sys.argv[1:])
def essence(run):
    return [[(p["from"], p["to"], p["prefix"], p["arrived"], p["result"]) for p in phase["pairs"]] +
            sorted(c["command"] for c in phase["causes"]) for phase in run["phases"]]
sys.exit(a["good"] != b["good"] or essence(a) != essence(b))
PY
  then echo "PASS $name with heliod"
  else printf 'FAIL %s with heliod: exit status %s, in memory %s\n%s\n' "$name" "$heliod" "$memory" "$(head -c 2000 "$work/$name.heliod")"
  fi >"$work/$name.result"
}

for file in "$root"/configs/lab/*.toml; do
  while [[ $(jobs -rp | wc -l) -ge 4 ]]; do wait -n; done
  one "$(basename "$file" .toml)" &
done
wait
cat "$work"/*.result

if [[ $(id -u) -eq 0 && -c /dev/net/tun ]]; then
  if text=$(timeout 60 "$bin/helio-lab" run "$root/configs/lab/two-customers.toml" --namespaces --heliod "$bin/heliod" 2>&1); then echo "PASS ping with heliod"
  else printf 'FAIL ping with heliod\n%s\n' "$text"; fi | tee "$work/ping.result"
fi
passed=$(cat "$work"/*.result | grep -c ^PASS) failed=$(cat "$work"/*.result | grep -c ^FAIL)
echo "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
