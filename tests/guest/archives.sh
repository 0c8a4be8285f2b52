# tar through a pipe, compression, checksums and raw copies of data that fills many pages.
busybox mkdir -p from/inner
echo small > from/inner/file
busybox dd if=/dev/zero of=zeros bs=64k count=128 2>/dev/null
busybox stat -c '%s' zeros
busybox sha256sum zeros
busybox awk 'BEGIN { for (i = 0; i < 60000; i++) print "line", i, i * i % 977 }' > from/numbers
busybox md5sum from/numbers
busybox mkdir to
busybox tar c from | busybox tar x -C to
busybox cmp from/numbers to/from/numbers && echo "tar keeps content"
busybox tar c from | busybox gzip | busybox gunzip | busybox tar t | busybox sort
busybox gzip -c from/numbers | busybox gunzip | busybox cmp - from/numbers && echo "gzip keeps content"
busybox gzip -9 zeros
busybox gunzip zeros.gz
busybox sha256sum < zeros
busybox dd if=from/numbers bs=1 skip=5 count=10 2>/dev/null | busybox od -c
busybox dd if=/dev/zero of=sparse bs=1 seek=1048575 count=1 2>/dev/null
busybox stat -c '%s' sparse
echo from/inner/file | busybox cpio -o -H newc 2>/dev/null | busybox cpio -t 2>/dev/null
