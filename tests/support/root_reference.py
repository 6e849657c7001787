"""docs/formats/root.md once more, written from the page and not from the program.

    fields("film", None, 3)          # the encoding: texts, missing ones, counts (integers)
    digest("coppice root 1 column", …)
    Sum().add("coppice root 1 cell", ["1"], "Street").digest()
"""

import hashlib
import struct


def _make_tables():
    """The S-box of AES and one table of its round, after FIPS 197."""
    power, logarithm, value = [0] * 256, [0] * 256, 1
    for exponent in range(255):
        power[exponent], logarithm[value] = value, exponent
        value ^= (value << 1) ^ (0x11B if value & 0x80 else 0)
        value &= 0xFF
    power[255] = power[0]
    box = []
    for byte in range(256):
        inverse = power[255 - logarithm[byte]] if byte else 0
        rotated = inverse
        for _ in range(4):
            inverse = (inverse << 1 | inverse >> 7) & 0xFF
            rotated ^= inverse
        box.append(rotated ^ 0x63)
    table = []
    for byte in box:
        double = (byte << 1) ^ (0x11B if byte & 0x80 else 0)
        table.append(double << 24 | byte << 16 | byte << 8 | (double ^ byte))
    tables = [[(t >> 8 * turn | t << (32 - 8 * turn)) & 0xFFFFFFFF for t in table] for turn in range(4)]
    return box, tables


_BOX, _TABLES = _make_tables()


def _substituted(word):
    return (_BOX[word >> 24] << 24 | _BOX[word >> 16 & 255] << 16
            | _BOX[word >> 8 & 255] << 8 | _BOX[word & 255])  # fmt: skip


def _expanded_key(key):
    words, constant = list(struct.unpack(">8I", key)), 1
    while len(words) < 60:
        word = words[-1]
        if len(words) % 8 == 0:
            word = _substituted((word << 8 | word >> 24) & 0xFFFFFFFF) ^ constant << 24
            constant <<= 1
        elif len(words) % 8 == 4:
            word = _substituted(word)
        words.append(words[-8] ^ word)
    return words


def aes256_ctr_stream(key, size):
    """The key stream of AES-256 in counter mode; the counter begins at 0."""
    words, stream = _expanded_key(key), b""
    t0, t1, t2, t3 = _TABLES
    for counter in range(size // 16):
        state = [w ^ k for w, k in zip(struct.unpack(">4I", counter.to_bytes(16, "big")), words)]
        for turn in range(1, 14):
            a = state * 2
            state = [
                t0[a[i] >> 24] ^ t1[a[i + 1] >> 16 & 255] ^ t2[a[i + 2] >> 8 & 255]
                ^ t3[a[i + 3] & 255] ^ words[4 * turn + i]
                for i in range(4)
            ]  # fmt: skip
        a = state * 2
        last = [
            (_BOX[a[i] >> 24] << 24 | _BOX[a[i + 1] >> 16 & 255] << 16
             | _BOX[a[i + 2] >> 8 & 255] << 8 | _BOX[a[i + 3] & 255]) ^ words[56 + i]
            for i in range(4)
        ]  # fmt: skip
        stream += struct.pack(">4I", *last)
    return stream


def fields(*values):
    encoded = b""
    for value in values:
        if value is None:
            encoded += b"\0"
        elif isinstance(value, int):
            encoded += struct.pack("<Q", value)
        else:
            text = value.encode() if isinstance(value, str) else value
            encoded += b"\1" + struct.pack("<Q", len(text)) + text
    return encoded


def digest(form, *values):
    return hashlib.sha256(fields(form, *values)).digest()


def flag(value):
    return "t" if value else "f"


def element(form, values):
    return digest(form, len(values), *values)


class Sum:
    def __init__(self):
        self.count = 0
        self.lanes = [0] * 1024

    def add(self, form, values, times=1):
        numbers = struct.unpack("<1024H", aes256_ctr_stream(element(form, values), 2048))
        self.lanes = [(lane + times * number) % 2**64 for lane, number in zip(self.lanes, numbers)]
        self.count += times
        return self

    def digest(self):
        return digest("coppice root 1 sum", self.count, struct.pack("<1024Q", *self.lanes))


def cell_sum(rows, keys, column):
    total = Sum()
    for row in rows:
        total.add("coppice root 1 cell", [row[k] for k in keys] + [row[column]])
    return total.digest()


def row_sum(rows, columns):
    total = Sum()
    for row in rows:
        total.add("coppice root 1 row", [row[column] for column in columns])
    return total.digest()


def column_root(name, type, sum, not_null=False, default=None, identity=None, sequence=None,
                expression=None, derived=None, on_error="abort", backup="auto", references="auto",
                comment=None):  # fmt: skip
    return digest("coppice root 1 column", name, type, flag(not_null), default, identity, sequence,
                  expression, derived, on_error, backup, references, comment, sum)  # fmt: skip


def table_root(schema, name, columns, rows=None, query=None, retention=None, comment=None,
               constraints=(), indexes=(), references=()):  # fmt: skip
    """`columns` are column roots; `constraints` are (name, kind, expression, nulls_distinct, names)."""
    values = [schema, name, query, retention, comment, len(columns), *columns, rows]
    values.append(len(constraints))
    for constraint, kind, expression, nulls_distinct, names in sorted(constraints):
        values += [constraint, kind, expression, flag(nulls_distinct), len(names), *names]
    values.append(len(indexes))
    for index, definition in sorted(indexes):
        values += [index, definition]
    urls = [value for url, content in sorted(references) for value in (url, content)]
    values.append(digest("coppice root 1 references", *urls))
    return digest("coppice root 1 table", *values)


def history_root(content, tables, lists):
    """`tables` are (schema, name, digest of the sum), `lists` {name: rows}, both in order."""
    values = []
    for name, rows in lists.items():
        values.append(name)
        for row in rows:
            values += ["row", len(row), *row]
        values.append("end")
    listed = digest("coppice root 1 history lists", *values)
    flat = [value for table in tables for value in table]
    return digest("coppice root 1 history", content, len(tables), *flat, listed)


def home_root(tables, settings=(), schemas=(), functions=(), views=(), grants=()):
    values = []
    for entries in (settings, schemas, functions, tables, views, grants):
        values.append(len(entries))
        for entry in entries:
            values += list(entry) if isinstance(entry, (list, tuple)) else [entry]
    return digest("coppice root 1 home", *values)
