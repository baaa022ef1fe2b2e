# What is done in a host before it is saved, as it would take long each time.
if [ -e /sys/fs/selinux/enforce ]; then
    # Debian's policy does not let libvirt leave the host's mounts in a namespace of the guest's own.
    echo 'namespaces = []' >>/etc/libvirt/qemu.conf
    systemctl restart libvirtd
fi
# libvirt asks its QEMU what it can do.
until virsh version && virsh domcapabilities --virttype kvm; do
    sleep 1
done
systemctl is-system-running --wait || systemctl --failed --no-legend
sync
