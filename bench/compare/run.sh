#!/bin/bash
# Heliograph beside FRR, BIRD 2 and GoBGP of Debian on this machine: bash bench/compare/run.sh [row...]
# Rows are those of bench/compare/rows.py (S1, S2n/10, ...); without any, all of them. Writes RESULTS.md and pictures/.
#   RUNS=3        runs of each cell, in turn over the routers; the median counts
#   ROUTERS=...   subset of "heliod frr bird gobgp"
#   BUILD=...     folder with bin/heliod and bin/helio-pe (default build/release, built when missing)
set -euo pipefail
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build/release}

need() {  # need FILE PACKAGE: installs the Debian package when the file is missing
  [ -e "$1" ] && return
  echo "installing $2" >&2
  # The daemons are started by this benchmark only.
  printf '#!/bin/sh\nexit 101\n' > /tmp/policy-rc.d.helio && chmod +x /tmp/policy-rc.d.helio
  if [ ! -e /usr/sbin/policy-rc.d ]; then cp /tmp/policy-rc.d.helio /usr/sbin/policy-rc.d; trap 'rm -f /usr/sbin/policy-rc.d' EXIT; fi
  apt-get install -y --no-install-recommends "$2" >&2
}
need /usr/lib/frr/bgpd frr
need /usr/sbin/bird bird2
need /usr/bin/gobgpd gobgpd
need /usr/bin/python3 python3

if [ ! -x "$BUILD/bin/heliod" ] || [ ! -x "$BUILD/bin/helio-pe" ]; then
  cmake --preset release -B "$BUILD"
  ninja -C "$BUILD" heliod helio-pe
fi
ulimit -n "$(ulimit -Hn)"
exec python3 bench/compare/compare.py --build "$BUILD" --runs "${RUNS:-3}" --routers "${ROUTERS:-heliod frr bird gobgp}" "$@"
