# Making, listing, finding, renaming and removing files.
busybox mkdir -p tree/left tree/right/deep
echo alpha > tree/left/a
echo beta >> tree/right/deep/b
busybox ln -s ../left/a tree/right/link
busybox ln tree/left/a tree/left/hard
busybox chmod 640 tree/left/a
busybox touch -d '2024-02-03 04:05:06' tree/right/deep/b
echo "-- find"
busybox find tree | busybox sort
busybox find tree -type l -o -links 2 -type f | busybox sort
echo "-- ls"
busybox ls -lR tree | busybox awk '/^[-l]/ { print $1, $2, $5, $9, $10, $11 } /:$/ { print }'
echo "-- stat"
busybox stat -c '%A %s %h' tree/left/a
TZ=UTC busybox stat -c '%y' tree/right/deep/b | busybox cut -c1-19
echo "-- moving"
busybox mv tree/left moved
busybox cp -a tree copy
busybox cat copy/right/deep/b moved/hard
busybox cat tree/right/link 2>/dev/null || echo "the link dangles"
busybox du -a moved >/dev/null && echo "du works"
busybox rm -r tree copy moved
busybox ls
