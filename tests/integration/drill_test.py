#!/usr/bin/python3
"""Drills: what they prove, what they name when something is not as it was, and their signed reports."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import tap  # noqa: E402
from support.backups import Repository  # noqa: E402
from support.coppice import PROGRAM, Home, media_folder, scratch_folder  # noqa: E402
from support.resealed import reseal  # noqa: E402
from support.roots import behind_the_back, store_of  # noqa: E402

TABLES = (
    "CREATE FUNCTION double(n bigint) RETURNS bigint LANGUAGE python IMMUTABLE AS '{code}:double';"
    "CREATE TABLE film (id int PRIMARY KEY, title text, p image,"
    " loud text GENERATED ALWAYS AS (upper(title)) STORED);"
    "INSERT INTO film (id, title, p) VALUES (1, 'one', '{media}/red.png'), (2, 'two', NULL)"
)
CODE = "def double(n):\n    return 2 * n\n"
SIGNED_KEY = "302a300506032b6570032100"  # what precedes an Ed25519 key in a DER file


def dead_scratch(folder):
    return sorted(folder.glob("coppice-drill.*"))


def processes_in(folder):
    """Ids of the processes whose command line names the folder."""
    found = []
    for place in pathlib.Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                words = (place / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in words:
                found.append(int(place.name))
    return found


class Drills(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.media = media_folder(cls)
        cls.work = scratch_folder(cls)
        (cls.work / "code.py").write_text(CODE)
        cls.home = Home.make(cls)
        (cls.home.folder / "config.toml").open("a").write("\nworkers.timeout_s = 77\n")
        cls.home.sql(TABLES.format(media=cls.media, code=cls.work / "code.py"))
        # Two repositories with the same backup, of which tests change copies.
        cls.plain, cls.sealed = Repository(cls, encrypted=False), Repository(cls)
        cls.backup = cls.plain.back_up(cls.home)
        cls.sealed.back_up(cls.home)

    def copy_of(self, repository):
        copy = Repository(self, encrypted=repository is self.sealed)
        shutil.copytree(repository.folder, copy.folder)
        return copy

    def nowhere(self):
        """A home that is not there."""
        return Home(scratch_folder(self) / "home", self.work)

    def drill(self, repository, *arguments, home=None, **options):
        scratch = scratch_folder(self)
        result = repository.call(home or self.nowhere(), "drill", "--json", "--scratch", scratch,
                                 *arguments, **options)  # fmt: skip
        self.assertEqual(dead_scratch(scratch), [])
        self.assertEqual(processes_in(scratch), [])
        return result, json.loads(result.stdout or "null")

    def kept_report(self, repository, id="latest"):
        return json.loads(repository.call(self.nowhere(), "drill", "show", id).stdout)

    def test_with_the_repository_and_the_key_alone(self):
        repository = self.copy_of(self.sealed)
        away = self.home.folder.with_name("renamed")
        folder = scratch_folder(self)
        (folder / "checks.sql").write_text("SELECT count(*) = 2 FROM film")
        self.home.run("stop")
        self.home.folder.rename(away)
        try:
            # The scratch home is no other's: neither what the environment says nor what is there.
            result, said = self.drill(repository, "--assertions", folder / "checks.sql",
                                      "--report", folder / "drill", "--rto", "10 minutes",
                                      home=self.home)  # fmt: skip
            self.assertFalse(self.home.folder.exists())
        finally:
            away.rename(self.home.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(said["passed"] and said["root_equal"] and said["objectives_met"])
        self.assertEqual(said["root_restored"], self.home.run("root").strip())
        report = json.loads((folder / "drill.json").read_text())
        self.assertEqual(report["rto_seconds"], said["rto_seconds"])
        self.assertEqual(report["objectives"], {"rto_seconds": 600.0, "rpo_seconds": None})
        self.assertEqual([v["tables"] for v in report["versions"]], [["public.film"]])
        self.assertEqual([a["holds"] for a in report["assertions"]], [True])
        self.assertEqual(report["public_key"], said["public_key"])
        self.no_change_is_verified(repository, folder, said["public_key"])
        self.other_tools_agree(folder, said["public_key"])
        self.is_a_page_of_its_own((folder / "drill.html").read_text())
        # The repository keeps the same bytes.
        kept = folder / "kept"
        repository.report(self.nowhere(), "drill", "show", said["report"][:12], "--report", kept)
        for form in (".json", ".html"):
            self.assertEqual((folder / f"kept{form}").read_bytes(), (folder / f"drill{form}").read_bytes())
        # Without its key they are not to be read.
        wrong = {"COPPICE_REPO_PASSWORD": "wrong"}
        repository.fail(self.nowhere(), "drill", "list", code=5, environment=wrong)
        for file in repository.objects():
            self.assertNotIn(b"public.film", file.read_bytes())

    def no_change_is_verified(self, repository, folder, key):
        """A sample of the bytes: the unit tests change every one."""
        home = self.nowhere()
        for form in (".json", ".html"):
            file, content = folder / f"drill{form}", (folder / f"drill{form}").read_bytes()
            repository.report(home, "drill", "verify", file)
            home.run("drill", "verify", file, "--public-key", key)
            changed = folder / f"changed{form}"
            places = {0, 1, len(content) // 3, len(content) - 90, len(content) - 2, len(content) - 1}
            places |= {content.index(word) for word in (b"passed", b"public_key", b"\n", b" ", b"0")}
            for at in sorted(places):
                changed.write_bytes(content[:at] + bytes([content[at] ^ 0x20]) + content[at + 1 :])
                said = home.fail("drill", "verify", changed, "--public-key", key, code=6)
                self.assertIn(str(changed), said)
            changed.write_bytes(content + b"\n")
            home.fail("drill", "verify", changed, "--public-key", key, code=6)
            home.fail("drill", "verify", file, "--public-key", "ab" * 32, code=6)
            home.fail("drill", "verify", file, "--public-key", "ab", code=2)
        # The key in the report is nobody's word.
        self.assertIn("--public-key", home.fail("drill", "verify", folder / "drill.json", code=2))
        other = Repository(self)
        other.back_up(self.home)
        other.fail(home, "drill", "verify", folder / "drill.json", code=6)
        other.fail(home, "drill", "key", code=4)
        printed = repository.call(home, "drill", "key").stdout.strip()
        self.assertEqual(printed, key)

    def other_tools_agree(self, folder, key):
        """What docs/formats/drill_report.md says about openssl."""
        (folder / "key.der").write_bytes(bytes.fromhex(SIGNED_KEY + key))
        for form, left_out in ((".json", 2), (".html", 1)):
            lines = (folder / f"drill{form}").read_bytes().splitlines(keepends=True)
            signature = re.search(rb"[0-9a-f]{128}", lines[-left_out]).group()
            (folder / "signed").write_bytes(b"".join(lines[:-left_out]))
            (folder / "signature").write_bytes(bytes.fromhex(signature.decode()))
            checked = subprocess.run(
                ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey",
                 "key.der", "-in", "signed", "-sigfile", "signature"],
                cwd=folder, capture_output=True, text=True)  # fmt: skip
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def is_a_page_of_its_own(self, html):
        page = xml.etree.ElementTree.fromstring(html)
        name = "{http://www.w3.org/1999/xhtml}"
        self.assertEqual(page.get("lang"), "en")
        self.assertTrue(page.find(f"{name}head/{name}title").text)
        for element in page.iter():
            kind = element.tag.rpartition("}")[2]
            self.assertNotIn(kind, ("script", "link", "img", "iframe", "object", "embed", "base"))
            for attribute in element.attrib:
                self.assertNotIn(attribute, ("src", "href", "style", "action", "data"))
                self.assertFalse(attribute.startswith("on"), attribute)
        self.assertNotIn("url(", html)
        self.assertNotIn("@import", html)
        ids = [element.get("id") for element in page.iter() if element.get("id")]
        self.assertEqual(len(ids), len(set(ids)))
        charts = page.findall(".//{http://www.w3.org/2000/svg}svg")
        self.assertEqual(len(charts), 2)
        for chart in charts:
            self.assertEqual(chart.get("role"), "img")
            for label in chart.get("aria-labelledby").split():
                self.assertIn(label, ids)
        for table in page.iter(f"{name}table"):
            self.assertIsNotNone(table.find(f"{name}caption"))

    def planted(self, change, code=6):
        repository = self.copy_of(self.plain)
        self.assertEqual(reseal(repository.folder, change), 1)
        result, said = self.drill(repository)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertFalse(said["passed"])
        report = self.kept_report(repository)
        self.assertFalse(report["passed"])
        return repository, result.stderr, report

    def test_a_changed_byte_in_a_row(self):
        _, said, report = self.planted(lambda data: data.replace(b"\ttwo\t", b"\ttwO\t"))
        self.assertIn("public.film.title", said)
        self.assertEqual(report["differences"], ["public.film.title"])
        self.assertNotEqual(report["root_restored"], report["root_expected"])

    def test_a_changed_byte_in_a_media_object(self):
        content = (self.media / "red.png").read_bytes()
        changed = content[:-1] + bytes([content[-1] ^ 1])
        _, said, report = self.planted(lambda data: changed if data == content else None)
        name = self.home.value("SELECT p::text FROM film WHERE id = 1")
        self.assertIn(name, said)
        self.assertIn("public.film.p of the row id = 1", said)
        self.assertIn(name, report["failure"])
        self.assertIsNone(report["rto_seconds"])

    def test_a_changed_byte_in_the_code_of_a_function(self):
        _, said, report = self.planted(lambda data: data.replace(b"return 2 * n", b"return 3 * n"))
        (difference,) = report["differences"]
        self.assertRegex(difference, r"^functions/[0-9a-f]{64}/code\.py$")
        self.assertIn(difference, said)

    def test_a_changed_byte_in_a_setting(self):
        repository, said, report = self.planted(
            lambda data: data.replace(b"timeout_s = 77", b"timeout_s = 78"))  # fmt: skip
        self.assertEqual(report["differences"], ["config.toml: workers.timeout_s"])
        self.assertIn("config.toml: workers.timeout_s", said)
        # It is a drill like others: listed, and remembered by the next one.
        (drill,) = [json.loads(line) for line in
                    repository.call(self.nowhere(), "drill", "list", "--json").stdout.splitlines()]  # fmt: skip
        self.assertFalse(drill["passed"])
        self.assertEqual(drill["backup"], report["backup"]["id"][:12])

    def test_what_was_changed_in_the_home_behind_its_back(self):
        home = Home.make(self)
        home.sql(TABLES.format(media=self.media, code=self.work / "code.py"))
        home.run("root")
        store, column = store_of(home, "film", "title")
        behind_the_back(home, f"UPDATE {store} SET {column} = 'twO' WHERE {column} = 'two'")
        (code,) = (home.folder / "functions").rglob("code.py")
        name = home.value("SELECT p::text FROM film WHERE id = 1")
        (media,) = (home.folder / "media").rglob(name.removeprefix("media:"))
        for file in (code, media):
            content = file.read_bytes()
            file.chmod(0o644)
            file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        repository = Repository(self)
        repository.report(home, "backup", "create", code=3)
        result, said = self.drill(repository)
        self.assertEqual(result.returncode, 6, result.stderr)
        path = f"functions/{code.parent.name}/code.py"
        self.assertEqual(sorted(said["differences"]), [path, "public.film.title"])
        (damaged,) = said["damaged"]
        self.assertIn(name, damaged)
        self.assertIn("used by public.film.p of the row id = 1", damaged)
        for words in (path, "public.film.title", name):
            self.assertIn(words, result.stderr)

    def test_a_flipped_byte_in_a_pack(self):
        repository = self.copy_of(self.sealed)
        packs = [path for path in repository.objects() if "packs" in path.parts]
        pack = max(packs, key=lambda path: path.stat().st_size)
        content = bytearray(pack.read_bytes())
        for at in range(60, len(content) - 200, 24):
            content[at] ^= 1
        pack.chmod(0o644)
        pack.write_bytes(content)
        result, said = self.drill(repository)
        self.assertEqual(result.returncode, 6, result.stderr)
        self.assertIn(f"packs/{pack.name[:2]}/{pack.name}", said["failure"])
        report = self.kept_report(repository)
        self.assertFalse(report["passed"])
        named = " ".join(report["damaged"])
        for part in ("public.film: packs/", "/code.py: packs/", "config.toml: packs/", "media:"):
            self.assertIn(part, named)

    def test_one_that_is_killed_and_the_next(self):
        repository = self.copy_of(self.sealed)
        scratch, folder = scratch_folder(self), scratch_folder(self)
        others = [scratch / "coppice-drill.mine00", scratch / "coppice-drill-notes"]
        for other in others:
            other.mkdir()
        killed = repository.call(self.nowhere(), "drill", "--scratch", scratch,
                                 environment={"COPPICE_CRASH_AT": "restore.media_part"})  # fmt: skip
        self.assertEqual(killed.returncode, -signal.SIGKILL, killed.stderr)
        (left,) = set(dead_scratch(scratch)) - set(others)
        servers = processes_in(left)
        self.assertNotEqual(servers, [])
        time.sleep(1)  # shorter objectives than a second are no setting
        # Missed objectives and an assertion that does not hold, all named, of a random backup.
        (folder / "checks.sql").write_text("SELECT title = 'one' FROM film; SELECT true; SELECT x")
        self.home.sql("UPDATE film SET title = 'two' WHERE id = 2")
        result = repository.call(self.home, "drill", "--scratch", scratch, "--json", "--backup", "random",
                                 "--assertions", folder / "checks.sql", "--rto", "0.001",
                                 environment={"COPPICE_OBJECTIVES_RPO": "1 second"})  # fmt: skip
        self.assertEqual(result.returncode, 1, result.stderr)
        for words in (str(left), "the time to recover of 0.001 s: ", "the loss window of 1 s: ",
                      "SELECT title = 'one' FROM film: it gives f", "SELECT x: column"):  # fmt: skip
            self.assertIn(words, result.stderr)
        self.assertFalse(left.exists())
        self.assertEqual([pid for pid in servers if os.path.exists(f"/proc/{pid}/exe")], [])
        for other in others:
            self.assertTrue(other.exists())
        report = self.kept_report(repository)
        self.assertEqual(report["asked"], "random")
        self.assertEqual(report["objectives"], {"rto_seconds": 0.001, "rpo_seconds": 1.0})
        self.assertTrue(report["equal"] and report["missed"])
        # The home that the backup is of has noted it, with the signed report.
        ((id, passed, kept),) = self.home.values(
            "SELECT drill_id, passed, report FROM coppice.drills ORDER BY began_at DESC LIMIT 1")
        self.assertEqual((id, passed), (json.loads(result.stdout)["report"], False))
        file = folder / "noted.json"
        file.write_text(kept)
        repository.report(self.home, "drill", "verify", file)
        # Forgetting and pruning leave reports.
        drills = repository.call(self.home, "drill", "list", "--csv").stdout
        repository.call(self.home, "backup", "prune", "--wait", "0", "--yes")
        self.assertEqual(repository.call(self.home, "drill", "list", "--csv").stdout, drills)

    def test_what_keeps_one_from_beginning(self):
        home = self.nowhere()
        repository = self.copy_of(self.plain)
        repository.fail(home, "drill", "--backup", "0123456789", code=4)
        repository.fail(home, "drill", "--backup", "random", "--at", "2026-01-01", code=2)
        self.assertIn("earliest", repository.fail(home, "drill", "--at", "2001-01-01", code=4))
        self.assertEqual(repository.call(home, "drill", "list", "--csv").stdout.count("\n"), 1)
        repository.fail(home, "drill", "show", "latest", code=4)
        help = subprocess.run([PROGRAM, "drill", "--help"], capture_output=True, text=True, check=True)
        self.assertIn("drill verify", help.stdout)


if __name__ == "__main__":
    tap.main()
