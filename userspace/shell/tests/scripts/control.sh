# Compound commands.
if true; then echo then; else echo else; fi
if false; then echo then; elif true; then echo elif; fi
if false; then echo no; fi; echo $?
i=0; while [ $i -lt 5 ]; do i=$((i + 1)); [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done
until [ $i = 0 ]; do i=$((i - 1)); done; echo $i
for i in a b c; do for j in 1 2 3; do [ $j = 2 ] && continue 2; [ $i = c ] && break 2; echo $i$j; done; done
for x in; do echo never; done; echo $?
set -- p q; for a do echo $a; done
case foo in bar) echo bar;; f*|x) echo match;; *) echo other;; esac
case x in (a) ;; (x) echo paren;; esac
case none in a) echo a;; esac; echo $?
{ echo grouped; false; } || echo failed
(exit 3); echo $?
! true; echo $?; ! false; echo $?
true && echo and || echo or; false && echo and || echo or; false || true && echo chain
f() { echo "in f: $*"; return 4; echo never; }; f 1 2; echo $?
g() { local v=inner; echo $v; h; }; h() { echo h sees $v; }; v=outer; g; echo $v
rec() { [ $1 -gt 0 ] || return 0; echo $1; rec $(($1 - 1)); }; rec 3
k() { echo args $#; shift; echo $1; set -- new; echo $1; }; k a b; echo $#
eval 'for w in x y; do'  'echo $w; done'
while read line; do echo "<$line>"; done <<END
first
second  line
END
x=1; (x=2; echo $x); echo $x; { x=3; }; echo $x
echo a; exit 5; echo never
