# Quotes, backslashes and what they keep together.
show() { for word; do printf '[%s]' "$word"; done; echo; }
show a b 'c d' "e f" g\ h ''
show "a'b" 'c"d' "\$x \\ \" \a" 'a\b'
x='  spaced   out  '
show $x "$x" a$x"b"
show "" '' $empty "$empty" a""b
show "a
b" c\
d
show $# "$#" \# a#b # comment
show '!' ! \!
