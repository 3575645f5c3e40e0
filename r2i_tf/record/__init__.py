"""The record of a run: its metrics, its progress, its learning curve."""
