"""The test harness, and with it the calls that the worker makes."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "src"))

import numpy  # noqa: E402

from coppice import function, scratch_file  # noqa: E402
from coppice.commands import fill_word, parse_output  # noqa: E402
from coppice.testing import Failure, call  # noqa: E402
from coppice.values import result_writer, text_of  # noqa: E402


@function(batched=True)
def lengths(texts):
    if "bad" in texts:
        raise ValueError("bad is bad")
    return [len(text) for text in texts]


@function(batched=True)
def one_too_few(numbers):
    return numbers[1:]


def kinds(results):
    return [result.kind if isinstance(result, Failure) else result for result in results]


class Calls(unittest.TestCase):
    def test_a_null_argument_gives_null_without_a_call(self):
        calls = []
        result = call(lambda a, b: calls.append(a) or a + b, [(1, 2), (None, 2)], "bigint, bigint -> bigint")
        self.assertEqual(result, [3, None])
        self.assertEqual(calls, [1])

    def test_a_batched_function_gets_lists_of_at_most_the_batch(self):
        sizes = []

        @function(batched=True)
        def double(numbers):
            sizes.append(len(numbers))
            return [2 * number for number in numbers]

        rows = [(n,) for n in range(10)]
        self.assertEqual(call(double, rows, "bigint -> bigint", batch=4), [2 * n for n in range(10)])
        self.assertEqual(sizes, [4, 4, 2])

    def test_one_bad_row_costs_that_row_of_the_batch(self):
        result = call(lengths, [("a",), ("bad",), ("abc",)], "text -> bigint")
        self.assertEqual(kinds(result), [1, "exception", 3])
        self.assertRegex(str(result[1]), r"ValueError: bad is bad \(test_functions.py, line \d+: raise")

    def test_a_wrong_count_is_a_failure(self):
        self.assertEqual(kinds(call(one_too_few, [(1,), (2,)], "bigint -> bigint")), ["count"] * 2)

    def test_results_of_other_types_are_failures(self):
        for value, types in ((1.5, "-> bigint"), (True, "-> bigint"), ("1", "-> bigint"), (1, "-> text"),
                             (b"a", "-> text"), (1, "-> boolean"), ("1", "-> float8"),
                             ({1, 2}, "-> jsonb"), (float("nan"), "-> jsonb"),
                             ([[1.0]], "-> float8[]"), (["a"], "-> float8[]"), (3, "-> image")):  # fmt: skip
            with self.subTest(value=value, types=types):
                self.assertEqual(kinds(call(lambda value=value: value, [()], types)), ["type"])

    def test_numbers_out_of_range_and_text_that_postgresql_cannot_hold(self):
        self.assertEqual(kinds(call(lambda: 2**63, [()], "-> bigint")), ["range"])
        self.assertEqual(kinds(call(lambda: "a\0b", [()], "-> text")), ["encoding"])
        self.assertEqual(kinds(call(lambda: "\ud800", [()], "-> text")), ["encoding"])
        self.assertEqual(kinds(call(lambda: "a\0", [()], "-> jsonb")), ["encoding"])

    def test_numpy_numbers_are_numbers(self):
        self.assertEqual(call(lambda: numpy.int32(7), [()], "-> bigint"), [7])
        self.assertEqual(call(lambda: numpy.float32(0.5), [()], "-> float8"), [0.5])
        self.assertEqual(call(lambda: {"a": numpy.arange(2)}, [()], "-> jsonb"), [{"a": [0, 1]}])

    def test_arrays_are_numpy_arrays_over_the_bytes_that_came(self):
        def check(numbers):
            self.assertEqual(numbers.dtype, numpy.float64)
            self.assertFalse(numbers.flags.owndata)
            return numbers * 2

        (result,) = call(check, [([1.0, 2.5],)], "float8[] -> float8[]")
        self.assertEqual(result.tolist(), [2.0, 5.0])

    def test_media_come_as_paths_and_go_as_files(self):
        def copy(picture):
            out = scratch_file(".bin")
            out.write_bytes(picture.read_bytes() * 2)
            return out

        with tempfile.NamedTemporaryFile() as file:
            file.write(b"abc")
            file.flush()
            (result,) = call(copy, [(file.name,)], "image -> image")
        self.assertEqual(result.read_bytes(), b"abcabc")

    def test_a_file_that_the_function_did_not_write_is_no_result(self):
        self.assertEqual(kinds(call(lambda: __file__, [()], "-> document")), ["type"])

    def test_a_call_that_could_never_work_is_refused(self):
        with self.assertRaisesRegex(Failure, "cannot be called with 1 argument"):
            call(lambda a, b: a, [(1,)], "bigint -> bigint")

    def test_no_folder_is_left_behind(self):
        with tempfile.TemporaryDirectory() as folder:
            before, tempfile.tempdir = tempfile.tempdir, folder
            try:
                call(lambda n: n, [(1,)], "bigint -> bigint")
            finally:
                tempfile.tempdir = before
            self.assertEqual(list(pathlib.Path(folder).iterdir()), [])

    def test_sys_exit_is_a_failure(self):
        self.assertEqual(kinds(call(lambda: sys.exit(1), [()], "-> bigint")), ["exception"])


class Commands(unittest.TestCase):
    def test_holes_are_filled_without_splitting_words(self):
        self.assertEqual(fill_word("--name={0}:{out}", ["a b; c"], "/tmp/x"), "--name=a b; c:/tmp/x")
        self.assertEqual(fill_word("{{{0}}}", ["a"], None), "{a}")

    def test_output_is_read_strictly(self):
        def read(output, type_name):
            return parse_output(output, type_name, result_writer(type_name, "/tmp"))

        self.assertEqual(read(b"a\n\n", "text"), "a\n")
        self.assertEqual(read(b" 12 \n", "bigint"), 12)
        self.assertEqual(read(b"1e3\n", "float8"), 1000.0)
        self.assertEqual(read(b"true\n", "boolean"), True)
        self.assertEqual(read(b'{"a":1}', "jsonb"), {"jsonb": '{"a": 1}'})
        for output, type_name in ((b"1_000", "bigint"), (b"1.5", "bigint"), (b"", "bigint"),
                                  (b"yes", "boolean"), (b"NaN", "jsonb"), (b"{", "jsonb"),
                                  (b"\xff", "text"), (b"a\0b", "text")):  # fmt: skip
            with self.subTest(output=output), self.assertRaises(Failure):
                read(output, type_name)

    def test_arguments_as_text(self):
        values = (True, 1.5, float("inf"), "a", {"b": 1}, numpy.array([1.0, 2.0]))
        self.assertEqual([text_of(value) for value in values],
                         ["true", "1.5", "Infinity", "a", '{"b": 1}', "[1.0, 2.0]"])  # fmt: skip


if __name__ == "__main__":
    unittest.main()
