"""Environments in processes of their own.

`environment_pool` is the batch that TF-Agents sees, `process` the pool's side
of one process, and `worker` the program that runs in it.
"""
