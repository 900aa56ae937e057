#!/usr/bin/env bash
# Static analysis of what is ours: cppcheck over everything (some five minutes), clang-tidy over the sources given, or all of them
# (several as one, as sanitizer builds have them: a quarter of an hour on two cores). Silent and 0 when there is nothing to say.
#
#   bash tests/lint.sh [--no-tidy] [source ...]
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=deploy/packages.sh
source "$root/deploy/packages.sh"
cd "$root" || exit 1
tidy=yes
[[ ${1:-} == --no-tidy ]] && { tidy=no; shift; }
install_packages "${build_packages[@]}" "${sanitizer_packages[@]}" libbenchmark-dev cppcheck clang-tidy-19 python3
status=0
if [[ $# -eq 0 ]]; then
  say "cppcheck"
  cppcheck --enable=warning,performance,portability --std=c++20 --inline-suppr --quiet --error-exitcode=1 -j "$(nproc)" \
    --suppressions-list=tests/cppcheck.suppress -I. -DHELIO_HAVE_JEMALLOC=1 rr rib telemetry bench || status=1
fi
if [[ $tidy == yes ]]; then
  # With clang's own flags. Sources by themselves are not found in a build that compiles several as one.
  sources=("$@")
  unity=OFF
  [[ $# -eq 0 ]] && unity=ON
  run_logged build/tidy.log "configuring" cmake --preset tsan -B build/tidy -DHELIO_TESTS=OFF -DHELIO_BENCH=ON -DCMAKE_UNITY_BUILD=$unity
  [[ $# -gt 0 ]] || mapfile -t sources < <(python3 -c 'import json; print(*[entry["file"] for entry in json.load(open("build/tidy/compile_commands.json"))], sep="\n")')
  say "clang-tidy: ${#sources[@]} sources"
  printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy-19 --config-file=.clang-tidy -p build/tidy --quiet --warnings-as-errors='*' \
    --checks=-bugprone-suspicious-include 2>/dev/null || status=1
fi
exit $status
