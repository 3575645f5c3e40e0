"""The suites of environments, one file for each."""
