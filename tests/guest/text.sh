# grep, sed, awk and their relatives.
cat_lines() { printf '%s\n' 'apple 3' 'pear 12' 'plum 7' 'apple pie 1'; }
cat_lines | busybox grep -n apple
cat_lines | busybox grep -vc apple
cat_lines | busybox grep -E '^p(ear|lum)' 
cat_lines | busybox sed -e 's/\([a-z]*\) \([0-9]*\)$/\2 \1/' -e '/pie/d'
cat_lines | busybox sed -n '2,3p'
cat_lines | busybox awk '{ n[$1] += $NF } END { for (k in n) print k, n[k] }' | busybox sort
cat_lines | busybox sort -k2 -n | busybox head -n 2
cat_lines | busybox cut -d' ' -f1 | busybox sort | busybox uniq -c | busybox awk '{ print $2, $1 }'
cat_lines | busybox tr a-z A-Z | busybox tail -n 1
cat_lines | busybox wc | busybox awk '{ print $1, $2, $3 }'
busybox expr 6 \* 7
busybox printf '%05d %x\n' 42 255
cat_lines > one; cat_lines | busybox sed 's/7/8/' > two
busybox diff one two | busybox grep '^[-+][a-z]'
busybox cmp one one && echo same
