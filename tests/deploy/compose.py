"""Checks compose.yaml: what is built here is built or never pulled, and who shares a network namespace starts after its owner."""
import pathlib
import sys

import yaml

services = yaml.safe_load(pathlib.Path(sys.argv[1]).read_text())["services"]
problems = []
built = {service["image"] for service in services.values() if "build" in service}
for name, service in services.items():
    if service["image"] in built and "build" not in service and service.get("pull_policy") != "never":
        problems.append(f"{name}: {service['image']} is built here and in no registry: build or pull_policy: never")
    owner = service.get("network_mode", "").removeprefix("service:")
    if owner and owner not in service.get("depends_on", []):
        problems.append(f"{name}: starts before {owner}, whose network it has")
print("\n".join(problems))
sys.exit(bool(problems))
