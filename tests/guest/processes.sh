# guest-only
# What /proc shows: the processes of a system that runs nothing but this script.
busybox ps > list
busybox grep -c '[i]nit' list
busybox head -n 1 list | busybox tr -s ' '
busybox top -bn1 > screen; echo "top: $?"
busybox grep -q '^Mem: ' screen && echo "memory is shown"
busybox grep -q 'Load average' screen && echo "load is shown"
busybox grep -q 'init' screen && echo "init is shown"
busybox awk '{ print ($1 > 0) }' /proc/uptime
busybox free | busybox awk '/^Mem:/ { print ($2 > 100000 && $3 < $2) }'
busybox grep -c '^processor' /proc/cpuinfo
busybox readlink /proc/self/exe
busybox sh -c 'exec busybox cat /proc/self/cmdline' | busybox tr '\000' ' '; echo
busybox sh -c 'echo $PPID' > parent; [ "$(busybox cat parent)" = $$ ] && echo "parent is right"
busybox grep -q '^State:.*R' /proc/self/status && echo "running"
busybox awk '$2 == "/proc" { print $3 }' /proc/mounts
busybox pidof busybox > /dev/null && echo "pidof works"
busybox uname -s
