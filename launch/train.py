"""Trains R2I on a task, from the start or from where the run stopped.

python launch/train.py --config=configs/quickstart.py --workdir=runs/first
"""

from absl import flags

from r2i_tf.programs import command_line

_CONFIG = command_line.define_config()
_WORKDIR = flags.DEFINE_string(
    'workdir',
    None,
    'Directory of the run; if it holds one, that one goes on.',
    required=True,
)
_TASK = flags.DEFINE_string(
    'task', None, 'The task, in place of the one that --config names.'
)


def main(_) -> None:
  """Trains, and says at the end what came of it."""
  # TensorFlow loads only once the flags are right.
  from r2i_tf.training import run

  config = command_line.run_config(_CONFIG.value, _TASK.value)
  summary = run.train(config, _WORKDIR.value)
  print(command_line.report(summary))


if __name__ == '__main__':
  command_line.run(main)
