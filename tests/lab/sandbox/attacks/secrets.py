"""Reading what the harness, the user and the machine hold."""

from tests.lab.sandbox.attacks.model import METADATA, Attack

ATTACKS = (
    Attack("own environment", "if A['canary'] in str(os.environ): worked()"),
    Attack(
        "environment of every process",
        "for path in glob.glob('/proc/[0-9]*/environ') + ['/proc/1/environ', '/proc/self/environ',"
        " f'/proc/{os.getppid()}/environ']:\n"
        "    if A['canary'] in (attempt(lambda: open(path, errors='replace').read()) or ''):\n"
        "        worked(); break",
    ),
    Attack(
        "command line of every process",
        "for path in glob.glob('/proc/[0-9]*/cmdline') + [f'/proc/{A[\"victim\"]}/cmdline']:\n"
        "    found = attempt(lambda: open(path, errors='replace').read()) or ''\n"
        "    if ''.join(A['marker']) in found:\n"
        "        worked(); break",
    ),
    Attack("file of the user", "if A['canary'] in open(A['secret']).read(): worked()"),
    Attack("password file", "if 'root:' in open('/etc/passwd').read(): worked()"),
    Attack("listing of a folder", "if os.listdir(os.path.dirname(A['secret'])): worked()"),
    Attack("size of a file", "if os.stat(A['secret']).st_size: worked()", holds_not=METADATA),
    Attack(
        "through the root of a process",
        "if open(f\"/proc/{A['victim']}/root{A['secret']}\").read(): worked()",
    ),
    Attack(
        "through the folder of the parent",
        "if open(f'/proc/{os.getppid()}/root' + A['secret']).read(): worked()",
    ),
    Attack(
        "through a link in the box",
        "os.symlink(A['secret'], 'link')\nif open('link').read(): worked()",
    ),
    Attack(
        "through a second name",
        "os.link(A['secret'], 'second')\nif open('second').read(): worked()",
    ),
    Attack("climbing out of the box", "if open('../' * 40 + A['secret']).read(): worked()"),
    Attack(
        "through a program with more rights",
        "done = subprocess.run(['/usr/bin/su', '-c', 'cat ' + A['secret']], capture_output=True,\n"
        "                      text=True, stdin=subprocess.DEVNULL)\n"
        "if A['canary'] in done.stdout: worked()",
    ),
    Attack(
        "inherited descriptor",
        "for fd in range(3, 4096):\n"
        "    if (attempt(lambda: os.pread(fd, 200, 0)) or b'').find(A['canary'].encode()) >= 0:\n"
        "        worked(); break",
    ),
    Attack("kernel log", "os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK); worked()"),
    Attack("disks and devices", "os.open('/dev/loop-control', os.O_RDONLY); worked()"),
    Attack("virtual machines", "os.open('/dev/kvm', os.O_RDONLY); worked()"),
    Attack("hardware through sysfs", "if os.listdir('/sys/devices'): worked()"),
    Attack(
        "processes of the machine",
        "if str(A['victim']) in os.listdir('/proc'): worked()",
    ),
)
