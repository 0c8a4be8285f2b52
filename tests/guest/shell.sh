# ash itself: functions, loops, case, expansion, redirection, subshells, jobs, traps.
add() { local a=$1; a=$((a + $2)); echo $a; return 3; }
add 2 40; echo "status $?"
for word in one "two three" 'four'; do
    case $word in
        one) echo first ;;
        *\ *) echo "with space: $word" ;;
        *) echo other ;;
    esac
done
n=0; while [ $n -lt 3 ]; do n=$((n + 1)); [ $n = 2 ] && continue; echo "n=$n"; done
text="hello world"
echo "${text#hello } ${text%world} ${#text} ${missing:-default}"
(cd /; text=changed; pwd); echo "$text"
echo "captured: $(echo inner | busybox tr a-z A-Z)"
cat_here() { busybox cat <<END
here $1
END
}
cat_here document
{ echo to stderr >&2; echo to stdout; } 2>errors; busybox cat errors
echo lines > file; echo more >> file; read first < file; echo "first=$first"
sleep_and_tell() { busybox sleep 0.1; echo "background done"; }
sleep_and_tell & wait $!; echo "waited: $?"
trap 'echo trapped' USR1; kill -USR1 $$
(trap 'echo leaving' EXIT; exit 5); echo "subshell: $?"
busybox sh -c 'kill -TERM $$'; echo "signal: $?"
no-such-command 2>/dev/null; echo "missing: $?"
echo 'echo "script with $# words: $*"' > script; busybox chmod +x script
printf '#!/bin/busybox sh\n' > hashbang; busybox cat script >> hashbang
busybox sh ./script a b
set -- x y z; shift; echo "$# $1"
