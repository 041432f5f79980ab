"""The manifests in docs/scale.md are valid: Kubernetes' by its own schemas, Envoy's by its own messages."""

import importlib
import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from envoy_data_plane.envoy.config.bootstrap.v3 import Bootstrap

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
ENVOY, KUBERNETES = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(), re.S)
RESOURCES = list(yaml.safe_load_all(KUBERNETES))


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource["kind"])
def test_kubernetes_takes(resource):
    kubernetes_validate.validate(resource, "1.37", strict=True)


def test_the_services_and_the_scaler_name_what_is_there():
    named = {(resource["kind"], resource["metadata"]["name"]): resource["spec"] for resource in RESOURCES}
    deployment = named["Deployment", "llmirage"]
    labels = deployment["template"]["metadata"]["labels"]
    assert labels == deployment["selector"]["matchLabels"] == named["Service", "llmirage-replicas"]["selector"]
    assert labels == named["PodDisruptionBudget", "llmirage"]["selector"]["matchLabels"]
    target = named["HorizontalPodAutoscaler", "llmirage"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) in named
    assert "llmirage-replicas" in ENVOY


def test_envoy_takes_every_message():
    """Typed configurations are read by their own types, innermost first; an unknown field is an error."""
    read = []

    def take(node):
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            if not isinstance(value, (dict, list)):
                continue
            take(value)
            if isinstance(value, dict) and "@type" in value:
                module, name = value.pop("@type").split("/")[-1].rsplit(".", 1)
                getattr(importlib.import_module(f"envoy_data_plane.{module}"), name).from_dict(value)
                read.append(name)
                del node[key]

    config = yaml.safe_load(ENVOY)
    take(config)
    Bootstrap.from_dict(config)
    assert read == ["PreserveCaseFormatterConfig", "Router", "HttpConnectionManager"]
