# Debian's python3: threads, subprocesses, the system interface.
cat > t.py <<'P'
import ctypes, fcntl, json, mmap, os, queue, resource, select, shutil, signal, subprocess, tempfile, threading, time
from concurrent.futures import ThreadPoolExecutor

results = []
threads = [threading.Thread(target=lambda i=i: results.append(sum(range(i * 1000)))) for i in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print(json.dumps({"threads": len(results), "sum": sum(results)}))
counter, lock = 0, threading.Lock()
def count():
    global counter
    for _ in range(2000):
        with lock: counter += 1
threads = [threading.Thread(target=count) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print("counted", counter)
with ThreadPoolExecutor(4) as pool: print(list(pool.map(lambda x: x * x, range(8))))
q, event = queue.Queue(1), threading.Event()
def produce():
    for i in range(100): q.put(i)
    event.set()
threading.Thread(target=produce).start(); print("queue", sum(q.get() for _ in range(100)), event.wait(10))
condition = threading.Condition()
with condition: print("condition", condition.wait(0.05))

print(subprocess.run(["echo", "child"], capture_output=True, text=True).stdout, end="")
print(subprocess.check_output("echo shell | tr a-z A-Z", shell=True))
with subprocess.Popen(["sort"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p: print(repr(p.communicate("b\na\n")[0]))
try: subprocess.run(["sleep", "10"], timeout=0.2)
except subprocess.TimeoutExpired: print("timed out")
try: subprocess.run(["/no/such/program"])
except FileNotFoundError as e: print("errno", e.errno)
print("returncode", subprocess.run(["sh", "-c", "kill -9 $$"]).returncode, subprocess.run(["sh", "-c", "exit 3"], start_new_session=True, cwd="/").returncode)

pid = os.fork()
if pid == 0: os._exit(4)
print("waited", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
signal.signal(signal.SIGALRM, lambda *_: print("alarm")); signal.setitimer(signal.ITIMER_REAL, 0.05); time.sleep(0.2)
r, w = os.pipe(); poll = select.poll(); poll.register(r, select.POLLIN); print("poll", poll.poll(10)); os.write(w, b"x"); print("poll", [e for _, e in poll.poll(1000)], select.select([r], [], [], 1)[0] == [r])
m = mmap.mmap(-1, 1 << 20); m[5:10] = b"hello"; print("mmap", m.find(b"lo"), len(m)); m.close()
with tempfile.TemporaryDirectory() as d:
    shutil.copy("/etc/passwd", d); shutil.copytree("/etc/skel", d + "/skel"); print("copied", os.path.getsize(d + "/passwd") > 0, sorted(os.listdir(d)))
    with open(d + "/f", "w+b") as f:
        f.write(bytes(range(256)) * 64); f.flush(); fcntl.flock(f, fcntl.LOCK_EX); fcntl.lockf(f, fcntl.LOCK_EX, 10)
        with mmap.mmap(f.fileno(), 0) as m: m[0] = 65; print("file", len(m), m[:2], os.pread(f.fileno(), 2, 0))
        os.posix_fallocate(f.fileno(), 0, 20000); print("size", os.fstat(f.fileno()).st_size, os.sendfile(w, f.fileno(), 0, 16))
print("libc", ctypes.CDLL(None).getpid() == os.getpid(), os.get_terminal_size.__name__, os.cpu_count() > 0, resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 0)
fd = os.eventfd(3); print("eventfd", os.eventfd_read(fd)); print("random", len(os.urandom(16)), os.getrandom(8) != os.getrandom(8))
print("uname", os.uname().sysname, "monotonic", time.monotonic() < time.monotonic_ns(), time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID) > 0)
P
python3 t.py
python3 -c 'import sqlite3, hashlib, zlib, re, decimal, datetime; print(hashlib.sha256(b"x").hexdigest()[:8], zlib.crc32(b"x"), decimal.Decimal(1) / 7, datetime.date(2024, 2, 29).isoformat())'
echo 'raise SystemExit(9)' | python3 -; echo "status $?"
