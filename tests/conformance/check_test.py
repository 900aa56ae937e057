#!/usr/bin/python3
"""The ledger's checker finds every kind of gap: each test below breaks one thing in a small good ledger."""
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import check  # noqa: E402

README = "# x\n\n## RFCs\n\n| RFC | what |\n|---|---|\n| 4271 | BGP-4 |\n| 4364, 4659 | VPN |\n\n## Next\n\n| 9999 | no claim |\n"
CLAUSE = '[[clause]]\nat = "1"\nlevel = "MUST"\nsays = "something"\ndoes = ["Suite.Good"]\nrefuses = ["Suite.Bad*", "wire.pair"]\n'


class Checker(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.write("README.md", README)
        self.write("tests/unit/x/a_test.cpp", "TEST(Suite, Good) {\nTEST_F(Suite, BadLength) {\n  TEST_P(Other, One) {\n// TEST(Suite, Gone)\n")
        self.write("tests/interop/test_wire.py", '@test("x")\ndef pair(t):\n    pass\n\n\ndef helper(t):\n    pass\n')
        for number in (4271, 4364, 4659):
            self.write("tests/conformance/rfc%d.toml" % number, 'rfc = %d\ntitle = "t"\n%s' % (number, CLAUSE))
        self.items = {(part, n): 'tests = ["Suite.Good"]' for part, count in check.FIELD_NOTES.items() for n in range(1, count + 1)}
        self.write_items()

    def tearDown(self):
        self.folder.cleanup()

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def write_items(self):
        self.write("tests/conformance/field-notes.toml",
                   "".join('[[part%d]]\nnumber = %d\ntitle = "t"\n%s\n' % (*at, rest) for at, rest in self.items.items()))

    def change(self, old, new):
        path = self.root / "tests/conformance/rfc4271.toml"
        self.assertIn(old, path.read_text())
        path.write_text(path.read_text().replace(old, new))

    def problems(self):
        return check.examine(self.root, self.root / "tests/conformance")[0]

    def expect(self, text):
        problems = self.problems()
        self.assertEqual(len([p for p in problems if text in p]), 1, "%r in %s" % (text, problems))

    def test_a_whole_ledger(self):
        problems, table = check.examine(self.root, self.root / "tests/conformance")
        self.assertEqual(problems, [])
        self.assertIn("3 clauses of 3 RFCs, 0 deviations.", table)
        self.assertIn("| 1 | MUST | something | `Suite.Good` | `Suite.Bad*`, `wire.pair` |", table)

    def test_a_test_that_is_gone(self):
        self.change('"Suite.Good"', '"Suite.Gone"')
        self.expect("there is no test Suite.Gone")

    def test_a_pattern_without_a_test(self):
        self.change('"Suite.Bad*"', '"Suite.Worse*"')
        self.expect("there is no test Suite.Worse*")

    def test_a_function_that_is_no_test(self):
        self.change('"wire.pair"', '"wire.helper"')
        self.expect("there is no test wire.helper")

    def test_no_test_at_all(self):
        self.change('does = ["Suite.Good"]\nrefuses = ["Suite.Bad*", "wire.pair"]\n', "")
        self.expect("no test holds it")

    def test_one_polarity(self):
        self.change('does = ["Suite.Good"]\n', "")
        self.expect("no test of the other polarity (does)")
        self.change("refuses", 'one-sided = "there is nothing that could be done"\nrefuses')
        self.assertEqual(self.problems(), [])

    def test_a_reason_is_a_sentence(self):
        self.change('does = ["Suite.Good"]\n', 'one-sided = "no"\n')
        self.expect("one-sided wants a reason")

    def test_a_deviation(self):
        self.change('does = ["Suite.Good"]\nrefuses = ["Suite.Bad*", "wire.pair"]\n', 'deviation = "what is done instead, and why"\n')
        problems, table = check.examine(self.root, self.root / "tests/conformance")
        self.assertEqual(problems, [])
        self.assertIn("| 4271 §1 | MUST | something | what is done instead, and why |", table)

    def test_unknown_words(self):
        self.change('level = "MUST"', 'level = "MAY"\nwhy = "x"')
        self.expect("level is one of")
        self.expect("unknown key why")

    def test_a_claim_without_a_ledger(self):
        (self.root / "tests/conformance/rfc4659.toml").unlink()
        self.expect("README.md claims RFC 4659")

    def test_a_ledger_without_a_claim(self):
        self.write("tests/conformance/rfc9999.toml", 'rfc = 9999\ntitle = "t"\n' + CLAUSE)
        self.expect("rfc9999.toml: the README's table of RFCs does not claim it")

    def test_broken_toml(self):
        self.change("rfc = ", "rfc == ")
        self.expect("Invalid value")

    def test_field_notes(self):
        del self.items[1, 7]
        self.items[2, 3] = "tests = []"
        self.items[2, 4] = 'tests = ["Suite.Gone"]'
        self.items[2, 99] = 'tests = ["Suite.Good"]'
        self.write_items()
        self.expect("item 1.7 occurs 0 times")
        self.expect("2.3: no test covers it")
        self.expect("2.4: there is no test Suite.Gone")
        self.expect("2.99: there is no such item")


if __name__ == "__main__":
    unittest.main()
