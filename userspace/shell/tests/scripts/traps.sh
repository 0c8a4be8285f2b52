# The shell under test may be no `sh` in the PATH: it tells its own name by /proc.
export SH=$(readlink /proc/$$/exe)
trap 'echo got usr1 $?' USR1
trap
false
kill -USR1 $$
echo "status $?"
trap 'echo "it'"'"'s"' INT EXIT
trap
(trap; echo sub)
echo "$(trap)"
trap - USR1
trap
trap '' TERM
kill -TERM $$
echo alive
(read pid rest < /proc/self/stat; kill -TERM $pid; echo sub alive)
trap 'echo x' SIGFOO; echo bad $?
trap 'echo x' KILL; echo kill $?
trap 'echo n' 10 usr2
trap
kill -10 $$
trap 10
trap
f() { trap 'echo in f' HUP; kill -HUP $$; echo after; }
f
trap 'return 7' USR2
g() { kill -USR2 $$; echo not; }
g; echo g $?
trap 'false; exit' EXIT
(exit 5)
(trap 'echo bye $?' EXIT; exit 3); echo $?
(trap 'exit 9' EXIT; exit 3); echo $?
x=$(trap 'echo subst' EXIT; echo a); echo "$x"
trap 'echo c' CHLD
sleep 0.1 & wait; echo w $?
trap - CHLD
trap 'echo usr1' USR1
(sleep 0.2; kill -USR1 $$) & 
sleep 0.5 & wait $!; echo wait $?
wait; echo $?
trap - USR1
trap 'echo q' QUIT; (trap 'echo inner' QUIT; read pid rest < /proc/self/stat; kill -QUIT $pid; echo done)
$SH -c 'trap "echo cc" EXIT; exec true'
$SH -c 'trap "echo e" EXIT; set -e; false; echo no'; echo $?
$SH -c 'trap "" USR1; $SH -c "trap \"echo x\" USR1; kill -USR1 \$\$; echo ok"'
while :; do trap 'break' USR1; kill -USR1 $$; echo no; done; echo broke
$SH -c 'trap "echo end" EXIT; exec /nonexistent' 2>/dev/null; echo $?
$SH -c 'trap "echo end" EXIT; . /nonexistent' 2>/dev/null; echo $?
trap 'echo end; exit 4' EXIT
trap 'echo (' USR1
kill -USR1 $$; echo never
