# guest-only
# The whole tree, pseudo files included, can be walked.
# What vanishes under /proc meanwhile, such as the folder's own descriptor, is no error.
busybox ls -lR / > list 2> errors
busybox grep -vc /proc/ errors
busybox grep -q 'busybox$' list && echo "/bin is there"
busybox grep -q '^c.* 5, *1 .*console$' list && echo "the console is a device"
busybox grep -q '^drwxrwxrwt .* tmp$' list && echo "/tmp is sticky"
busybox find / -xdev -name passwd
busybox find /dev -type c | busybox grep -c -E '^/dev/(console|tty|null|zero|full|random|urandom)$'
