#!/bin/busybox sh
# The first process of the tests' guest: makes its devices, then does what the harness says
# over the first serial port. A command comes as its number and its length in bytes on a line
# of its own, then its bytes; back go number, exit status and the lengths of output and errors,
# then both. `guest/console.rs` is the other end.
/bin/busybox mkdir -p /bin /dev /proc /run /sys /tmp
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ TERM=linux
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
[ -d /dev/pts ] || mkdir /dev/pts
mount -t devpts pts /dev/pts
hostname guest

for module in /modules/*; do
    insmod "$module"
done
# udev's work. A port has its name only some time after its driver has been loaded.
if grep -q 'd00000003' /sys/bus/virtio/devices/*/modalias 2>/dev/null; then
    mkdir -p /dev/virtio-ports
    until cat /sys/class/virtio-ports/*/name 2>/dev/null | grep -q .; do
        sleep 0.05
    done
    for port in /sys/class/virtio-ports/*; do
        name=$(cat "$port/name")
        [ -z "$name" ] || ln -s "../${port##*/}" "/dev/virtio-ports/$name"
    done
fi

exec <>/dev/ttyS0 >&0 2>&1
stty raw -echo
printf '\n@ready\n'
while read -r number length; do
    head -c "$length" >/run/command
    setsid sh /run/command </dev/null >/run/out 2>/run/err
    status=$?
    printf '@%s %s %s %s\n' "$number" "$status" "$(stat -c %s /run/out)" "$(stat -c %s /run/err)"
    cat /run/out /run/err
done
