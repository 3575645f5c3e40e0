"""Runs one file of pytest tests as the program that a Bazel py_test needs."""

import os
import sys

import pytest

if __name__ == '__main__':
  arguments = sys.argv[1:] + ['-p', 'no:cacheprovider']
  chosen = os.environ.get('TESTBRIDGE_TEST_ONLY')  # bazel's --test_filter
  if chosen:
    arguments += ['-k', chosen]
  report = os.environ.get('XML_OUTPUT_FILE')
  if report:
    arguments += [f'--junit-xml={report}']
  sys.exit(pytest.main(arguments))
