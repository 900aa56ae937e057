#!/usr/bin/env bash
# All tests in one command: installs what they need, builds, runs unit, property and fuzz corpus tests, the interop tests
# with real daemons, abuse, laboratory and deployment; then unit, property, corpus and interop tests again under ASan with
# UBSan and under TSan. Closes with one line `N passed, M failed`.
#
#   bash tests/run.sh                        all that CI runs: 40 minutes on two cores the first time
#   HELIO_SANITIZERS=0 bash tests/run.sh     without sanitizers: 18 minutes
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=deploy/packages.sh
source "$root/deploy/packages.sh"
cd "$root" || exit 1

sanitizers=${HELIO_SANITIZERS:-1}
minutes=${HELIO_MINUTES:-43}   # after so many nothing begins any more that takes long: CI has 45
preset=release
[[ ${HELIO_CI_WERROR:-} == 1 ]] && preset=ci   # the same, and warnings are errors
passed=0 failed=0
started=$SECONDS

add() { passed=$((passed + $1)) failed=$((failed + $2)); }

# build PRESET FOLDER [cmake arguments]
build() {
  local folder=$2
  say "building $1 (log: $folder/build.log)"
  run_logged "$folder/configure.log" "configuring $1" cmake --preset "$1" -DHELIO_TESTS=ON "${@:3}"
  run_logged "$folder/build.log" "the build of $1" ninja -C "$folder" -j "$(build_jobs)"
}

# run_ctest FOLDER [ctest arguments]: adds to the counts, shows only what failed.
run_ctest() {
  local folder=$1 log="$1/ctest.log" total bad
  shift
  ctest --test-dir "$folder" -j "$(nproc)" --output-on-failure --no-tests=error "$@" >"$log" 2>&1
  local status=$?
  if [[ $(grep -E "tests failed out of" "$log") =~ ([0-9]+)\ tests\ failed\ out\ of\ ([0-9]+) ]]; then
    bad=${BASH_REMATCH[1]} total=${BASH_REMATCH[2]}
  else
    bad=1 total=1
  fi
  if [[ $status -ne 0 ]]; then
    [[ $bad -eq 0 ]] && bad=1
    sed -n '/The following tests FAILED/,$p' "$log"
    grep -B 2 -A 25 -E 'Failure$|ERROR: |runtime error|Subprocess aborted|\*\*\*' "$log" | head -n 150
    echo "whole output: $log"
  fi
  add $((total - bad)) "$bad"
  say "ctest: $((total - bad)) passed, $bad failed ($((SECONDS - started)) s so far)"
}

# The builds with sanitizers, a job at a time: what runs meanwhile mostly waits for the timers of daemons. What they have not
# built when they are told to end is built afterwards, and only then is a failure told of.
build_ahead() {
  local child=
  trap '[[ -n $child ]] && kill "$child" 2>/dev/null; wait; exit 0' TERM
  for one in asan tsan; do
    cmake --preset $one -DHELIO_TESTS=ON >/dev/null 2>&1 || return
    nice -n 19 ninja -C "$root/build/$one" -j 1 >/dev/null 2>&1 &
    child=$!
    wait "$child" || return
  done
}

install_packages "${build_packages[@]}" "${test_packages[@]}" "${package_packages[@]}" "${deploy_packages[@]}"
[[ $sanitizers == 1 ]] && install_packages "${sanitizer_packages[@]}"
build $preset "$root/build/release"
run_ctest "$root/build/release"
ahead=
if [[ $sanitizers == 1 && $(nproc) -gt 1 ]]; then
  build_ahead &
  ahead=$!
fi

