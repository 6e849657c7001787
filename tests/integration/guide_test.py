#!/usr/bin/python3
"""What README.md and docs/guide say is true: their ```console blocks are typed into a home of their
own, page by page, and must print what the page shows; their ```sql blocks must run.

In a page "…" alone on a line stands for any lines, within a line for any text. `$ ` begins a
command, `> ` continues it. The media of tests/support/make_media.py lie in the folder media, and
are what http://pictures.example/ serves; the service of tests/support/model_service.py is OpenAI.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.coppice import Home  # noqa: E402
from support.file_server import FileServer  # noqa: E402
from support.model_service import ModelService  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/guide").glob("*.md"))]
BLOCK = re.compile(r"^```(console|sql)\n(.*?)^```$", re.S | re.M)


def commands_of(block):
    """(command, [expected lines]) of a console block."""
    commands = []
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif (line == ">" or line.startswith("> ")) and not commands[-1][1]:
            commands[-1] = (commands[-1][0] + "\n" + line[2:], [])
        else:
            commands[-1][1].append(line.rstrip())
    return commands


def is_match(expected, found):
    if not expected:
        return not found
    if expected[0] == "…":
        return any(is_match(expected[1:], found[i:]) for i in range(len(found) + 1))
    if not found:
        return False
    pattern = ".*".join(re.escape(part) for part in expected[0].split("…"))
    return re.fullmatch(pattern, found[0]) is not None and is_match(expected[1:], found[1:])


class Pages(unittest.TestCase):
    def type_page(self, page):
        home = Home(coppice.scratch_folder(self) / "home")
        self.addCleanup(home.stop)
        programs = home.work / "programs"
        programs.mkdir()
        os.symlink(shutil.which(coppice.PROGRAM), programs / "coppice")
        shutil.copytree(coppice.media_folder(self), home.work / "media")
        environment = home.process_environment()
        environment.pop("COPPICE_TEST")
        environment["XDG_CACHE_HOME"] = str(home.work / "cache")
        environment["PATH"] = f"{programs}:{environment['PATH']}"
        server = FileServer.start(self)
        server.serve_folder(home.work / "media")
        environment["http_proxy"] = server.url("")
        text = page.read_text()
        if "LANGUAGE http" in text:
            environment["COPPICE_SERVICES_OPENAI_BASE_URL"] = ModelService.start(self).url
            environment["no_proxy"] = "127.0.0.1"
        if "$ coppice init" not in text:
            home.run("init")
        blocks = BLOCK.findall(text)
        self.assertTrue(blocks, f"{page.name} shows nothing that can be tried")
        wrong = []
        for kind, block in blocks:
            if kind == "sql":
                home.run("sql", "-f", "-", stdin=block)
                continue
            for command, expected in commands_of(block):
                result = subprocess.run(
                    ["bash", "-c", command], cwd=home.work, env=environment, text=True,
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    timeout=120,
                )  # fmt: skip
                # On a slow machine a command that starts a server says that it waits.
                found = [line.rstrip() for line in result.stdout.splitlines()
                         if not line.startswith("coppice: waiting for the database server")]  # fmt: skip
                if not expected and result.returncode != 0:
                    wrong.append(f"$ {command}\nexit code {result.returncode}\n{result.stdout}")
                elif expected and not is_match(expected, found):
                    wrong.append("\n".join([f"$ {command}", "expected:", *expected, "found:", *found]))
        if wrong:
            self.fail("\n\n".join(wrong))


def test_of(page):
    return lambda self: self.type_page(page)


for each in PAGES:
    setattr(Pages, f"test_{each.stem.lower().replace('-', '_')}", test_of(each))


if __name__ == "__main__":
    tap.main()
