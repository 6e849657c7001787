#!/usr/bin/python3
"""Homes and their private servers: made once, found again wherever they are moved, and back on
their feet after whatever happens to the server."""

import json
import os
import pathlib
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.coppice import Home, scratch_folder, wait_until  # noqa: E402


class Init(unittest.TestCase):
    def new_home(self):
        home = Home(scratch_folder(self) / "home")
        self.addCleanup(home.stop)
        return home

    def test_it_ends_with_three_next_commands(self):
        home = self.new_home()
        output = home.run("init")
        self.assertGreaterEqual(output.count("coppice "), 3, output)
        self.assertTrue((home.folder / "config.toml").exists())

    def test_a_second_one_changes_nothing(self):
        home = self.new_home()
        home.run("init")
        home.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (7)")
        home.run("init")
        self.assertEqual(home.value("SELECT id FROM t"), 7)

    def test_two_at_once_make_one_home(self):
        home = self.new_home()
        both = [home.start("init") for _ in range(2)]
        for process in both:
            _, errors = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, errors)
        home.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
        self.assertEqual(home.versions("t"), [0, 1])

    def test_one_that_was_killed_can_be_done_again(self):
        for delay in (0.05, 0.3, 0.8):
            home = self.new_home()
            process = home.start("init", start_new_session=True)
            time.sleep(delay)
            process.kill()
            process.communicate()
            home.run("init")
            home.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")

    def test_verbs_without_a_home_say_how_to_make_one(self):
        home = self.new_home()
        errors = home.fail("sql", "SELECT 1", code=4)
        self.assertIn("coppice init", errors)
        self.assertIn(str(home.folder), errors)
        self.assertFalse(home.folder.exists())

    def test_no_port_is_open_and_the_socket_is_closed_to_others(self):
        home = self.new_home()
        home.run("init")
        home.sql("SELECT 1")
        pid = home.postmaster_pid()
        listening = subprocess.run(["cat", f"/proc/{pid}/net/tcp", f"/proc/{pid}/net/tcp6"],
                                   capture_output=True, text=True).stdout  # fmt: skip
        inodes = {line.split()[9] for line in listening.splitlines() if " 0A " in line}
        own = {os.readlink(link) for link in pathlib.Path(f"/proc/{pid}/fd").iterdir()}
        self.assertFalse({f"socket:[{inode}]" for inode in inodes} & own)
        mode = stat.S_IMODE((home.folder / "pgdata").stat().st_mode)
        self.assertEqual(mode & 0o077, 0)

    def test_checksums_are_on(self):
        home = self.new_home()
        home.run("init")
        self.assertEqual(home.value("SELECT current_setting('data_checksums')"), "on")


