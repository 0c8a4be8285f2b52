# Programs that expect a terminal, told by other means to do their work and end.
echo one > file
busybox vi -c ':s/one/two/' -c ':wq' file </dev/null >/dev/null 2>&1
busybox cat file
busybox vi -c ':q' file </dev/null >/dev/null 2>&1; echo "vi: $?"
printf 'a\nhello\n.\nw new\nq\n' | busybox ed >/dev/null 2>&1; busybox cat new
