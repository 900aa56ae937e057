"""What run.py here and the one of tests/abuse have in common: a test is a process in a network namespace of its own."""
import pathlib
import shutil
import subprocess
import traceback

import harness

SKIPPED = 77


def namespace_prefix():
    """The command that puts a child into its own network namespace, with a host name of its own; empty where that is not allowed."""
    for prefix in (["unshare", "--net", "--uts"], ["unshare", "--map-root-user", "--net", "--uts"]):
        if shutil.which("unshare") and subprocess.run(prefix + ["true"], capture_output=True).returncode == 0:
            return prefix
    return []


def run_child(body, abandon):
    """One test in this process: body() returns its problems. Prints what went wrong; returns the exit status."""
    try:
        problems = body()
    except harness.Skip as reason:
        abandon()
        print("skipped: %s" % reason)
        return SKIPPED
    except BaseException as error:
        abandon()
        where = [f for f in traceback.extract_tb(error.__traceback__) if "/test_" in f.filename]
        text = str(error) if isinstance(error, harness.Failure) else traceback.format_exc()
        problems = ["%s%s" % ("%s:%d: " % (pathlib.Path(where[-1].filename).name, where[-1].lineno) if where else "", text)]
    print("\n".join(problems))
    return 1 if problems else 0


def run_process(argv, timeout):
    """The child's exit status and what it said."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
        return done.returncode, (done.stdout + done.stderr).strip()
    except subprocess.TimeoutExpired as error:
        return 1, "no end within %d s: %s" % (timeout, error.stdout)


def word_of(status):
    return {0: "PASS", SKIPPED: "SKIP"}.get(status, "FAIL")


def print_details(text, status, folder):
    """What a test said that did not pass, and the ends of its logs when it failed."""
    for line in text.splitlines():
        print("        " + line)
    for log in sorted(folder.rglob("*.log")) if status not in (0, SKIPPED) else ():
        tail = log.read_text(errors="replace").splitlines()[-12:]
        if tail:
            print("    --- %s" % log.relative_to(folder.parent))
            print("\n".join("        " + line[:300] for line in tail))


def close(statuses, root, keep):
    """The closing line, of each test's exit status; returns that of the whole run."""
    if keep:
        print("logs and captures: %s" % root)
    else:
        shutil.rmtree(root, ignore_errors=True)
    passed, skipped = statuses.count(0), statuses.count(SKIPPED)
    failed = len(statuses) - passed - skipped
    print("%d passed, %d failed%s" % (passed, failed, ", %d skipped" % skipped if skipped else ""))
    return 1 if failed or not statuses else 0
