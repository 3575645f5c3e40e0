"""The programs, from the command line to the exit code.

Each has a console script (`r2i-train`) and, in a checkout, a file of `launch/`.
Importing one defines no flag and loads no TensorFlow; its `main` does.
"""
