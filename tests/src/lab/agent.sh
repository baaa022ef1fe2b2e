# Does in the lab's host what the harness says, as guest/init.sh does in a guest. What is read here is
# sent to the shell on the port, which the host's lab.service has started.
cat >/run/lab-agent <<'END'
printf '\n@ready\n'
while read -r number length; do
    head -c "$length" >/run/lab-command
    # Under the emulation, each program that is started takes a tenth of a second.
    sh /run/lab-command </dev/null >/run/lab-out 2>/run/lab-err
    status=$?
    set -- $(stat -c %s /run/lab-out /run/lab-err)
    printf '@%s %s %s %s\n' "$number" "$status" "$1" "$2"
    cat /run/lab-out /run/lab-err
done
END
# Under SELinux as who has logged in: what systemd starts is confined in other ways.
if [ -e /sys/fs/selinux/enforce ]; then
    exec runcon unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023 sh /run/lab-agent
fi
exec sh /run/lab-agent
