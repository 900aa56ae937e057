#!/usr/bin/env bash
# Boots the systemd of a root folder as process 1 of its own namespaces: mounts, processes, network, cgroups. It ends with
# this process.
#
#   unshare --mount --pid --fork --uts --ipc --net --cgroup --kill-child bash tests/deploy/boot.sh FOLDER
set -e
folder=$1
mount --make-rprivate /
mount --bind "$folder" "$folder"
mount -t proc proc "$folder/proc"
mount -t tmpfs tmpfs "$folder/run"
mount -t sysfs -o ro sysfs "$folder/sys"
mount -t cgroup2 cgroup2 "$folder/sys/fs/cgroup"
# What PrivateDevices= of a unit expects to find.
mount -t tmpfs tmpfs "$folder/dev"
for device in null zero full random urandom tty; do
  touch "$folder/dev/$device"
  mount --bind "/dev/$device" "$folder/dev/$device"
done
mkdir "$folder"/dev/{shm,pts,mqueue,hugepages}
mount -t tmpfs tmpfs "$folder/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$folder/dev/pts"
ln -s pts/ptmx "$folder/dev/ptmx"
cd "$folder"
mkdir -p run/before
pivot_root . run/before
umount -l run/before
exec env -i container=heliograph-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=multi-user.target </dev/null >/dev/null 2>&1
