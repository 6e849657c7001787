#!/usr/bin/python3
"""Checks the text of the project: relative links in *.md lead somewhere (with their #heading), and
no file tells a machine's own path or leaves unfinished work behind.

    scripts/check_docs.py [FOLDER]
"""

import pathlib
import re
import subprocess
import sys

LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|!\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")

# What must not stand in any file: (pattern, why).
FORBIDDEN = [
    (r"/wo" r"rk/|(?<![\w}])/home/(?!u/|user/)[a-z]+/|(?<![\w}])/root/[a-z]", "a path of somebody's machine"),
    (r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b", "unfinished work: do it, or open an issue"),
]
# Lines that may hold such a text, because it is what they are about.
EXCEPTIONS = {"scripts/check_docs.py", "LICENSE"}
SPOKEN_ABOUT = re.compile(r"check_docs: fine")


def tracked_files(root):
    listing = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
    )
    if listing.returncode == 0:
        names = listing.stdout.decode().split("\0")
        return [root / name for name in names if name and (root / name).is_file()]
    return [file for file in root.rglob("*") if file.is_file()]


def anchor(heading):
    """The name a heading gets in a link, as GitHub makes it."""
    text = re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", lambda m: m[1] or "", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def without_code(text):
    """The text with fenced blocks and `code` blanked, lines kept."""
    text = re.sub(r"^(```|~~~).*?^\1", lambda m: "\n" * m[0].count("\n"), text, flags=re.S | re.M)
    return re.sub(r"`[^`\n]*`", "", text)


def headings(file):
    lines = without_code_fences(file.read_text()).splitlines()
    return {anchor(found[1]) for line in lines if (found := HEADING.match(line))}


def without_code_fences(text):
    return re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.S | re.M)


def check_links(root, file):
    for number, line in enumerate(without_code(file.read_text()).splitlines(), 1):
        for found in LINK.finditer(line):
            target = found[1] or found[2]
            if re.match(r"[a-z]+:", target):
                continue
            path, _, fragment = target.partition("#")
            place = (file.parent / path).resolve() if path else file
            where = f"{file.relative_to(root)}:{number}"
            if path.startswith("/") or not place.exists():
                yield f"{where}: the link {target} leads nowhere"
            elif fragment and place.suffix == ".md" and fragment not in headings(place):
                yield f"{where}: {target}: no such heading"


def check_words(root, file):
    try:
        text = file.read_text()
    except UnicodeDecodeError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, why in FORBIDDEN:
            if re.search(pattern, line) and not SPOKEN_ABOUT.search(line):
                yield f"{file.relative_to(root)}:{number}: {why}: {line.strip()[:80]}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    if root.is_file():
        root = root.parent.parent
    problems = []
    for file in tracked_files(root):
        if file.suffix == ".md":
            problems += check_links(root, file)
        if str(file.relative_to(root)) not in EXCEPTIONS:
            problems += check_words(root, file)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
