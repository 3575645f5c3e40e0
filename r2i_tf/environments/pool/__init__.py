"""Environments in processes of their own.

`environment_pool` is the batch that TF-Agents sees, `process_environment` a
single one, `process` this side of a process, and `worker` the program that runs
in it.
"""
