# Builtins.
: ignored arguments; echo $?
cd /; pwd; cd /usr; cd - ; echo "$OLDPWD $PWD"
cd /nonexistent 2>/dev/null; test $? -ne 0 && echo cd failed; pwd
export A=1 B; B=2; env | grep '^[AB]=' | sort; unset A; env | grep '^[AB]='
C=3 env | grep '^C='; echo "[$C]"; C=4 :; echo "[$C]"
readonly R=1; (R=2) 2>/dev/null; echo $? $R
set -- a b c; shift; echo $*; shift 2; echo $#
set -- -x; echo $1; set -e; set +e; echo $-
eval echo 'one  two' '$R'
echo 'echo sourced $1; return 3; echo never' > /tmp/levitate-dot.$$; . /tmp/levitate-dot.$$ ; echo $?; rm /tmp/levitate-dot.$$
printf 'a b c\n' | { read x y; echo "$y/$x"; }
printf 'a\\tb\\\nc\n' | { read x; echo "$x"; }; printf 'a\\tb\n' | { read -r x; printf "%s\n" "$x"; }
printf 'no newline' | { read x; echo $? "$x"; }
printf ' :a: b :c' | { IFS=: read x y z; echo "[$x][$y][$z]"; }
[ a = a ] && [ a != b ] && [ -n x ] && [ -z '' ] && [ 1 -lt 2 ] && [ 2 -ge 2 ] && echo strings
[ -d / ] && [ -e /dev/null ] && [ -c /dev/null ] && [ ! -f / ] && [ -x /bin/sh ] && [ -r / ] && echo files
[ ! a = b ] && [ a = a -a b = b ] && [ a = b -o b = b ] && [ \( a = a \) ] && echo logic
[ x ] && [ ! '' ] && [ = ] && [ -n ] && [ ! ] || echo odd; [ a -eq 1 ] 2>/dev/null; echo $?; [ ]; echo $?
test 1 -gt 2; echo $?; [ "a b" = "a b" ]; echo $?
umask 022; umask; umask 077; umask
type cd >/dev/null && echo type; command -v cd; command echo via command; type nonesuch >/dev/null 2>&1 || echo unknown
true; echo $?; false; echo $?
while getopts ab:c o; do case $o in a|c) echo $o;; b) echo "$o=$OPTARG";; *) echo bad;; esac; done 2>/dev/null
set -- -ac -b value -bval -z rest; OPTIND=1
while getopts ab:c o; do case $o in a|c) echo $o;; b) echo "$o=$OPTARG";; *) echo bad;; esac; done 2>/dev/null; shift $((OPTIND - 1)); echo "$@"
exec 5>&1; echo to five >&5; exec 5>&-
(exec echo replaced; echo never)
nonexistent_command 2>/dev/null; echo $?
/ 2>/dev/null; echo $?; /etc/passwd 2>/dev/null; echo $?
sleep 0 & wait $!; echo waited $?
(exit 6) & wait $!; echo $?
sleep 100 & kill $!; wait $! 2>/dev/null; echo $?
wait; echo $?
