"""Holds a Compose file against the JSON schema of the Compose Specification: `compose.py SCHEMA FILE`. Ends with 1 and says what is wrong."""

import json
import sys

import jsonschema
import yaml


def main(schema_file, compose_file):
    with open(schema_file, encoding="utf-8") as opened:
        schema = json.load(opened)
    # The specification has this since it names projects; the package is older.
    schema["properties"].setdefault("name", {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"})
    with open(compose_file, encoding="utf-8") as opened:
        document = yaml.safe_load(opened)
    found = list(jsonschema.Draft201909Validator(schema).iter_errors(document))
    for error in found:
        print(f"{compose_file}: {error.json_path}: {error.message}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
