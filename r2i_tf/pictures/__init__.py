"""Pictures of what a run has learned: arrays in, files out.

Nothing here knows of agents, of runs or of TensorFlow.
"""
