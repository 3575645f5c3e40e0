"""The data flow of a run, from environment to train step and files.

docs/architecture.md has it in words.
"""

from docs.drawings import svg


def drawing() -> svg.Drawing:
  """Returns the drawing."""
  d = svg.Drawing(
      620,
      668,
      'The data flow of a run',
      'Environments give observations and rewards to the policy, which gives'
      ' actions back. Every step goes into the replay. The replay gives batches'
      ' of sequences to the train step, which trains the world model on them,'
      ' imagines further steps from there, and trains actor and critic on what'
      ' was imagined. The policy acts with the same networks. The run writes a'
      ' record, checkpoints and policies.',
  )
  d.box(110, 20, 400, 62, 'Environments', ['N copies of a task, dm_env'])
  d.line((230, 126), (230, 84))
  d.text(222, 110, 'action a', 'small soft end')
  d.line((390, 84), (390, 126))
  d.text(398, 110, 'observation o, reward r', 'small soft')
  d.box(
      110,
      128,
      400,
      100,
      'Policy',
      [
          'encoder and posterior: z from o',
          'sequence model, one step: h and x from memory',
          'actor: a from z, with h, x or both',
      ],
  )
  d.line((310, 228), (310, 272))
  d.text(318, 254, 'every step, in order', 'small soft')
  d.box(110, 274, 400, 62, 'Replay', ['in memory, on disk, or on a server'])
  d.line((310, 336), (310, 380))
  d.text(318, 362, 'B sequences of T steps, by the train ratio', 'small soft')
  d.rectangle(60, 382, 500, 196, 'chosen', radius=6)
  d.text(310, 406, 'Train step, one XLA program', 'title', middle=True)
  d.box(
      80,
      420,
      220,
      142,
      'World model',
      [
          'all T steps in parallel',
          'o: reconstructed',
          'r, end of episode: predicted',
          'z: predicted from h',
      ],
  )
  d.line((300, 491), (338, 491))
  d.box(
      340,
      420,
      200,
      142,
      'Imagination',
      [
          'H steps from each state,',
          'the actor acting',
          'critic: the returns',
          'actor: higher returns',
      ],
  )
  d.line((60, 480), (28, 480), (28, 178), (108, 178))
  d.text(36, 200, 'same', 'small soft')
  d.text(36, 217, 'networks', 'small soft')
  d.line((310, 578), (310, 606))
  d.box(
      60,
      608,
      500,
      42,
      'Files: record, checkpoints, exported policies',
  )
  return d
