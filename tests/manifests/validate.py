"""Holds the Kubernetes objects in YAML files against the schemas of the two newest versions of Kubernetes that kubernetes-validate
knows, and custom resources against those in the folder `schemas`. Strictly: what a schema does not name is refused.

Prints how many objects fit, or ends with 1 and says of each that does not why."""

import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml
from packaging.version import Version

CUSTOM = pathlib.Path(__file__).parent / "schemas"


def custom_schema(resource):
    """Of `keda.sh/v1alpha1` and `ScaledObject`: `schemas/scaledobject-keda.sh-v1alpha1.json`, where there is one."""
    file = CUSTOM / f"{resource['kind'].lower()}-{resource['apiVersion'].replace('/', '-')}.json"
    return json.loads(file.read_text()) if file.exists() else None


def problems(resource, versions):
    name = f"{resource.get('kind')} {resource.get('metadata', {}).get('name')}"
    schema = custom_schema(resource)
    if schema is not None:
        validator = jsonschema.validators.validator_for(schema)
        validator.check_schema(schema)
        for error in validator(schema).iter_errors(resource):
            yield f"{name}: {error.json_path}: {error.message}"
        return
    for version in versions:
        try:
            used = kubernetes_validate.validate(resource, version, strict=True)
            if used != version:
                yield f"{name}: was held against {used}, not {version}"
        except kubernetes_validate.ValidationError as error:
            yield f"{name} ({version}): {'.'.join(map(str, error.path))}: {error.message}"
        except kubernetes_validate.SchemaNotFoundError as error:
            yield f"{name} ({version}): {error.message}, nor is there one in {CUSTOM}"


def main(files):
    known = sorted({".".join(version.split(".")[:2]) for version in kubernetes_validate.utils.all_versions()}, key=Version)
    versions = known[-2:]
    wrong = False
    for file in files:
        with open(file, encoding="utf-8") as opened:
            resources = [resource for resource in yaml.safe_load_all(opened) if resource]
        found = [problem for resource in resources for problem in problems(resource, versions)]
        for problem in found:
            print(f"{file}: {problem}")
        if not found:
            print(f"{file}: {len(resources)} objects fit two versions of Kubernetes, {versions[0]} and {versions[1]}")
        wrong = wrong or bool(found) or not resources
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
