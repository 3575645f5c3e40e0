"""The experience in a replay server, which many processes write and read.

  collectors -> writing -> server -> reading -> learner
  collectors <- weights <- server <- weights <- learner
  collectors -> reports -> server -> reports -> learner

The server is Reverb's. `tables` says what it holds, `identity` what it is for,
`connection` how one finds out whether it is there. Nothing here is pickled:
what is no tensor is JSON.

Reverb has releases for the classic stack alone. `stack.require_reverb` says so
in a sentence; the modules here just import it.
"""