class PrivateServer(coppice.TestCase):
    private = True

    def setUp(self):
        self.home.sql("DROP TABLE IF EXISTS t")
        self.home.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")

    def check(self):
        self.assertEqual(self.home.value("SELECT count(*) FROM t"), 2)
        self.assertEqual(self.home.versions("t"), [0, 1])
        self.home.sql("INSERT INTO t VALUES (3)")

    def test_it_stops_and_starts_on_demand_in_under_two_seconds(self):
        pid = self.home.postmaster_pid()
        self.home.run("stop")
        self.assertFalse(coppice.process_exists(pid))
        begin = time.monotonic()
        self.home.sql("SELECT 1")
        self.assertLess(time.monotonic() - begin, 2.0)
        self.assertNotEqual(self.home.postmaster_pid(), pid)
        self.check()

    def test_it_is_left_running(self):
        pid = self.home.postmaster_pid()
        self.home.sql("SELECT 1")
        self.assertEqual(self.home.postmaster_pid(), pid)

    def test_stopping_a_stopped_one_is_fine(self):
        self.home.run("stop")
        self.home.run("stop")
        self.check()

    def test_a_crashed_server_is_recovered(self):
        self.home.kill_server()
        self.check()

    def test_a_stale_pid_file_is_no_obstacle(self):
        self.home.run("stop")
        pid_file = self.home.folder / "pgdata" / "postmaster.pid"
        # The number of a living process that is no server: this one.
        pid_file.write_text(f"{os.getpid()}\n{self.home.folder}/pgdata\n0\n0\n\n\n\n")
        owner = (self.home.folder / "pgdata").stat()
        os.chown(pid_file, owner.st_uid, owner.st_gid)
        pid_file.chmod(0o600)
        self.check()

    def test_many_first_commands_at_once_start_one_server(self):
        self.home.run("stop")
        processes = [self.home.start("sql", "SELECT count(*) FROM t") for _ in range(6)]
        for process in processes:
            _, errors = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0, errors)
        self.check()

    def test_a_lost_connection_in_the_middle_is_a_clear_error(self):
        process = self.home.start("sql", "SELECT pg_sleep(30)")
        query = ("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' "
                 "AND pid <> pg_backend_pid()")  # fmt: skip
        wait_until(lambda: self.home.value(query) == 1, "the query did not begin")
        self.home.kill_server()
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, errors)
        self.assertNotEqual(errors.strip(), "")
        self.check()

    def test_what_the_environment_says_of_other_servers_does_not_count(self):
        for name, value in (("PGSERVICE", "elsewhere"), ("PGHOSTADDR", "127.0.0.9"),
                            ("PGREQUIREPEER", "nobody"), ("PGTARGETSESSIONATTRS", "standby"),
                            ("PGOPTIONS", "-c default_transaction_read_only=on"),
                            ("PGCLIENTENCODING", "LATIN1"), ("PGCHANNELBINDING", "require"),
                            ("PGHOST", "/nowhere"), ("PGDATABASE", "none")):  # fmt: skip
            with self.subTest(name):
                self.home.sql("UPDATE t SET id = id", environment={name: value})
                self.assertEqual(self.home.value("SELECT 'ü'", environment={name: value}), "ü")

    def test_status_is_one_object(self):
        status = self.home.status()
        self.assertEqual(status["home"], str(self.home.folder))
        self.assertTrue(status["database_url"])
        self.assertRegex(status["version"], r"^\d+\.\d+\.\d+")


class Moved(unittest.TestCase):
    def test_a_home_works_at_another_path(self):
        home = Home.make(self, private=True)
        media = coppice.media_folder(self)
        home.sql("CREATE TABLE p (id int PRIMARY KEY, photo image, "
                 "small image GENERATED ALWAYS AS (resize(photo, 16)) STORED)")  # fmt: skip
        home.sql(f"INSERT INTO p (id, photo) VALUES (1, '{media}/red.png')")
        before = home.rows("SELECT * FROM p")
        home.run("stop")
        elsewhere = scratch_folder(self) / "another" / "place"
        elsewhere.parent.mkdir()
        shutil.move(home.folder, elsewhere)
        moved = Home(elsewhere)
        self.addCleanup(moved.stop)
        self.assertEqual(moved.rows("SELECT * FROM p"), before)
        path = pathlib.Path(moved.run("media", "path", before[0]["small"]).strip())
        self.assertTrue(path.is_file())
        self.assertTrue(path.is_relative_to(elsewhere))
        moved.sql(f"INSERT INTO p (id, photo) VALUES (2, '{media}/gradient.jpg')")
        self.assertEqual(moved.versions("p"), [0, 1, 2])

    def test_a_running_home_can_be_moved(self):
        home = Home.make(self, private=True)
        home.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
        elsewhere = scratch_folder(self) / "home"
        os.rename(home.folder, elsewhere)
        moved = Home(elsewhere)
        self.addCleanup(moved.stop)
        self.assertEqual(moved.value("SELECT id FROM t"), 1)

    def test_a_long_path_works(self):
        folder = scratch_folder(self) / ("long" * 25) / ("path" * 25)
        folder.mkdir(parents=True)
        home = Home(folder / "home")
        self.addCleanup(home.stop)
        home.run("init")
        home.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
        self.assertEqual(home.psql("SELECT id FROM t").stdout.strip(), "1")

    def test_paths_that_postgresql_does_not_take_are_refused_by_name(self):
        folder = scratch_folder(self)
        for name, said in (("x" * 250 + "/" + "y" * 250 + "/", "bytes"), ("line\nbreak", "line break"),
                           ("z" * 300, "name too long")):  # fmt: skip
            with self.subTest(said):
                path = folder / (name * 2 if name.endswith("/") else name)
                errors = Home(path, work=folder).attempt("init")
                self.assertIn(errors.returncode, (1, 5), errors.stderr)
                self.assertIn(said.lower(), errors.stderr.lower())
                self.assertNotIn("defect", errors.stderr)

    def test_odd_characters_in_the_path_work(self):
        folder = scratch_folder(self) / "it's a \"home\" of ünïcode"
        folder.mkdir()
        home = Home(folder / "home")
        self.addCleanup(home.stop)
        home.run("init")
        home.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
        self.assertEqual(home.psql("SELECT id FROM t").stdout.strip(), "1")


