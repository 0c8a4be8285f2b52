# guest-only
# A script that the kernel itself starts through its interpreter, which the host keeps elsewhere.
printf '#!/bin/busybox sh\necho "$0: $# words: $*"\nexit 9\n' > script
busybox chmod +x script
./script a 'b c'; echo "status $?"
printf '#!/no/such/interpreter\n' > broken; busybox chmod +x broken
./broken 2>/dev/null; echo "status $?"
