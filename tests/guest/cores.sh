# guest-only
# Where core dumps go: names made of patterns, links, limits, and programs behind a pipe sign.
pattern=/proc/sys/kernel/core_pattern
uses_pid=/proc/sys/kernel/core_uses_pid
die() { busybox sh -c "echo \$\$ > number; kill -$1 \$\$" 2>/dev/null; echo "status $?"; }
busybox cat $pattern $uses_pid /proc/sys/fs/suid_dumpable
ulimit -c unlimited

die SEGV
busybox stat -c '%a %u %F' core
busybox head -c 4 core | busybox tail -c 3; echo
busybox rm core

echo "$PWD/c.%e.%s.%u.%%.%f" > $pattern
die ABRT
busybox ls c.*
echo 'n.%e' > $pattern
echo 1 > $uses_pid
die FPE
[ -s "n.busybox.$(busybox cat number)" ] && echo "the number is appended"
echo 0 > $uses_pid
echo "$PWD/absent/core" > $pattern
die SEGV
busybox ls absent 2>/dev/null

shell="$(busybox readlink /proc/self/exe)"
printf '#!%s sh\ncd $1\necho "$2 $3 $(ulimit -c)" > words\nbusybox grep CoreDumping /proc/$3/status >> words\nbusybox cat > saved\nbusybox touch done\n' "$shell" > save
busybox chmod +x save
echo "|$PWD/save $PWD %s %p" > $pattern
ulimit -c 0
die TRAP
until [ -e done ]; do busybox usleep 50000; done
busybox head -c 4 saved | busybox tail -c 3; echo
[ "$(busybox head -n 1 words)" = "5 $(busybox cat number) 0" ] && echo "the words are right"
busybox tail -n 1 words
echo "|/absent" > $pattern
die SEGV
echo core > $pattern
