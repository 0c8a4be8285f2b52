# Redirections and here-documents.
cd "$(mktemp -d)" || exit 9
echo one > f; echo two >> f; cat f; cat < f > g; cat g
echo out; echo err >&2 2>/dev/null
{ echo a; echo b >&2; } 2>&1 | sort -r
{ echo a; echo b >&2; } 2>&1 >/dev/null | cat
ls nonexistent 2>/dev/null; echo $?
cat < nonexistent 2>/dev/null; echo $?
(cat < nonexistent) 2>/dev/null; echo $?
echo x > nodir/file 2>/dev/null; echo $?
exec 3> three; echo via three >&3; exec 3>&-; cat three
exec 4< f; read a <&4; read b <&4; exec 4<&-; echo "$a-$b"
{ read a; read b; } < f; echo "$b-$a"
cat <<A; cat <<'B'; cat <<-C
$a $(echo sub) \$a `echo back` "quotes" 'single' \\
A
$a $(echo sub) \$a
B
	stripped $a
	C
cat <<X | tr a-z A-Z
piped
X
cat <<ONE - <<TWO
one
ONE
two
TWO
if true; then cat; fi <<E
to if
E
f() { cat; }; f < f; f <<E
to f
E
while read l; do echo "l=$l"; done < f > h; cat h
: > empty; cat empty; wc -c < empty | tr -d ' '
echo noclobber > nc; set -C; (echo x > nc) 2>/dev/null; echo $?; echo y >| nc; set +C; cat nc
echo "to 1" 1>&1; echo closed >&- 2>/dev/null; echo $?
cat <&- 2>/dev/null; echo $?
> created; ls created
echo rw > rw; read x <> rw; echo $x
i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); echo 'a long line of text in a large document'; done > big
eval "cat <<E | wc -l | tr -d ' '
$(cat big)
E"
rm -r "$PWD"
