#!/usr/bin/env bash
# The image and compose.yaml without a container engine: buildah builds the Dockerfile on a bare Debian in chroot isolation; then the
# pair of compose.yaml runs from that image, each reflector with its synthetic PEs in a network namespace of its own.
#
#   bash tests/deploy/container.sh [build folder]           with the packages of the build folder
#   FULL=1 bash tests/deploy/container.sh [build folder]    with the compiling stages, as `docker build .` does, and the target lab (some minutes)
# shellcheck source=tests/deploy/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
command -v buildah >/dev/null || skip_all "container: no buildah"
[[ $(id -u) -eq 0 ]] || skip_all "container: not root"
[[ $build == "$root/build/release" || ${FULL:-} == 1 ]] || skip_all "container: the packages of build/release are in the image, not those of $build"
archive=$(base_archive) || skip_all "container: no bare Debian to build on: $(tail -n 1 "$base_log")"

image() { buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs "$@"; }
bud() { image bud --isolation chroot --format docker --pull-never "$@"; }
mkdir "$work/base"
ln "$archive" "$work/base/root.tar" 2>/dev/null || cp "$archive" "$work/base/root.tar"
printf 'FROM scratch\nADD root.tar /\n' >"$work/base/Dockerfile"
bud -t bookworm-base "$work/base" >"$work/base.log" 2>&1 || skip_all "container: buildah does not build here: $(tail -n 1 "$work/base.log")"

packages=prebuilt layers=()
if [[ ${FULL:-} == 1 ]]; then packages=build layers=(--layers)   # kept: the second target below begins where the first one does
else
  rm -rf "$build/packages"
  check "cpack" bash -c 'umask 022 && cpack --config "$1/CPackConfig.cmake" -B "$1/packages"' - "$build"
  rm -rf "$build/packages/_CPack_Packages"
fi
arguments=("${layers[@]}" --build-arg BASE=localhost/bookworm-base --build-arg PACKAGES=$packages --build-arg COMMIT=test)
check "the Dockerfile builds" bud "${arguments[@]}" -t heliograph "$root"
if [[ ${FULL:-} == 1 ]]; then
  check "its target lab builds" bud "${arguments[@]}" --target lab -t heliograph:lab "$root"
  if lab=$(image from --pull-never heliograph:lab); then
    says "the image for containerlab has what its topologies call" "heliod 0." \
      image run --isolation chroot "$lab" -- sh -c 'ip -V && ping -V && helioctl --version && helio-pe --version && heliod --version'
    image rm "$lab" >/dev/null
  else flunk "a container from the image for containerlab"; fi
fi
says_of_image() { image inspect --type image --format "$1" heliograph 2>/dev/null; }
is() { check "$1 is $3" test "$(says_of_image "$2")" = "$3"; }
is "user" '{{.Docker.Config.User}}' 10179:10179
is "entry point" '{{.Docker.Config.Entrypoint}}' '[/usr/bin/heliod]'
is "command" '{{.Docker.Config.Cmd}}' '[--config /etc/heliograph/heliograph.toml]'
is "health check" '{{.Docker.Config.Healthcheck.Test}}' '[CMD helioctl health --ready]'
is "stop signal" '{{.Docker.Config.StopSignal}}' SIGTERM
is "revision" '{{index .Docker.Config.Labels "org.opencontainers.image.revision"}}' test
is "title" '{{index .Docker.Config.Labels "org.opencontainers.image.title"}}' heliograph
one=$(image from --pull-never heliograph) && two=$(image from --pull-never heliograph) || { flunk "containers from the image"; verdict; exit; }
bytes() { du -sx --block-size=1M "$(image mount "$1")" | cut -f1; }
bare=$(image from --pull-never localhost/bookworm-base)
more=$(($(bytes "$one") - $(bytes "$bare")))
check "the image is $more MiB more than its base, 40 at most" test $more -le 40

# --- compose.yaml -------------------------------------------------------------------------------------------------------------
if command -v docker-compose >/dev/null; then
  check "compose.yaml is valid" docker-compose -f "$root/compose.yaml" config -q
  sed 's/^services:/services:\n  wrong: {imaje: x}/' "$root/compose.yaml" >"$work/wrong.yaml"
  says "and a wrong key would be found" "imaje" docker-compose -f "$work/wrong.yaml" config -q
