#!/usr/bin/env python3
"""Builds every overlay and holds each object against its schema, unknown keys included.

check.py KUBECTL SECRETS: SECRETS are those that docs/operating.md has an admin make. Needs the packages that scripts/setup.sh installs for tests. Kubernetes' own kinds are checked by
kubernetes-validate, those of operators by their generated models, RabbitMQ's by the schema below. Then what no schema knows: names that
objects refer to exist, and pods keep the rules of the "restricted" pod security standard.
"""
import pathlib
import subprocess
import sys

import jsonschema
import kubernetes_validate
import yaml
from cloudcoil.models import cert_manager, keda, prometheus_operator  # noqa: F401
from cloudcoil.models.cert_manager import v1 as cert_manager_v1
from cloudcoil.models.keda import v1alpha1 as keda_v1alpha1
from cloudcoil.models.prometheus_operator import v1 as prometheus_v1

KUBERNETES_VERSION = "1.33"
MODELS = {
    "cert-manager.io/v1": cert_manager_v1,
    "keda.sh/v1alpha1": keda_v1alpha1,
    "monitoring.coreos.com/v1": prometheus_v1,
}
# The part of rabbitmq.com/v1beta1 that we use, from the operator's API reference; pods' own parts are checked with Kubernetes' kinds.
RABBITMQ = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"const": "rabbitmq.com/v1beta1"},
        "kind": {"const": "RabbitmqCluster"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["replicas", "persistence", "resources"],
            "properties": {
                "replicas": {"enum": [1, 3, 5]},
                "image": {"type": "string"},
                "persistence": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"storage": {"type": "string"}, "storageClassName": {"type": "string"}},
                },
                "resources": {"type": "object"},
                "affinity": {"type": "object"},
                "rabbitmq": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "additionalConfig": {"type": "string"},
                        "additionalPlugins": {"type": "array", "items": {"type": "string"}},
                    },
                },
            },
        },
    },
}
# The keys of secrets that operators make.
CERTIFICATE = {"ca.crt", "tls.crt", "tls.key"}
RABBITMQ_USER = {"username", "password"}


def build(kubectl, overlay):
    built = subprocess.run([kubectl, "kustomize", overlay], capture_output=True, text=True, check=False)
    if built.returncode:
        sys.exit(f"{overlay}: {built.stderr}")
    return [document for document in yaml.safe_load_all(built.stdout) if document]


def differences(wanted, given, path=""):
    """What of `wanted` is not in `given`: what a model did not know."""
    if isinstance(wanted, dict) and isinstance(given, dict):
        for key, value in wanted.items():
            if key in given:
                yield from differences(value, given[key], f"{path}/{key}")
            else:
                yield f"{path}/{key}: no such key"
    elif isinstance(wanted, list) and isinstance(given, list) and len(wanted) == len(given):
        for number, (one, other) in enumerate(zip(wanted, given)):
            yield from differences(one, other, f"{path}/{number}")
    elif wanted != given:
        yield f"{path}: {wanted!r} is taken as {given!r}"


def against_schema(document):
    api, kind = document["apiVersion"], document["kind"]
    try:
        if api in MODELS:
            model = getattr(MODELS[api], kind).model_validate(document)
            taken = model.model_dump(by_alias=True, exclude_unset=True, mode="json")
            yield from differences(document, taken)
        elif api.startswith("rabbitmq.com/"):
            jsonschema.validate(document, RABBITMQ)
        else:
            kubernetes_validate.validate(document, KUBERNETES_VERSION, strict=True)
    except Exception as error:  # Each library has its own; all mean the same here.
        yield str(error).splitlines()[0] + f" … {str(error)[-300:]}"


def pods(documents):
    for document in documents:
        if document["kind"] in ("Deployment", "StatefulSet"):
            yield document["metadata"]["name"], document["spec"]["template"]


def restricted(name, pod):
    spec = pod["spec"]
    wanted = spec.get("securityContext", {})
    if not wanted.get("runAsNonRoot") or wanted.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield f"{name}: runs as root, or without seccomp"
    if spec.get("automountServiceAccountToken") is not False:
        yield f"{name}: gets a token of the API server that it does not need"
    for container in spec["containers"]:
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False or context.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{name}: has more rights than it needs"
        if not context.get("readOnlyRootFilesystem"):
            yield f"{name}: may write its image"
        if "memory" not in container["resources"].get("limits", {}) or "cpu" not in container["resources"]["requests"]:
            yield f"{name}: has no limit of memory, or asks for no CPU"
        if "readinessProbe" not in container:
            yield f"{name}: is never asked whether it is ready"


