# bash: functions, arrays, here-documents, command substitution, traps and what ash lacks.
set -u
greet() { local name=${1:-nobody}; printf 'hello %s\n' "$name"; }
greet; greet "two words"
fruits=(apple "red plum" pear)
fruits+=(fig)
echo "${#fruits[@]} ${fruits[1]} ${fruits[@]: -1}"
for index in "${!fruits[@]}"; do printf '%d=%s ' "$index" "${fruits[index]}"; done; echo
declare -A ages=([ann]=31 [bob]=42)
ages[eve]=7
for name in ann bob eve; do echo "$name is ${ages[$name]}"; done
busybox cat <<END
here: $(greet document) $((6 * 7))
END
busybox cat <<'END'
quoted: $(not run)
END
busybox tr a-z A-Z <<< "here string"
nested=$(echo "outer $(echo inner)"); echo "$nested"
trap 'echo "on exit: $?"' EXIT
trap 'echo "caught USR1"' USR1
kill -USR1 $$
(trap 'echo subshell ends' EXIT; exit 4); echo "subshell: $?"
[[ "release-12.3" =~ ^release-([0-9]+)\.([0-9]+)$ ]] && echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
echo {a..e} "${nested^^}" "${nested/inner/core}"
sum=0; for ((i = 1; i <= 100; i++)); do ((sum += i)); done; echo "$sum"
mapfile -t lines < <(printf 'x\ny\nz\n'); echo "${#lines[@]} ${lines[2]}"
echo one | busybox cat | busybox cat; echo "${PIPESTATUS[@]}"
sleeper() { busybox sleep 0.1; exit 6; }
sleeper & wait $!; echo "waited: $?"
read -r first rest <<< "a b c"; echo "$rest/$first"
printf '%s\n' "${fruits[@]}" | busybox sort | { read -r line; echo "$line"; }
exec 3> out; echo "through 3" >&3; exec 3>&-; busybox cat out
