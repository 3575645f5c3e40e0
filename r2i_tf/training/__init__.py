"""The run: collecting, training, checkpoints, metrics, evaluation, export."""
