#!/usr/bin/python3
"""What is installed and packaged: `cmake --install` into a folder gives a program that works there,
and the .deb has the right content, dependencies and script."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/release"
sys.path.insert(0, str(ROOT / "tests"))
from support import coppice, tap  # noqa: E402

# Below the prefix.
CONTENT = [
    "bin/coppice",
    "lib/coppice/coppice-media",
    "lib/coppice/python/coppice_worker.py",
    "lib/coppice/python/coppice/worker.py",
    "share/bash-completion/completions/coppice",
    "share/doc/coppice/LICENSE",
    "share/doc/coppice/README.md",
    "share/doc/coppice/copyright",
    "share/doc/coppice/decisions/0002-dependencies-and-licence.md",
    "share/fish/vendor_completions.d/coppice.fish",
    "share/man/man1/coppice.1",
    "share/zsh/vendor-completions/_coppice",
]


def run(*argv, **options):
    result = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                            **options)  # fmt: skip
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}\n{result.stdout[-2000:]}{result.stderr}")
    return result.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.prefix = coppice.scratch_folder(cls) / "usr"
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)

    def test_the_files_are_in_place(self):
        for name in CONTENT:
            self.assertTrue((self.prefix / name).is_file(), name)

    def test_no_file_names_the_folder_it_was_built_in(self):
        for file in self.prefix.rglob("*"):
            if file.is_file() and file.suffix in ("", ".1", ".fish", ".md", ".bash"):
                if file.name not in ("coppice", "coppice-media") or "completions" in str(file):
                    self.assertNotIn(str(ROOT).encode(), file.read_bytes(), file)

    def test_the_program_works_where_it_is_installed(self):
        media = coppice.media_folder(self)
        program, coppice.PROGRAM = coppice.PROGRAM, str(self.prefix / "bin/coppice")
        self.addCleanup(setattr, coppice, "PROGRAM", program)
        home = coppice.Home.make(self)
        home.sql("CREATE TABLE p (photo image, w bigint GENERATED ALWAYS AS (width(photo)) STORED)")
        home.sql(f"INSERT INTO p (photo) VALUES ('{media}/red.png')")
        self.assertEqual(home.value("SELECT w FROM p"), 64)
        (home.work / "more.py").write_text("def more(n): return n + 1\n")
        home.sql(
            "CREATE FUNCTION more(n bigint) RETURNS bigint LANGUAGE python STABLE AS 'more.py:more'"
        )
        self.assertEqual(home.value("SELECT more(w) FROM p"), 65)

    def test_the_man_page_is_well_formed(self):
        text = (self.prefix / "share/man/man1/coppice.1").read_text()
        self.assertRegex(text, r'(?m)^\.TH "?COPPICE"? "?1"?')
        for section in ("NAME", "SYNOPSIS"):
            self.assertRegex(text, rf"(?m)^\.SH {section}")

    def test_the_bash_completion_is_well_formed(self):
        run("bash", "-n", self.prefix / "share/bash-completion/completions/coppice")

    def test_the_program_links_no_codec(self):
        """The licence of the combined program rests on it (docs/decisions/0002)."""
        needed = run("ldd", self.prefix / "bin/coppice")
        self.assertNotRegex(needed, r"libav|libsw|libvips|libturbojpeg|poppler|libx264|readline")


class DebianPackage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="deb."))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        run("cpack", "--config", BUILD / "CPackConfig.cmake", "-B", cls.folder, cwd=cls.folder)
        (cls.package,) = cls.folder.glob("*.deb")

    def field(self, name):
        return run("dpkg-deb", "--field", self.package, name).strip()

    def test_the_name_follows_debian(self):
        self.assertRegex(self.package.name, r"^coppice_\d+\.\d+\.\d+_[a-z0-9]+\.deb$")

    def test_the_content_is_right(self):
        listing = run("dpkg-deb", "--contents", self.package)
        names = {line.split()[5].removeprefix("./usr/") for line in listing.splitlines()}
        for name in CONTENT:
            self.assertIn(name, names)
        owners = {line.split()[1] for line in listing.splitlines()}
        self.assertEqual(owners, {"root/root"})
        outside = [name for name in names if name.startswith("./") and name not in ("./", "./usr/")]
        self.assertEqual(outside, [])

    def test_it_depends_on_what_it_runs_and_links(self):
        depends = self.field("Depends")
        for package in ("postgresql-15 | postgresql", "poppler-utils", "adduser",
                        "python3-msgpack", "python3-numpy"):  # fmt: skip
            self.assertIn(package, depends)
        for library in ("libpq5", "libpg-query", "libavformat59", "libvips42"):
            self.assertRegex(depends, rf"\b{re.escape(library)}")
        self.assertNotIn("-dev", depends)

    def test_the_script_makes_the_account(self):
        control = self.folder / "control"
        run("dpkg-deb", "--control", self.package, control)
        script = (control / "postinst").read_text()
        self.assertIn("adduser --system", script)
        self.assertTrue(os.access(control / "postinst", os.X_OK))
        run("sh", "-n", control / "postinst")


if __name__ == "__main__":
    tap.main()
