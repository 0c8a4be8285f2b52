# Debian's own bash: what it does with processes, descriptors and signals.
export LC_ALL=C
cat <(echo substitution); exec 7> >(cat); copier=$!; echo written >&7; exec 7>&-; wait $copier
read -r x < <(echo read); echo $x; mapfile -t lines < <(seq 3); echo ${#lines[@]} ${lines[2]}
coproc cat; echo coprocess >&"${COPROC[1]}"; read -r y <&"${COPROC[0]}"; echo $y; kill $COPROC_PID; wait $COPROC_PID 2> /dev/null; echo "cat ended with $?"
trap 'echo usr1' USR1; kill -USR1 $$; trap 'echo child' CHLD; /bin/true; trap - CHLD
trap 'echo exit' EXIT; (exit 7) & wait $!; echo "status $?"
set -o pipefail; false | true; echo "pipefail $?"; echo "${PIPESTATUS[@]}"
# By number: `wait -n` forgets what ended before it, on any kernel.
(for i in 1 2 3 4; do (exit $i) & ended[i]=$!; done; for i in 4 2 3 1; do wait ${ended[i]}; echo "$i ended with $?"; done)
{ timeout -k 0.1 4 bash -c 'trap "" TERM; while :; do :; done'; } 2> /dev/null; echo "loop ended with $?"
exec 5<> file; echo data >&5; exec 5>&-; cat file; exec 6< file; read -u 6 line; echo "$line"
(ulimit -n 20; ulimit -n; cat /dev/null {1..30} 2> /dev/null; (eval exec {3..30}"< /dev/null;") 2> /dev/null || echo "no more descriptors")
{ (ulimit -v 20000; x=$(head -c 20000000 /dev/zero | tr '\0' x)) || echo 'no memory'; } 2> /dev/null; printf '%(%Y)T\n' 0; [[ abc =~ ^a(.)c$ ]] && echo ${BASH_REMATCH[1]}
shopt -s globstar extglob
mkdir -p g/h/i; touch g/a.c g/h/b.c g/h/i/c.o; echo **/*.c; echo g/!(*.c); declare -A map=([k]=v); echo ${map[k]}
f() { local -i n=$1; ((n > 1)) && f $((n - 1)); return 0; }; f 200 && echo recursion; echo {a..e} $((2 ** 40)) ${x@Q}; echo "$(< file)"; echo $(seq 1000 | wc -l) | cat
