# Runs as PID 1 of its namespaces, in the folder of the test; see libvirtd.rs.
set -e
cd "${0%/*}"
mount --make-rprivate /
for directory in /run /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt; do
    mkdir -p $directory
    mount -t tmpfs none $directory
done
mkdir -p /etc/libvirt/qemu /var/lib/libvirt/qemu
# The cgroup that outside.sh has made, as if there were no other.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    umount /sys/fs/cgroup
    mount -t cgroup2 none /sys/fs/cgroup
else
    controllers=$(sed -n 's/^[0-9]*:\(\|.*,\)\(cpu\)\(\|,.*\):.*/\1\2\3/p' /proc/self/cgroup)
    mkdir cgroups
    mount -t tmpfs none cgroups
    mkdir cgroups/cpu
    mount -t cgroup -o "$controllers" none cgroups/cpu
    umount -R /sys/fs/cgroup
    mount --move cgroups /sys/fs/cgroup
fi
cat >/etc/libvirt/qemu.conf <<END
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = [ "cpu" ]
stdio_handler = "file"
END
cat >/etc/libvirt/libvirtd.conf <<END
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "$(cat /proc/sys/kernel/random/uuid)"
END
# libvirt takes two hosts with the same name for one and refuses to migrate between them. It does not look a name up
# that has a dot.
hostname "${PWD##*/}.test"
# A user that only the package of libvirt's service makes, and libvirtd wants to know.
for file in passwd group; do
    grep -v '^libvirt-qemu:' /etc/$file >$file
done
echo 'libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin' >>passwd
echo 'libvirt-qemu:x:64055:' >>group
mount --bind passwd /etc/passwd
mount --bind group /etc/group
libvirtd -d
# Waits for whoever loses its parent in here.
while :; do sleep 60; done
