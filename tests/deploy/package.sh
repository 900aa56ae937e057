#!/usr/bin/env bash
# The Debian packages of a build folder: lintian, hardening of the binaries, the unit's exposure; then installed into a bare
# Debian, where the service runs under a real systemd of its own: reload, keys, MRT, watchdog, routes on port 179, upgrade,
# removal, purge.
#
#   bash tests/deploy/package.sh [build folder]     the last line is N passed, M failed
# shellcheck source=tests/deploy/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
command -v lintian >/dev/null || skip_all "package: no lintian"

# --- the packages as files -----------------------------------------------------------------------------------------------------
packages=$work/packages
# An archive's modes are those of the installed files, not of this shell.
check "cpack" bash -c 'umask 022 && cpack --config "$1/CPackConfig.cmake" -B "$2"' - "$build" "$packages"
rm -rf "$packages/_CPack_Packages"
version=$(sed -n 's/^set(CPACK_PACKAGE_VERSION "\(.*\)")/\1/p' "$build/CPackConfig.cmake")
deb=$packages/heliograph_${version}_amd64.deb
lab_deb=$packages/heliograph-lab_${version}_amd64.deb
[[ -f $deb && -f $lab_deb ]] || { flunk "two packages" "$(ls "$packages")"; verdict; exit; }
check "lintian finds no error and no warning" lintian --allow-root --fail-on error,warning "$deb" "$lab_deb"
dpkg-deb -x "$deb" "$work/files"
dpkg-deb -x "$lab_deb" "$work/files"
for program in heliod helioctl helio-pe helio-lab; do
  # --nofortify: not each of them calls a function that has a checked version. --nocfprotection: see CMakeLists.txt.
  check "$program: PIE, stack protector, RELRO, immediate binding" hardening-check --nofortify --nocfprotection --quiet "$work/files/usr/bin/$program"
done
# hardening-check tells it by code that only functions with large frames have; helio-lab has none.
check "stack clash protection is compiled in" grep -q -- -fstack-clash-protection "$build/build.ninja"
check "heliod: fortified" hardening-check --nocfprotection --quiet "$work/files/usr/bin/heliod"
unit=$work/files/usr/lib/systemd/system/heliod.service
# Nothing but the file's own words: the binaries of the unit are those just unpacked.
sed "s,/usr/bin/heliod,$work/files/usr/bin/heliod," "$unit" >"$work/heliod.service"
check "systemd-analyze verify" bash -c 'output=$(systemd-analyze verify --man=no "$1" 2>&1) && [[ -z $output ]] || { echo "$output"; exit 1; }' - "$work/heliod.service"
exposure() { systemd-analyze security --offline=yes --no-pager --threshold=16 "$work/heliod.service"; }
check "exposure of the unit is 1.6 at most" exposure
check "the unit is tried for ever, leaves no core, and ends at a wrong command line" bash -c 'for line in StartLimitIntervalSec=0 RestartSec=5 RestartPreventExitStatus=2 LimitCORE=0; do grep -qx "$line" "$1" || { echo "no $line"; exit 1; }; done' - "$unit"
check "needrestart's file is Perl" perl -c "$work/files/etc/needrestart/conf.d/heliograph.conf"
check "and leaves heliod alone" perl -e 'our %nrconf; do $ARGV[0]; my ($rule) = keys %{$nrconf{override_rc}}; exit !("heliod.service" =~ /$rule/ && "xheliod.service" !~ /$rule/ && $nrconf{override_rc}{$rule} == 0)' "$work/files/etc/needrestart/conf.d/heliograph.conf"
check "procps is a dependency" bash -c 'dpkg-deb -f "$1" Depends | grep -qw procps' - "$deb"
check "copyright names the libraries that are compiled in" bash -c 'for name in CLI11 Boost; do grep -q "$name" "$1" || { echo "no $name"; exit 1; }; done' - "$work/files/usr/share/doc/heliograph/copyright"
for page in man1/helioctl.1 man1/helio-pe.1 man1/helio-lab.1 man5/heliograph.toml.5 man8/heliod.8; do
  check "man page $page" bash -c 'text=$(zcat "$1") && [[ $text == *.TH* ]]' - "$work/files/usr/share/man/$page.gz"
