#!/usr/bin/env bash
# Heliograph beside FRR, BIRD 2 and GoBGP of Debian on this machine, as root (it installs what is missing and builds):
#
#   bash bench/compare/run.sh               all rows; writes RESULTS.md and pictures/ beside this file
#   bash bench/compare/run.sh S1u S7        these rows only, the others' results stay
#   bash bench/compare/run.sh --quick       everything in tiny, one run, into build/release/compare/quick
#   bash bench/compare/run.sh --list        what the rows are;  --help: runs, routers, output folder
#
# BUILD=folder with bin/heliod and bin/helio-pe, taken as it is (default: build/release, brought up to date)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck source=deploy/packages.sh
source "$root/deploy/packages.sh"
cd "$root"

install_packages python3 frr bird2 gobgpd
if [[ -z ${BUILD:-} ]]; then
  BUILD=build/release
  install_packages "${build_packages[@]}"
  [[ -f $BUILD/CMakeCache.txt ]] || run_logged $BUILD/configure.log "configuring" cmake --preset release -DHELIO_TESTS=OFF -DHELIO_BENCH=OFF
  say "building (log: $BUILD/build.log)"
  run_logged $BUILD/build.log "the build" ninja -C $BUILD -j "$(build_jobs)" heliod helio-pe
fi
[[ -x $BUILD/bin/heliod && -x $BUILD/bin/helio-pe ]] || fail "no heliod and helio-pe in $BUILD/bin"
ulimit -n "$(ulimit -Hn)"
exec python3 bench/compare/compare.py --build "$BUILD" "$@"
