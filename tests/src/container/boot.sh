# Boots the container NAME from a Debian's files, which nothing writes to: ROOT, and PYTHON over it, which Ansible needs. In
# mount and cgroup namespaces of its own; see container.rs.
#
#   boot.sh NAME FOLDER PYTHON ROOT
set -e
mount --make-rprivate /
mount -t tmpfs none "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay none -o "lowerdir=$3:$4,upperdir=$2/upper,workdir=$2/work" "$2/root"
# systemd in it finds cgroup v2 alone, whatever the machine has.
mount -t cgroup2 none /sys/fs/cgroup
rm -f "$2/root/etc/selinux/config"
# What a container cannot do.
for unit in lab auditd apparmor systemd-udevd; do
    ln -sf /dev/null "$2/root/etc/systemd/system/$unit.service"
done
echo "$1" >"$2/root/etc/hostname"
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
exec systemd-nspawn --quiet --boot --register=no --keep-unit --private-network --machine "$1" --directory "$2/root"
