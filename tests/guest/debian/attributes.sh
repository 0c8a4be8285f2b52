# attr and libcap2-bin: extended attributes, and capabilities that programs get by them.
# guest-only
mkdir /tmp/attributes && cd /tmp/attributes && chmod 755 . && echo contents > file && ln -s file link && mkfifo pipe
setfattr -n user.color -v blue file; setfattr -n user.empty file; setfattr -n trusted.bytes -v 0x00ff10 file; setfattr -n security.note -v kept link
getfattr -d -m - file; getfattr -h -d -m - link; getfattr --only-values -n user.color file; echo; getfattr -n user.absent file
setfattr -n user.color -v red pipe; setfattr -n other.name -v x file; setfattr -n user. -v x file; setfattr -n system.posix_x -v x file
setfattr -x user.empty file; setfattr -x user.empty file; getfattr -d file; cp --preserve=xattr file copy && getfattr -d copy; mv copy moved && getfattr -d moved
chroot --userspec=1000:1000 / sh -c 'cd /tmp/attributes; getfattr -d -m - file; setfattr -n user.color -v red file; setfattr -n trusted.x -v y file'
cp /usr/sbin/capsh program; show() { chroot --userspec=1000:1000 / /tmp/attributes/program --print | grep -E '^(Current:|Ambient|uid)'; }
show; setcap cap_net_bind_service,cap_kill=ep program; getcap program; setcap -v cap_kill=ep program; show
setcap cap_net_bind_service=i program; getcap program; show; chroot --userspec=1000:1000 / setcap cap_kill=ep /tmp/attributes/program; setcap -r program; getcap program; setcap -r program
setcap cap_chown=p program; getcap -r .; echo >> program; getcap -r .; getfattr -d -m security.capability program; cd / && rm -r /tmp/attributes
