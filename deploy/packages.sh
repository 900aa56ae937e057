# What Heliograph needs on a bare Debian 12, and how it is installed and built. Sourced by deploy/run.sh and tests/run.sh.
# shellcheck shell=bash disable=SC2034

# To build heliod, helioctl, helio-pe and helio-lab.
build_packages=(
  g++ cmake ninja-build pkg-config ccache mold
  libboost1.81-dev libboost-json1.81-dev libjemalloc-dev prometheus-cpp-dev libtomlplusplus-dev libfmt-dev
  libspdlog-dev libcli11-dev libxxhash-dev libsystemd-dev libseccomp-dev
)
# To make Debian packages (deploy/debian).
package_packages=(dpkg-dev fakeroot file gzip scdoc)
# To try packages and image (tests/deploy).
deploy_packages=(lintian devscripts mmdebstrap systemd buildah docker-compose python3-yaml)
# To run the tests under sanitizers as well, and to fuzz.
sanitizer_packages=(clang-19 libclang-rt-19-dev llvm-19)
# To build and run the tests as well: the daemons are the real PEs of tests/interop.
test_packages=(
  libgtest-dev libgmock-dev libbenchmark-dev
  python3 python3-jsonschema zsh fish iproute2 util-linux tcpdump tshark iputils-ping traceroute iperf3 procps gobgpd frr bird2 openbgpd exabgp prometheus bgpdump pmacct
)

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$1" >&2; shift; for hint in "$@"; do printf '  %s\n' "$hint" >&2; done; exit 1; }

missing_packages() {
  local package
  for package in "$@"; do
    [[ "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" == "install ok installed" ]] || echo "$package"
  done
}

# Installs what is not there yet; silent and quick when nothing is missing. Daemons that come with a package are not started.
install_packages() {
  command -v dpkg-query >/dev/null || fail "this is not Debian: no dpkg" "build by hand: cmake --preset release && cmake --build --preset release"
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [[ ${#missing[@]} -eq 0 ]] && return
  local as_root=()
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || fail "packages are missing and neither root nor sudo is here" "as root: apt-get install --no-install-recommends ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${#missing[@]} packages: ${missing[*]}"
  local policy=/usr/sbin/policy-rc.d log
  log=$(mktemp)
  # Exit status 101 tells the packages' scripts not to start their services; a policy that is there already stays.
  local own_policy=no
  if [[ ! -e $policy ]]; then
    own_policy=yes
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
    "${as_root[@]}" chmod 755 $policy
  fi
  local status=0
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive sh -c \
    'apt-get update -q && apt-get install -qy --no-install-recommends -o Dpkg::Use-Pty=0 "$@"' sh "${missing[@]}" >"$log" 2>&1 || status=$?
  [[ $own_policy == yes ]] && "${as_root[@]}" rm -f $policy
  if [[ $status -ne 0 ]]; then
    tail -n 25 "$log" >&2
    fail "apt-get could not install the packages (whole output: $log)" "Debian 12 (bookworm) main has them all; is the network there, are the sources right?"
  fi
  rm -f "$log"
}

# Compilations at a time: one per core, and 1.5 GB of memory for each.
build_jobs() {
  local by_memory
  by_memory=$(awk '/^MemAvailable:/ {print int($2 / 1500000)}' /proc/meminfo)
  local cores
  cores=$(nproc)
  [[ ${by_memory:-1} -lt 1 ]] && by_memory=1
  echo $((by_memory < cores ? by_memory : cores))
}

# run_logged LOG TEXT COMMAND…: quiet unless it fails.
run_logged() {
  local log=$1 text=$2
  shift 2
  mkdir -p "$(dirname "$log")"
  if ! "$@" >"$log" 2>&1; then
    grep -nE 'error|Error|FAILED|warning:' "$log" | head -n 30 >&2
    printf '… the last lines of %s:\n' "$log" >&2
    tail -n 30 "$log" >&2
    fail "$text failed" "whole output: $log"
  fi
}
