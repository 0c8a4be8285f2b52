# The shell, a loop, and three processes joined by pipes.
for i in 1 2 3; do echo $i; done | busybox sort -r | busybox tr '\n' ' '
echo
busybox seq 1 1000 | busybox awk '{ sum += $1 } END { print sum }'
busybox yes | busybox head -n 3
echo one two three | while read a b; do echo "$b $a"; done
false | true && echo "the last status counts"