done
check "bash completion" bash -c 'PATH=$1:$PATH; source "$2"; COMP_WORDS=(helioctl sh); COMP_CWORD=1; _helioctl; [[ " ${COMPREPLY[*]} " == *" show "* ]]' - "$work/files/usr/bin" "$work/files/usr/share/bash-completion/completions/helioctl"
check "zsh and fish completion" test -s "$work/files/usr/share/zsh/vendor-completions/_helioctl" -a -s "$work/files/usr/share/fish/vendor_completions.d/helioctl.fish"

# --- installed ---------------------------------------------------------------------------------------------------------------
[[ $(id -u) -eq 0 ]] || { echo "SKIP package: not root, nothing is installed"; verdict; exit; }
archive=$(base_archive) || { echo "SKIP package: no bare Debian to install into: $(tail -n 1 "$base_log")"; verdict; exit; }
machine=$work/machine
mkdir "$machine"
tar -xf "$archive" -C "$machine" --exclude='./dev/*'
inside() { unshare --mount --pid --fork --kill-child chroot "$machine" env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c 'mount -t proc proc /proc && mount -t tmpfs -o mode=755 tmpfs /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/zero c 1 5 && mknod -m 666 /dev/urandom c 1 9 && mknod -m 666 /dev/random c 1 8 && exec "$@"' sh "$@"; }
cp /etc/resolv.conf "$machine/etc/resolv.conf"
if ! inside sh -c 'apt-get update -q && apt-get install -qy --no-install-recommends systemd systemd-sysv dbus' >"$work/apt.log" 2>&1; then
  echo "SKIP package: no systemd for the bare Debian: $(tail -n 1 "$work/apt.log")"
  verdict
  exit
fi
cp "$deb" "$machine/root/"
check "installs with apt" inside apt-get install -qy --no-install-recommends "/root/${deb##*/}"
check "user and group" inside sh -c 'getent passwd heliograph | grep -q /usr/sbin/nologin && getent group heliograph'
check "the service is enabled" inside systemctl is-enabled heliod
check "the default configuration is valid and a conffile" inside sh -c 'heliod --check && dpkg-query -W -f="\${Conffiles}" heliograph | grep -q /etc/heliograph/heliograph.toml'
check "needrestart's file is a conffile" inside sh -c 'dpkg-query -W -f="\${Conffiles}" heliograph | grep -q /etc/needrestart/conf.d/heliograph.conf'
check "keys are the user's alone" inside sh -c 'test "$(stat -c "%U %a" /etc/heliograph/secrets)" = "heliograph 700"'
for example in annotated quickstart minimal redundant-pair/rr1; do
  check "example $example" inside heliod --check --config "/usr/share/doc/heliograph/examples/$example.toml"
done

