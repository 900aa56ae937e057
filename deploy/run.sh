#!/usr/bin/env bash
# Heliograph in one command: installs what it needs, builds it, starts the reflector on the loopback with
# configs/quickstart.toml, lets eight synthetic PEs of two customers with the same prefixes talk through it, and shows
# what happens until Ctrl-C. The second time it takes seconds.
#
#   bash deploy/run.sh               live, until Ctrl-C
#   bash deploy/run.sh --once        show the converged state, check it, exit 0
#   bash deploy/run.sh --build-only  only install and build
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=deploy/packages.sh
source "$root/deploy/packages.sh"

mode=live
case "${1:-}" in
  "") ;;
  --once) mode=once ;;
  --build-only) mode="build-only" ;;
  -h | --help) sed -n '2,8p' "${BASH_SOURCE[0]}" | cut -c3-; exit 0 ;;
  *) fail "unknown option $1" "usage: bash deploy/run.sh [--once | --build-only]" ;;
esac

pes=8
build="$root/build/release"
bin="$build/bin"

build_heliograph() {
  install_packages "${build_packages[@]}"
  if [[ ! -f $build/CMakeCache.txt ]]; then
    say "configuring"
    run_logged "$build/configure.log" "configuring" cmake -S "$root" --preset release -DHELIO_TESTS=OFF -DHELIO_BENCH=OFF
  fi
  [[ -x $bin/heliod && -x $bin/helioctl && -x $bin/helio-pe ]] || say "building (some minutes the first time; log: $build/build.log)"
  run_logged "$build/build.log" "the build" ninja -C "$build" -j "$(build_jobs)" heliod helioctl helio-pe
}

cd "$root"
build_heliograph
if [[ $mode == build-only ]]; then
  say "built: $bin/heliod $bin/helioctl $bin/helio-pe"
  exit 0
fi

port=1790
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
if listening $port; then
  fail "port $port of 127.0.0.1 is in use" "another heliod, or another run of this script? See: ss -ltnp 'sport = :$port'" "stop it, or change listen in configs/quickstart.toml"
fi

# A folder of its own for socket and logs; the configuration is copied because the socket lies beside it.
run=$(mktemp -d "${TMPDIR:-/tmp}/heliograph.XXXXXX")
cp "$root/configs/quickstart.toml" "$run/heliograph.toml"
socket="$run/heliograph.sock"
heliod_pid="" pe_pid=""
finish() {
  local status=$?
  trap - EXIT INT TERM
  set +e  # what is gone already is no error here
  [[ -n $pe_pid ]] && kill "$pe_pid" 2>/dev/null && wait "$pe_pid" 2>/dev/null
  [[ -n $heliod_pid ]] && kill "$heliod_pid" 2>/dev/null && wait "$heliod_pid" 2>/dev/null
  if [[ $status -eq 0 ]]; then rm -rf "$run"; else printf 'logs: %s\n' "$run" >&2; fi
  exit "$status"
}
trap finish EXIT
trap 'echo; say "stopping"; exit 0' INT TERM

died() {
  tail -n 15 "$1" >&2
  fail "$2" "${@:3}"
}

: >"$run/heliod.log"
"$bin/heliod" --config "$run/heliograph.toml" 2>"$run/heliod.log" &
heliod_pid=$!
for _ in {1..100}; do
  grep -q ready "$run/heliod.log" && break
  kill -0 $heliod_pid 2>/dev/null || died "$run/heliod.log" "heliod did not start" "are port $port and the exporter's port 9179 free? See: ss -ltnp"
  sleep 0.1
done
grep -q ready "$run/heliod.log" || died "$run/heliod.log" "heliod is not ready after 10 s"

ctl() { "$bin/helioctl" --socket "$socket" "$@"; }
shape=(--target "127.0.0.1:$port" --pes "$pes" --vrfs 2 --vrfs-per-pe 1 --routes-per-vrf 4 --rtc on)

# Established sessions and the word of the reflector that all of them are in sync.
converged() {
  local answer
  answer=$(ctl show summary -j 2>/dev/null) || return 1
  [[ $answer =~ \"peers_established\":[[:space:]]*${pes}[^0-9] && $answer =~ \"converged\":[[:space:]]*true ]]
}
await_convergence() {
  for _ in {1..300}; do
    converged && return
    kill -0 $heliod_pid 2>/dev/null || died "$run/heliod.log" "heliod ended"
    kill -0 "$pe_pid" 2>/dev/null || died "$run/helio-pe.log" "helio-pe ended"
    sleep 0.1
  done
  ctl show peers >&2 || true
  died "$run/heliod.log" "no convergence within 30 s"
}

if [[ $mode == once ]]; then
  "$bin/helio-pe" "${shape[@]}" --settle 3 >"$run/helio-pe.log" 2>&1 &
  pe_pid=$!
  await_convergence
  for view in summary peers rt; do
    ctl show $view
    echo
  done
  echo "10.0.0.0/24, which both customers use:"
  ctl show routes --prefix 10.0.0.0/24
  echo
  if ! wait $pe_pid; then
    pe_pid=""
    died "$run/helio-pe.log" "helio-pe found wrong routes"
  fi
  pe_pid=""
  echo "verdict: converged; $pes PEs established, every one has exactly the routes of its own customer"
  exit 0
fi

"$bin/helio-pe" "${shape[@]}" --scenario churn --duration 100000000 --churn-rate 10 --churn-pack 1 >"$run/helio-pe.log" 2>&1 &
pe_pid=$!
await_convergence
while true; do
  [[ -t 1 ]] && printf '\033[H\033[2J'
  echo "Two customers, the same prefixes, $pes PEs; ten changes a second. Try, from another terminal:"
  echo "  $bin/helioctl --socket $socket show routes"
  echo
  ctl show summary || died "$run/heliod.log" "heliod does not answer"
  echo
  ctl show peers
  echo
  echo "Ctrl-C ends it."
  kill -0 $heliod_pid 2>/dev/null || died "$run/heliod.log" "heliod ended"
  kill -0 $pe_pid 2>/dev/null || died "$run/helio-pe.log" "helio-pe ended"
  sleep 2 &
  wait $! || true
done
