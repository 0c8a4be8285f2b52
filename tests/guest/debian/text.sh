# grep, sed, both awks, findutils, diffutils, tar and gzip.
export LC_ALL=C
mkdir -p tree/a/b tree/c; for i in 1 2 3; do echo "file $i" > tree/a/$i.txt; done; echo other > tree/a/b/x.c
echo '--- grep and sed'
grep -rn 'file [12]' tree | sort; grep -c . tree/a/1.txt; grep -oE '[0-9]+' tree/a/3.txt; grep -q absent tree/a/1.txt || echo absent; grep -P '^f\w+' tree/a/2.txt
sed -i 's/file/entry/' tree/a/1.txt; cat tree/a/1.txt; sed -n '/a/,/b/p' <<< $'x\na\ny\nb\nz'; sed 's/\(.*\)-\(.*\)/\2-\1/' <<< one-two
echo '--- awk'
seq 10 | gawk '{ s += $1 } END { print s }'; seq 10 | mawk '{ s += $1 } END { print s }'
gawk 'BEGIN { "echo from a pipe" | getline x; print x; print strftime("%Y", 0, 1); n = split("c a b", w); asort(w); print w[1] w[2] w[3]; print gensub(/(.)(.)/, "\\2\\1", "g", "abcd") }'
gawk 'BEGIN { command = "sort"; print "b" |& command; print "a" |& command; close(command, "to"); while ((command |& getline line) > 0) print "sorted", line }'
mawk 'BEGIN { print length("hello"), substr("hello", 2, 3), index("hello", "l"); system("echo from mawk"); printf "%.3f\n", atan2(0, -1) }'; awk --version | head -n 1 | sed 's/ .*//'
echo '--- find and xargs'
find tree -type f -name '*.txt' | sort; find tree -newer /etc/passwd -type d | sort; find tree -type f -exec cat {} + | sort; find tree -empty
printf 'a b c d' | xargs -n 2 echo; seq 6 | xargs -P 3 -I{} sh -c 'echo {}' | sort; find tree -name '*.txt' -print0 | sort -z | xargs -0 wc -l | tail -n 1
echo '--- diff'
diff -u tree/a/2.txt tree/a/3.txt | tail -n 3; diff -r tree tree && echo equal; cmp tree/a/2.txt tree/a/3.txt; diff3 -m tree/a/2.txt tree/a/2.txt tree/a/3.txt; sdiff -s tree/a/2.txt tree/a/3.txt | tr -s '\t ' ' '
echo '--- archives'
ln tree/a/1.txt tree/hard; ln -s a/1.txt tree/soft; chmod 4755 tree/a/2.txt; mkfifo tree/fifo
tar -czf t.tgz --sort=name --owner=0 --group=0 --mtime=@0 tree; tar -tzf t.tgz; mkdir out; tar -xzpf t.tgz -C out; stat -c '%n %a %h %F' out/tree/a/2.txt out/tree/hard out/tree/soft out/tree/fifo
tar -cf - tree/a | tar -df - && echo no difference; gzip -k -9 tree/a/3.txt; zcat tree/a/3.txt.gz; gzip -t tree/a/3.txt.gz && gunzip -f tree/a/3.txt.gz; zgrep -c file tree/a/3.txt
head -c 3000000 /dev/zero | gzip | wc -c; head -c 1000000 /dev/urandom > r; gzip -c r | gunzip | cmp - r && echo round trip
