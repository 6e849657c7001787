"""docs/formats/repository.md once more, written from the page and not from the program: reads what
is in a repository. Python has neither AES-GCM nor Argon2id, so libcrypto, libsodium and libzstd are
called by ctypes.

    repository = Repository(folder, passphrase=b"…")   # or key_file=b"…", or neither
    for name, manifest in repository.manifests(): …
    repository.blob("ab12…")
"""

import base64
import ctypes
import hashlib
import hmac
import json
import pathlib
import struct

_crypto = ctypes.CDLL("libcrypto.so.3")
_sodium = ctypes.CDLL("libsodium.so.23")
_zstd = ctypes.CDLL("libzstd.so.1")
_crypto.EVP_CIPHER_CTX_new.restype = ctypes.c_void_p
_crypto.EVP_aes_256_gcm.restype = ctypes.c_void_p
_zstd.ZSTD_decompress.restype = ctypes.c_size_t
_SET_TAG = 0x11

HEADER = 56


def open_gcm(key, nonce, sealed, authenticated):
    """None when the tag does not fit."""
    text, tag = sealed[:-16], sealed[-16:]
    context = ctypes.c_void_p(_crypto.EVP_CIPHER_CTX_new())
    out, count = ctypes.create_string_buffer(len(text) + 16), ctypes.c_int()
    at = ctypes.c_void_p(_crypto.EVP_aes_256_gcm())
    try:
        assert _crypto.EVP_DecryptInit_ex(context, at, None, key, nonce) == 1
        for part, target in ((authenticated, None), (text, out)):
            if part:
                done = _crypto.EVP_DecryptUpdate(
                    context, target, ctypes.byref(count), part, ctypes.c_int(len(part))
                )
                assert done == 1
        _crypto.EVP_CIPHER_CTX_ctrl(context, _SET_TAG, 16, tag)
        rest = ctypes.create_string_buffer(16)
        if _crypto.EVP_DecryptFinal_ex(context, rest, ctypes.byref(count)) != 1:
            return None
        return out.raw[: len(text)]
    finally:
        _crypto.EVP_CIPHER_CTX_free(context)


