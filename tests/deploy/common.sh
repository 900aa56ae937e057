# What the tests of tests/deploy share: counting, a bare Debian to install into, a machine with systemd in namespaces.
# shellcheck shell=bash
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
build=$(cd "${1:-$root/build/release}" && pwd -P) || exit 1
passed=0 failed=0
work=$(mktemp -d)
cleanups=()
at_end() {
  local i
  for ((i = ${#cleanups[@]} - 1; i >= 0; i--)); do eval "${cleanups[i]}"; done
  rm -rf --one-file-system "$work"
}
trap at_end EXIT
trap 'exit 130' INT TERM

pass() { passed=$((passed + 1)); echo "PASS $1"; }
flunk() { failed=$((failed + 1)); printf 'FAIL %s\n%s\n' "$1" "${2:-}"; }
# check NAME COMMAND…: passes when the command does; its output is shown when not.
check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then pass "$name"; else flunk "$name" "exit status $? of: $*
$(tail -n 40 <<<"$output")"; fi
}
# says NAME TEXT COMMAND…: its output contains the text, whatever its exit status.
says() {
  local name=$1 text=$2 output
  shift 2
  output=$("$@" 2>&1)
  if [[ $output == *"$text"* ]]; then pass "$name"; else flunk "$name" "no \"$text\" in the output of: $*
$(tail -n 40 <<<"$output")"; fi
}
# within SECONDS COMMAND…: tries until it succeeds.
within() {
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [[ $SECONDS -lt $until ]] || { "$@"; return 1; }
    sleep 0.2
  done
}
verdict() {
  echo "$passed passed, $failed failed"
  [[ $failed -eq 0 && $passed -gt 0 ]]
}
skip_all() {
  echo "SKIP $1"
  echo "0 passed, 0 failed"
  exit 0
}

# A bare Debian 12 as an archive: made once per build folder. Empty output: it cannot be made here; the reason is in $base_log.
base_log=$work/mmdebstrap.log
base_archive() {
  local archive=$build/bookworm.tar new=$build/bookworm-$$.tar
  if [[ ! -s $archive ]]; then
    command -v mmdebstrap >/dev/null || { echo "no mmdebstrap" >"$base_log"; return 1; }
    mmdebstrap --variant=minbase --include=ca-certificates bookworm "$new" >"$base_log" 2>&1 && mv "$new" "$archive" || { rm -f "$new"; return 1; }
  fi
  echo "$archive"
}
