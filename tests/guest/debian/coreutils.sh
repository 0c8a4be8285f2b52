# More than 40 of the coreutils: each prints something that is the same on every machine.
export LC_ALL=C TZ=UTC
umask 022
seq 1 20 | sed 's/^/line /' > f
echo '--- files'
cp -a f g; mv g g2; ln f hard; ln -s f soft; mkdir -p d/e/f; touch -d '2020-01-02 03:04:05' old
stat -c '%n %s %h %a %F' f hard soft; stat -c '%n %h %a %F' d
readlink soft; readlink -f soft | sed 's,.*/,,'; realpath d/../f | sed 's,.*/,,'
install -m 640 f d/installed; stat -c '%a %U:%G' d/installed
chmod u=rwx,g=s f; stat -c '%A' f; chmod 644 f; chown 1:2 f; stat -c '%u:%g' f
date -u -r old +%FT%T; date -u -d @86400 +%F; ls -l old | cut -c1-10; ls -1 | tr '\n' ' '; echo; dir d; vdir d | tail -n 1 | cut -c1-10
mkfifo p; mknod null c 1 3; stat -c '%n %F %t,%T' p null; echo gone > null; wc -c null < /dev/null
truncate -s 3M sparse; du -k sparse | cut -f1; du --apparent-size -k sparse | cut -f1; rm -f sparse
mktemp -d tmp.XXXX | wc -c; rmdir d/e/f; rm -r d; test -e d || echo 'd is gone'; unlink hard; link f hard2; stat -c %h f
cp --sparse=always --reflink=auto f h; cmp f h && echo same; shred -u h; df . | wc -l
dd if=/dev/zero of=z bs=1k count=10 2>&1 | sed -n 2p; split -n 4 z z.; ls z.* | wc -l; csplit -s f 5 15; wc -l xx0? | tail -n 1
pathchk f && basename /a/b.c .c && dirname /a/b.c; sync f; nproc | sed 's/[0-9]*/number/'
echo '--- text'
head -n 2 f; tail -n 2 f; tac f | head -n 1; nl f | tail -n 1; cut -d' ' -f2 f | paste -sd+; sort -rn -k2 f | head -n 1
uniq -c <(printf 'a\na\nb\n'); comm -12 <(seq 1 5) <(seq 3 8) | tr '\n' ' '; join <(echo 1 a) <(echo 1 b); tr a-z A-Z <<< upper
expand <<< $'a\tb'; unexpand -a <<< 'a       b' | od -An -c; fold -w 4 <<< abcdefgh; fmt -w 20 <<< 'some words that are filled'; pr -t -2 <(seq 4)
od -An -tx1 <<< hi; base64 <<< hello; base32 <<< hello; basenc --base16 <<< hello; md5sum f; sha1sum f; sha256sum f; sha512sum f | cut -c1-16; b2sum f | cut -c1-16; cksum f; sum f
printf '%05.2f|%-5s|%x\n' 3.14159 ab 255; seq -s, 1 3; factor 1234567; expr 6 '*' 7; numfmt --to=iec 123456; shuf -i 1-9 | sort -n | tr -d '\n'; echo
tsort <<< 'a b b c'; ptx <<< 'one two' | wc -l; tee copy < f | wc -l; yes | head -n 3 | tr -d '\n'; echo; shuf -n 3 --random-source=f f
echo '--- processes'
id -u; id -un; groups; whoami; env -i A=1 env; printenv HOME > /dev/null && echo home; uname -s; arch | sed 's/.*/machine/'
timeout 0.2 sleep 10; echo "timeout $?"; nohup true 2> /dev/null; nice true; stdbuf -oL echo buffered; chroot / /bin/true && echo chroot
sleep 0.01; false || true; tty < /dev/null; kill -l TERM; (kill -TERM $BASHPID); echo "killed $?"; hostid > /dev/null; logname 2> /dev/null || echo nobody logged in