# run_interop FOLDER [arguments of run.py]: adds to the counts, shows only what failed or was skipped.
run_interop() {
  local folder=$1 log="$1/interop.log" status
  shift
  python3 "$root/tests/interop/run.py" --bin "$folder/bin" "$@" >"$log" 2>&1
  status=$?
  if [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
    add "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
  else
    add 0 1
    status=1
  fi
  grep -E '^SKIP' "$log"
  if [[ $status -ne 0 ]]; then
    grep -vE '^(PASS|SKIP)' "$log" | head -n 200
    echo "whole output: $log"
  fi
  say "interop: $(tail -n 1 "$log") ($((SECONDS - started)) s so far)"
}

say "interop: real daemons and scripted peers"
run_interop "$root/build/release"
say "abuse, in short form: a pair of PEs must not notice"
abuse_log=$root/build/release/abuse.log
python3 "$root/tests/abuse/run.py" --bin "$root/build/release/bin" >"$abuse_log" 2>&1
abuse_status=$?
grep -E '^SKIP' "$abuse_log"
if [[ $(tail -n 1 "$abuse_log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
  add "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
else
  add 0 1
fi
[[ $abuse_status -eq 0 ]] || grep -vE '^(PASS|SKIP)' "$abuse_log" | head -n 200
say "abuse: $(tail -n 1 "$abuse_log") ($((SECONDS - started)) s so far)"
# helio-lab: its topologies with real heliod processes; sites as namespaces with real ping, traceroute and TCP.
# script LABEL FILE [arguments]: a script that ends with N passed, M failed; its log shows only what failed or was skipped.
script() {
  local label=$1 log="$root/build/release/${1// /-}.log"
  shift
  say "$label"
  bash "$@" >"$log" 2>&1
  grep -E '^SKIP' "$log"
  if [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
    add "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
    [[ ${BASH_REMATCH[2]} -eq 0 ]] || grep -vE '^(PASS|SKIP)' "$log" | head -n 100
  else
    add 0 1
    cat "$log"
  fi
  say "$label: $(tail -n 1 "$log") ($((SECONDS - started)) s so far)"
}
for part in heliod namespaces; do script "laboratory $part" "$root/tests/lab/$part.sh" "$root/build/release/bin"; done
for part in files package container; do script "deploy $part" "$root/tests/deploy/$part.sh" "$root/build/release"; done

if [[ $sanitizers == 1 ]]; then
  [[ -n $ahead ]] && kill "$ahead" 2>/dev/null && wait "$ahead"
  export ASAN_SYMBOLIZER_PATH=/usr/lib/llvm-19/bin/llvm-symbolizer
  export TSAN_OPTIONS="suppressions=$root/tests/tsan.suppress external_symbolizer_path=$ASAN_SYMBOLIZER_PATH"
  # left: seconds until the last moment at which a test may begin that takes as long as any.
  left() { echo $((minutes * 60 - 60 - (SECONDS - started))); }
  built=() took=0
  for one in asan tsan; do
    if [[ $(left) -lt $took ]]; then
      echo "SKIP $one: $(((SECONDS - started) / 60)) minutes have passed already; HELIO_MINUTES=120 bash tests/run.sh runs all on slow machines too"
      continue
    fi
    began=$SECONDS
    build $one "$root/build/$one"
    say "unit, property and corpus tests: $one"
    # One seed of each kind: the many were run above, and another is in every corpus. The naive engine is the tests' own.
    HELIO_SEEDS=1 run_ctest "$root/build/$one" -E naive
    built+=("$one") took=$((SECONDS - began))
  done
  # Interop again with each. What there is no time for is another part every day.
  for one in "${built[@]}"; do
    say "interop: $one"
    share=$(($(left) / ${#built[@]}))
    [[ $one == "${built[-1]}" ]] && share=$(left)
    if [[ $share -lt 30 ]]; then
      echo "SKIP interop under $one: $(((SECONDS - started) / 60)) minutes have passed already; HELIO_MINUTES=120 bash tests/run.sh runs it on slow machines too"
      continue
    fi
    run_interop "$root/build/$one" --jobs 4 --seconds "$share"
  done
fi

echo "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