else echo "SKIP container: no docker-compose"; fi

# Two networks with a wire between them; docker sets the sysctl that compose.yaml asks for.
spaces=()
for _ in 1 2; do
  unshare --net sleep 600 &
  spaces+=($!)
  cleanups+=("kill $! 2>/dev/null")
done
sleep 0.5
at() { nsenter -t "${spaces[$(($1 - 1))]}" -n -- "${@:2}"; }
if ! at 1 ip link add eth0 type veth peer name eth0 netns "${spaces[1]}" 2>"$work/veth.log"; then
  echo "SKIP container: no network namespaces to run in: $(tail -n 1 "$work/veth.log")"
  verdict
  exit
fi
for i in 1 2; do
  at $i ip address add 172.30.0.1$i/24 dev eth0
  at $i ip link set eth0 up
  at $i ip link set lo up
  # sysctl goes to the /proc of the caller, whose network namespace is the one entered.
  at $i sh -c 'echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start'
done
containers=("$one" "$two")
# within_container I COMMAND…: in container I, as the user of the image.
within_container() {
  local i=$1
  shift
  at "$i" buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs run --isolation chroot --user 10179:10179 \
    --volume "$root/deploy/container/rr$i.toml:/etc/heliograph/heliograph.toml:ro" "${containers[$((i - 1))]}" -- "$@"
}
daemons=()
for i in 1 2; do
  within_container $i /usr/bin/heliod --config /etc/heliograph/heliograph.toml >"$work/rr$i.log" 2>&1 &
  daemons+=($!)
  cleanups+=("kill $! 2>/dev/null")
done
for i in 1 2; do
  check "rr$i starts, as uid 10179, on port 179" within 20 grep -q '"listening.*port=179\|listening.*179' "$work/rr$i.log"
  check "rr$i logs JSON" python3 -c 'import json, sys; [json.loads(line) for line in open(sys.argv[1]) if line.startswith("{")][0]' "$work/rr$i.log"
done
# The PEs of compose.yaml: its own words but for the endless churn.
read -ra pes < <(python3 -c 'import sys, yaml
words = yaml.safe_load(open(sys.argv[1]))["services"]["pes1"]["command"]
print(*words[:words.index("--scenario")])' "$root/compose.yaml")
mesh() { within_container 1 helioctl show peers 2>/dev/null | grep -qE '^172\.30\.0\.12 .*Established'; }
check "the reflectors talk to each other" within 30 mesh
for i in 1 2; do
  within_container $i helio-pe "${pes[@]}" --settle 3 >"$work/pes$i.log" 2>&1 &
  generators[i]=$!
done
for i in 1 2; do
  established() { within_container $1 helioctl show summary -j 2>/dev/null | python3 -c 'import json, sys; sys.exit("\"peers_established\":9" not in sys.stdin.read().replace(" ", ""))'; }
  check "rr$i: eight PEs and the other reflector" within 20 established $i
done
for i in 1 2; do
  check "rr$i is healthy: the image's health check" within 60 within_container $i helioctl health --ready
done
for i in 1 2; do
  if wait "${generators[i]}"; then pass "rr$i: every PE has exactly its routes"; else flunk "rr$i: every PE has exactly its routes" "$(cat "$work/pes$i.log")"; fi
done
for i in 1 2; do
  # The daemon itself, not buildah around it: the process whose root is the container's.
  pid=$(at $i pgrep -f '^/usr/bin/heliod --config /etc/heliograph/heliograph.toml' | while read -r p; do
    [[ $(readlink "/proc/$p/ns/net") == "$(readlink "/proc/${spaces[$((i - 1))]}/ns/net")" ]] && echo "$p"; done | tail -n 1)
  kill -s "$(says_of_image '{{.Docker.Config.StopSignal}}')" "$pid"
  if wait "${daemons[$((i - 1))]}"; then pass "rr$i ends by the stop signal with status 0"; else flunk "rr$i ends by the stop signal" "$(tail -n 5 "$work/rr$i.log")"; fi
done
verdict
