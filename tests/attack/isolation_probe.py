# ruff: noqa: PTH101, PTH108, PTH112, PTH114, PTH116, PTH118, PTH123, PTH208, S103, SIM115, SIM905
"""Runs inside a container: tries to get out, to see others, to gain rights. Not a test file.

Fills ``report``: attempt -> "open" if it worked, else the name of the error it met. Each attempt is a
function in ``ATTEMPTS``; those in ``CONTROLS`` must work, so that a broken probe cannot pass for a wall.
"""

import ctypes
import errno
import mmap
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading

DESCRIPTORS = os.listdir("/proc/self/fd")  # before the attempts open any
LIBC = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    """A raw system call (x86_64)."""
    words = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    if LIBC.syscall(ctypes.c_long(number), *words) < 0:
        raise OSError(ctypes.get_errno(), "")


def sock(family, kind=socket.SOCK_STREAM, protocol=0):
    socket.socket(family, kind, protocol).close()


def connect(address):
    with socket.socket(socket.AF_INET) as line:
        line.settimeout(3)
        line.connect(address)


def unix(path):
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)


def write(path, mode="w", text="x"):
    with open(path, mode) as file:
        file.write(text)


def exec_from(folder):
    target = os.path.join(folder, "python")
    try:
        shutil.copy("/usr/bin/python3.11", target)
        os.chmod(target, 0o755)
        subprocess.run([target, "-c", "pass"], check=True)
    finally:
        os.unlink(target)


def nothing_in(path):
    """Open if the path tells anything."""
    try:
        found = os.listdir(path) if os.path.isdir(path) else open(path).read()
    except FileNotFoundError:
        found = ""
    if not found:
        raise OSError(errno.ENODATA, "")


def sys_kernel():
    """Open if anything is there beside the size of a huge page, which is no secret."""
    allowed = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
    told = [os.path.join(place, name) for place, _, names in os.walk("/sys/kernel") for name in names]
    if not set(told) - {allowed}:
        raise OSError(errno.ENODATA, "")


def others_in_proc():
    mine = {1, os.getpid()}
    if {int(name) for name in os.listdir("/proc") if name.isdigit()} <= mine:
        raise OSError(errno.ENODATA, "")


OTHER = 2 if os.getpid() == 1 else 1  # the only other process there could be


def other_memory():
    open(f"/proc/{OTHER}/mem", "r+b").close()


def other_environment():
    nothing_in(f"/proc/{OTHER}/environ")


def kill_first_process():
    """Open if the first process of the sandbox can be ended, or slowed, by another one in it."""
    os.kill(OTHER, 0)
    os.sched_setscheduler(OTHER, os.SCHED_IDLE, os.sched_param(0))


def inherited_descriptors():
    """Open if there is a descriptor beyond the standard three; one of them is that of the listing."""
    if len(DESCRIPTORS) <= 4:
        raise OSError(errno.ENODATA, "")


def only(found, allowed):
    """Open if ``found`` has more than ``allowed``."""
    if set(found) <= set(allowed):
        raise OSError(errno.ENODATA, "")
    raise RuntimeError(sorted(set(found) - set(allowed)))


def interfaces():
    return [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]]


def setuid_files():
    for folder, _, names in os.walk("/"):
        if folder.startswith(("/proc", "/sys", "/dev")):
            continue
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path) and os.stat(path).st_mode & 0o6000:
                yield path


def gain(name):
    status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    if int(status[name], 16) == 0:
        raise OSError(errno.ENODATA, "")


def raise_limit():
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 16, 1 << 16))
    except ValueError:
        raise OSError(errno.EPERM, "") from None


def signal_init():
    os.kill(1, 0)
    os.kill(2**22 - 1, 9)


