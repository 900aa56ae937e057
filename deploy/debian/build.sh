#!/usr/bin/env bash
# The Debian packages in one command: installs what it needs, builds, packs. They end in build/release/packages.
#
#   bash deploy/debian/build.sh
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck source=deploy/packages.sh
source "$root/deploy/packages.sh"
build=${1:-$root/build/release}
cd "$root"
install_packages "${build_packages[@]}" "${package_packages[@]}"
# Tests and benchmarks stay what they are in a build tree that is there.
run_logged "$build/configure.log" "configuring" cmake --preset release -B "$build" $([[ -f $build/CMakeCache.txt ]] || echo -DHELIO_TESTS=OFF -DHELIO_BENCH=OFF)
run_logged "$build/build.log" "the build" ninja -C "$build" -j "$(build_jobs)" heliod helioctl helio-pe helio-lab man completion
rm -rf "$build/packages"
(umask 022 && run_logged "$build/package.log" "packing" cpack --config "$build/CPackConfig.cmake" -B "$build/packages")
rm -rf "$build/packages/_CPack_Packages"
ls -l "$build"/packages/*.deb
