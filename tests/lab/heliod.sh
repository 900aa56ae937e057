#!/usr/bin/env bash
# Every topology of configs/lab with real heliod processes and sessions over TCP: the verdict must be that of the engine in
# memory, word for word, and for each fault the helioctl command of the verdict shows the cause. The sites of one topology as
# namespaces on top of that; and nothing is left after a signal.
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

# explained NAME ANSWER…: the command that the verdict names, run against the real heliod, says each of these in so many words.
explained() {
  local name=$1 said=yes answer
  shift
  for answer in "$@"; do
    python3 - "$work/$name.heliod" "$answer" <<'PY' || said=no
import json, sys
run = json.load(open(sys.argv[1]))
sys.exit(not any(sys.argv[2] in text for phase in run["phases"] for cause in phase["causes"] for text in cause["answers"].values()))
PY
  done
  if [[ $said == yes ]]; then echo "PASS $name: helioctl shows the cause"
  else printf 'FAIL %s: helioctl does not say: %s\n%s\n' "$name" "$*" "$(python3 -c 'import json, sys
for phase in json.load(open(sys.argv[1]))["phases"]:
    for cause in phase["causes"]: print(cause["command"], *cause["answers"].values(), sep="\n")' "$work/$name.heliod" 2>&1 | head -n 40)"
  fi >"$work/$name.explained.result"
}

for file in "$root"/configs/lab/*.toml; do
  while [[ $(jobs -rp | wc -l) -ge 4 ]]; do wait -n; done
  one "$(basename "$file" .toml)" &
done
wait
explained fault-rt-mismatch "somebody imports 65000:1, which is not 65000:11: one character off"
explained fault-no-export "no vpnv4 route has RD 65000:102: is the VRF exported?" "NOT SENT - there is no such route: nobody announces it"
explained fault-family "NO   vpnv6 is configured here, but the peer did not offer it in its OPEN"
# A reflector knows PEs, not VRFs: Dallas exports a prefix too many (globex's) with acme's route target.
explained fault-rt-leak "RT 65000:1   6 prefixes" "exported by 127.255.0.3  3 prefixes" "imported by 127.255.0.3  membership 65000:65000:1"
explained fault-policy "NOT SENT - the import policy for 127.255.0.3 rejects it (statement drop-old)"
explained fault-wrong-as "NO   last NOTIFICATION sent: OPEN Message Error/Bad Peer AS" "the peer's AS is not 65000"
cat "$work"/*.result

if [[ $(id -u) -eq 0 && -c /dev/net/tun ]]; then
  if text=$(timeout 60 "$bin/helio-lab" run "$root/configs/lab/two-customers.toml" --namespaces --heliod "$bin/heliod" 2>&1); then echo "PASS ping with heliod"
  else printf 'FAIL ping with heliod\n%s\n' "$text"; fi | tee "$work/ping.result"
fi
# SIGINT and SIGTERM at any moment: no heliod and no folder stay behind.
for after in 0.02 0.1 0.3 0.6 1.0; do
  "${isolated[@]}" sh -c 'ip link set lo up && exec "$@"' sh env TMPDIR="$work" "$bin/helio-lab" run "$root/configs/lab/rr-pair.toml" --heliod "$bin/heliod" >/dev/null 2>&1 &
  lab=$!
  sleep "$after"
  kill -s "$([[ $after == 0.3 ]] && echo TERM || echo INT)" "$lab" 2>/dev/null
  wait "$lab"
  status=$?
  if [[ $status -eq 130 && -z $(find "$work" -maxdepth 1 -name 'helio-lab-*') && -z $(pgrep -f "heliod --config $work/helio-lab-") ]]; then echo "PASS a signal after $after s leaves nothing"
  else printf 'FAIL a signal after %s s: exit status %s\n%s\n' "$after" "$status" "$(find "$work" -name 'helio-lab-*'; pgrep -af "heliod --config $work")"; fi | tee "$work/signal-$after.result"
done
# And SIGKILL: the daemons die with the laboratory, the folder goes at the next start.
"${isolated[@]}" sh -c 'ip link set lo up && exec "$@"' sh env TMPDIR="$work" "$bin/helio-lab" run "$root/configs/lab/rr-pair.toml" --heliod "$bin/heliod" >/dev/null 2>&1 &
lab=$!
for _ in $(seq 100); do [[ -n $(pgrep -f "heliod --config $work/helio-lab-") ]] && break; sleep 0.02; done
kill -KILL "$lab"
wait "$lab" 2>/dev/null
sleep 0.3
orphans=$(pgrep -f "heliod --config $work/helio-lab-")
"${isolated[@]}" sh -c 'ip link set lo up && exec "$@"' sh env TMPDIR="$work" "$bin/helio-lab" run "$root/configs/lab/two-customers.toml" --heliod "$bin/heliod" >/dev/null 2>&1
if [[ -z $orphans && -z $(find "$work" -maxdepth 1 -name 'helio-lab-*') ]]; then echo "PASS nothing outlives a killed run"
else printf 'FAIL after SIGKILL: %s\n%s\n' "$orphans" "$(find "$work" -maxdepth 1 -name 'helio-lab-*')"; fi | tee "$work/killed.result"
# What is not there is said.
for words in "config $root/configs/lab/two-customers.toml nobody|there is no reflector \"nobody\"" "trace $root/configs/lab/two-customers.toml acme-chicago nobody|there is no CE \"nobody\"" "run $root/nowhere.toml|cannot be read" "run $root/configs/lab/two-customers.toml --heliod /nonexistent|cannot be run"; do
  read -ra arguments <<<"${words%|*}"
  text=$("$bin/helio-lab" "${arguments[@]}" 2>&1)
  status=$?
  if [[ $status -eq 2 && $text == *"${words#*|}"* ]]; then echo "PASS says: ${words#*|}"; else printf 'FAIL %s: exit status %s\n%s\n' "$words" "$status" "$text"; fi
done | tee "$work/words.result"
# Two at once in the same place: the second says why it cannot.
text=$("${isolated[@]}" sh -c 'ip link set lo up; "$@" >/dev/null 2>&1 & sleep 0.4; "$@"' sh env TMPDIR="$work" "$bin/helio-lab" run "$root/configs/lab/rr-pair.toml" --heliod "$bin/heliod" 2>&1)
status=$?
if [[ $status -eq 2 ]] && grep -q "another helio-lab with --heliod uses this loopback" <<<"$text"; then echo "PASS two at once"
else printf 'FAIL two at once: exit status %s\n%s\n' "$status" "$text"; fi | tee "$work/two.result"
passed=$(cat "$work"/*.result | grep -c ^PASS) failed=$(cat "$work"/*.result | grep -c ^FAIL)
echo "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
