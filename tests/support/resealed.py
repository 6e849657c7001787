"""A repository without encryption in which somebody has changed what a backup holds, and made every
name of it right again: blobs, trees, index and manifest. Only what the backup says about its content tells.

    reseal(folder, lambda data: data.replace(b"one", b"onE"))   # changed in each blob; None: as it is
"""

import hashlib
import json
import os
import pathlib
import struct

from support.repository_reference import Repository


def _header(letters):
    return letters + bytes(16) + os.urandom(32)


def _write(folder, name, data):
    digest = hashlib.sha256(data).hexdigest()
    place = pathlib.Path(folder) / name.format(digest[:2], digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return digest


def _write_pack(folder, blobs):
    """One pack with its index; `blobs` is {id: (bytes, whether it is a tree)}."""
    header = _header(b"CPCEPACK")
    body, directory, entries = header, b"", []
    for number, (id, (data, is_tree)) in enumerate(blobs.items()):
        place = struct.pack(">4I", len(body), len(data), len(data), 2 if is_tree else 0)
        directory += bytes.fromhex(id) + place
        entries.append(bytes.fromhex(id) + struct.pack(">2I", 0, number) + place)
        body += data
    body += directory + struct.pack(">II", len(directory), len(blobs))
    pack = _write(folder, "packs/{}/{}", body)
    index = _header(b"CPCEINDX") + struct.pack(">II", 1, len(blobs))
    index += bytes.fromhex(pack) + struct.pack(">Q", len(body)) + header[8:56]
    _write(folder, "meta/index/{1}", index + b"".join(sorted(entries)))


class _Changer:
    def __init__(self, repository, change):
        self.repository, self.change = repository, change
        self.known, self.new = {}, {}

    def blob(self, id):
        data = self.repository.blob(id)
        return self._kept(id, data, self.change(data), False)

    def tree(self, id):
        if id in self.known:
            return self.known[id]
        data = self.repository.blob(id)
        tree = json.loads(data)
        for member, rewrite in (("blobs", self.blob), ("trees", self.tree)):
            if member in tree:
                tree[member] = [rewrite(other) for other in tree[member]]
        changed = json.dumps(tree).encode() if tree != json.loads(data) else None
        self.known[id] = self._kept(id, data, changed, True)
        return self.known[id]

    def _kept(self, id, data, changed, is_tree):
        if changed is None or changed == data:
            return id
        new = hashlib.sha256(changed).hexdigest()
        self.new[new] = (changed, is_tree)
        return new


def reseal(folder, change):
    """Changes the only backup of the repository; how many blobs that are not trees were changed."""
    repository = Repository(folder)
    ((name, manifest),) = repository.manifests()
    changer = _Changer(repository, change)
    manifest["trees"] = [changer.tree(id) for id in manifest["trees"]]
    _write_pack(folder, changer.new)
    _write(folder, "meta/backups/{1}", _header(b"CPCEBKUP") + json.dumps(manifest).encode())
    (pathlib.Path(folder) / name).unlink()
    return sum(not is_tree for _, is_tree in changer.new.values())
