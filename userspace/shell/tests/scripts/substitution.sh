# Command substitution and arithmetic.
echo $(echo a; echo b) "$(echo a; echo b)"
echo `echo nested \`echo deep\`` $(echo $(echo $(echo deeper)))
x=$(printf 'trailing\n\n\n'); echo "[$x]"
x=$(false); echo $?; x=$(exit 7) || echo status $?
echo "$(echo "inner \"quotes\"")" $(case x in x) echo in case;; esac)
f() { echo from f $1; }; echo $(f arg)
echo $((1 + 2 * 3)) $(( (1 + 2) * 3 )) $((7 / 2)) $((-7 / 2)) $((7 % 3)) $((1 << 4)) $((255 >> 2))
a=5; echo $((a)) $(($a + 1)) $((a * a)) $((a > 3)) $((a == 5 && a != 4)) $((!a)) $((~a)) $((a ? 1 : 2))
echo $((a = 7)) $a $((a += 2)) $a $((a -= 1)) $((a *= 2)) $((a /= 3)) $((a %= 3)) $a
echo $((0x1f)) $((010)) $((5 & 3)) $((5 | 3)) $((5 ^ 3)) $((1 || 0)) $((0 && 1))
echo $(( 1 +
2 )) "$((3+4))" $((unset_variable + 1))
echo $(( $(echo 4) + ${#a} ))
echo $((9223372036854775807 + 1))
(echo $((1 / 0))) 2>/dev/null; echo $?
echo $(cat <<E
in substitution $((2 + 2))
E
)
echo "$(echo "$(echo "three deep")")" "${none:-$(echo "in default")}"
echo $( (echo subshell; echo in substitution) )
