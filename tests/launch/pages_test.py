"""Tests of commands as the pages on several machines show them."""

import re

import pytest

from tests.launch import manifests

_PAGES = ('docs/distributed.md', 'docs/tpu.md')
# A program and its flags, wherever they stand in a line of shell.
_COMMAND = re.compile(
    rf"(?<![=\w-])({'|'.join(manifests.console_scripts())})\)?((?:\s+--[^\s']+)+)"
)


def _commands():
  found = []
  for page in _PAGES:
    text = (manifests.ROOT / page).read_text(encoding='utf-8')
    for block in re.findall(r'^```sh\n(.*?)^```', text, re.M | re.S):
      for program, flags in _COMMAND.findall(block.replace('\\\n', ' ')):
        found.append(' '.join([program, *flags.split()]))
  return found


@pytest.mark.parametrize('command', _commands())
def test_commands_can_be_pasted(command):
  """Its program takes every flag that is shown, with the value shown."""
  assert manifests.parsed(command.split())
