#!/usr/bin/python3
"""Repositories: what docs/formats/repository.md says is enough to read them without Coppice. A
reader that was written from the page alone (support/repository_reference.py) reads the golden ones."""

import hashlib
import pathlib
import shutil
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from support import coppice, tap  # noqa: E402
from support.repository_reference import Repository  # noqa: E402

GOLDEN = ROOT / "tests/formats/repository-1"
KEY = (GOLDEN / "key").read_bytes()
WAYS = [
    ("passphrase", {"passphrase": b"correct horse battery staple"}),
    ("passphrase", {"key_file": KEY}),
    ("key-file", {"key_file": KEY}),
    ("plain", {}),
]


class Format(unittest.TestCase):
    def opened(self):
        for folder, secret in WAYS:
            with self.subTest(folder=folder, secret=list(secret)):
                yield Repository(GOLDEN / folder, **secret)

    def test_every_file_of_every_backup(self):
        for repository in self.opened():
            numbers = []
            for _, manifest in repository.manifests():
                numbers.append(manifest["number"])
                reached = repository.reached(manifest)
                for file in manifest["files"]:
                    self.assertIn(file["blob"], reached)
                    data = repository.blob(file["blob"])
                    self.assertEqual(hashlib.sha256(data).hexdigest(), file["sha256"], file["name"])
            self.assertEqual(sorted(numbers), [1, 2])

    def test_every_pack_by_its_directory(self):
        for repository in self.opened():
            blobs, trees = set(), set()
            for name in repository.names("packs"):
                for id, (_, tree) in repository.pack(name).items():
                    (trees if tree else blobs).add(id)
            self.assertFalse(blobs & trees)
            for _, manifest in repository.manifests():
                self.assertLessEqual(set(manifest["trees"]), trees)
                self.assertLessEqual(repository.reached(manifest), blobs | trees)

    def test_a_mark_names_a_pack_that_no_index_has(self):
        for repository in self.opened():
            (mark,) = repository.marks()
            (pack,) = mark["packs"]
            ((id, (data, _)),) = repository.pack(f"packs/{pack[:2]}/{pack}").items()
            self.assertEqual(data, b"a pack that is marked")
            self.assertNotIn(id, repository._index)

    def test_the_reader_notices_what_was_changed(self):
        for part in ("meta/index", "meta/backups", "meta/keys", "packs"):
            copy = coppice.scratch_folder(self) / "copy"
            shutil.copytree(GOLDEN / "key-file", copy)
            for file in (copy / part).rglob("*"):
                if file.is_file():
                    data = bytearray(file.read_bytes())
                    data[len(data) // 2] ^= 1
                    file.write_bytes(data)
            with self.assertRaises((AssertionError, ValueError), msg=part):
                repository = Repository(copy, key_file=KEY)
                for _, manifest in repository.manifests():
                    for name in repository.names("packs"):
                        repository.pack(name)


if __name__ == "__main__":
    tap.main()
