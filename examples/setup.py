#!/usr/bin/env python3
"""Makes a small library of notes with a Python function, and may be run again: it changes only what is not
there yet.

    python3 examples/setup.py [HOME]

The client is coppice of sdk/python; `pip install ./sdk/python`, or run it from this repository as it is.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "sdk/python/src"))

import coppice  # noqa: E402

SCHEMA = """
CREATE SCHEMA notes;
CREATE OR REPLACE FUNCTION notes.keywords(body text, most bigint DEFAULT 3)
  RETURNS jsonb LANGUAGE python IMMUTABLE AS '{here}/keywords.py:keywords' SET timeout = '10s';
CREATE TABLE notes.note (
  id    bigint PRIMARY KEY,
  body  text NOT NULL,
  words jsonb GENERATED ALWAYS AS (notes.keywords(body)) STORED
);
"""

NOTES = [
    {"id": 1, "body": "A coppiced tree is cut to the ground, and the tree grows back from its root."},
    {"id": 2, "body": "Oak, hazel and ash: hazel is the one that is coppiced most, hazel for hurdles."},
]


def main():
    home = coppice.connect(sys.argv[1] if len(sys.argv) > 1 else None)
    schema = pathlib.Path("notes.sql")
    schema.write_text(SCHEMA.format(here=HERE))
    home.run("apply", str(schema), "--yes")
    known = {row["id"] for row in home.sql("SELECT id FROM notes.note")}
    home.insert("notes.note", [note for note in NOTES if note["id"] not in known])
    for row in home.sql("SELECT id, words FROM notes.note WHERE id <= $last ORDER BY id", {"last": 2}):
        print(row["id"], *row["words"])


if __name__ == "__main__":
    main()
