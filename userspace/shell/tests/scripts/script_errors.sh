# A syntax error ends the script where it stands, not before.
echo before
(eval 'if') 2>/dev/null; echo $?
(eval 'echo )') 2>/dev/null; echo $?
(eval "echo 'open") 2>/dev/null; echo $?
(eval 'for 1 in a; do :; done') 2>/dev/null; echo $?
(. /nonexistent/file; echo never) 2>/dev/null; echo $?
(shift 5; echo never) 2>/dev/null; echo $?
(unset -v; readonly q=1; unset q; echo never) 2>/dev/null; echo $?
(export 1x=2; echo never) 2>/dev/null; echo $?
(exit 300); echo $?
(return 3 2>/dev/null; echo $?) >/dev/null
echo ${#} 2>/dev/null
if true
then echo last
done
echo never