def hkdf(secret, salt, info):
    """RFC 5869 with SHA-256: 32 bytes, which are one block."""
    extracted = hmac.digest(salt, secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def argon2id(passphrase, salt, passes, memory_bytes):
    out = ctypes.create_string_buffer(32)
    failed = _sodium.crypto_pwhash(
        out, ctypes.c_ulonglong(32), passphrase, ctypes.c_ulonglong(len(passphrase)), salt,
        ctypes.c_ulonglong(passes), ctypes.c_size_t(memory_bytes), ctypes.c_int(2),
    )  # fmt: skip
    assert failed == 0
    return out.raw


def open_box(sealed, public, private):
    out = ctypes.create_string_buffer(max(len(sealed) - 48, 1))
    failed = _sodium.crypto_box_seal_open(
        out, sealed, ctypes.c_ulonglong(len(sealed)), public, private
    )
    assert failed == 0
    return out.raw[: len(sealed) - 48]


def decompress(data, size):
    out = ctypes.create_string_buffer(max(size, 1))
    assert _zstd.ZSTD_decompress(out, ctypes.c_size_t(size), data, ctypes.c_size_t(len(data))) == size
    return out.raw[:size]


def check_mac(id_key, document):
    rest = {name: value for name, value in document.items() if name != "mac"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    mac = hmac.digest(id_key, text.encode(), "sha256")
    assert base64.b64decode(document["mac"]) == mac


class Repository:
    def __init__(self, folder, passphrase=None, key_file=None):
        self.folder = pathlib.Path(folder)
        description = json.loads(self._read("coppice-repository"))
        assert description["format"] == 1
        self.encrypted = description["encryption"] != "none"
        self.id_key, self.epochs = None, {}
        if self.encrypted:
            assert description["encryption"] == "aes-256-gcm"
            self._open_access(passphrase, key_file)
        self._index = {}
        for name in self.names("meta/index"):
            self._read_index(name)

    def _read(self, name):
        return (self.folder / name).read_bytes()

    def names(self, folder):
        place = self.folder / folder
        return sorted(str(file.relative_to(self.folder)) for file in place.rglob("*") if file.is_file())

    # Keys

    def _open_access(self, passphrase, key_file):
        for name in self.names("meta/keys"):
            access = json.loads(self._read(name))
            kdf = access["kdf"]
            salt = base64.b64decode(kdf["salt"])
            if access["kind"] == "passphrase" and passphrase:
                wrapping = argon2id(passphrase, salt, kdf["passes"], kdf["memory_bytes"])
            elif access["kind"] == "key-file" and key_file:
                wrapping = hkdf(key_file, salt, b"key file")
            else:
                continue
            wrapped = base64.b64decode(access["private"])
            along = "\n".join([str(access["format"]), access["id"], access["kind"]]).encode()
            if secrets := open_gcm(wrapping, wrapped[:12], wrapped[12:], along):
                return self._open_epochs(access, secrets[:32], secrets[32:])
        raise AssertionError("no access opens")

    def _open_epochs(self, access, private, id_key):
        self.id_key = id_key
        check_mac(id_key, access)
        public = base64.b64decode(access["public"])
        sealed = {id: epoch["key"] for id, epoch in access["sealed"].items()}
        for name in self.names("meta/epochs"):
            epoch = json.loads(self._read(name))
            check_mac(id_key, epoch)
            sealed.setdefault(epoch["id"], epoch["sealed"].get(access["id"]))
        for id, key in sealed.items():
            self.epochs[bytes.fromhex(id)] = open_box(base64.b64decode(key), public, private)

    # Sealed objects

    def _checked(self, name):
        data = self._read(name)
        assert hashlib.sha256(data).hexdigest() == name.rpartition("/")[2], name
        return data

    def _open_frame(self, header, number, frame):
        if not self.encrypted:
            return frame
        key = hkdf(self.epochs[header[8:24]], header[24:56], header[:8])
        plain = open_gcm(key, bytes(8) + struct.pack(">I", number), frame, header)
        assert plain is not None
        return plain

    def _one_frame(self, name, letters):
        data = self._checked(name)
        assert data[:8] == letters
        return self._open_frame(data[:HEADER], 0, data[HEADER:])

    def _read_index(self, name):
        data = self._checked(name)
        header, at, number = data[:HEADER], HEADER, 0
        assert header[:8] == b"CPCEINDX"
        tag = 16 if self.encrypted else 0

        def frame(size):
            nonlocal at, number
            plain = self._open_frame(header, number, data[at : at + size + tag])
            at, number = at + size + tag, number + 1
            return plain

        pack_count, blob_count = struct.unpack(">II", frame(8))
        packs = list(struct.iter_unpack(">32sQ16s32s", frame(pack_count * 88)))
        while blob_count > 0:
            count = min(blob_count, 65_536)
            for id, pack, *place in struct.iter_unpack(">32s6I", frame(count * 56)):
                self._index[id.hex()] = (packs[pack], *place)
            blob_count -= count
        assert at == len(data)

    # What is in it

    def manifests(self):
        for name in self.names("meta/backups"):
            yield name, json.loads(self._one_frame(name, b"CPCEBKUP"))

    def marks(self):
        return [json.loads(self._one_frame(name, b"CPCEMARK")) for name in self.names("meta/garbage")]

    def blob_id(self, data):
        if self.encrypted:
            return hmac.digest(self.id_key, data, "sha256").hex()
        return hashlib.sha256(data).hexdigest()

    def blob(self, id):
        """By the index: from the middle of its pack."""
        (pack, size, epoch, salt), number, offset, length, blob_length, flags = self._index[id]
        name = f"packs/{pack.hex()[:2]}/{pack.hex()}"
        data = self._read(name)
        assert len(data) == size
        header = b"CPCEPACK" + epoch + salt
        return self._plain(id, header, number, data[offset : offset + length], blob_length, flags)

    def _plain(self, id, header, number, frame, blob_length, flags):
        plain = self._open_frame(header, number, frame)
        if flags & 1:
            plain = decompress(plain, blob_length)
        assert len(plain) == blob_length and self.blob_id(plain) == id
        return plain

    def pack(self, name):
        """Every blob of a pack, by its own directory: {id: (bytes, whether it is a tree)}."""
        data = self._checked(name)
        header = data[:HEADER]
        length, count = struct.unpack(">II", data[-8:])
        directory = self._open_frame(header, count, data[-8 - length : -8])
        blobs = {}
        for number, entry in enumerate(struct.iter_unpack(">32s4I", directory)):
            id, offset, frame_length, blob_length, flags = entry
            frame = data[offset : offset + frame_length]
            plain = self._plain(id.hex(), header, number, frame, blob_length, flags)
            blobs[id.hex()] = (plain, bool(flags & 2))
        return blobs

    def reached(self, manifest):
        """The ids of all blobs and trees that a manifest reaches."""
        seen, left, blobs = set(), list(manifest["trees"]), set()
        while left:
            id = left.pop()
            if id not in seen:
                seen.add(id)
                tree = json.loads(self.blob(id))
                blobs.update(tree.get("blobs", []))
                left += tree.get("trees", [])
        return blobs | seen
