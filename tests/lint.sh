#!/usr/bin/env bash
# Static analysis of what is ours: cppcheck over everything (some five minutes), clang-tidy over the sources given, or all of them
# (an hour on two cores). Silent and 0 when there is nothing to say.
#
#   bash tests/lint.sh [--no-tidy] [source ...]
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=deploy/packages.sh
source "$root/deploy/packages.sh"
cd "$root" || exit 1
tidy=yes
[[ ${1:-} == --no-tidy ]] && { tidy=no; shift; }
install_packages "${build_packages[@]}" cppcheck clang-tidy-19
status=0
if [[ $# -eq 0 ]]; then
  say "cppcheck"
  cppcheck --enable=warning,performance,portability --std=c++20 --inline-suppr --quiet --error-exitcode=1 -j "$(nproc)" \
    --suppressions-list=tests/cppcheck.suppress -I. -DHELIO_HAVE_JEMALLOC=1 rr rib telemetry bench || status=1
fi
if [[ $tidy == yes ]]; then
  [[ -f build/release/compile_commands.json ]] || run_logged build/release/configure.log "configuring" cmake --preset release
  sources=("$@")
  [[ $# -gt 0 ]] || mapfile -t sources < <(git ls-files 'rr/*.cpp' 'rib/*.cpp' 'telemetry/*.cpp' 'bench/*.cpp')
  say "clang-tidy: ${#sources[@]} sources"
  # libstdc++ 12 hides std::expected from clang; the flags are those of CMakeLists.txt.
  printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy-19 -p build/release --quiet --warnings-as-errors='*' \
    --extra-arg=-D__cpp_concepts=202002L --extra-arg=-Wno-builtin-macro-redefined --extra-arg=-Wno-macro-redefined --extra-arg=-Wno-unknown-warning-option 2>/dev/null || status=1
fi
exit $status
