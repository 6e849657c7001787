#!/usr/bin/python3
"""Random histories of INSERT, UPDATE, DELETE, upserts, revert, ADD, DROP and RENAME COLUMN and
changed expressions and types, compared with a plain model (model.py) at every version; and such
histories of a table with materialized views, which must be what their queries give at every version.

Each test is one seed; a failure prints the statements that led to it. The quick set runs 6
histories of 40 changes, --long 60 of 120.
"""

import json
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from model import ANY, MODULUS, Expression, Table, rows_agree  # noqa: E402
from support import tap  # noqa: E402
from support.coppice import Home  # noqa: E402

QUICK = (range(1, 7), 40)
LONG = (range(1, 61), 120)
MOST_KEYS = 60


def literal(value):
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


class History:
    """One table, its model, and a source of random changes."""

    def __init__(self, home, name, seed):
        self.home, self.name = home, name
        self.random = random.Random(seed)
        self.model = Table()
        self.log = []
        self.next_name = 0
        self.run("sql", f"CREATE TABLE {name} (id bigint PRIMARY KEY, n bigint, s text)")

    def run(self, *arguments):
        self.log.append(arguments[1] if arguments[0] == "sql" else "coppice " + " ".join(arguments))
        self.home.run(*arguments)

    def sql(self, text):
        self.run("sql", text)

    # Random parts

    def value(self, type):
        if self.random.random() < 0.15:
            return None
        if type == "bigint":
            return self.random.randrange(1000)
        return self.random.choice(["", "a", "Street", "it's", "x y", "馬"])

    def new_name(self):
        self.next_name += 1
        return f"c{self.next_name}"

    def expression(self, allowed):
        """A random expression over some of the allowed columns."""
        numbers = [column for column in allowed if column.type == "bigint"]
        texts = [column for column in allowed if column.type == "text"]
        kind = self.random.choice(["scale", "sum", "label"] + (["shout"] if texts else []))
        pick = self.random.choice
        inputs = {
            "scale": lambda: [pick(numbers).id],
            "sum": lambda: [pick(numbers).id, pick(numbers).id],
            "label": lambda: [pick(numbers).id],
            "shout": lambda: [pick(texts).id],
        }[kind]()
        return Expression(kind, inputs, self.random.randrange(2, 9))

    @staticmethod
    def type_of(expression):
        return "bigint" if expression.kind in ("scale", "sum") else "text"

    # Changes: each does the same to the table and to the model, and says how many versions it took
    # (None: one or none).

    def insert(self):
        model = self.model
        free = [key for key in range(MOST_KEYS) if key not in model.now.rows]
        keys = self.random.sample(free, min(len(free), self.random.randrange(1, 8)))
        if not keys:
            return self.delete()
        columns = self.random.sample(model.plain(), self.random.randrange(len(model.plain()) + 1))
        rows = []
        for key in keys:
            given = {column.id: self.value(column.type) for column in columns}
            rows.append(f"({', '.join([str(key), *map(literal, given.values())])})")
            model.put(key, given)
        names = ", ".join(["id", *(column.name for column in columns)])
        self.sql(f"INSERT INTO {self.name} ({names}) VALUES {', '.join(rows)}")
        return 1

    def upsert(self):
        model = self.model
        (column,) = self.random.sample(model.plain("bigint") or [None], 1)
        if column is None:
            return self.insert()
        keys = self.random.sample(range(MOST_KEYS), 5)
        values = {key: self.random.randrange(1000) for key in keys}
        for key, value in values.items():
            model.put(key, {column.id: value})
        rows = ", ".join(f"({key}, {value})" for key, value in values.items())
        self.sql(f"INSERT INTO {self.name} (id, {column.name}) VALUES {rows} "
                 f"ON CONFLICT (id) DO UPDATE SET {column.name} = excluded.{column.name}")  # fmt: skip
        return 1

    def update(self):
        model = self.model
        modulus = self.random.randrange(1, 6)
        keys = [key for key in model.now.rows if key % modulus == 0]
        column = self.random.choice(model.plain())
        if column.type == "bigint" and self.random.random() < 0.6:
            step = self.random.randrange(1, 9)
            text = f"({column.name} + {step}) % {MODULUS}"
            for key in keys:
                old = model.now.rows[key][column.id]
                new = old if old in (None, ANY) else (old + step) % MODULUS
                model.put(key, {column.id: new})
        else:
            value = self.value(column.type)
            text = literal(value)
            for key in keys:
                model.put(key, {column.id: value})
        self.sql(f"UPDATE {self.name} SET {column.name} = {text} WHERE id % {modulus} = 0")
        return 1 if keys else 0

    def delete(self):
        modulus = self.random.randrange(2, 7)
        keys = [key for key in self.model.now.rows if key % modulus == 1]
        for key in keys:
            self.model.delete(key)
        self.sql(f"DELETE FROM {self.name} WHERE id % {modulus} = 1")
        return 1 if keys else 0

    def add_plain(self):
        name, type = self.new_name(), self.random.choice(["bigint", "text"])
        default = self.value(type)
        self.model.add(name, type, default)
        suffix = "" if default is None else f" DEFAULT {literal(default)}"
        self.sql(f"ALTER TABLE {self.name} ADD COLUMN {name} {type}{suffix}")
        return 1

    def add_computed(self):
        expression = self.expression(self.model.now.columns)
        name, type = self.new_name(), self.type_of(expression)
        text = expression.sql(self.model.now.names())
        self.model.add(name, type, expression=expression)
        self.sql(f"ALTER TABLE {self.name} ADD COLUMN {name} {type} "
                 f"GENERATED ALWAYS AS ({text}) STORED")  # fmt: skip
        return 1

    def change_expression(self):
        if not self.model.computed():
            return self.add_computed()
        column = self.random.choice(self.model.computed())
        above = [column, *self.model.dependents(column.id)]  # using those would be a cycle
        allowed = [other for other in self.model.now.columns if other not in above]
        for _ in range(20):
            expression = self.expression(allowed)
            if self.type_of(expression) == column.type and expression != column.expression:
                text = expression.sql(self.model.now.names())
                self.model.change_expression(column, expression)
                self.run("alter-column", f"{self.name}.{column.name}", text)
                return 1
        return self.update()

    def drop(self):
        droppable = [
            column for column in self.model.plain() + self.model.computed()
            if not self.model.dependents(column.id)
            and (column.expression or len(self.model.plain()) > 1)
        ]  # fmt: skip
        numbers = [c for c in self.model.now.columns if c.type == "bigint"]
        if not droppable or len(numbers) < 3:
            return self.add_plain()
        column = self.random.choice(droppable)
        self.model.drop(column)
        self.sql(f"ALTER TABLE {self.name} DROP COLUMN {column.name}")
        return 1

    def rename(self):
        column = self.random.choice(self.model.plain() + self.model.computed())
        old, column.name = column.name, self.new_name()
        self.sql(f"ALTER TABLE {self.name} RENAME COLUMN {old} TO {column.name}")
        return 1

    def change_type(self):
        columns = [c for c in self.model.plain() if not self.model.dependents(c.id)]
        if not columns:
            return self.update()
        column, step = self.random.choice(columns), self.random.randrange(1, 9)
        self.model.change_type(column, step)
        using = (f"({column.name} + {step}) % {MODULUS}" if column.type == "bigint"
                 else f"{column.name} || '{step}'")  # fmt: skip
        self.sql(f"ALTER TABLE {self.name} ALTER {column.name} TYPE {column.type} USING {using}")
        return 1

    def revert(self):
        version = self.random.randrange(len(self.model.versions))
        differs = self.model.revert(version)
        self.run("revert", self.name, "--to", str(version), "--yes")
        return None if differs is None else int(differs)

    CHANGES = [
        (insert, 5), (upsert, 3), (update, 6), (delete, 3), (add_plain, 2), (add_computed, 3),
        (change_expression, 2), (change_type, 2), (drop, 2), (rename, 2), (revert, 4),
    ]  # fmt: skip

    def step(self):
        changes, weights = zip(*self.CHANGES)
        (change,) = self.random.choices(changes, weights)
        versions = change(self)
        newest = self.home.versions(self.name)[-1]
        taken = newest - (len(self.model.versions) - 1)
        if versions is None:
            assert taken in (0, 1), f"it took {taken} versions; one or none was expected"
        else:
            assert taken == versions, f"it took {taken} versions; {versions} was expected"
        if taken:
            self.model.publish()

    # Comparing

    def read(self, versions):
        """The rows of versions (None: now) as [{name: value}], in one call."""
        queries = []
        for version in versions:
            name = self.name if version is None else f'"{self.name}:{version}"'
            queries.append(f"SELECT coalesce(json_agg(t ORDER BY id), '[]')::text AS r FROM {name} t")
        lines = self.home.rows("; ".join(queries))
        return [json.loads(line["r"]) for line in lines]

    def check(self, versions):
        for version, found in zip(versions, self.read(versions)):
            state = self.model.now if version is None else self.model.versions[version]
            if not rows_agree(state.visible(), found):
                raise AssertionError(
                    f"version {version or 'now'} differs\nexpected {state.visible()}\nfound    {found}"
                )


