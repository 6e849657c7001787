"""A table with versions, as plain Python: what Coppice must agree with at every version.

Rows are {column id: value}; a column keeps its id when it is renamed. ANY stands for a cell whose
value nobody promises: that of a plain column which did not exist in the version reverted to.
"""

import copy
import dataclasses

ANY = "<any>"
MODULUS = 1_000_003


@dataclasses.dataclass
class Expression:
    """Of a computed column: SQL over the names of its inputs, and the same in Python."""

    kind: str  # "scale", "sum", "label", "shout"
    inputs: list  # column ids
    number: int

    def sql(self, names):
        inputs = [names[column] for column in self.inputs]
        if self.kind == "scale":
            return f"({inputs[0]} * {self.number} + 3) % {MODULUS}"
        if self.kind == "sum":
            return f"({inputs[0]} + {inputs[1]}) % {MODULUS}"
        if self.kind == "label":
            return f"coalesce({inputs[0]}::text, '-') || '/{self.number}'"
        return f"upper({inputs[0]})"

    def value(self, cells):
        inputs = [cells[column] for column in self.inputs]
        if ANY in inputs:
            return ANY
        if self.kind == "label":
            return f"{'-' if inputs[0] is None else inputs[0]}/{self.number}"
        if None in inputs:
            return None
        if self.kind == "scale":
            return (inputs[0] * self.number + 3) % MODULUS
        if self.kind == "sum":
            return (inputs[0] + inputs[1]) % MODULUS
        return inputs[0].upper()


@dataclasses.dataclass
class Column:
    id: int
    name: str
    type: str  # "bigint", "text"
    default: object = None
    expression: Expression = None
    conversions: list = dataclasses.field(default_factory=list)  # [(since version, step)]

    def converted(self, value, version):
        """A cell of `version` after the changes of type since then."""
        for since, step in self.conversions:
            if since <= version or value in (None, ANY):
                continue
            value = (value + step) % MODULUS if self.type == "bigint" else value + str(step)
        return value


@dataclasses.dataclass
class State:
    """A version: columns in their order, and rows by primary key."""

    columns: list
    rows: dict

    def names(self):
        return {column.id: column.name for column in self.columns}

    def visible(self):
        """The rows as a query gives them: [{name: value}], by primary key."""
        return [
            {column.name: self.rows[key][column.id] for column in self.columns}
            for key in sorted(self.rows)
        ]


class Table:
    KEY = 0  # the id of the primary key's column

    def __init__(self):
        columns = [Column(0, "id", "bigint"), Column(1, "n", "bigint"), Column(2, "s", "text")]
        self.now = State(columns, {})
        self.versions = [copy.deepcopy(self.now)]
        self._next_id = 3

    def publish(self):
        self.versions.append(copy.deepcopy(self.now))

    # Finding things

    def plain(self, type=None):
        return [
            column for column in self.now.columns
            if not column.expression and column.id != self.KEY and type in (None, column.type)
        ]  # fmt: skip

    def computed(self):
        return [column for column in self.now.columns if column.expression]

    def dependents(self, column_id):
        """The computed columns that use a column, directly or not."""
        found, queue = [], [column_id]
        while queue:
            one = queue.pop()
            for column in self.computed():
                if one in column.expression.inputs and column not in found:
                    found.append(column)
                    queue.append(column.id)
        return found

    # Changing things; none of these publishes

    def _compute(self, cells):
        """Fills in computed cells, inputs first."""
        done = {column.id for column in self.now.columns if not column.expression}
        waiting = self.computed()
        while waiting:
            ready = [c for c in waiting if all(i in done for i in c.expression.inputs)]
            assert ready, "a cycle in the model"
            for column in ready:
                cells[column.id] = column.expression.value(cells)
                done.add(column.id)
            waiting = [column for column in waiting if column not in ready]

    def put(self, key, given):
        """A new row, or given cells of a row that is there."""
        cells = self.now.rows.get(key)
        if cells is None:
            cells = {column.id: column.default for column in self.plain()} | {self.KEY: key}
        self.now.rows[key] = cells = cells | given
        self._compute(cells)

    def delete(self, key):
        del self.now.rows[key]

    def add(self, name, type, default=None, expression=None):
        column = Column(self._next_id, name, type, default, expression)
        self._next_id += 1
        self.now.columns.append(column)
        for cells in self.now.rows.values():
            cells[column.id] = default
            self._compute(cells)
        return column

    def drop(self, column):
        self.now.columns.remove(column)
        for cells in self.now.rows.values():
            del cells[column.id]

    def change_expression(self, column, expression):
        column.expression = expression
        for cells in self.now.rows.values():
            self._compute(cells)

    def change_type(self, column, step):
        """To the same type, by an expression that changes the values."""
        column.conversions = [*column.conversions, (len(self.versions), step)]
        before = len(self.versions) - 1
        for cells in self.now.rows.values():
            value = column.converted(cells[column.id], before)
            cells[column.id] = value

    def revert(self, version):
        """The rows of an old version under the current schema. True when rows surely differ, None
        when nobody can tell."""
        old = self.versions[version]
        known = {column.id for column in old.columns if not column.expression}
        before = self.now.rows
        self.now.rows = {}
        for key, cells in old.rows.items():
            self.now.rows[key] = new = {
                column.id: column.converted(cells[column.id], version)
                if column.id in known
                else ANY
                for column in self.now.columns
                if not column.expression
            }
            self._compute(new)
        # Cells that nobody promises are left out on both sides of the comparison.
        differs = set(before) != set(self.now.rows) or any(
            value != ANY and before[key][column] not in (value, ANY)
            for key, cells in self.now.rows.items()
            for column, value in cells.items()
        )
        sides = [*before.values(), *self.now.rows.values()]
        uncertain = any(ANY in cells.values() for cells in sides)
        return True if differs else None if uncertain else False


def rows_agree(expected, actual):
    """Lists of {name: value}: the same names in the same order, the same values where promised."""
    return len(expected) == len(actual) and all(
        list(wanted) == list(found)
        and all(value == ANY or value == found[name] for name, value in wanted.items())
        for wanted, found in zip(expected, actual)
    )
