# All forms of parameter expansion.
show() { for word; do printf '[%s]' "$word"; done; echo; }
unset u; e=; x=value
show ${u:-default} ${u-default} "${e:-default}" "${e-default}" ${x:-default}
show ${u:+alt} "${e:+alt}" "${e+alt}" ${x:+alt} "${x+a b}"
show ${u:=assigned} $u ${e:=filled} $e
show ${#x} ${#u} ${#none}
path=/usr/local/lib/file.tar.gz
show ${path##*/} ${path#*/} ${path%.*} ${path%%.*} ${path%/*} ${path##*.}
show "${path%"gz"}" ${path#'/usr'} "${path%%/*}"
show ${x%%*} ${x#v} ${x%[a-m]} ${x#[!a-z]}
set -- one 'two three' four
show $1 "$2" $3 ${3} $# "$@" "$*" $*
IFS=:; show "$*" $*; unset IFS
show "x$@y" x"$*"y
set --
show "$@" "$*" a"$@"b
set -- 1 2 3 4 5 6 7 8 9 ten eleven
show $10 ${10} ${11}
show ${u:-a b} "${u:-"a b"}" ${none:-"a b"} ${none:-'a b' c}
show ${none:-$(echo sub shell)} ${none:-${path##*/}} "${none:-}"
show $? $((0)) ${x}y $x$x
y=~; test "$y" = "$HOME" && echo tilde
HOME=/home/me; show ~ ~/x "~" a~ x=~ ~none/
p=~:~/bin; show $p
(echo ${none?message}) 2>/dev/null; echo $?
(set -u; echo $none) 2>/dev/null; echo $?