# --- running -----------------------------------------------------------------------------------------------------------------
unshare --mount --pid --fork --uts --ipc --net --cgroup --kill-child bash "$root/tests/deploy/boot.sh" "$machine" 2>"$work/boot.log" &
boot=$!
# SIGKILL: unshare ignores SIGTERM while its child runs, and takes the child with it.
cleanups+=('kill -KILL "$boot" 2>/dev/null; wait "$boot" 2>/dev/null')
first=""
booted() { first=$(pgrep -P "$boot") && on test -S /run/systemd/private; }
on() { nsenter -t "$first" -a -r -w -- env PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
state() { on systemctl show -P "$1" heliod; }
active() { [[ $(state ActiveState) == active ]]; }
if ! within 20 booted; then
  echo "SKIP package: systemd does not boot here: $(tail -n 1 "$work/boot.log")"
  upgraded_while_running=no
else
  upgraded_while_running=yes
  on ip link set lo up 2>/dev/null || nsenter -t "$first" -n -- ip link set lo up
  check "systemd: started by itself" within 20 active
  main=$(state MainPID)
  check "helioctl answers root" on helioctl show summary
  check "the socket is the group's" on sh -c 'test "$(stat -c "%U %G %a" /run/heliograph/control.sock)" = "heliograph heliograph 660"'
  check "a member of the group is answered" on setpriv --reuid 65534 --regid 65534 --groups "$(on getent group heliograph | cut -d: -f3)" helioctl show summary
  says "a stranger is not" "ermission denied" on setpriv --reuid 65534 --regid 65534 --clear-groups helioctl show summary
  check "not root, no capability but for port 179, no new privileges, filtered system calls" on sh -c '
    eval "$(sed -n "s/^\(Uid\|CapEff\|CapPrm\|CapBnd\|NoNewPrivs\|Seccomp\):\s*\([0-9a-f]*\).*/\1=\2/p" /proc/$0/status)"
    echo "Uid $Uid CapEff $CapEff CapPrm $CapPrm CapBnd $CapBnd NoNewPrivs $NoNewPrivs Seccomp $Seccomp"
    test "$Uid" != 0 && test $((0x$CapEff & ~0x400)) = 0 && test $((0x$CapPrm & ~0x400)) = 0 && test $((0x$CapBnd & ~0x400)) = 0 && test "$NoNewPrivs" = 1 && test "$Seccomp" = 2' "$main"

  # Everything that touches the sandbox: a key, MRT files, the kernel's routes, the group by name.
  echo "a key" >"$machine/etc/heliograph/secrets/pe.key"
  cat >"$machine/etc/heliograph/heliograph.toml" <<'TOML'
[global]
as = 65000
router-id = "10.255.0.1"
[best-path]
next-hop-tracking = "off"
[[peer-groups]]
name = "pe"
[[peer-groups]]
name = "keyed"
auth-password-file = "secrets/pe.key"
[[neighbors]]
address = "192.0.2.77"
peer-group = "keyed"
[[listen-ranges]]
prefix = "127.1.0.0/16"
peer-group = "pe"
[control]
socket = "/run/heliograph/control.sock"
group = "heliograph"
[mrt]
directory = "/var/lib/heliograph/mrt"
rib-dump-interval = 0
TOML
  on sh -c 'chown heliograph: /etc/heliograph/secrets/pe.key && chmod 600 /etc/heliograph/secrets/pe.key'
  check "systemctl reload takes a good file" on systemctl reload heliod
  check "and the session is there" within 5 on sh -c 'helioctl show peers | grep -q 192.0.2.77'
  check "MRT files in the state directory" on sh -c 'systemctl restart heliod && helioctl dump mrt /var/lib/heliograph/rib.mrt && find /var/lib/heliograph/ -name "*.mrt" | grep -q .'
  main=$(state MainPID)
  says "systemctl reload refuses a bad one" "failed" on sh -c 'cp /etc/heliograph/heliograph.toml /root/good.toml && echo "nonsense = 1" >>/etc/heliograph/heliograph.toml && systemctl reload heliod'
  says "and the journal says why" "nonsense" on journalctl -u heliod --no-pager
  check "and nothing has ended" test "$(state MainPID)" = "$main" -a "$(state ActiveState)" = active
  on cp /root/good.toml /etc/heliograph/heliograph.toml
  check "helio-pe: every PE has exactly its routes through port 179" on helio-pe --target 127.0.0.1:179 --pes 8 --vrfs 2 --vrfs-per-pe 1 --routes-per-vrf 4 --rtc on
  on sed -i 's/next-hop-tracking = "off"/next-hop-tracking = "kernel"/' /etc/heliograph/heliograph.toml
  check "starts with the kernel's next hops" on systemctl restart heliod
  check "and knows them" on helioctl show nexthops

  # The watchdog: heliod feeds it, and one that hangs is replaced. Eight seconds: on a machine with much else to do none of two
  # may pass without a moment for heliod.
  on sh -c 'mkdir -p /run/systemd/system/heliod.service.d && printf "[Service]\nWatchdogSec=8\nWatchdogSignal=SIGKILL\n" >/run/systemd/system/heliod.service.d/watchdog.conf && systemctl daemon-reload && systemctl restart heliod'
  main=$(state MainPID)
  sleep 12
  undisturbed() { [[ $(state MainPID) == "$main" && $(state NRestarts) == 0 ]] || { on journalctl -u heliod --no-pager -n 20; return 1; }; }
  check "fed, the watchdog is quiet" undisturbed
  on sh -c 'kill -STOP "$1"' - "$main"
  replaced() { active && [[ $(state MainPID) != "$main" && $(state NRestarts) -ge 1 ]]; }
  check "a daemon that hangs is replaced" within 40 replaced
  on sh -c 'rm -r /run/systemd/system/heliod.service.d && systemctl daemon-reload && systemctl restart heliod'

  # A cause that lasts longer than ten tries, systemd's usual patience, and is then gone.
  on sh -c 'mkdir -p /run/systemd/system/heliod.service.d && printf "[Service]\nRestartSec=100ms\n" >/run/systemd/system/heliod.service.d/often.conf && systemctl daemon-reload
    cp /etc/heliograph/heliograph.toml /root/good.toml && echo "nonsense = 1" >>/etc/heliograph/heliograph.toml; systemctl restart heliod' >/dev/null 2>&1
  tried() { [[ $(state NRestarts) -ge 12 ]]; }
  check "a daemon that cannot start is tried more than ten times" within 40 tried
  on cp /root/good.toml /etc/heliograph/heliograph.toml
  check "and runs by itself when the cause is gone" within 15 active
  on sh -c 'rm -r /run/systemd/system/heliod.service.d && systemctl daemon-reload && systemctl restart heliod'
  main=$(state MainPID)
fi
# run COMMAND…: in the running machine, else in the root folder.
run() { if [[ $upgraded_while_running == yes ]]; then on env DEBIAN_FRONTEND=noninteractive "$@"; else inside "$@"; fi; }

# --- upgrade, removal, purge ---------------------------------------------------------------------------------------------------
# newer VERSION LINE: the same package with another version and one more line in its default configuration.
newer() {
  dpkg-deb -R "$deb" "$work/newer"
  sed -i "s/^Version: .*/Version: $1/" "$work/newer/DEBIAN/control"
  echo "$2" >>"$work/newer/etc/heliograph/heliograph.toml"
  (cd "$work/newer" && md5sum usr/bin/* >DEBIAN/md5sums)
  dpkg-deb --root-owner-group -Zgzip -b "$work/newer" "$machine/root/newer.deb" >/dev/null
  rm -rf "$work/newer"
}
[[ $upgraded_while_running == yes ]] || run sed -i 's/65000/65001/' /etc/heliograph/heliograph.toml
before=$(md5sum <"$machine/etc/heliograph/heliograph.toml")
newer "$version+1" "# a newer default"
check "upgrade" run dpkg --force-confdef --force-confold -i /root/newer.deb
check "the administrator's configuration stays, the new default lies beside it" test "$(md5sum <"$machine/etc/heliograph/heliograph.toml")" = "$before" -a -f "$machine/etc/heliograph/heliograph.toml.dpkg-dist"
if [[ $upgraded_while_running == yes ]]; then
  check "an upgrade does not restart the service" test "$(state MainPID)" = "$main" -a "$(state ActiveState)" = active
  check "the new version takes over when told" on sh -c 'systemctl restart heliod && helioctl show summary'
fi
if [[ $upgraded_while_running == yes ]]; then
  on systemctl stop heliod
  check "an upgrade does not start what the operator stopped" on sh -c 'dpkg --force-confdef --force-confold -i /root/newer.deb && ! systemctl is-active heliod'
  on systemctl start heliod
  check "removed and installed again, it runs" on sh -c 'dpkg -r heliograph && dpkg --force-confdef --force-confold -i /root/newer.deb && systemctl is-active heliod && test ! -e /run/heliograph-reinstalled'
  check "but not one that is disabled" on sh -c 'systemctl disable heliod && dpkg -r heliograph && dpkg --force-confdef --force-confold -i /root/newer.deb && ! systemctl is-active heliod'
  check "nor one that is masked" on sh -c 'systemctl enable heliod && systemctl mask heliod && dpkg -r heliograph && dpkg --force-confdef --force-confold -i /root/newer.deb && ! systemctl is-active heliod'
  on sh -c 'systemctl unmask heliod && systemctl start heliod'
fi
check "removal" run dpkg -r heliograph
check "the programs are gone, configuration and keys stay" test ! -e "$machine/usr/bin/heliod" -a -f "$machine/etc/heliograph/heliograph.toml" -a -d "$machine/etc/heliograph/secrets"
[[ $upgraded_while_running == no ]] || check "and it does not run any more" test "$(state ActiveState)" = inactive
check "an unchanged default is replaced by an upgrade" run sh -c "rm -r /etc/heliograph && dpkg -P heliograph && dpkg -i /root/${deb##*/} && dpkg -i /root/newer.deb && tail -n 1 /etc/heliograph/heliograph.toml | grep -q 'a newer default'"
check "purge" run dpkg -P heliograph
left() { [[ -z $(run sh -c 'find / -xdev \( -path /proc -o -path /root -o -path /sys -o -path /tmp \) -prune -o -name "*heliograph*" -print -o -name "*heliod*" -print' | tee /dev/stderr) ]]; }
check "a purge leaves nothing" left
verdict
