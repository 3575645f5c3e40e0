"""What a run has learned to remember, read off its last checkpoint.

  workdir -> the agent as it was saved, its replay -> episodes -> states
          -> probes, time constants, sensitivity -> <workdir>/look

The run may go on meanwhile: nothing of it is locked, and nothing is written but
what is in `look`. `look.look` is the way in.
"""
