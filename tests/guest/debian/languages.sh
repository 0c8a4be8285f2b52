# Programs of other languages, as Debian packages them: Go's runtime (gron, fzf) and Rust's (ripgrep, fd).
export LC_ALL=C
{
    mkdir -p d/e; seq 2000 | sed 's/^/line /' > d/numbers; echo '{"a": [1, {"b": null}], "c": "x"}' > d/e/t.json
    gron d/e/t.json; gron d/e/t.json | gron --ungron | tr -d ' \n'; echo
    for i in $(seq 1 400); do echo "{\"key$i\": [$i, $i, {\"deep\": \"$i\"}]}"; done > lines; gron -s lines | tail -n 2; GOMAXPROCS=4 GOGC=1 gron -s lines | wc -l
    seq 20000 | fzf --filter 19999; find / -xdev -name '*.so*' 2> /dev/null | fzf --filter 'libc.so.6$' | grep -c .; fzf --filter x < /dev/null; echo "nothing found: $?"
    rg -c 'line 1' d; rg --no-filename -o 'line 19[0-9]5' d | sort | head -n 3; rg -j 4 --files d | sort; rg nothing d; echo "nothing found: $?"
    rg -l 'ELF' --text /usr/bin/env; rg --version | sed -n 1p | cut -d' ' -f1
    fdfind . d | sort; fdfind -j 4 -e json . d -x echo found {/}; fdfind -e json . d -X cat; fdfind -tf -j 2 numbers d --exec wc -l
} | cat # No terminal, no colours.
