"""The suites of environments, one file for each; `registry` lists them."""
