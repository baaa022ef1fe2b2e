# Runs in mount and PID namespaces of its own, in the folder of the test; see machine.rs.
#
#   boot.sh ROOT CGROUP: boots ROOT with the files of installed/ over it.
set -e
cd "${0%/*}"
mount --make-rprivate /
# Files can lie over others' only where they lie on no overlay themselves.
mkdir layers
mount -t tmpfs none layers
mkdir layers/work layers/root
cp -a installed layers/installed
mount -t overlay none layers/root \
    -o "lowerdir=$1,upperdir=layers/installed,workdir=layers/work"
echo $$ >"$2/cgroup.procs"
# systemd has its own hierarchy of control groups only if there is no other than the unified one.
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
# Domains have interfaces.
exec systemd-nspawn --quiet --boot --register=no --keep-unit --console=pipe \
    --capability=CAP_NET_ADMIN --bind=/dev/net/tun \
    --machine=hostinfo --directory=layers/root
