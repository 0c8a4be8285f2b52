# Field splitting by IFS, and globbing.
count() { echo $#; }
show() { for word; do printf '[%s]' "$word"; done; echo; }
x=' a  b '
count $x; count "$x"; count x$x; count $x$x
IFS=,; y='a,b,,c,'; show $y; count $y; show "$y"
IFS=' ,'; z=' a , b,c  d '; show $z
IFS=; show $x; unset IFS
IFS='
'; show $(printf 'one two\nthree\n'); unset IFS
v='a*b'; show "$v" '*none*' no*match
cd "$(mktemp -d)" || exit 9
touch one two three .hidden 'sp ace' a1 a2 b1
mkdir dir; touch dir/x dir/y
show *; show t*; show a? [ab]1 [!a]1 *e; show .h*; show dir/* d*/x; show */; show "*" \*; show nothing*
show [[:alpha:]][[:digit:]]; show [a-b][0-9]
set -f; show *; set +f
p='t*'; show $p "$p"; q='\*'; show $q
case abc in a*) echo glob;; esac
case 'a*' in 'a*') echo literal;; esac
case b in [!a]) echo negated;; esac
case "x y" in x\ y) echo escaped;; esac
s='*'; case anything in $s) echo from variable;; esac
case anything in "$s") echo wrong;; *) echo quoted is literal;; esac
rm -r "$PWD"
