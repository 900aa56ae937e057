#!/usr/bin/env bash
# helio-lab's namespaces with real programs: ping between the sites of one customer, none between customers, traceroute
# with labels, TCP streams and iperf3 over the core, all phases, and nothing left behind after SIGINT and after SIGKILL.
#
#   bash tests/lab/namespaces.sh [folder of the binaries]     needs root and /dev/net/tun; the last line is N passed, M failed
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
lab=${1:-$root/build/release/bin}/helio-lab
topologies=$root/configs/lab
passed=0 failed=0
work=$(mktemp -d)
held=

cleanup() {
  [[ -n $held ]] && kill -INT "$held" 2>/dev/null && wait "$held" 2>/dev/null
  rm -rf "$work"
}
trap cleanup EXIT

pass() { passed=$((passed + 1)); echo "PASS $1"; }
miss() { failed=$((failed + 1)); echo "FAIL $1"; shift; printf '%s\n' "$@" | head -n 30; }
expect() { local name=$1; shift; local text; if text=$("$@" 2>&1); then pass "$name"; else miss "$name" "$text"; fi; }
ours() { ls /run/netns 2>/dev/null | grep -c "^helio-$1-"; }

if [[ $(id -u) -ne 0 || ! -c /dev/net/tun ]] || ! ip netns add helio-lab-probe 2>/dev/null; then
  echo "SKIP namespaces: needs root, /dev/net/tun and ip netns"
  echo "0 passed, 0 failed"
  exit 0
fi
ip netns del helio-lab-probe

# Every kind of core and every inter-AS option carries real pings, and only where they are meant to go.
for name in two-customers hub-and-spoke extranet inter-as-a inter-as-b inter-as-c gre-core sr-entropy multihoming-add-path small-mtu; do
  expect "ping $name" timeout 60 "$lab" run "$topologies/$name.toml" --namespaces
done
# A deliberate fault is seen by real pings too.
if text=$(timeout 60 "$lab" run "$topologies/fault-rt-leak.toml" --namespaces 2>&1); then miss "ping fault-rt-leak" "exit status 0" "$text"
elif grep -q "arrived at another customer's site" <<<"$text"; then pass "ping fault-rt-leak"
else miss "ping fault-rt-leak" "$text"; fi

# hold TOPOLOGY: sets $held to the pid once the sites are there. The line of the one before must be gone by then.
hold() {
  : >"$work/hold.log"
  "$lab" run "$topologies/$1.toml" --namespaces --hold >"$work/hold.log" 2>&1 &
  held=$!
  for _ in $(seq 200); do grep -q 'until Ctrl-C' "$work/hold.log" && return 0; sleep 0.1; done
  return 1
}
in_site() { local site=$1; shift; ip netns exec "helio-$held-$site" "$@"; }

if hold two-customers; then
  expect "ping between sites of one customer" in_site acme-chicago ping -c 2 -i 0.2 -W 2 10.0.2.1
  # globex-chicago's 10.0.3.0/24 is in no VRF of acme: the PE says so.
  if text=$(in_site acme-chicago ping -c 2 -i 0.2 -W 1 10.0.3.1 2>&1); then miss "no ping between customers" "$text"; else pass "no ping between customers"; fi
  if command -v traceroute >/dev/null; then
    text=$(in_site acme-chicago traceroute -n -e -q 1 -w 2 10.0.2.1 2>&1)
    if grep -q "MPLS:.*L=16302" <<<"$text" && grep -qE "^ *5 +10.0.2.1" <<<"$text"; then pass "traceroute shows the labels"; else miss "traceroute shows the labels" "$text"; fi
  else
    echo "SKIP traceroute is not installed"
  fi
  # A megabyte by TCP from Chicago to Dallas, compared.
  head -c 1000000 /dev/urandom >"$work/sent"
  in_site acme-dallas python3 -c '
import socket, sys
s = socket.create_server(("10.0.1.1", 5201)); s.settimeout(20)
print("ready", flush=True)
c, _ = s.accept(); c.settimeout(20)
with open(sys.argv[1], "wb") as out:
    while data := c.recv(65536): out.write(data)' "$work/received" >"$work/server.log" 2>&1 &
  server=$!
  for _ in $(seq 50); do grep -q ready "$work/server.log" && break; sleep 0.1; done
  in_site acme-chicago python3 -c '
import socket, sys
with socket.create_connection(("10.0.1.1", 5201), 10) as s: s.sendall(open(sys.argv[1], "rb").read())' "$work/sent"
  wait "$server"
  expect "a TCP stream crosses the core unchanged" cmp "$work/sent" "$work/received"
  kill -INT "$held"
  wait "$held"
  status=$?
  if [[ $status -eq 0 && $(ours "$held") -eq 0 ]]; then pass "SIGINT removes everything"; else miss "SIGINT removes everything" "status $status" "$(ls /run/netns)"; fi
  held=
else
  miss "hold" "$(cat "$work/hold.log")"
fi

