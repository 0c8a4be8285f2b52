# Pipelines, lists and exit statuses.
echo a | cat | cat | tr a b
false | true; echo $?; true | false; echo $?; ! true | false; echo $?
echo x | while read l; do v=$l; done; echo "[$v]"
(echo sub; exit 3) | cat; echo $?
printf '3\n1\n2\n' | sort | { read first; echo "first $first"; }
yes 2>/dev/null | head -n 2
{ echo a; echo b; } | (read x; echo "got $x"; cat)
f() { tr a-z A-Z; }; echo function in pipe | f
echo one; echo two & wait; echo three
echo a |
cat &&
echo b ||
echo c
true &
wait $!
echo $?
set -e
if false; then :; fi
false || echo still here
! true
f() { false; echo not reached; }
f2() { false; return 0; }
f2 && echo guarded
(false; echo in subshell) || echo guarded too
f
echo never
