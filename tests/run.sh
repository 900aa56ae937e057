#!/usr/bin/env bash
# All tests in one command: installs what they need, builds, runs unit, property and fuzz corpus tests, then the
# interop tests with real daemons, and closes with one line `N passed, M failed`.
#
#   bash tests/run.sh                        about ten minutes the first time
#   HELIO_CI_SANITIZERS=1 bash tests/run.sh  also unit, property and corpus tests under ASan and UBSan, and under TSan, and
#                                            interop tests under ASan (an hour more on two cores)
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=deploy/packages.sh
source "$root/deploy/packages.sh"
cd "$root" || exit 1

sanitizers=${HELIO_CI_SANITIZERS:-0}
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

install_packages "${build_packages[@]}" "${test_packages[@]}" "${package_packages[@]}" "${deploy_packages[@]}"
build $preset "$root/build/release"
run_ctest "$root/build/release"

if [[ $sanitizers == 1 ]]; then
  build asan "$root/build/asan"
  run_ctest "$root/build/asan"
  # Shards are threads of their own in few of the property tests: some seeds are enough for races.
  install_packages clang-19
  build tsan "$root/build/tsan"
  HELIO_SEEDS=${HELIO_SEEDS:-4} run_ctest "$root/build/tsan"
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
  say "interop with sanitizers: scripted peers"
  run_interop "$root/build/asan" session reflection decision rtc wire hostile
fi

echo "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
