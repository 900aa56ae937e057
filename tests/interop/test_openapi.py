"""The OpenAPI document against a running daemon, by a validator that others wrote (H5 D)."""
import http.client
import json
import socket

import bgp
from harness import Skip, check, group_toml, range_toml, test, wait_until

try:
    import jsonschema
except ImportError:
    jsonschema = None

WITH_RTC = (bgp.VPNV4, bgp.RTC)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)


def request(heliod, method, target, body=None):
    connection = UnixConnection(heliod.folder / "control.sock")
    connection.request(method, target, body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.getheader("Content-Type"), content


def validate(document, schema, value, what):
    whole = dict(schema, components=document["components"])
    errors = list(jsonschema.Draft202012Validator(whole).iter_errors(value))
    check(not errors, "%s is as the document says" % what, *["%s: %s" % (e.json_path, e.message) for e in errors[:3]])


@test("H5 D: every answer of a running daemon is as the OpenAPI document says, by python3-jsonschema")
def answers(t):
    if jsonschema is None:
        raise Skip("python3-jsonschema is not installed")
    heliod = t.reflector(groups=group_toml("clients") + range_toml("127.1.0.0/16", "clients"))
    one, two = t.peer("127.1.0.1", "65000:7", families=WITH_RTC), t.peer("127.1.0.2", "65000:7", families=WITH_RTC)
    for peer in (one, two):
        peer.announce("65000:101", "10.1.1.0/24", ["65000:7"])
    wait_until(lambda: heliod.show("summary")["families"][0]["paths"] == 2, "both paths", 5)
    document = json.loads(request(heliod, "GET", "/v1/openapi")[2])
    check(document["openapi"].startswith("3.1"), "an OpenAPI document")
    for name, schema in document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        check(schema.get("additionalProperties") is not True, "%s is strict" % name)
    queries = {"/v1/explain": ["?prefix=10.1.1.0/24&rd=65000:101&to=127.1.0.2", "?prefix=10.1.1.0/24&rd=65000:101", "?prefix=10.1.1.0/24&rd=65000:101&at=-1s", "?rd=x", "?prefix=10.0.0.0/8&rd=1:1&to=127.9.9.9"],
               "/v1/explain/rt": ["?rt=65000:7", ""], "/v1/explain/peer": ["?peer=127.1.0.1", "?peer=192.0.2.1"], "/v1/history": ["?prefix=10.1.1.0/24&rd=65000:101"],
               "/v1/routes": ["", "?family=evpn", "?rib=adj-in&from=127.1.0.1", "?rib=adj-out&to=127.1.0.1", "?limit=x"], "/v1/config:diff": ["", "?impact=1"],
               "/v1/peers/{address}": [""], "/v1/health": ["", "?ready=1"], "/v1/dump/mrt": ["", "?cursor=x"]}
    asked = 0
    for path, item in document["paths"].items():
        if "get" not in item or path == "/v1/events":
            continue
        for query in queries.get(path, ["", "?nonsense=1"]):
            target = path.replace("{address}", "127.1.0.1") + query
            status, kind, body = request(heliod, "GET", target)
            answer = item["get"]["responses"].get(str(status))
            check(answer is not None, "%s may answer %d" % (target, status), body)
            while "$ref" in answer:
                answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            check(kind in answer["content"], "%s may be %s" % (target, kind))
            if kind == "application/json":
                validate(document, answer["content"][kind]["schema"], json.loads(body), target)
            asked += 1
    check(asked > 40, "many answers", asked)
    # Streams: each line.
    lines = request(heliod, "GET", "/v1/routes?stream=true")[2].splitlines()
    check(len(lines) == 1, "one route", lines)
    validate(document, document["paths"]["/v1/routes"]["get"]["responses"]["200"]["content"]["application/x-ndjson"]["schema"], json.loads(lines[0]), "a line of routes")
    connection = UnixConnection(heliod.folder / "control.sock")
    connection.request("GET", "/v1/events")
    stream = connection.getresponse()
    schema = document["paths"]["/v1/events"]["get"]["responses"]["200"]["content"]["application/x-ndjson"]["schema"]
    validate(document, schema, json.loads(stream.readline()), "the first line of events")
    one.announce("65000:102", "10.1.2.0/24", ["65000:7"])
    two.close()
    for _ in range(3):
        validate(document, schema, json.loads(stream.readline()), "a line of events")
    # And what changes something.
    for target, body in (("/v1/peers/127.1.0.1:refresh", None), ("/v1/peers/127.1.0.9:up", None), ("/v1/config:reload", None), ("/v1/config:confirm", None), ("/v1/log:debug", None), ("/v1/maintenance:on", '{"reason": "x"}')):
        status, kind, answer = request(heliod, "POST", target, body)
        path = target if target in document["paths"] else "/v1/peers/{address}:" + target.rpartition(":")[2] if "peers" in target else "/v1/log:{level}"
        schema = document["paths"][path]["post"]["responses"].get(str(status))
        check(schema is not None, "%s may answer %d" % (target, status), answer)
        if "$ref" in schema:
            schema = document["components"]["responses"][schema["$ref"].rpartition("/")[2]]
        validate(document, schema["content"]["application/json"]["schema"], json.loads(answer), target)
