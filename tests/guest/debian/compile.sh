# C compilers in the guest: gcc; tcc for glibc, for musl, and straight into memory.
cat > t.c <<'C'
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int total;
static void *work(void *n) { for (long i = 0; i < 1000; i++) { pthread_mutex_lock(&lock); total += (long)n; pthread_mutex_unlock(&lock); } return n; }
static void handler(int s) { write(1, "signal\n", 7); }

int main(int argc, char **argv) {
    setvbuf(stdout, 0, _IOLBF, 0);
    printf("hello %s\n", argc > 1 ? argv[1] : "nobody");
    pthread_t t[4];
    for (long i = 0; i < 4; i++) pthread_create(&t[i], 0, work, (void *)(i + 1));
    for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
    printf("total %d\n", total);
    signal(SIGUSR1, handler); raise(SIGUSR1);
    int status; pid_t pid = fork();
    if (!pid) { execlp("echo", "echo", "executed", (char *)0); _exit(127); }
    waitpid(pid, &status, 0); printf("status %d\n", WEXITSTATUS(status));
    FILE *p = popen("cat", "w"); fprintf(p, "popen\n"); printf("pclose %d\n", pclose(p));
    char *m = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); strcpy(m + 5000, "mapped"); printf("%s\n", m + 5000);
    errno = 0; open("/no/such/file", O_RDONLY); printf("%s\n", strerror(errno));
    char *big = malloc(64 << 20); memset(big, 1, 64 << 20); big = realloc(big, 96 << 20); printf("%d\n", big[12345]); free(big);
    printf("%.6f %g\n", strtod("2.5e3", 0), 1.0 / 3);
    return 7;
}
C
gcc -O2 -w -o by-gcc t.c -pthread && ./by-gcc everybody; echo "status $?"
gcc -O1 -w -static-pie -c -o part.o -x c - <<< 'int twice(int x) { return 2 * x; }' && gcc -w -o linked part.o -x c - <<< 'int twice(int); int main() { return twice(21); }'; ./linked; echo "status $?"
tcc -o glibc t.c -lpthread && ./glibc world; echo "status $?"
tcc -run t.c memory; echo "status $?"
machine=$(uname -m); musl=/usr/lib/$machine-linux-musl
tcc -nostdlib -nostdinc -I/usr/include/$machine-linux-musl -I/usr/lib/$machine-linux-gnu/tcc/include -o musl $musl/crt1.o $musl/crti.o t.c -L$musl -lc $musl/crtn.o
# tcc knows one dynamic loader only; the other's name is shorter.
perl -pi -e "s{/lib(64)?/ld-linux[^\\0]*}{\$n = '/lib/ld-musl-$machine.so.1'; \$n . qq(\\0) x (length(\$&) - length(\$n))}e" musl
./musl world; echo "status $?"; /lib/ld-musl-$machine.so.1 ./musl again | head -n 1
ldd /bin/ls | sed -n 's/ => .*//p' | tr -d '\t' | sort