# Links of 1500 and 1400 octets with labels on them: fragments come together in the kernel of the other site; with DF and for
# IPv6 the kernel learns what fits, labels taken off (1400 less two labels).
if hold small-mtu; then
  expect "fragments arrive and are put together" in_site acme-chicago ping -M dont -c 2 -i 0.2 -W 2 -s 6000 10.0.2.1
  expect "the other way round too" in_site acme-atlanta ping -M dont -c 2 -i 0.2 -W 2 -s 1472 10.0.0.1
  text=$(in_site acme-chicago ping -M do -c 1 -W 2 -s 1400 10.0.2.1 2>&1)
  if grep -q "mtu = 1392" <<<"$text"; then pass "DF: the sender is told the MTU"; else miss "DF: the sender is told the MTU" "$text"; fi
  text=$(in_site acme-chicago ping -6 -M do -c 1 -W 2 -s 1400 2001:db8:a:2::1 2>&1)
  if grep -qi "packet too big: mtu=1392" <<<"$text"; then pass "IPv6: packet too big"; else miss "IPv6: packet too big" "$text"; fi
  # The first answers are lost while the other site learns the same for its side.
  expect "IPv6 fragments at its source then" in_site acme-chicago ping -6 -c 5 -i 0.2 -W 2 -s 3000 2001:db8:a:2::1
  kill -INT "$held"
  wait "$held"
  held=
else
  miss "hold" "$(cat "$work/hold.log")"
fi

# iperf3 crosses the core between sites of a customer, and does not get to another customer's; phase by phase, with reflectors
# failing, and the reflectors as processes.
streams() {
  python3 - "$1" "$2" "$3" <<'PY'
import json, sys
run = json.load(open(sys.argv[1]))
phases = run["phases"]
assert run["good"] and len(phases) == int(sys.argv[2]), (run["good"], len(phases))
for phase in phases:
    carried = [s for s in phase["streams"] if s["intended"]]
    kept = [s for s in phase["streams"] if not s["intended"]]
    assert len(carried) == int(sys.argv[3]) and all(s["bytes"] > 100000 for s in carried), carried
    assert kept and all(s["bytes"] == 0 and s["error"] for s in kept), kept
PY
}
if command -v iperf3 >/dev/null; then
  timeout 60 "$lab" run "$topologies/two-customers.toml" --namespaces --iperf3 --json >"$work/streams.json" 2>"$work/streams.log"
  expect "iperf3 crosses the core, none between customers" streams "$work/streams.json" 1 2
  timeout 90 "$lab" run "$topologies/rr-pair.toml" --namespaces --iperf3 --json >"$work/streams.json" 2>"$work/streams.log"
  expect "ping and iperf3 in every phase of rr-pair" streams "$work/streams.json" 4 2
else
  echo "SKIP iperf3 is not installed"
fi

# SIGINT in every phase: while it builds, pings, streams, changes and tidies up; namespaces, devices, daemons, programs, files.
left_of() {
  ls /run/netns 2>/dev/null | grep "^helio-$1-"
  ip -o link | grep "hl$(($1 % 100000))x"
  find "$work" -maxdepth 1 -name 'helio-lab-*'
  pgrep -af "helio-$1-|heliod --config $work/"
}
heliod=${lab%/*}/heliod
run_to=("$lab" run "$topologies/rr-pair.toml" --namespaces --heliod "$heliod")
command -v iperf3 >/dev/null && run_to+=(--iperf3)
for after in 0.05 0.3 0.8 1.2 1.6 2.0 2.6 3.5 5 7 9; do
  TMPDIR=$work "${run_to[@]}" >"$work/phases.log" 2>&1 &
  early=$!
  sleep "$after"
  kill -INT "$early" 2>/dev/null
  wait "$early"
  status=$?
  left=$(left_of "$early")
  where=$(grep -c '^==' "$work/phases.log")
  if [[ $status -eq 130 && -z $left ]]; then pass "SIGINT after $after s (phases over: $where) leaves nothing"; else miss "SIGINT after $after s" "exit status $status" "$left" "$(cat "$work/phases.log")"; fi
done

# In the middle of building, too.
"$lab" run "$topologies/two-customers.toml" --namespaces >"$work/early.log" 2>&1 &
early=$!
for _ in $(seq 100); do [[ $(ours "$early") -gt 0 ]] && break; sleep 0.01; done
kill -INT "$early"
wait "$early"
if [[ $(ours "$early") -eq 0 ]]; then pass "SIGINT while building removes everything"; else miss "SIGINT while building removes everything" "$(ls /run/netns)"; fi

# What SIGKILL leaves behind goes at the next start.
if hold hub-and-spoke; then
  killed=$held
  kill -KILL "$held"
  wait "$held" 2>/dev/null
  held=
  before=$(ours "$killed")
  timeout 60 "$lab" run "$topologies/hub-and-spoke.toml" --namespaces >/dev/null 2>&1
  if [[ $before -gt 0 && $(ours "$killed") -eq 0 ]]; then pass "leftovers of a killed run go"; else miss "leftovers of a killed run go" "before $before" "$(ls /run/netns)"; fi
else
  miss "hold" "$(cat "$work/hold.log")"
fi

# Namespaces that bear our names already are another's: those of a live process stay, and so do ours beside them.
"$lab" run "$topologies/two-customers.toml" --namespaces >"$work/first.log" 2>&1 &
first=$!
timeout 60 "$lab" run "$topologies/hub-and-spoke.toml" --namespaces >"$work/second.log" 2>&1
second=$?
wait "$first"
if [[ $? -eq 0 && $second -eq 0 ]]; then pass "two laboratories side by side"; else miss "two laboratories side by side" "$(cat "$work/first.log" "$work/second.log")"; fi
# Without root it says so and makes nothing.
if command -v setpriv >/dev/null; then
  text=$(setpriv --reuid 65534 --clear-groups "$lab" run "$topologies/two-customers.toml" --namespaces 2>&1)
  if [[ $? -eq 2 && $text == *"need root"* ]]; then pass "no root"; else miss "no root" "$text"; fi
fi

echo "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
