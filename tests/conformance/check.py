#!/usr/bin/python3
"""The conformance ledger and its checker.

    tests/conformance/check.py            is the ledger whole, and TABLE.md current? Exit status 0 when so
    tests/conformance/check.py --write    writes TABLE.md first

rfcNNNN.toml holds, for an RFC that the README claims, each MUST and SHOULD that binds a route reflector, in own words, with
the tests that hold it in both polarities: `does` (what has to happen happens) and `refuses` (what must not happen does not, or
a bad input is refused). field-notes.toml does the same for the numbered items of the field notes. A test is named as it is
run: `Suite.Name` of GoogleTest, `module.function` of tests/interop; a `*` at the end stands for all that begin so.
"""
import argparse
import ast
import pathlib
import re
import sys
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT")
FIELD_NOTES = {1: 26, 2: 22}  # items of each part
RFC_KEYS = {"rfc", "title", "note", "clause"}
CLAUSE_KEYS = {"at", "level", "says", "does", "refuses", "one-sided", "deviation"}
ITEM_KEYS = {"number", "title", "tests", "deviation"}
SHORTEST_REASON = 20  # characters: a reason is a sentence


def cpp_tests(root):
    """Suite.Name of every TEST, TEST_F and TEST_P below tests/."""
    pattern = re.compile(r"^\s*TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.M)
    found = set()
    for folder in ("unit", "property"):
        for source in sorted((root / "tests" / folder).rglob("*.cpp")):
            found |= {"%s.%s" % pair for pair in pattern.findall(source.read_text())}
    return found


def interop_tests(root):
    """module.function of every function under @test in tests/interop, as run.py names them."""
    found = set()
    for source in sorted((root / "tests/interop").glob("test_*.py")):
        for node in ast.parse(source.read_text()).body:
            if isinstance(node, ast.FunctionDef) and any(isinstance(d, ast.Call) and getattr(d.func, "id", "") == "test" for d in node.decorator_list):
                found.add("%s.%s" % (source.stem.removeprefix("test_"), node.name))
    return found


def claimed_rfcs(root):
    """The RFC numbers in the first column of the table under the README's heading "RFCs"."""
    section = (root / "README.md").read_text().split("\n## RFCs\n", 1)
    if len(section) < 2:
        return set()
    rows = [line for line in section[1].split("\n## ", 1)[0].splitlines() if line.startswith("|")]
    return {int(n) for row in rows for n in re.findall(r"\b(\d{4})\b", row.split("|")[1])}


def load(path, problems):
    try:
        return tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        problems.append("%s: %s" % (path.name, error))
        return {}


def check_names(where, names, tests, problems):
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        problems.append("%s: tests are a list of names" % where)
        return
    for name in names:
        known = any(t.startswith(name[:-1]) for t in tests) if name.endswith("*") and len(name) > 1 else name in tests
        if not known:
            problems.append("%s: there is no test %s" % (where, name))
    for name in sorted({n for n in names if names.count(n) > 1}):
        problems.append("%s: %s is listed twice" % (where, name))


def check_clause(where, clause, tests, problems):
    for key in sorted(set(clause) - CLAUSE_KEYS):
        problems.append("%s: unknown key %s" % (where, key))
    for key in ("at", "level", "says"):
        if not clause.get(key):
            problems.append("%s: %s is missing" % (where, key))
    if clause.get("level") not in LEVELS:
        problems.append("%s: level is one of %s" % (where, ", ".join(LEVELS)))
    for key in ("one-sided", "deviation"):
        if key in clause and len(clause[key]) < SHORTEST_REASON:
            problems.append("%s: %s wants a reason" % (where, key))
    does, refuses = clause.get("does", []), clause.get("refuses", [])
    check_names(where, does, tests, problems)
    check_names(where, refuses, tests, problems)
    if "deviation" in clause:
        return
    if not does and not refuses:
        problems.append("%s: no test holds it" % where)
    elif (not does or not refuses) and "one-sided" not in clause:
        problems.append("%s: no test of the other polarity (%s), and no one-sided reason" % (where, "refuses" if does else "does"))
    elif does and refuses and "one-sided" in clause:
        problems.append("%s: one-sided, with tests of both polarities" % where)


def check_rfcs(root, ledger, tests, problems):
    """The ledgers by RFC number."""
    books = {}
    for path in sorted(ledger.glob("rfc*.toml")):
        book = load(path, problems)
        number = book.get("rfc")
        if path.name != "rfc%s.toml" % number:
            problems.append("%s: rfc = %s does not fit the file's name" % (path.name, number))
            continue
        for key in sorted(set(book) - RFC_KEYS):
            problems.append("%s: unknown key %s" % (path.name, key))
        if not book.get("title"):
            problems.append("%s: title is missing" % path.name)
        if not book.get("clause"):
            problems.append("%s: no clauses" % path.name)
        for clause in book.get("clause", []):
            check_clause("%s §%s \"%.50s\"" % (path.name, clause.get("at"), clause.get("says", "")), clause, tests, problems)
        books[number] = book
    claimed = claimed_rfcs(root)
    if not claimed:
        problems.append("README.md: no table of RFCs under the heading \"RFCs\"")
    for number in sorted(claimed - set(books)):
        problems.append("README.md claims RFC %d: rfc%d.toml is missing" % (number, number))
    for number in sorted(set(books) - claimed):
        problems.append("rfc%d.toml: the README's table of RFCs does not claim it" % number)
    return books


def check_field_notes(ledger, tests, problems):
    notes = load(ledger / "field-notes.toml", problems)
    for part, count in FIELD_NOTES.items():
        items = notes.get("part%d" % part, [])
        numbers = [item.get("number") for item in items]
        for number in range(1, count + 1):
            if numbers.count(number) != 1:
                problems.append("field-notes.toml: item %d.%d occurs %d times" % (part, number, numbers.count(number)))
        for item in items:
            where = "field-notes.toml %d.%s" % (part, item.get("number"))
            for key in sorted(set(item) - ITEM_KEYS):
                problems.append("%s: unknown key %s" % (where, key))
            if item.get("number") not in range(1, count + 1):
                problems.append("%s: there is no such item" % where)
            if not item.get("title"):
                problems.append("%s: title is missing" % where)
            if not item.get("tests") and len(item.get("deviation", "")) < SHORTEST_REASON:
                problems.append("%s: no test covers it" % where)
            check_names(where, item.get("tests", []), tests, problems)
    return notes


def cell(text):
    return str(text).replace("|", "\\|")


def names_cell(names):
    return ", ".join("`%s`" % n for n in names)


def table(books, notes):
    """TABLE.md from a ledger that was found whole."""
    deviations = [(number, clause) for number, book in sorted(books.items()) for clause in book["clause"] if "deviation" in clause]
    count = sum(len(book["clause"]) for book in books.values())
    lines = ["# What the RFCs ask for, and the tests that hold it", "",
             "Written by `tests/conformance/check.py --write` from the files beside it; `ctest -R conformance` fails when a clause has no test, a test",
             "is gone, or this page is not current. Clauses are in own words. *does*: what has to happen happens; *refuses*: what must not happen does",
             "not, or bad input is refused. `Suite.Name` is a GoogleTest, `module.function` a test of [tests/interop](../interop).", "",
             "%d clauses of %d RFCs, %d deviations." % (count, len(books), len(deviations)), "", "## Deviations", ""]
    if deviations:
        lines += ["| RFC | level | what it asks for | what is done instead, and why |", "|---|---|---|---|"]
        lines += ["| %d §%s | %s | %s | %s |" % (n, c["at"], c["level"], cell(c["says"]), cell(c["deviation"])) for n, c in deviations]
    else:
        lines += ["None."]
    for number, book in sorted(books.items()):
        lines += ["", "## RFC %d: %s" % (number, book["title"]), ""]
        if book.get("note"):
            lines += [book["note"], ""]
        lines += ["| § | level | clause | does | refuses |", "|---|---|---|---|---|"]
        for clause in book["clause"]:
            does, refuses = names_cell(clause.get("does", [])), names_cell(clause.get("refuses", []))
            if "deviation" in clause:
                does = does or "deviation"
            elif "one-sided" in clause:
                does, refuses = does or "— " + clause["one-sided"], refuses or "— " + clause["one-sided"]
            lines.append("| %s | %s | %s | %s | %s |" % (cell(clause["at"]), clause["level"], cell(clause["says"]), cell(does), cell(refuses)))
    for part, heading in ((1, "Field notes, part 1: RT-Constrain"), (2, "Field notes, part 2: what PEs expect on the wire")):
        lines += ["", "## " + heading, "", "| item | what | tests |", "|---|---|---|"]
        lines += ["| %d.%d | %s | %s |" % (part, i["number"], cell(i["title"]), names_cell(i.get("tests", [])) or cell(i["deviation"]))
                  for i in sorted(notes["part%d" % part], key=lambda i: i["number"])]
    return "\n".join(lines) + "\n"


def examine(root, ledger):
    """(problems, text of the table); the text is None when there are problems."""
    problems = []
    tests = cpp_tests(root) | interop_tests(root)
    books = check_rfcs(root, ledger, tests, problems)
    notes = check_field_notes(ledger, tests, problems)
    return problems, None if problems else table(books, notes)


def main():
    parser = argparse.ArgumentParser(description="checks the conformance ledger")
    parser.add_argument("--write", action="store_true", help="write TABLE.md")
    parser.add_argument("--root", type=pathlib.Path, default=HERE.parents[1])
    parser.add_argument("--ledger", type=pathlib.Path, default=HERE)
    options = parser.parse_args()
    problems, text = examine(options.root, options.ledger)
    page = options.ledger / "TABLE.md"
    if text is not None:
        if options.write:
            page.write_text(text)
        if not page.exists() or page.read_text() != text:
            problems.append("TABLE.md is not what the ledger says: run tests/conformance/check.py --write")
    for problem in problems:
        print(problem)
    print("%d problems" % len(problems) if problems else "the ledger is whole: %s" % re.search(r"\d+ clauses.*", text).group())
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
