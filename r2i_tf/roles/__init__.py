"""The processes of a run with a replay server, one module for each role.

  replay_server   keeps the experience, paces both sides, carries the weights
  collector       acts, writes sequences, takes in weights
  learner         reads batches, trains, publishes weights, keeps the run
  local_cluster   all of them on one machine

docs/distributed.md shows who talks to whom, and what happens in a fault.
"""
