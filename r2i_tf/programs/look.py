"""Shows what a run remembers and foresees.

r2i-look --workdir=runs/first
r2i-look --workdir=runs/first --source=new --episodes=100 --make=probes

Looks at the run's last checkpoint, also while the run goes on, and writes to
`look` in its directory. docs/memory.md says what the pictures show.
"""

from absl import flags

from r2i_tf import errors
from r2i_tf import quiet
from r2i_tf.programs import command_line

_PARTS = ('timescales', 'sensitivity', 'rewards', 'open_loop', 'probes')


def main() -> None:
  """Runs the program."""
  workdir = flags.DEFINE_string(
      'workdir', None, 'Directory of the run.', required=True
  )
  make = flags.DEFINE_list('make', list(_PARTS), 'What to make.')
  source = flags.DEFINE_enum(
      'source',
      'replay',
      ['replay', 'new'],
      'Whether to look at episodes of the replay, from which the world model'
      ' has learned, or to act new ones.',
  )
  episodes = flags.DEFINE_integer(
      'episodes', 400, 'How many episodes to look at, at most.', lower_bound=1
  )
  max_steps = flags.DEFINE_integer(
      'max_steps',
      4096,
      'Steps after which a new episode is cut.',
      lower_bound=2,
      upper_bound=4096,
  )
  seed = flags.DEFINE_integer(
      'seed', 0, 'Seed of what is drawn.', lower_bound=0, upper_bound=2**31 - 1
  )
  command_line.run(
      lambda _: _look(
          workdir.value,
          make.value,
          source.value,
          episodes.value,
          seed.value,
          max_steps.value,
      )
  )


def _look(
    workdir: str,
    make: list[str],
    source: str,
    episodes: int,
    seed: int,
    max_steps: int,
) -> None:
  for name in make:
    if name not in _PARTS:
      raise errors.RunError(
          f'--make has {name!r}: {errors.did_you_mean(name, _PARTS)}'
      )
  command_line.load_tensorflow()
  command_line.use_cpu()  # The run may go on, and have all of a GPU.
  quiet.first_compilation()
  from r2i_tf.analysis import look

  print(
      look.look(
          workdir,
          [look.Part(name) for name in make],
          look.Source(source),
          episodes,
          seed,
          lambda line: print(line, flush=True),
          max_steps=max_steps,
      )
  )