class ViewHistory(History):
    """A table with a row-wise view, and over that one with an iterator and a column of its own."""

    READ = (1, 2)  # ids of the columns that the view reads: they stay, under whatever name

    def __init__(self, home, name, seed):
        super().__init__(home, name, seed)
        self.since = {}  # view: the version that made it

    def make_view(self):
        names = self.model.now.names()
        n, s = (names[column] for column in self.READ)
        part, word = f"{self.name}_part", f"{self.name}_word"
        if part not in self.since:
            self.sql(f"CREATE MATERIALIZED VIEW {part} AS SELECT t.id, t.{n} * 2 + 1 AS m, {s} AS s "
                     f"FROM {self.name} t WHERE {n} % 2 = 0")  # fmt: skip
            self.since[part] = len(self.model.versions)
        elif word not in self.since:
            self.sql(f"CREATE MATERIALIZED VIEW {word} AS SELECT p.id, i.pos, p.m + i.pos AS x, "
                     f"i.element #>> '{{}}' AS w FROM {part} p, "
                     "LATERAL elements(to_jsonb(string_to_array(p.s, ' '))) AS i")  # fmt: skip
            self.since[word] = len(self.model.versions)
        elif "loud" not in self.since:
            self.sql(f"ALTER TABLE {word} ADD COLUMN loud text GENERATED ALWAYS AS (upper(w)) STORED")
            self.since["loud"] = len(self.model.versions)
        else:
            return self.update()
        return 1

    def drop(self):
        droppable = [column for column in self.model.plain() + self.model.computed()
                     if column.id not in self.READ and not self.model.dependents(column.id)]  # fmt: skip
        if not droppable:
            return self.add_plain()
        column = self.random.choice(droppable)
        self.model.drop(column)
        self.sql(f"ALTER TABLE {self.name} DROP COLUMN {column.name}")
        return 1

    CHANGES = [
        (History.insert, 5), (History.upsert, 3), (History.update, 6), (History.delete, 3),
        (make_view, 4), (History.add_plain, 1), (History.add_computed, 1), (drop, 1),
        (History.rename, 2), (History.revert, 4),
    ]  # fmt: skip

    def expected(self, state, version):
        parts = [
            {"id": key, "m": cells[1] * 2 + 1, "s": cells[2]}
            for key, cells in sorted(state.rows.items())
            if cells[1] is not None and cells[1] % 2 == 0
        ]
        words = [
            {"id": part["id"], "pos": pos, "x": part["m"] + pos, "w": word}
            for part in parts if part["s"]
            for pos, word in enumerate(part["s"].split(" "))
        ]  # fmt: skip
        if self.since.get("loud", version + 1) <= version:
            words = [word | {"loud": word["w"].upper()} for word in words]
        return {f"{self.name}_part": parts, f"{self.name}_word": words}

    def check(self, versions):
        super().check(versions)
        newest = len(self.model.versions) - 1
        for version in versions:
            number = newest if version is None else version
            state = self.model.now if version is None else self.model.versions[version]
            for view, rows in self.expected(state, number).items():
                if self.since.get(view, number + 1) > number:
                    continue
                name = view if version is None else f'"{view}:{version}"'
                order = "id, pos" if view.endswith("_word") else "id"
                found = self.home.rows(f"SELECT * FROM {name} ORDER BY {order}")
                if found != rows:
                    raise AssertionError(f"{view} differs at version {version or 'now'}\n"
                                         f"expected {rows}\nfound    {found}")  # fmt: skip