class Formats(unittest.TestCase):
    def test_a_home_of_a_newer_format_is_refused_untouched(self):
        home = Home.make(self, private=True)
        home.run("stop")
        format_file = home.folder / "format"
        format_file.write_text("99\n")
        errors = home.fail("sql", "SELECT 1")
        self.assertIn("99", errors)
        self.assertIn("newer", errors)
        self.assertFalse((home.folder / "pgdata" / "postmaster.pid").exists())
        format_file.write_text("1\n")
        home.sql("SELECT 1")


class Accounts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("only root can become another user")

    def test_the_server_of_root_runs_as_another_account(self):
        home = Home.make(self, private=True)
        home.sql("SELECT 1")
        owner = os.stat(f"/proc/{home.postmaster_pid()}").st_uid
        self.assertNotEqual(owner, 0)
        self.assertEqual(pwd.getpwuid(owner).pw_name, "coppice")

    def test_a_strict_umask_closes_nothing_that_must_be_open(self):
        media = coppice.media_folder(self)
        home = Home(scratch_folder(self) / "home")
        self.addCleanup(home.stop)
        home.run("init", umask=0o077)
        home.sql("CREATE TABLE t (photo image, w int GENERATED ALWAYS AS (width(photo)) STORED)",
                 umask=0o077)  # fmt: skip
        home.sql(f"INSERT INTO t (photo) VALUES ('{media}/red.png')", umask=0o077)
        self.assertEqual(home.value("SELECT w FROM t", umask=0o077), 64)

    def test_an_ordinary_user_needs_no_root(self):
        folder = scratch_folder(self)
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        home = Home(folder / "home")
        as_nobody = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self.addCleanup(home.attempt, "stop", **as_nobody)
        home.run("init", **as_nobody)
        home.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (5)", **as_nobody)
        self.assertEqual(home.value("SELECT id FROM t", **as_nobody), 5)
        self.assertEqual(os.stat(f"/proc/{home.postmaster_pid()}").st_uid, nobody.pw_uid)

    def test_what_root_puts_into_a_users_home_is_the_users(self):
        folder = scratch_folder(self)
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        folder.chmod(0o700)
        home = Home(folder / "home", work=scratch_folder(self))
        as_nobody = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        media = coppice.media_folder(self)
        self.addCleanup(home.attempt, "stop", **as_nobody)
        home.run("init", **as_nobody)
        home.sql("CREATE TABLE p (photo image, w bigint GENERATED ALWAYS AS (width(photo)) STORED)",
                 **as_nobody)  # fmt: skip
        home.sql(f"INSERT INTO p (photo) VALUES ('{media}/red.png')")
        value = home.value("SELECT photo FROM p", **as_nobody)
        path = home.run("media", "path", value, **as_nobody).strip()
        self.assertEqual(os.stat(path).st_uid, nobody.pw_uid)
        home.sql(f"INSERT INTO p (photo) VALUES ('{media}/red.png')", **as_nobody)
        self.assertEqual(home.values("SELECT w FROM p", **as_nobody), [[64], [64]])

    def test_a_home_of_somebody_else_is_refused_with_the_way_out(self):
        home = Home.make(self, private=True)
        nobody = pwd.getpwnam("nobody")
        for verb in (("sql", "SELECT 1"), ("init",), ("status",)):
            errors = home.fail(*verb, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])
            self.assertIn("Permission denied", errors)
            self.assertIn("hint: ", errors)

    def test_a_home_the_account_cannot_enter_is_refused_with_the_fix(self):
        folder = scratch_folder(self)
        folder.chmod(0o700)
        home = Home(folder / "home")
        errors = home.fail("init", code=5)
        self.assertIn(str(folder), errors)
        self.assertIn("chmod", errors)


