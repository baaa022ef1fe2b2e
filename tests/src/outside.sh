# Starts inside.sh in namespaces of its own, and in a cgroup of its own, which is the root of all
# that libvirtd sees of cgroups; see libvirtd.rs. $1 is the cgroup's name. Called again with
# `within`, it has a namespace of cgroups already.
set -e
root=/sys/fs/cgroup
if [ "$2" != within ]; then
    if [ -e $root/cgroup.controllers ]; then
        echo +cpu >$root/cgroup.subtree_control
        own=$root/$1
    else
        own=$root/cpu/$1
    fi
    mkdir "$own"
    echo $$ >"$own/cgroup.procs"
    exec unshare --cgroup sh "$0" "$1" within
fi
# v2 has processes only in leaves, where controllers are shared out.
if [ -e $root/cgroup.controllers ]; then
    mkdir "$root/$1/init"
    echo $$ >"$root/$1/init/cgroup.procs"
fi
exec unshare --mount --uts --pid --fork --kill-child --mount-proc sh "${0%/*}/inside.sh"