class Histories(unittest.TestCase):
    home = None

    def __init__(self, seed=1, steps=40, history=History):
        super().__init__("run_history")
        self.seed, self.steps, self.history = seed, steps, history

    def test_name(self, method):
        views = "views_" if self.history is ViewHistory else ""
        return f"{views}seed_{self.seed}"

    @classmethod
    def setUpClass(cls):
        Histories.home = Home.make(cls)

    def run_history(self):
        views = self.history is ViewHistory
        history = self.history(self.home, f"{'v' if views else 't'}{self.seed}", self.seed)
        try:
            for step in range(self.steps):
                history.step()
                history.check([None])
                if step % 20 == 19:
                    history.check(list(range(len(history.model.versions))))
            history.check(list(range(len(history.model.versions))))
        except AssertionError as error:
            log = ";\n".join(history.log)
            raise AssertionError(f"seed {self.seed}, after\n{log};\n{error}") from error


def load_tests(loader, tests, pattern):
    seeds, steps = LONG if tap.long else QUICK
    suite = unittest.TestSuite(Histories(seed, steps) for seed in seeds)
    fewer = list(seeds)[: max(2, len(seeds) // 3)]  # each looks at three relations
    suite.addTests(Histories(seed, steps, ViewHistory) for seed in fewer)
    return suite


if __name__ == "__main__":
    tap.main()
