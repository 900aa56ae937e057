#!/usr/bin/env bash
# Fuzzes every target for a while: bash tests/fuzz/run.sh [seconds-per-target] [target...]
# Installs clang-19 and builds the fuzz preset (ASan, UBSan) in build/fuzz. New inputs stay in build/fuzz/corpus, findings in
# build/fuzz/findings; a finding is replayed with the target's binary of any other preset. Exit 1 on a finding.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deploy/packages.sh
source deploy/packages.sh
install_packages "${build_packages[@]}" "${sanitizer_packages[@]}" libgtest-dev libgmock-dev
seconds=${1:-60}
shift || true
build=build/fuzz
cmake --preset fuzz >/dev/null
if [ $# -eq 0 ]; then
  for source in tests/fuzz/*_fuzz.cpp; do set -- "$@" "$(basename "$source" _fuzz.cpp)"; done
fi
cmake --build "$build" --target "${@/%/_fuzz}"
mkdir -p "$build/findings"
failed=()
for name in "$@"; do
  mkdir -p "$build/corpus/$name"
  echo "== $name, $seconds s"
  if ! "$build/bin/${name}_fuzz" -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$build/findings/$name-" "$build/corpus/$name" "tests/fuzz/corpus/$name" >"$build/$name.log" 2>&1; then
    failed+=("$name")
    tail -40 "$build/$name.log"
  fi
  grep -E "stat::(number_of_executed_units|average_exec_per_sec)|DONE" "$build/$name.log" || true
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "findings in: ${failed[*]}" >&2
  exit 1
fi
echo "no findings"
