"""Pictures: NumPy arrays in, PNG and GIF files out.

It knows nothing of agents, of TensorFlow or of runs.
"""
