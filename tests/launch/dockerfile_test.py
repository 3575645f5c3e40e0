"""Tests of the Dockerfile: what it copies and names exists."""

import fnmatch
import re
import shlex

import pytest

from tests.launch import manifests

_ROOT = manifests.ROOT


def _instructions():
  """Returns instructions and arguments, in stages that begin with FROM."""
  text = (_ROOT / 'Dockerfile').read_text(encoding='utf-8')
  text = re.sub(r'^#.*\n', '', text, flags=re.M).replace('\\\n', '')
  lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
  stages = []
  for name, rest in lines:
    if name == 'FROM':
      stages.append([])
    stages[-1].append((name, rest))
  return stages


def _all(name):
  return [rest for stage in _instructions() for n, rest in stage if n == name]


def _sources():
  """Returns what is copied from the checkout."""
  copied = []
  for rest in _all('COPY'):
    *sources, _ = rest.split()
    if not sources[0].startswith('--from='):
      copied += sources
  return copied


def _extras():
  text = (_ROOT / 'pyproject.toml').read_text(encoding='utf-8')
  section = re.search(
      r'^\[project\.optional-dependencies\]\n(.*?)^\[', text, re.M | re.S
  )
  return set(re.findall(r'^([\w-]+) = \[', section[1], re.M))


def test_sources_exist():
  """Whatever is copied is in the checkout."""
  for source in _sources():
    assert (_ROOT / source).exists(), source


def test_the_context_holds_the_sources_and_nothing_else():
  """Nothing of a checkout comes into an image by accident."""
  lines = (_ROOT / '.dockerignore').read_text(encoding='utf-8').splitlines()
  lines = [line for line in lines if not line.startswith('#')]
  assert lines[0] == '*'
  assert {line[1:] for line in lines if line.startswith('!')} == set(_sources())
  hidden = [line for line in lines[1:] if not line.startswith('!')]
  for path in ('r2i_tf/__pycache__', 'r2i_tf/config.pyc'):
    assert any(fnmatch.fnmatch(path, pattern) for pattern in hidden), path


def test_the_wheel_is_built_from_what_the_project_reads():
  """pyproject.toml names files that its build needs."""
  text = (_ROOT / 'pyproject.toml').read_text(encoding='utf-8')
  named = re.search(r'^readme = "(.*)"', text, re.M)[1]
  licenses = re.search(r'^license-files = \["(.*)"\]', text, re.M)[1]
  assert {named, licenses, 'pyproject.toml', 'r2i_tf'} <= set(_sources())


@pytest.mark.parametrize('place', ['Dockerfile', 'launch/kubernetes/README.md'])
def test_extras_exist(place):
  """By default and as the comments name them; with Reverb, which roles need."""
  named = re.findall(
      r'EXTRAS=([\w,-]+)', (_ROOT / place).read_text(encoding='utf-8')
  )
  assert named
  for each in named:
    extras = set(each.split(','))
    assert extras <= _extras() and 'reverb' in extras


def test_the_python_has_reverb():
  """That is before 3.12; and both stages have the same."""
  images = {rest.split()[0] for rest in _all('FROM')}
  (image,) = images
  assert image.startswith('python:3.11-slim')


def test_the_environment_lies_where_it_was_made():
  """Console scripts name their interpreter by its path."""
  *_, last = _instructions()
  (copied,) = (rest for name, rest in last if name == 'COPY')
  flag, source, target = copied.split()
  assert flag == '--from=build' and source == target
  (path,) = (rest for name, rest in last if name == 'ENV')
  assert path.startswith(f'PATH={target}/bin:')
  assert f'python -m venv {target} ' in ' '.join(_all('RUN'))


def test_the_programs_are_console_scripts():
  """What runs by default, and in the comments, is installed by the wheel."""
  (default,) = _all('CMD')
  program = re.findall(r'"(.*?)"', default)[0]
  text = (_ROOT / 'Dockerfile').read_text(encoding='utf-8')
  for name in (program, *re.findall(r'docker run \w+ ([\w-]+)', text)):
    assert name in manifests.console_scripts()
  (entry,) = _all('ENTRYPOINT')
  assert entry == '["tini", "--"]' and ' tini ' in ' '.join(_all('RUN'))


def test_nobody_is_root():
  """The user is a number, which Kubernetes compares with 0, and exists."""
  *_, last = _instructions()
  (user,) = (rest for name, rest in last if name == 'USER')
  number, group = user.split(':')
  assert int(number) and number == group
  assert f'useradd --uid {number} ' in ' '.join(_all('RUN'))
  for document in manifests.workloads():
    context = manifests.pod(document)['securityContext']
    assert context.get('fsGroup', int(group)) == int(group)


def test_libraries_are_those_of_continuous_integration():
  """EGL as .ci/run installs it."""
  wanted = set(
      re.findall(r'wanted\+=\(([\w.-]+)\)', (_ROOT / '.ci/run').read_text())
  )
  (install,) = (rest for rest in _all('RUN') if 'apt-get install' in rest)
  assert wanted and wanted <= set(shlex.split(install))
