"""The manifests of launch/kubernetes, and the programs that they start."""

from collections.abc import Iterator
import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Any

import yaml

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / 'launch' / 'kubernetes'
_PARSE = """
import importlib, json, sys
from absl import flags
from r2i_tf.programs import command_line, config_flag

def parse(_, takes_arguments=False):
  command_line.parse(sys.argv, takes_arguments=takes_arguments)
  values = {name: flags.FLAGS[name].value for name in flags.FLAGS}
  config = values.pop('config', None)
  if config is not None:
    run = config_flag.run_config(config, values.get('task'))
    values['config'] = run.replay.kind.value
  print(json.dumps(values, default=str))

command_line.run = parse
importlib.import_module(sys.argv.pop(1)).main()
"""


def documents(for_gpu: bool = False) -> list[dict[str, Any]]:
  """Returns all documents; with the lines that are for a GPU, on request."""
  found = []
  for path in sorted(FOLDER.glob('*.yaml')):
    text = path.read_text(encoding='utf-8')
    if for_gpu:
      text = text.replace('#: ', '')  # As README.md has sed do.
    found += yaml.safe_load_all(text)
  return found


def of_kind(kind: str) -> list[dict[str, Any]]:
  """Returns the documents of a kind."""
  return [each for each in documents() if each['kind'] == kind]


def workloads() -> list[dict[str, Any]]:
  """Returns the documents that start pods."""
  return [each for each in documents() if 'template' in each.get('spec', {})]


def pod(document: dict[str, Any]) -> dict[str, Any]:
  """Returns the spec of the pods that a document starts."""
  return document['spec']['template']['spec']


def containers() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
  """Yields all containers, each after the document that starts it."""
  for document in workloads():
    spec = pod(document)
    for container in spec.get('initContainers', []) + spec['containers']:
      yield document, container


def command(container: dict[str, Any]) -> list[str]:
  """Returns program and flags of a container, without a shell around them."""
  arguments = container['args']
  first = next(i for i, each in enumerate(arguments) if each.startswith('r2i-'))
  return arguments[first:]


def console_scripts() -> dict[str, str]:
  """Returns the module of each program that the package installs."""
  text = (ROOT / 'pyproject.toml').read_text(encoding='utf-8')
  return dict(re.findall(r'^(r2i-[\w-]+) = "([\w.]+):main"$', text, re.M))


def parsed(program: list[str]) -> dict[str, Any]:
  """Returns the flags of a command line, as its program parses them.

  Args:
    program: The command line.

  Returns:
    By name; `config` is the kind of replay of the run.
  """
  process = subprocess.run(
      [
          sys.executable,
          '-c',
          _PARSE,
          console_scripts()[program[0]],
          *program[1:],
      ],
      cwd=ROOT,
      env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
      capture_output=True,
      text=True,
      check=False,
  )
  assert process.returncode == 0, process.stderr
  return json.loads(process.stdout)
