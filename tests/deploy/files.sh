#!/usr/bin/env bash
# What is deployed as text: Kubernetes manifests as kustomize renders them, containerlab topologies, and every configuration in them.
#
#   bash tests/deploy/files.sh [build folder]     the last line is N passed, M failed
# shellcheck source=tests/deploy/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
python3 -c 'import yaml' 2>/dev/null || skip_all "files: no python3-yaml"
heliod=$build/bin/heliod
for file in "$root"/deploy/{container,containerlab}/*.toml "$root"/configs/{*,redundant-pair/*}.toml "$root"/deploy/kubernetes/base/*.toml "$root"/deploy/kubernetes/overlays/*/*/*.toml; do
  check "${file#"$root/"}" "$heliod" --check --config "$file"
done
check "compose.yaml" python3 "$root/tests/deploy/compose.py" "$root/compose.yaml"
for topology in "$root"/deploy/containerlab/*.clab.yml; do
  check "${topology##*/}" python3 "$root/tests/deploy/containerlab.py" "$topology"
done
# Each of these is refused.
wrong_lab() {
  local folder=$work/lab
  rm -rf "$folder" && cp -r "$root/deploy/containerlab" "$folder"
  sed -i "$3" "$folder/$2.clab.yml"
  says "refused: $1" "$4" python3 "$root/tests/deploy/containerlab.py" "$folder/$2.clab.yml"
}
wrong_lab "an old type" heliograph-srl 's/ixr-d2l/ixrd2l/' "no type ixrd2l"
wrong_lab "a sysctl that is a list" heliograph-frr 's/sysctls: {.*/sysctls: [1]/' "not a map"
wrong_lab "an interface of another kind" heliograph-srl 's/spine:e1-11/spine:eth1/' "no interface"
wrong_lab "wait-for" heliograph-frr 's/^    ce1:/&\n      wait-for: [pe1]/' "unknown key wait-for"
wrong_lab "a configuration that FRR may write" heliograph-frr 's,frr.conf:ro,frr.conf,' "written from inside"
if command -v vtysh >/dev/null; then
  for file in "$root"/deploy/containerlab/frr/*.conf; do check "FRR reads ${file##*/}" vtysh -C -f "$file"; done
else echo "SKIP files: no vtysh for the FRR configurations"; fi

# Kubernetes: rendered by kubectl where it is (Debian has no kubectl that knows kustomize), and judged by tests/deploy/kubernetes.py.
if command -v kubectl >/dev/null && kubectl kustomize --help >/dev/null 2>&1; then
  for overlay in "$root"/deploy/kubernetes/overlays/*/; do
    name=$(basename "$overlay")
    check "kustomize renders $name" bash -c 'kubectl kustomize "$1" >"$2"' - "$overlay" "$work/$name.yaml"
    check "$name: manifests" python3 "$root/tests/deploy/kubernetes.py" "$work/$name.yaml" "$heliod"
  done
  # Keys from a Secret, as an overlay would have them.
  mkdir -p "$work/md5"
  printf 'resources: [%s]\ncomponents: [%s]\n' "$(realpath --relative-to="$work/md5" "$root/deploy/kubernetes/overlays/rr-pair")" \
    "$(realpath --relative-to="$work/md5" "$root/deploy/kubernetes/components/tcp-md5")" >"$work/md5/kustomization.yaml"
  check "kustomize renders tcp-md5" bash -c 'kubectl kustomize "$1" >"$2"' - "$work/md5" "$work/md5.yaml"
  check "tcp-md5: manifests" python3 "$root/tests/deploy/kubernetes.py" "$work/md5.yaml" "$heliod"
  # The judge is no yes-man: each of these is refused.
  wrong() { sed "$2" "$work/rr-pair.yaml" >"$work/wrong.yaml"; says "refused: $1" "$3" python3 "$root/tests/deploy/kubernetes.py" "$work/wrong.yaml" "$heliod"; }
  wrong "an unknown key" 's/^\( *\)terminationGracePeriodSeconds:/\1terminationGraceSeconds:/' terminationGraceSeconds
  wrong "two replicas of an identity" 's/replicas: 1/replicas: 2/' replicas
  wrong "limits above requests" '0,/memory: 8Gi/s//memory: 9Gi/' Guaranteed
  wrong "no anti-affinity between nodes" 's,topologyKey: kubernetes.io/hostname,topologyKey: nowhere,' hostname
  wrong "addresses that no plugin is given" "/capabilities.*ips/d" "capability ips"
  wrong "no graceful restart" "s/mode = .full./mode = \"off\"/" "PEs drop"
  wrong "instance by address" "s/targetLabel: instance/targetLabel: pod/" "instance is"
  wrong "other rules" "0,/alert: HeliographDown/s//alert: Other/" "not the rules"
  wrong "a configuration that heliod refuses" 's/router-id = /rooter-id = /' rooter-id
else
  echo "SKIP files: no kubectl with kustomize; only that every manifest is YAML is checked"
  for file in "$root"/deploy/kubernetes/*/*.yaml "$root"/deploy/kubernetes/overlays/*/*.yaml; do
    check "${file#"$root/"}" python3 -c 'import sys, yaml; assert all(yaml.safe_load_all(open(sys.argv[1])))' "$file"
  done
fi
verdict
