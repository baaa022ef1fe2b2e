#!/bin/sh
# What Ansible calls in the place of ssh(1): options, the container's name, a command. PID files are in
# $HOSTINFO_CONTAINERS. Ansible's own connection plugins for containers are no part of ansible-core.
while [ $# -gt 0 ]; do
    case $1 in
    -[oplFSiE]) shift 2 ;;
    -*) shift ;;
    *) break ;;
    esac
done
leader=$(cat "$HOSTINFO_CONTAINERS/$1.pid")
shift
exec nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup -- env -i HOME=/root USER=root \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh -c "$*"
