# stress-ng's checks of what the kernel answers: each stressor runs a number of operations, and verifies.
while read -r stressor operations options; do
    stress-ng --temp-path . --verify --no-rand-seed --$stressor 2 --$stressor-ops $operations $options > log 2>&1 < /dev/null; status=$?
    if [ $status = 0 ] && ! grep -E 'fail:|skipp|not supported' log; then echo "$stressor passed"; else echo "$stressor: $status"; cat log; fi
done << 'LIST'
fork 100
vfork 100
clone 50
pthread 50
futex 200
mprotect 20
mmapaddr 50
mmapfixed 10
mincore 50
mlock 10
msync 2
brk 200
stackmmap 2
malloc 50
signal 300
sigq 200
sigrt 200
sigsegv 50
sigchld 50
sigpending 200
sigsuspend 100
sigtrap 100
timer 50
itimer 50
nanosleep 10
wait 50
waitcpu 5
zombie 50
daemon 5
switch 200
schedpolicy 20
nice 5
affinity 50
LIST
