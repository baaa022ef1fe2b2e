# What is done in a host before it is saved, as it would take long each time.
if [ -e /sys/fs/selinux/enforce ]; then
    # Debian's policy does not let libvirt leave the host's mounts in a namespace of the guest's own.
    echo 'namespaces = []' >>/etc/libvirt/qemu.conf
    systemctl restart libvirtd
fi
nic=$(ls /sys/class/net | grep '^e')
ip link set "$nic" up && ip address add 10.0.2.15/24 dev "$nic"
# libvirt asks its QEMU what it can do.
until virsh version && virsh domcapabilities --virttype kvm; do
    sleep 1
done
systemctl is-system-running --wait || systemctl --failed --no-legend
sync
