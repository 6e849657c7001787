#!/usr/bin/python3
"""Function workers as an intruder finds them: a worker that was taken over tries what it can reach,
and reports it as its last words."""

import ctypes
import errno
import pathlib
import platform
import stat
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.coppice import scratch_folder  # noqa: E402

# perl is on every Debian; the engine starts this in the place of coppice-media.
INTRUDER = r"""#!/usr/bin/perl
use strict;
use Socket;
my ($home, $rows, $new) = ('@HOME@', '@HOME@/pgdata/PG_VERSION', '@HOME@/media/incoming/new');
my ($f, $d, $u, $i);
sub try {
  my ($what, $done) = @_;
  print STDERR "$what: ", ($done ? 'reached' : "refused, $!"), "\n";
}
print STDERR "what an intruder reaches\n";
try('media', open($f, '>', $new) && rename($new, "$home/media/sha256/new"));
try('cache', opendir($d, "$home/cache/sha256"));
try('rows', open($f, '<', $rows));
try('rows to write', open($f, '+<', $rows));
try('mode of rows', chmod(0600, $rows));
try('rows through the server', opendir($d, '/proc/@POSTMASTER@/cwd'));
try('home', opendir($d, $home));
try('settings', open($f, '<', "$home/config.toml"));
try('file of the user', open($f, '<', '@USER_FILE@'));
try('server', socket($u, AF_UNIX, SOCK_STREAM, 0) && connect($u, sockaddr_un('@SERVER@')));
try('network', socket($i, AF_INET, SOCK_STREAM, 0));
exit 3;
"""


class Sandbox(coppice.TestCase):
    private = True

    def intrude(self):
        """What the worker reached, by name."""
        folder = scratch_folder(self)
        secret = folder / "secret"
        secret.write_text("of somebody")
        (server,) = (
            entry for entry in (self.home.folder / "run").iterdir()
            if stat.S_ISSOCK(entry.stat().st_mode)
        )  # fmt: skip
        values = {
            "@HOME@": self.home.folder, "@USER_FILE@": secret, "@SERVER@": server,
            "@POSTMASTER@": self.home.postmaster_pid(),
        }  # fmt: skip
        text = INTRUDER
        for name, value in values.items():
            text = text.replace(name, str(value))
        worker = folder / "worker"
        worker.write_text(text)
        worker.chmod(0o755)
        findings = self.home.json_lines(
            "doctor", code=1, environment={"COPPICE_MEDIA_WORKER": str(worker)}
        )
        (last_words,) = (f["found"] for f in findings if f["check"] == "function workers")
        outcomes = dict(
            line.split(": ", 1) for line in last_words.splitlines()
            if ": reached" in line or ": refused" in line
        )  # fmt: skip
        self.assertEqual(len(outcomes), 11, last_words)
        return outcomes

    def finding(self):
        (finding,) = (
            f for f in self.home.json_lines("doctor") if f["check"] == "worker sandbox"
        )  # fmt: skip
        return finding

    def test_a_worker_that_was_taken_over_reaches_its_media_and_nothing_else(self):
        if self.finding()["level"] == "warning":
            self.skipTest("Landlock and mount namespaces are refused here")
        outcomes = self.intrude()
        reached = {what for what, outcome in outcomes.items() if outcome == "reached"}
        self.assertEqual(reached, {"media", "cache"}, outcomes)
        self.home.sql("SELECT 1")  # the server is as it was

    def test_doctor_says_which_walls_stand(self):
        finding = self.finding()
        if finding["level"] == "warning":
            self.skipTest("Landlock and mount namespaces are refused here")
        self.assertEqual(finding["level"], "ok", finding)
        self.assertIn("media", finding["found"])

    def test_doctor_warns_where_a_container_refuses_them_and_workers_still_work(self):
        findings = self.home.json_lines("doctor", preexec_fn=refuse_walls)
        levels = {f["check"]: f["level"] for f in findings}
        self.assertEqual(levels["worker sandbox"], "warning", findings)
        self.assertEqual(levels["function workers"], "ok", findings)


def refuse_walls():
    """Makes this process one whose container knows no Landlock and refuses namespaces."""
    landlock, unshare = 444, {"x86_64": 272, "aarch64": 97}[platform.machine()]
    load, equals, give = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
    allow, refuse = 0x7FFF0000, 0x00050000 | errno.EPERM
    program = [
        (load, 0, 0, 0),
        (equals, 1, 0, landlock),
        (equals, 0, 1, unshare),
        (give, 0, 0, refuse),
        (give, 0, 0, allow),
    ]
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code)
    filter_ = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    )
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    no_new_privileges, set_filter = (38, 1, 0, 0, 0), (22, 2, filter_, 0, 0)
    for call in (no_new_privileges, set_filter):
        if prctl(*call) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    tap.main()