class SharedServer(unittest.TestCase):
    """Databases of several owners on one server: the role that reads belongs to the whole server."""

    def setUp(self):
        other = Home.make(self, private=True)  # its server is the shared one
        other.sql("SELECT 1")
        run = other.folder / "run"
        account = pwd.getpwuid(os.stat(f"/proc/{other.postmaster_pid()}").st_uid).pw_name
        self.admin = f"host={run} dbname=postgres user={account}"
        hba = other.folder / "pgdata" / "pg_hba.conf"
        owner = hba.stat()
        hba.write_text("local all all trust\n")
        os.chown(hba, owner.st_uid, owner.st_gid)
        coppice.psql(self.admin, "SELECT pg_reload_conf()")
        for name in ("plain", "creator"):
            coppice.psql(self.admin, f"CREATE ROLE {name} LOGIN")
            coppice.psql(self.admin, f"CREATE DATABASE {name} OWNER {name}")
        self.url = lambda name: f"host={run} dbname={name} user={name}"

    def make(self, name):
        home = Home(scratch_folder(self) / "home")
        home.run("init", "--database", self.url(name))
        return home

    def test_a_reader_of_another_owner_is_not_ours(self):
        coppice.psql(self.admin, "ALTER ROLE coppice_reader RENAME TO nobodys_reader")
        home = self.make("plain")
        home.sql("CREATE SCHEMA s; CREATE TABLE s.t (id int); INSERT INTO s.t VALUES (1)")
        coppice.psql(self.admin, "CREATE ROLE coppice_reader LOGIN; GRANT coppice_reader TO creator")
        other = self.make("creator")
        other.sql("CREATE TABLE t (id int)")
        self.assertIn("coppice_reader", other.status()["database_url"])
        self.assertEqual(home.value("SELECT id FROM s.t"), 1)
        home.sql("CREATE TABLE s.u (id int)")
        rights = coppice.psql(self.url("plain"),
                              "SELECT has_schema_privilege('coppice_reader', 's', 'USAGE')")
        self.assertEqual(rights.stdout.strip(), "f")
        # What doctor says to do is enough.
        finding = [f for f in home.json_lines("doctor") if f["check"] == "reader"][0]
        self.assertEqual(finding["level"], "warning")
        self.assertIn("GRANT coppice_reader TO plain", finding["fix"])
        coppice.psql(self.admin, "GRANT coppice_reader TO plain")
        home.run("init")
        finding = [f for f in home.json_lines("doctor") if f["check"] == "reader"][0]
        self.assertEqual(finding["level"], "ok")
        self.assertEqual(home.value("SELECT current_user::text"), "coppice_reader")
        self.assertEqual(home.value("SELECT id FROM s.t"), 1)
        self.assertEqual(home.value("SELECT count(*) FROM s.u"), 0)

    def test_what_others_have_made_is_told_apart(self):
        coppice.psql(self.url("plain"), "CREATE TABLE users (id int)")
        home = self.make("plain")
        self.assertEqual(home.rows("SELECT * FROM users"), [])
        for text in ("INSERT INTO users VALUES (1)", "DROP TABLE users", "UPDATE users SET id = 1"):
            self.assertIn("not made by Coppice", home.fail("sql", text, code=5))
        coppice.psql(self.url("creator"), "CREATE SCHEMA coppice; CREATE TABLE coppice.meta (x int)")
        other = Home(scratch_folder(self) / "home")
        errors = other.fail("init", "--database", self.url("creator"), code=5)
        self.assertIn("not Coppice's", errors)

    def test_a_second_home_of_a_database_says_where_its_media_must_be(self):
        self.make("plain").sql("CREATE TABLE t (id int)")
        home = Home(scratch_folder(self) / "home")
        result = home.attempt("init", "--database", self.url("plain"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(str(home.folder / "media"), result.stderr)


class TlsServer(unittest.TestCase):
    """A server that lets nobody in without TLS and a password."""

    def setUp(self):
        folder = scratch_folder(self)
        data = folder / "data"
        binaries = pathlib.Path(sorted(pathlib.Path("/usr/lib/postgresql").iterdir())[-1]) / "bin"
        account = {"user": "coppice", "group": "coppice", "extra_groups": []} if os.geteuid() == 0 else {}
        data.mkdir()
        (folder / "password").write_text("s3cret\n")
        subprocess.run(["openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-subj",
                        "/CN=localhost", "-out", folder / "server.crt", "-keyout",
                        folder / "server.key"], check=True, capture_output=True)  # fmt: skip
        if account:
            for file in (data, folder / "password", folder / "server.key"):
                shutil.chown(file, "coppice", "coppice")
        self.certificate = folder / "server.crt"

        def run(program, *arguments):
            subprocess.run([binaries / program, "-D", data, *arguments], check=True, cwd="/",
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **account)  # fmt: skip

        run("initdb", "-U", "owner", "-A", "scram-sha-256", "--pwfile", folder / "password")
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = (f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c ssl=on "
                   f"-c ssl_cert_file={folder}/server.crt -c ssl_key_file={folder}/server.key")
        run("pg_ctl", "-w", "-o", options, "-l", data / "log", "start")
        self.addCleanup(run, "pg_ctl", "-m", "immediate", "stop")
        self.address = f"postgresql://owner:s3cret@localhost:{port}/postgres"

    def test_rows_go_through_tls_and_the_password_is_not_shown(self):
        home = Home(scratch_folder(self) / "home")
        errors = home.fail("init", "--database", f"{self.address}?sslmode=disable", code=5)
        self.assertIn("sslmode=require", errors)
        self.assertNotIn("s3cret", errors)
        # The wrong address has not stayed.
        home.run("init", "--database",
                 f"{self.address}?sslmode=verify-full&sslrootcert={self.certificate}")  # fmt: skip
        home.sql("CREATE TABLE t (n int, twice int GENERATED ALWAYS AS (n * 2) STORED);"
                 "INSERT INTO t (n) VALUES (21)")  # fmt: skip
        self.assertEqual(home.value("SELECT twice FROM t"), 42)
        for form in ((), ("--json",), ("--csv",)):
            shown = home.run("status", *form)
            self.assertIn("localhost", shown)
            self.assertNotIn("s3cret", shown)
        # A job remembers its command, and whoever reads the catalog reads that.
        home.run("sql", "--background", "--database", f"{self.address}?sslmode=require",
                 "INSERT INTO t (n) SELECT generate_series(100, 300099)")  # fmt: skip
        wait_until(lambda: home.value("SELECT count(*) FROM t") == 300001, "the job did not end")
        remembered = home.values("SELECT background::text FROM coppice.operations "
                                 "WHERE background IS NOT NULL")  # fmt: skip
        self.assertEqual(len(remembered), 1)
        self.assertNotIn("s3cret", remembered[0][0])
        given = coppice.psql(home.status()["database_url"] + " password=s3cret",
                             "SELECT twice, current_user FROM t WHERE n = 21")  # fmt: skip
        self.assertEqual(given.stdout.strip(), "42|coppice_reader")


class ConfigFile(unittest.TestCase):
    def test_an_unknown_key_is_a_warning_with_the_nearest(self):
        home = Home.make(self)
        config = home.folder / "config.toml"
        config.write_text(config.read_text() + "\n[retention]\nkep = \"10\"\n")
        result = home.attempt("sql", "SELECT 1")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("retention.kep", result.stderr)
        self.assertIn("retention.keep", result.stderr)

    def test_a_setting_that_cannot_be_honoured_is_an_error(self):
        home = Home.make(self)
        errors = home.fail("sql", "SELECT 1", code=2,
                           environment={"COPPICE_RETENTION_KEEP": "sometimes"})  # fmt: skip
        self.assertIn("COPPICE_RETENTION_KEEP", errors)

    def test_doctor_prints_every_setting_and_its_source(self):
        home = Home.make(self)
        lines = home.json_lines("doctor", "--config",
                                environment={"COPPICE_RETENTION_KEEP": "12"})  # fmt: skip
        text = json.dumps(lines)
        self.assertIn("retention.keep", text)
        self.assertIn("COPPICE_RETENTION_KEEP", text)


if __name__ == "__main__":
    tap.main()