def references(documents, made_by_hand):
    named = {(document["kind"], document["metadata"]["name"]) for document in documents}
    secrets = made_by_hand | {"rabbitmq-default-user": RABBITMQ_USER}
    secrets |= {d["spec"]["secretName"]: CERTIFICATE for d in documents if d["kind"] == "Certificate"}
    for name, pod in pods(documents):
        for volume in pod["spec"].get("volumes", []):
            secret = volume.get("secret", {}).get("secretName")
            if secret and secret not in secrets:
                yield f"{name}: nobody makes the secret {secret}"
        for container in pod["spec"]["containers"]:
            for variable in container.get("env", []):
                secret = variable.get("valueFrom", {}).get("secretKeyRef")
                if secret and secret["key"] not in secrets.get(secret["name"], ()):
                    yield f"{name}: nobody makes the secret {secret['name']} with {secret['key']}"
            for source in container.get("envFrom", []):
                if ("ConfigMap", source["configMapRef"]["name"]) not in named:
                    yield f"{name}: no ConfigMap {source['configMapRef']['name']}"
    labels = [pod["metadata"]["labels"] for _, pod in pods(documents)] + [{"app.kubernetes.io/name": "rabbitmq"}]
    for document in documents:
        spec = document.get("spec", {})
        if document["kind"] == "PodDisruptionBudget" and not matched(spec["selector"]["matchLabels"], labels):
            yield f"PodDisruptionBudget {document['metadata']['name']}: no such pods"
        if document["kind"] == "Service" and not matched(spec["selector"], labels):
            yield f"Service {document['metadata']['name']}: no such pods"
        if document["kind"] == "NetworkPolicy":
            chosen = spec["podSelector"].get("matchLabels", {})
            if chosen and not matched(chosen, labels):
                yield f"NetworkPolicy {document['metadata']['name']}: no such pods"
        if document["kind"] == "ScaledObject":
            if ("Deployment", spec["scaleTargetRef"]["name"]) not in named:
                yield "ScaledObject: no such Deployment"


def matched(selector, labels):
    return any(selector.items() <= pod.items() for pod in labels)


def agreement(documents):
    """What several objects have to say alike."""
    worker = next(pod for name, pod in pods(documents) if name == "worker")["spec"]["containers"][0]
    slots = next(v["value"] for v in worker["env"] if v["name"] == "PAGEMILL_WORKER_SLOTS")
    scaled = next(d for d in documents if d["kind"] == "ScaledObject")["spec"]
    trigger = scaled["triggers"][0]["metadata"]
    if not slots == trigger["slotsPerWorker"] == worker["resources"]["requests"]["cpu"]:
        yield "slots, cores and slotsPerWorker differ"
    if str(scaled["maxReplicaCount"]) != trigger["workersMax"]:
        yield "maxReplicaCount and workersMax differ"


def main():
    complaints, objects = [], 0
    made = [d for d in yaml.safe_load_all(pathlib.Path(sys.argv[2]).read_text()) if d and d["kind"] == "Secret"]
    made_by_hand = {d["metadata"]["name"]: set(d["data"]) for d in made}
    for overlay in sorted((pathlib.Path(__file__).parent / "overlays").iterdir()):
        documents = build(sys.argv[1], str(overlay))
        objects += len(documents)
        for document in documents:
            where = f"{overlay.name}: {document['kind']} {document['metadata']['name']}"
            complaints += [f"{where}: {complaint}" for complaint in against_schema(document)]
        for name, pod in pods(documents):
            complaints += [f"{overlay.name}: {complaint}" for complaint in restricted(name, pod)]
        told = [*references(documents, made_by_hand), *agreement(documents)]
        complaints += [f"{overlay.name}: {complaint}" for complaint in told]
    print("\n".join(complaints) or f"{objects} objects are as their schemas want them")
    sys.exit(bool(complaints) or objects == 0)


main()
