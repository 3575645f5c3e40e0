"""What a memory holds, and what one that is cut does not: probes of both.

  python -m experiments.memory_probes --workdir=runs/quickstart
  python -m experiments.memory_probes --workdir=runs/22-0-cut --cut

The first is a run of the quickstart, the second one of `experiments.memory_len
--cut`. Each is looked at with the episodes of its replay and with new ones.
What `r2i-look` finds takes its place in docs/memory.json, and the probes of the
bit that the task shows at the first step are the picture docs/memory.png.
"""

import contextlib
import json
import pathlib

from absl import flags

from experiments import cut as cut_lib
from r2i_tf import files
from r2i_tf.programs import command_line

_DOCS = pathlib.Path(__file__).resolve().parent.parent / 'docs'
_WORKDIR = flags.DEFINE_string('workdir', None, 'Of the run.', required=True)
_CUT = flags.DEFINE_bool('cut', False, 'Whether its memory was cut.')
_SOURCES = flags.DEFINE_list('sources', ['replay', 'new'], 'As of r2i-look.')
_EPISODES = flags.DEFINE_integer('episodes', 300, 'Of each look, at most.')
_BIT = 'first observation[2]'
_TITLES = {
    'whole, replay': 'memory whole, episodes it learned from',
    'whole, new': 'memory whole, new episodes',
    'cut, replay': 'memory cut, episodes it learned from',
    'cut, new': 'memory cut, new episodes',
}


def main(_) -> None:
  """Looks at a run, and writes what is found beside what there is."""
  command_line.load_tensorflow()
  from r2i_tf.analysis import look

  path = _DOCS / 'memory.json'
  parts = (look.Part.TIMESCALES, look.Part.SENSITIVITY, look.Part.PROBES)
  for source in _SOURCES.value:
    with cut_lib.cut_memory() if _CUT.value else contextlib.nullcontext():
      directory = look.look(
          _WORKDIR.value, parts, look.Source(source), _EPISODES.value
      )
    found = json.loads(path.read_text()) if path.exists() else {}
    found[f'{"cut" if _CUT.value else "whole"}, {source}'] = {
        part.value: json.loads((directory / f'{part.value}.json').read_text())
        for part in parts
    }
    files.write_json(path, {name: found[name] for name in sorted(found)})
  _draw(path)


def _draw(path: pathlib.Path) -> None:
  """Draws the curves of the bit, of as many looks as there are."""
  from r2i_tf.pictures import probes

  found = json.loads(path.read_text())
  panels = []
  for name, title in _TITLES.items():
    if name not in found:
      continue
    (bit,) = (
        target
        for target in found[name]['probes']['targets']
        if target['name'] == _BIT
    )
    panels.append(
        probes.Panel(
            title, bit['measure'], bit['chance'], bit['lags'], bit['curves']
        )
    )
  probes.draw(panels, path.with_suffix('.png'))


if __name__ == '__main__':
  command_line.run(main)
