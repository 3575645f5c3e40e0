"""What a memory holds, and what one that is cut does not: probes of both.

  python -m experiments.memory_probes --whole=runs/first --cut=runs/22-0-cut

--whole is a run of the quickstart, --cut one of `experiments.memory_len --cut`.
Each is looked at twice, with the episodes of its replay and with new ones, and
what `look` finds goes to docs/memory.json. The probes of the bit that the task
shows at the first step are the picture docs/memory.png.
"""

import contextlib
import json
import pathlib

from absl import flags

from experiments import cut as cut_lib
from r2i_tf import files
from r2i_tf.programs import command_line

_DOCS = pathlib.Path(__file__).resolve().parent.parent / 'docs'
_WHOLE = flags.DEFINE_string('whole', None, 'Its --workdir.', required=True)
_CUT = flags.DEFINE_string('cut', None, 'Its --workdir.', required=True)
_EPISODES = flags.DEFINE_integer('episodes', 400, 'Of each look, at most.')
_BIT = 'first observation[2]'


def main(_) -> None:
  """Looks at both runs, and writes what is found."""
  command_line.load_tensorflow()
  found = {}
  for memory, workdir, context in (
      ('whole', _WHOLE.value, contextlib.nullcontext()),
      ('cut', _CUT.value, cut_lib.cut_memory()),
  ):
    with context:
      found[memory] = _look(workdir)
  files.write_json(_DOCS / 'memory.json', found)
  draw()


def _look(workdir: str):
  """Returns what the files of two looks say."""
  from r2i_tf.analysis import look

  found = {}
  # The replay last: its files stay in the directory.
  for source in (look.Source.NEW, look.Source.REPLAY):
    directory = look.look(workdir, source=source, episodes=_EPISODES.value)
    found[source.value] = {
        part.value: json.loads((directory / f'{part.value}.json').read_text())
        for part in look.Part
    }
  # They hang on no episodes.
  found['timescales'] = found['replay'].pop('timescales')
  del found['new']['timescales']
  return found


def draw() -> None:
  """Draws the picture from docs/memory.json."""
  from r2i_tf.pictures import probes

  found = json.loads((_DOCS / 'memory.json').read_text())
  panels = []
  for memory, looks in found.items():
    for source, seen in (('replay', 'learned from'), ('new', 'never seen')):
      (bit,) = (
          target
          for target in looks[source]['probes']['targets']
          if target['name'] == _BIT
      )
      panels.append(
          probes.Panel(
              f'memory {memory}, episodes {seen}',
              bit['measure'],
              bit['chance'],
              bit['lags'],
              bit['curves'],
          )
      )
  probes.draw(panels, _DOCS / 'memory.png')


if __name__ == '__main__':
  command_line.run(main)