NEWUSER, NEWNS = 0x10000000, 0x00020000
ATTEMPTS = {
    # network
    "dns": lambda: socket.getaddrinfo("example.com", 443),
    "tcp": lambda: connect(("192.0.2.1", 443)),
    "tcp_metadata_address": lambda: connect(("169.254.169.254", 80)),
    "socket_inet": lambda: sock(socket.AF_INET),
    "socket_inet_udp": lambda: sock(socket.AF_INET, socket.SOCK_DGRAM),
    "socket_inet6": lambda: sock(socket.AF_INET6),
    "socket_raw": lambda: sock(socket.AF_INET, socket.SOCK_RAW, 1),
    "socket_netlink": lambda: sock(socket.AF_NETLINK, socket.SOCK_RAW),
    "socket_packet": lambda: sock(socket.AF_PACKET, socket.SOCK_RAW),
    "socket_vsock": lambda: sock(40),
    "socket_alg": lambda: sock(38, socket.SOCK_SEQPACKET),
    "interface_beyond_lo": lambda: only(interfaces(), ["lo"]),
    # the engine and the host
    "engine_socket": lambda: unix("/run/sandbox-engine/docker.sock"),
    "docker_socket": lambda: unix("/var/run/docker.sock"),
    "containerd_abstract": lambda: unix("\0/containerd-shim"),
    "device_beyond_the_usual": lambda: only(
        os.listdir("/dev"),
        "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero".split(),
    ),
    "environment": lambda: only(
        os.environ,
        "PATH HOME TMPDIR LANG HOSTNAME OMP_NUM_THREADS OPENBLAS_NUM_THREADS POLARS_MAX_THREADS "
        "RAYON_NUM_THREADS LC_CTYPE PWD TASK_PIDS TASK_MEMORY TASK_TMP_BYTES "
        "TASK_OUTPUT_BYTES TASK_IMAGE".split(),
    ),
    # system calls
    "mount": lambda: call(165, b"none", b"/tmp", b"tmpfs", 0, 0),
    "umount": lambda: call(166, b"/in", 2),
    "fsopen": lambda: call(430, b"tmpfs", 0),
    "open_tree": lambda: call(428, -100, b"/", 1),
    "mount_setattr": lambda: call(442, -100, b"/in", 0, 0, 0),
    "pivot_root": lambda: call(155, b"/tmp", b"/tmp"),
    "chroot": lambda: os.chroot("/tmp"),
    "unshare_user": lambda: call(272, NEWUSER),
    "unshare_mount": lambda: call(272, NEWNS),
    "setns": lambda: call(308, os.open("/proc/self/ns/net", os.O_RDONLY), 0),
    "clone_newuser": lambda: call(56, NEWUSER | 17, 0, 0, 0, 0),
    "clone3": lambda: call(435, 0, 0),
    "ptrace_traceme": lambda: call(101, 0, 0, 0, 0),
    "process_vm_readv": lambda: call(310, 1, 0, 0, 0, 0, 0),
    "pidfd_open": lambda: call(434, 1, 0),
    "bpf": lambda: call(321, 0, 0, 0),
    "perf_event_open": lambda: call(298, 0, 0, -1, -1, 0),
    "io_uring_setup": lambda: call(425, 1, 0),
    "io_setup": lambda: call(206, 1, 0),
    "userfaultfd": lambda: call(323, 0),
    "add_key": lambda: call(248, b"user", b"x", b"x", 1, -3),
    "keyctl": lambda: call(250, 0, -3, 0),
    "kexec_load": lambda: call(246, 0, 0, 0, 0),
    "init_module": lambda: call(175, 0, 0, 0),
    "memfd_create": lambda: call(319, b"x", 0),
    "memfd_secret": lambda: call(447, 0),
    "name_to_handle_at": lambda: call(303, -100, b"/", 0, 0, 0),
    "open_by_handle_at": lambda: call(304, -100, 0, 0),
    "vmsplice": lambda: call(278, 0, 0, 0, 0),
    "splice": lambda: call(275, 0, 0, 1, 0, 0, 0),
    "modify_ldt": lambda: call(154, 0, 0, 0),
    "personality_no_randomise": lambda: call(135, 0x0040000),
    "seccomp": lambda: call(317, 0, 0, 0),
    "landlock": lambda: call(444, 0, 0, 1),
    "mq_open": lambda: call(240, b"x", 0x42, 0o600, 0),
    "shmget": lambda: call(29, 0, 4096, 0o1600),
    "semget": lambda: call(64, 0, 1, 0o1600),
    "syslog": lambda: call(103, 3, b"", 0),
    "acct": lambda: call(163, 0),
    "swapon": lambda: call(167, b"/tmp/x", 0),
    "reboot": lambda: call(169, 0, 0, 0, 0),
    "sethostname": lambda: call(170, b"x", 1),
    "settimeofday": lambda: call(164, 0, 0),
    "quotactl": lambda: call(179, 0, 0, 0, 0),
    "mknod_device": lambda: call(133, b"/tmp/disk", 0o060600, 0xFE00),
    "mknod_fifo": lambda: call(133, b"/tmp/fifo", 0o010600, 0),
    "iopl": lambda: call(172, 3),
    # rights
    "setuid_0": lambda: os.setuid(0),
    "setgid_0": lambda: os.setgid(0),
    "setgroups_0": lambda: os.setgroups([0]),
    "nice_up": lambda: os.nice(-5),
    "raise_open_files": raise_limit,
    "capability_effective": lambda: gain("CapEff"),
    "capability_permitted": lambda: gain("CapPrm"),
    "capability_bounding": lambda: gain("CapBnd"),
    "capability_ambient": lambda: gain("CapAmb"),
    "capability_inheritable": lambda: gain("CapInh"),
    "setuid_files": lambda: only(setuid_files(), []),
    # files
    "write_root": lambda: write("/x"),
    "write_usr": lambda: write("/usr/lib/python3.11/os.py", "a"),
    "write_passwd": lambda: write("/etc/passwd", "a"),
    "write_resolv": lambda: write("/etc/resolv.conf", "a"),
    "write_task": lambda: write("/in/task.json", "a"),
    "write_input": lambda: write("/in/data/rows.csv", "a"),
    "write_input_folder": lambda: write("/in/data/new"),
    "write_input_sub_mount": lambda: write("/in/data/below/new"),
    "chmod_input": lambda: os.chmod("/in/data/rows.csv", 0o777),
    "unlink_input": lambda: os.unlink("/in/data/rows.csv"),
    "write_core_pattern": lambda: write("/proc/sys/kernel/core_pattern"),
    "write_sysrq": lambda: write("/proc/sysrq-trigger"),
    "write_cgroup": lambda: write("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    "write_release_agent": lambda: write("/sys/fs/cgroup/memory/release_agent"),
    "lower_oom_score": lambda: write("/proc/self/oom_score_adj", text="-1000"),
    "write_dev": lambda: write("/dev/x"),
    "exec_tmp": lambda: exec_from("/tmp"),
    "exec_out": lambda: exec_from("/out"),
    "exec_shm": lambda: exec_from("/dev/shm"),
    "shell": lambda: os.stat("/bin/sh"),
    "apt_sources": lambda: os.stat("/etc/apt"),
    # others
    "others_in_proc": others_in_proc,
    "signal_others": signal_init,
    "other_memory": other_memory,
    "other_environment": other_environment,
    "kill_first_process": kill_first_process,
    "inherited_descriptors": inherited_descriptors,
    "kallsyms": lambda: nothing_in("/proc/kallsyms"),
    "kcore": lambda: nothing_in("/proc/kcore"),
    "keys": lambda: nothing_in("/proc/keys"),
    "interrupts": lambda: nothing_in("/proc/interrupts"),
    "diskstats": lambda: nothing_in("/proc/diskstats"),
    "partitions": lambda: nothing_in("/proc/partitions"),
    "modules": lambda: nothing_in("/proc/modules"),
    "command_line": lambda: nothing_in("/proc/cmdline"),
    "sys_class": lambda: nothing_in("/sys/class"),
    "sys_block": lambda: nothing_in("/sys/block"),
    "sys_kernel": sys_kernel,
    "write_huge_page": lambda: write("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"),
    "write_beside_huge_page": lambda: write("/sys/kernel/mm/transparent_hugepage/enabled"),
    "sys_firmware": lambda: nothing_in("/sys/firmware"),
}


def thread():
    line = threading.Thread(target=lambda: None)
    line.start()
    line.join()


def pair():
    left, right = socket.socketpair()
    left.sendall(b"x")
    assert right.recv(1) == b"x"
    left.close()
    right.close()


CONTROLS = {
    "read_input": lambda: open("/in/data/rows.csv").read(),
    "write_tmp": lambda: write("/tmp/x"),
    "write_shm": lambda: write("/dev/shm/x"),
    "write_out": lambda: write("/out/files/x"),
    "raise_oom_score": lambda: write("/proc/self/oom_score_adj", text="600"),
    "socket_unix": pair,
    "thread": thread,
    "process": lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
    "map_memory": lambda: mmap.mmap(-1, 1 << 20).close(),
    "getpid": lambda: call(39),
    "analysis": lambda: __import__("duckdb").sql("select 1 + 1").fetchall(),
}


def attempt(action):
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno, f"OSError {error.errno}")
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "open"


report = {
    "attempts": {name: attempt(action) for name, action in ATTEMPTS.items()},
    "controls": {name: attempt(action) for name, action in CONTROLS.items()},
}
