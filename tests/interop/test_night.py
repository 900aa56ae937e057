"""A night on call: five planted faults, each found with at most two helioctl commands whose output names the cause (H5)."""
import socket
import subprocess

import bgp
from harness import check, group_toml, quiet, range_toml, reflector_toml, test, wait_until
from test_hostile import change_while_nobody_waits
from test_session import signed

RTC = (bgp.VPNV4, bgp.RTC)


def words(heliod, *command):
    """What the person on call reads: the text, not the JSON."""
    done = subprocess.run([heliod.binaries / "helioctl", "--socket", heliod.folder / "control.sock", *command], capture_output=True, text=True, timeout=15)
    check(done.returncode in (0, 1), "helioctl %s: exit %d: %s" % (" ".join(command), done.returncode, done.stderr))
    return done.stdout


@test("H5: a night on call: wrong route target, family not activated, wrong MD5 key, policy, slow PE: two commands each at most")
def on_call(t):
    key = b"the-right-key"
    folder = t.folder / "heliod"
    folder.mkdir()
    (folder / "key").write_bytes(key)
    (folder / "key").chmod(0o600)
    groups = (group_toml("pe") + group_toml("keyed", extra='auth-password-file = "key"') + group_toml("screened", extra='import-policy = ["no-default"]') +
              range_toml("127.1.0.0/24", "pe") + range_toml("127.1.1.0/24", "keyed") + range_toml("127.1.2.0/24", "screened"))
    policy = ('[[policy.sets]]\nname = "default"\nprefixes = ["0.0.0.0/0"]\n[[policy.statements]]\nname = "no-default"\nmatch = { prefix-in = "default" }\naction = "reject"\n')
    heliod = t.reflector(watch=False, groups=groups, tail=policy + '[slow-peer]\nqueue-limit = "1MiB"\nstall-time = "50ms"\n')
    pe1, pe2 = t.peer("127.1.0.1", "65000:1", families=RTC), t.peer("127.1.0.2", "65000:1", families=RTC)
    pe1.announce("65000:1", "10.1.0.0/24", ["65000:1"])
    pe2.wait_route("65000:1", "10.1.0.0/24")

    # 1. "Site C does not see site A": the import RT was mistyped.
    pe3 = t.peer("127.1.0.3", "65000:11", families=RTC)
    said = words(heliod, "explain", "10.1.0.0/24", "--rd", "65000:1", "--to", "127.1.0.3")
    check("NOT SENT - no RT interest (peer asked for 1 RT, none of 65000:1)" in said and "it asks for 65000:11, which is not 65000:1: one character off" in said, "RT mismatch", said)

    # 2. "Site D sees nothing at all": VPNv4 is not activated on its PE.
    t.peer("127.1.0.4", families=(bgp.VPNV6, bgp.RTC))
    wait_until(lambda: heliod.show("peer", "127.1.0.4")["state"] == "Established", "heliod has its KEEPALIVE, too", 5)
    said = words(heliod, "explain", "peer", "127.1.0.4")
    check("NO   vpnv4 is configured here, but the peer did not offer it in its OPEN" in said and "activate the family" in said, "family not activated", said)

    # 3. "The new PE does not come up": its key is not ours.
    try:
        signed("127.1.1.1", b"the-wrong-key").close()
        check(False, "a connection with the wrong key came about")
    except OSError:
        pass
    said = words(heliod, "explain", "peer", "127.1.1.1")
    check("signed with another TCP-MD5 key" in said and "auth-password-file" in said and key.decode() not in said, "wrong MD5 key", said)

    # 4. "The Internet VRF lost its default route": a policy rejects it.
    pe5 = t.peer("127.1.2.1", families=RTC)
    pe5.announce("65000:1", "0.0.0.0/0", ["65000:1"])
    wait_until(lambda: "import policy" in words(heliod, "explain", "0.0.0.0/0", "--rd", "65000:1", "--to", "127.1.0.2"), "the policy is named", 5)
    said = words(heliod, "explain", "0.0.0.0/0", "--rd", "65000:1", "--to", "127.1.0.2")
    check("NOT SENT - the import policy for 127.1.2.1 rejects it (statement no-default)" in said, "policy reject", said)

    # 5. "Site F is behind by minutes": its PE does not read.
    slow = t.peer("127.1.0.6", "65000:1", families=RTC, receive_buffer=4096)
    slow.stop_reading()
    change_while_nobody_waits(pe1, pe2)
    wait_until(lambda: "reads too slowly" in words(heliod, "explain", "peer", "127.1.0.6"), "the slow PE is named", 10)
    said = words(heliod, "show", "summary")
    check("127.1.0.6" in said, "the summary names the worst lag", said)
    said = words(heliod, "explain", "10.99.0.0/24", "--rd", "65000:999", "--to", "127.1.0.6")
    check("left behind" in said or "wait in its queue" in said, "the queue is the reason", said)
    slow.resume_reading()
    wait_until(lambda: "reads too slowly" not in words(heliod, "explain", "peer", "127.1.0.6"), "it reads again", 20)
